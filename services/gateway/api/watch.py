"""What is measured by looking from time to time: dependencies, Redis' disk, tickets that wait."""

import asyncio
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

import redis.asyncio as aioredis
from redis.exceptions import RedisError

from services.gateway.api.health import Ping, state_of
from services.gateway.api.metrics import Metrics
from services.gateway.errors import MemoryAwayError
from services.gateway.handoff.tickets import TicketBook
from services.gateway.identity.shops import Shop

LOOK_EVERY_S = 5.0


class Watch:
    """Looks, and tells the metrics.

    Args:
        pings: asks each dependency whether it is there.
        redis: asked about its disk.
        tickets: the shops' tickets.
        shops: gives the shops.
        metrics: is told.
    """

    def __init__(
        self,
        pings: dict[str, Ping],
        redis: aioredis.Redis,
        tickets: TicketBook,
        shops: Callable[[], Iterable[Shop]],
        metrics: Metrics,
    ) -> None:
        self._pings = pings
        self._redis = redis
        self._tickets = tickets
        self._shops = shops
        self._metrics = metrics

    async def keep_looking(self) -> None:
        """Look over and over, until cancelled."""
        while True:
            states = await asyncio.gather(*(state_of(ping) for ping in self._pings.values()))
            for name, state in zip(self._pings, states, strict=True):
                self._metrics.dependency(name, up=state["ok"])
            try:
                await self._look_at_disk()
                for shop in self._shops():
                    await self._look_at_tickets(shop)
            except (RedisError, OSError, TimeoutError, MemoryAwayError):
                pass  # Away, which has been said; what it was last is left alone.
            await asyncio.sleep(LOOK_EVERY_S)

    async def _look_at_disk(self) -> None:
        found = await self._redis.info("persistence")
        states = [found.get(f"aof_last_{what}_status") for what in ("write", "bgrewrite")]
        self._metrics.persistence(ok=bool(found.get("aof_enabled")) and states == ["ok", "ok"])

    async def _look_at_tickets(self, shop: Shop) -> None:
        listed = await self._tickets.waiting_and_claimed(shop.id)
        waiting = [ticket for ticket in listed if ticket.state == "waiting"]
        now, hours = datetime.now(UTC), shop.profile.service_hours
        # Nobody is late outside of hours, and nobody was before they began.
        begun = min((datetime.fromisoformat(one.opened_at) for one in waiting), default=now)
        if hours is not None:
            begun = max(begun, hours.opened_since(now) or now)
        self._metrics.tickets(shop.id, len(waiting), max(0.0, (now - begun).total_seconds()))

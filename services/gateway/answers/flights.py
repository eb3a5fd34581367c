"""Single flight: of all who ask the same at once, over all replicas, one has the answer made.

The others wait for it. One subscription and one renewal of leases per process; a lost message or a
dead maker costs a waiter at most its heartbeat.
"""

import asyncio
import itertools
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import redis.asyncio as aioredis
from redis.exceptions import RedisError

from services.gateway.answers import scripts
from services.gateway.errors import MemoryAwayError
from services.gateway.sessions.redis_port import RedisPort

RENEW_S = 0.5
HEARTBEAT_S = 1.0
RECONNECT_S = 1.0


class Flights:
    """The flights that this process makes, and those it waits for.

    Args:
        port: Redis.
        client: used for the subscription only.
        log: called with an event name and fields.
    """

    def __init__(self, port: RedisPort, client: aioredis.Redis, log: Callable[..., object]) -> None:
        self._port = port
        self._client = client
        self._log = log
        self._process = secrets.token_hex(8)
        self._numbers = itertools.count(1)
        self._held: dict[str, str] = {}
        self._waiting: dict[str, set[asyncio.Event]] = {}

    def ticket(self) -> str:
        """Return a ticket that no other flight has."""
        return f"{self._process}.{next(self._numbers)}"

    def hold(self, key: str, ticket: str) -> None:
        """Renew a flight's lease from now on."""
        self._held[ticket] = key

    def let_go(self, ticket: str) -> None:
        """Renew a flight's lease no more."""
        self._held.pop(ticket, None)

    @contextmanager
    def expecting(self, key: str) -> Iterator[asyncio.Event]:
        """Give an event that is set when somebody's flight ends."""
        event = asyncio.Event()
        events = self._waiting.setdefault(key, set())
        events.add(event)
        try:
            yield event
        finally:
            events.discard(event)
            if not events and self._waiting.get(key) is events:
                del self._waiting[key]

    async def keep_leases(self) -> None:
        """Renew the leases of this process's flights, until cancelled."""
        while True:
            await asyncio.sleep(RENEW_S)
            held = dict(self._held)
            if not held:
                continue
            try:
                await self._port.run(scripts.RENEW, list(held.values()), list(held))
            except MemoryAwayError:
                continue  # Whoever waits takes over; two answers are made instead of one.

    async def listen(self) -> None:
        """Wake those who wait as flights end, until cancelled."""
        while True:
            try:
                await self._listen_once()
            except (RedisError, OSError, TimeoutError) as exc:
                self._log("answer_channel_lost", reason=type(exc).__name__)
                await asyncio.sleep(RECONNECT_S)

    async def _listen_once(self) -> None:
        async with self._client.pubsub(ignore_subscribe_messages=True) as channel:
            await channel.subscribe(scripts.ENDED)
            while True:
                message = await channel.get_message(timeout=30.0)
                if message is not None:
                    for event in self._waiting.get(message["data"].decode(), ()):
                        event.set()

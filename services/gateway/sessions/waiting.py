"""Waking those who wait for their turn in a session, across processes.

One subscription per process. A lost wake-up costs a waiter at most its polling interval.
"""

import asyncio
import itertools
import secrets
from collections.abc import Callable

import redis.asyncio as aioredis
from redis.exceptions import RedisError

RECONNECT_S = 1.0


class Waiting:
    """The tickets of this process, and the listener that wakes them.

    Args:
        client: used for the subscription only.
        log: called with an event name and fields.
    """

    def __init__(self, client: aioredis.Redis, log: Callable[..., object]) -> None:
        self._client = client
        self._log = log
        self._process = secrets.token_hex(8)
        self._numbers = itertools.count(1)
        self._events: dict[str, asyncio.Event] = {}

    def ticket(self) -> str:
        """Return a ticket that no other turn has."""
        return f"{self._process}.{next(self._numbers)}"

    async def wait(self, ticket: str, seconds: float) -> None:
        """Wait until the ticket is woken, or `seconds` are over."""
        event = self._events.setdefault(ticket, asyncio.Event())
        try:
            async with asyncio.timeout(seconds):
                await event.wait()
        except TimeoutError:
            pass
        event.clear()

    def forget(self, ticket: str) -> None:
        """Drop a ticket that no longer waits."""
        self._events.pop(ticket, None)

    def expect(self, ticket: str) -> None:
        """Start to keep wake-ups for a ticket, before it is known to wait."""
        self._events.setdefault(ticket, asyncio.Event())

    async def listen(self) -> None:
        """Wake tickets as messages come, until cancelled."""
        while True:
            try:
                await self._listen_once()
            except (RedisError, OSError, TimeoutError) as exc:
                self._log("wake_channel_lost", reason=type(exc).__name__)
                await asyncio.sleep(RECONNECT_S)

    async def _listen_once(self) -> None:
        async with self._client.pubsub(ignore_subscribe_messages=True) as channel:
            await channel.subscribe(f"xiaoer:wake:{self._process}")
            while True:
                message = await channel.get_message(timeout=30.0)
                if message is not None:
                    event = self._events.get(message["data"].decode())
                    if event is not None:
                        event.set()

"""What customers' pages and agents' desks are told, as it happens, over all processes.

Events are kept in a stream each, so that who reconnects misses none. One subscription per process
wakes the readers; a lost wake-up costs a reader at most its polling interval.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import redis.asyncio as aioredis
from redis.exceptions import RedisError

from services.gateway.errors import MemoryAwayError
from services.gateway.sessions.redis_port import RedisPort

POLL_S = 5.0
RECONNECT_S = 1.0
_CHANNEL = "xiaoer:events"


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a stream."""

    id: str
    name: str
    data: bytes
    """JSON."""


class EventFeed:
    """Follows streams of events.

    Args:
        client: used for the subscription only.
        port: reads the streams.
        log: called with an event name and fields.
    """

    def __init__(self, client: aioredis.Redis, port: RedisPort, log: Callable[..., object]) -> None:
        self._client = client
        self._port = port
        self._log = log
        self._readers: defaultdict[str, set[asyncio.Event]] = defaultdict(set)

    async def follow(self, stream: str, after: str | None) -> AsyncIterator[Event | None]:
        """Yield a stream's events as they come, and None when there was none for a while.

        Args:
            stream: its key; see `session_stream` and `desk_stream`.
            after: id of the last event seen; None for only what happens from now on.

        Raises:
            MemoryAwayError: Redis is away at the start; later it is waited for.
        """
        woken = asyncio.Event()
        self._readers[stream].add(woken)
        try:
            last = after if after is not None else await self._port.last_event(stream)
            while True:
                woken.clear()
                found = await self._after(stream, last)
                for event in found:
                    last = event.id
                    yield event
                if not found:
                    yield None
                    await _wait(woken, POLL_S)
        finally:
            self._readers[stream].discard(woken)
            if not self._readers[stream]:
                del self._readers[stream]

    async def _after(self, stream: str, last: str) -> list[Event]:
        try:
            entries = await self._port.events_after(stream, last)
        except MemoryAwayError:
            return []  # Whoever follows stays; nothing is lost, since the stream is kept.
        return [
            Event(event_id.decode(), fields[b"event"].decode(), fields[b"data"])
            for event_id, fields in entries
        ]

    async def listen(self) -> None:
        """Wake readers as events come, until cancelled."""
        while True:
            try:
                await self._listen_once()
            except (RedisError, OSError, TimeoutError) as exc:
                self._log("event_channel_lost", reason=type(exc).__name__)
                await asyncio.sleep(RECONNECT_S)

    async def _listen_once(self) -> None:
        async with self._client.pubsub(ignore_subscribe_messages=True) as channel:
            await channel.subscribe(_CHANNEL)
            while True:
                message = await channel.get_message(timeout=30.0)
                if message is not None:
                    for woken in self._readers.get(message["data"].decode(), ()):
                        woken.set()


def session_stream(shop_id: str, session_id: str) -> str:
    """Return the key of what a customer's page is told."""
    return f"xiaoer:{shop_id}:session:{session_id}:events"


def desk_stream(shop_id: str) -> str:
    """Return the key of what a shop's agents are told."""
    return f"xiaoer:{shop_id}:desk"


async def _wait(woken: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await woken.wait()
    except TimeoutError:
        return

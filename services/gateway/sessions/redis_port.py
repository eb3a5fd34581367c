"""Redis as the sessions see it: scripts by hash, short timeouts, a circuit, one error.

Every failure of Redis becomes `MemoryAwayError` here, so that callers have one thing to expect.
"""

import hashlib
import time
from collections.abc import Callable, Sequence
from typing import Any

import redis.asyncio as aioredis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError, RedisError, ResponseError

from services.gateway.assistant.observer import Observer
from services.gateway.errors import MemoryAwayError
from services.gateway.sessions.circuit import Circuit

CONNECT_TIMEOUT_S = 1.0
READ_TIMEOUT_S = 2.0
"""Redis answers in under a millisecond. The limits are for this process: with vLLM on every core it
may get no CPU for hundreds of milliseconds, and an answer without memory for that is a worse one
than an answer a little later. A Redis that is truly gone costs them once, then the circuit opens.
"""
DISK_WAIT_MS = 1500
"""Redis writes to its disk every second; less than the limit on its reading time."""
POOL = 128
PAUSE_S = 2.0
"""How long Redis is left alone after a failure: no shorter than the limits above, so that of all
requests one at a time waits for a Redis that hangs."""


class Script:
    """A Lua script and the hash Redis knows it by."""

    __slots__ = ("sha", "source")

    def __init__(self, source: str) -> None:
        self.source = source
        # Redis names scripts by SHA-1; nothing depends on its strength.
        self.sha = hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()


class RedisPort:
    """Runs scripts and commands, or says quickly that Redis is away."""

    def __init__(
        self, client: aioredis.Redis, observer: Observer, log: Callable[..., object]
    ) -> None:
        """``log``: called with an event name and fields."""
        self._client = client
        self._observer = observer
        self._log = log
        self._told_not_durable = False
        self._circuit = Circuit(PAUSE_S)

    async def run(
        self, script: Script, keys: Sequence[str], args: Sequence[str | int | bytes]
    ) -> Any:
        """Run a script and return its reply.

        Raises:
            MemoryAwayError: Redis is away, or was a moment ago.
        """
        if not self._circuit.allows():
            raise MemoryAwayError("Redis did not answer a moment ago.")
        started = time.monotonic()
        try:
            reply = await self._eval(script, keys, args)
        except (RedisError, OSError, TimeoutError) as exc:
            self._circuit.failed()
            raise MemoryAwayError(f"Redis: {type(exc).__name__}") from exc
        finally:
            self._observer.hop("redis", time.monotonic() - started)
        self._circuit.worked()
        return reply

    async def _eval(
        self,
        script: Script,
        keys: Sequence[str],
        args: Sequence[str | int | bytes],
        client: aioredis.Redis | None = None,
    ) -> Any:
        client = client or self._client
        try:
            return await client.execute_command(  # type: ignore[no-untyped-call]
                "EVALSHA", script.sha, len(keys), *keys, *args
            )
        except NoScriptError:
            # A fresh or restarted server does not know the script yet; EVAL teaches it.
            return await client.execute_command(  # type: ignore[no-untyped-call]
                "EVAL", script.source, len(keys), *keys, *args
            )

    async def run_durably(
        self, script: Script, keys: Sequence[str], args: Sequence[str | int | bytes]
    ) -> Any:
        """Run a script; return its reply once what it wrote is on Redis' own disk.

        Where Redis keeps no append-only file, which is its operator's choice, nothing is waited
        for, and the log says so once.

        Raises:
            MemoryAwayError: Redis is away, or did not write in time; the script may have run.
        """
        if not self._circuit.allows():
            raise MemoryAwayError("Redis did not answer a moment ago.")
        started = time.monotonic()
        try:
            async with self._client.client() as one:
                reply = await self._eval(script, keys, args, one)
                await self._wait_for_disk(one)
        except (RedisError, OSError, TimeoutError) as exc:
            self._circuit.failed()
            raise MemoryAwayError(f"Redis: {type(exc).__name__}") from exc
        finally:
            self._observer.hop("redis", time.monotonic() - started)
        self._circuit.worked()
        return reply

    async def _wait_for_disk(self, one: aioredis.Redis) -> None:
        try:
            # WAITAOF counts the writes of its own connection only.
            written = await one.execute_command(  # type: ignore[no-untyped-call]
                "WAITAOF", 1, 0, DISK_WAIT_MS
            )
        except ResponseError as exc:
            if "appendonly" not in str(exc):
                raise
            if not self._told_not_durable:
                self._told_not_durable = True
                self._log("redis_keeps_no_append_only_file", effect="tickets can be lost with it")
            return
        if written[0] < 1:
            raise MemoryAwayError("Redis did not write to its disk in time.")

    async def fields(self, key: str, names: Sequence[str]) -> list[bytes | None]:
        """Return fields of a hash.

        Raises:
            MemoryAwayError: Redis is away, or was a moment ago.
        """
        return await self._items(lambda: self._client.hmget(key, list(names)))

    async def members(self, key: str) -> list[bytes]:
        """Return a sorted set's members in order.

        Raises:
            MemoryAwayError: Redis is away, or was a moment ago.
        """
        return await self._items(lambda: self._client.zrange(key, 0, -1))

    async def list_items(self, key: str) -> list[bytes]:
        """Return a list's items in order.

        Raises:
            MemoryAwayError: Redis is away, or was a moment ago.
        """
        return await self._items(lambda: self._client.lrange(key, 0, -1))

    async def events_after(self, key: str, event_id: str) -> list[tuple[bytes, dict[bytes, bytes]]]:
        """Return a stream's entries after one of them, oldest first.

        Raises:
            MemoryAwayError: Redis is away, or was a moment ago.
        """
        return await self._items(lambda: self._client.xrange(key, f"({event_id}", "+"))

    async def last_event(self, key: str) -> str:
        """Return the id of a stream's last entry; `0-0` where there is none.

        Raises:
            MemoryAwayError: Redis is away, or was a moment ago.
        """
        found = await self._items(lambda: self._client.xrevrange(key, count=1))
        return str(found[0][0].decode()) if found else "0-0"

    async def _items(self, ask: Callable[[], Any]) -> list[Any]:
        if not self._circuit.allows():
            raise MemoryAwayError("Redis did not answer a moment ago.")
        try:
            reply: list[Any] = await ask()
        except (RedisError, OSError, TimeoutError) as exc:
            self._circuit.failed()
            raise MemoryAwayError(f"Redis: {type(exc).__name__}") from exc
        self._circuit.worked()
        return reply

    async def ping(self) -> None:
        """Ask Redis whether it is there, whatever the circuit says.

        Raises:
            MemoryAwayError: it is not.
        """
        try:
            await self._client.ping()
        except (RedisError, OSError, TimeoutError) as exc:
            raise MemoryAwayError(f"Redis: {type(exc).__name__}") from exc
        self._circuit.worked()


def connect(url: str) -> aioredis.Redis:
    """Return a client with short timeouts and a bounded pool. Nothing is opened yet."""
    pool = aioredis.BlockingConnectionPool.from_url(
        url,
        max_connections=POOL,
        timeout=READ_TIMEOUT_S,
        socket_timeout=READ_TIMEOUT_S,
        socket_connect_timeout=CONNECT_TIMEOUT_S,
        # One more try at once, since a restarted Redis leaves closed connections in the pool. Never
        # after a timeout: that would only add waiting, and the circuit decides about trying again.
        retry=Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,)),
        health_check_interval=0,
    )
    # From the pool, so that closing the client closes its connections too.
    return aioredis.Redis.from_pool(pool)

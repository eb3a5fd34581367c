"""Versions of a shop's knowledge in Redis: one loader at a time, a swap in one step, and removal.

A version is written beside the one that is read. What a dead loader left is in the list of versions
and is removed by the next one.
"""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import msgspec
import redis.asyncio as aioredis
from redis.exceptions import RedisError, ResponseError

from services.gateway.knowledge.index import (
    Version,
    epoch_key,
    lock_key,
    pointer_key,
    prefix,
    versions_key,
)

LOCK_S = 60
"""A loader that died keeps others out for so long; one at work says again and again that it is."""
GRACE_S = 60
"""How long a version stays after the swap, for questions that began before it. They end within
their deadline, 30 s unless set."""
_BATCH = 1000
_SETTLE_S = 0.05

_RENEW = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('EXPIRE', KEYS[1], ARGV[2])
"""
_RELEASE = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
"""
_SWAP = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
local was = redis.call('GET', KEYS[2])
redis.call('SET', KEYS[2], ARGV[2])
if was then
  local removable = tonumber(redis.call('TIME')[1]) + tonumber(ARGV[4])
  redis.call('ZADD', KEYS[3], removable, cjson.decode(was)['id'])
end
redis.call('ZADD', KEYS[3], '+inf', ARGV[3])
redis.call('INCR', KEYS[4])
return 1
"""


class LoadError(Exception):
    """The load cannot go on; the message says why and what to do. The old version stays."""


class Versions:
    """The versions of one shop.

    Args:
        client: of Redis.
        shop: whose.
    """

    def __init__(self, client: aioredis.Redis, shop: str) -> None:
        self._client = client
        self._shop = shop
        self._token = secrets.token_hex(8)

    @asynccontextmanager
    async def only_loader(self) -> AsyncIterator[None]:
        """Hold the lock that keeps a second loader of this shop out.

        Raises:
            LoadError: another one is at work.
        """
        key = lock_key(self._shop)
        if not await self._client.set(key, self._token, nx=True, ex=LOCK_S):
            left = await self._client.ttl(key)
            raise LoadError(
                f"Documents of shop {self._shop!r} are being loaded already. Wait for that load to "
                f"end; if it was killed, its lock is gone in {max(left, 1)} s."
            )
        holding = asyncio.create_task(self._keep_lock(key))
        try:
            yield
        finally:
            holding.cancel()
            await asyncio.wait({holding})
            # A lock that cannot be given back runs out by itself.
            with contextlib.suppress(RedisError, OSError):
                await self._client.eval(_RELEASE, 1, key, self._token)

    async def _keep_lock(self, key: str) -> None:
        while True:
            await asyncio.sleep(LOCK_S / 4)
            # Whether it was lost is asked at the swap.
            with contextlib.suppress(RedisError, OSError):
                await self._client.eval(_RENEW, 1, key, self._token, str(LOCK_S))

    async def check(self) -> None:
        """Check that Redis can search, before anything is embedded.

        Raises:
            LoadError: it cannot.
        """
        try:
            await self._client.execute_command("FT._LIST")  # type: ignore[no-untyped-call]
        except ResponseError as exc:
            raise LoadError(
                "This Redis has no search module; take Redis 8, or `make run`'s own. See REDIS_URL."
            ) from exc

    async def present(self) -> Version | None:
        """Return the version that is read; None: no documents are loaded."""
        found = await self._client.get(pointer_key(self._shop))
        return msgspec.json.decode(found, type=Version) if found else None

    async def begin(self) -> str:
        """Return the name of a new version, noted as begun so that it is not left behind."""
        version = f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"
        await self._client.zadd(versions_key(self._shop), {version: 0})
        return version

    async def swap(self, version: Version, grace_s: float = GRACE_S) -> None:
        """Let questions read `version` from now on, and forget cached answers, in one step.

        Raises:
            LoadError: another loader has taken over since; nothing was changed.
        """
        keys = (lock_key, pointer_key, versions_key, epoch_key)
        value = msgspec.json.encode(version)
        done = await self._client.eval(
            _SWAP,
            len(keys),
            *(key(self._shop) for key in keys),
            self._token,
            value.decode(),
            version.id,
            str(grace_s),
        )
        if not done:
            raise LoadError(
                "This load was held up for so long that its lock ran out; nothing was changed. "
                "Load again."
            )

    async def indexed(self, version: str, chunks: int) -> None:
        """Wait until a version's index holds all its chunks.

        Raises:
            LoadError: Redis could not index some of them.
        """
        while True:
            info = await self._client.ft(prefix(self._shop, version)).info()  # type: ignore[no-untyped-call]
            if failed := int(info["hash_indexing_failures"]):
                raise LoadError(f"Redis could not index {failed} of {chunks} chunks.")
            if not int(info["indexing"]) and float(info["percent_indexed"]) >= 1:
                if int(info["num_docs"]) != chunks:
                    raise LoadError(f"Redis indexed {info['num_docs']} of {chunks} chunks.")
                return
            await asyncio.sleep(_SETTLE_S)

    async def removable(self) -> list[str]:
        """Return versions that nobody reads and nobody writes: call with the lock held."""
        seconds, _ = await self._client.time()
        names: Any = await self._client.zrangebyscore(versions_key(self._shop), "-inf", seconds)
        present = await self.present()
        old = [bytes(name).decode() for name in names]
        return [name for name in old if present is None or name != present.id]

    async def remove(self, names: Sequence[str]) -> None:
        """Remove versions: the index first, or each key that goes would be taken out of it."""
        for name in names:
            try:
                await self._client.execute_command(  # type: ignore[no-untyped-call]
                    "FT.DROPINDEX", prefix(self._shop, name)
                )
            except ResponseError as exc:
                if not _is_missing(exc):
                    raise
            async for keys in self.keys(name):
                await self._client.unlink(*keys)
            await self._client.zrem(versions_key(self._shop), name)

    async def keys(self, version: str) -> AsyncIterator[list[bytes]]:
        """Yield the keys of a version's chunks, in batches."""
        cursor = 0
        while True:
            found: Any = await self._client.scan(cursor, f"{prefix(self._shop, version)}*", _BATCH)
            cursor, keys = found
            if keys:
                yield [bytes(key) for key in keys]
            if not cursor:
                return


def _is_missing(exc: ResponseError) -> bool:
    text = str(exc).lower()
    return any(words in text for words in ("no such index", "unknown index", "not found"))

"""A shop's epoch: answers of another one are never given. What changes answers moves it.

The knowledge loader moves it by INCR in its own swap; the importer's notice through here.
"""

from services.gateway.answers import scripts
from services.gateway.sessions.redis_port import RedisPort


class Epochs:
    """Reads and moves epochs.

    Args:
        port: Redis.
    """

    def __init__(self, port: RedisPort) -> None:
        self._port = port

    async def now(self, shop: str) -> str:
        """Return a shop's epoch.

        Raises:
            MemoryAwayError: Redis is away.
        """
        return _text(await self._port.run(scripts.EPOCH, [f"{scripts.base(shop)}:epoch"], []))

    async def move(self, shop: str) -> None:
        """Make every answer of a shop an old one, at once and for all replicas.

        Raises:
            MemoryAwayError: Redis is away; they may still be given.
        """
        await self._port.run(scripts.BUMP, [f"{scripts.base(shop)}:epoch"], [])

    async def seen(self, shop: str, version: str, before: str) -> str:
        """Note the catalogue's version; a new one moves the epoch.

        Args:
            shop: whose.
            version: as just read.
            before: the epoch before it was read.

        Returns:
            The epoch that the version belongs to; empty where it was moved meanwhile, and the
            catalogue may be from before that.

        Raises:
            MemoryAwayError: Redis is away.
        """
        base = scripts.base(shop)
        keys = [f"{base}:epoch", f"{base}:catalogue"]
        return _text(await self._port.run(scripts.SEEN, keys, [version, before]))


def _text(reply: bytes | str) -> str:
    return reply.decode() if isinstance(reply, bytes) else reply

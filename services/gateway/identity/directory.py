"""The shops as they are now: their files are read again when they change.

A file that cannot be used changes nothing: the last good copy stays, and the log says once why.
"""

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from services.gateway.errors import SettingsError
from services.gateway.identity.shops import Shops, load_shops

POLL_S = 1.0
"""Polling, since a change of a mounted secret, or on a network's disk, gives no notice."""

_Seen = tuple[tuple[int, int, int] | None, ...]


class ShopDirectory:
    """Holds the shops and follows their files.

    Args:
        shops_file: the public part.
        secrets_file: the secret part.
        log: structlog's logger.

    Raises:
        SettingsError: a file is missing or wrong at the start; says which.
    """

    def __init__(self, shops_file: Path, secrets_file: Path, log: Any) -> None:
        self._files = (shops_file, secrets_file)
        self._log = log
        # Before reading: a change in between is then read once more, rather than missed.
        self._seen = _state(self._files)
        self._shops = load_shops(shops_file, secrets_file)

    @property
    def shops(self) -> Shops:
        """The last good copy."""
        return self._shops

    def jwks_places(self) -> Iterable[tuple[str, str]]:
        """Return URL and algorithm of each key set that a shop publishes."""
        rules = (shop.token_rules for shop in self._shops)
        return [(rule.jwks_url, rule.alg) for rule in rules if rule and rule.jwks_url]

    async def follow(self, poll_s: float = POLL_S) -> None:
        """Look for changes every `poll_s` seconds, until cancelled."""
        while True:
            await asyncio.sleep(poll_s)
            # In a thread: a disk may be slow, and a customer's clause must not wait for it.
            await asyncio.to_thread(self.refresh)

    def refresh(self) -> None:
        """Read the files again if they have changed."""
        seen = _state(self._files)
        if seen == self._seen:
            return
        self._seen = seen
        try:
            self._shops = load_shops(*self._files)
        except SettingsError as exc:
            self._log.warning(
                "shops_not_reloaded",
                cause=str(exc),
                remedy="Mend the file; until then the last good copy is used.",
            )
        else:
            self._log.info("shops_reloaded", shops=[shop.id for shop in self._shops])


def _state(files: tuple[Path, ...]) -> _Seen:
    """Return what tells one version of the files from another; None for a file that is away."""
    return tuple(map(_version, files))


def _version(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino

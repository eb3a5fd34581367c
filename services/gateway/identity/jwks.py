"""Public keys of shops that sign customer tokens themselves: JSON Web Key Sets (RFC 7517).

A set stands in the secrets file, or is fetched from the shop's URL. Fetching is this module's to
decide: what a request carries may ask for one fetch in `RETRY_S` seconds and no more, requests
share it, and what was fetched last stays good while the URL is away.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any

import httpx2
import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from services.gateway.errors import JwksError, TokenKeysAwayError

PublicKey = EllipticCurvePublicKey | Ed25519PublicKey
Fetch = Callable[[str], Awaitable[bytes]]
Log = Callable[..., Any]

RETRY_S = 30.0
"""Seconds between two fetches of one set."""
FIRST_RETRY_S = 5.0
"""The same in the background while there is no set at all, since nobody can sign in then."""
FRESH_S = 300.0
"""Age at which a set is fetched anew, so that a key the shop has withdrawn does not stay good."""
FETCH_TIMEOUT_S = 3.0
"""A customer may be waiting for it."""
_TICK_S = 1.0
_MAX_BYTES = 65_536
_MAX_KEYS = 16
_KID_CHARS = 128
_CURVES = {"ES256": ("EC", "P-256"), "EdDSA": ("OKP", "Ed25519")}


@dataclass(frozen=True, slots=True)
class KeySet:
    """The keys of a set that fit the shop's algorithm, by their id."""

    keys: dict[str | None, PublicKey]

    def find(self, kid: str | None) -> PublicKey | None:
        """Return the key of this id. A token may leave the id out where there is one key only."""
        if kid is None and len(self.keys) == 1:
            return next(iter(self.keys.values()))
        return self.keys.get(kid) if kid is not None else None


def parse_jwks(document: Any, alg: str) -> KeySet:
    """Read a decoded JWKS; keys for other uses are passed over.

    Args:
        document: `{"keys": [...]}`.
        alg: ES256 or EdDSA; decides which keys can be used, whatever they say of themselves.

    Raises:
        JwksError: there is no key to use, or the set cannot be trusted; says why.
    """
    listed = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(listed, list):
        raise JwksError('it is no JWKS; it must be {"keys": [...]}')
    if len(listed) > _MAX_KEYS:
        raise JwksError(f"it holds more than {_MAX_KEYS} keys")
    keys: dict[str | None, PublicKey] = {}
    for item in listed:
        if not isinstance(item, dict) or not _fits(item, alg):
            continue
        if "d" in item:
            raise JwksError(
                "it holds a private key; publish public keys only, and replace this one"
            )
        kid = item.get("kid")
        if not (kid is None or (isinstance(kid, str) and 0 < len(kid) <= _KID_CHARS)):
            raise JwksError(f"a kid must be a string of 1 to {_KID_CHARS} characters")
        if kid in keys:
            raise JwksError("two keys have the same kid, or none")
        keys[kid] = _public_key(item, alg)
    if not keys:
        raise JwksError(f"it holds no key for {alg} (kty and crv: {', '.join(_CURVES[alg])})")
    if None in keys and len(keys) > 1:
        raise JwksError("each of several keys needs a kid")
    return KeySet(keys)


def _fits(item: dict[str, Any], alg: str) -> bool:
    kind = (item.get("kty"), item.get("crv"))
    return kind == _CURVES[alg] and item.get("use", "sig") == "sig" and item.get("alg", alg) == alg


def _public_key(item: dict[str, Any], alg: str) -> PublicKey:
    try:
        key = jwt.PyJWK.from_dict(item, algorithm=alg).key
    except (jwt.PyJWTError, ValueError, TypeError) as exc:
        # Not the library's words: they show the key.
        raise JwksError("a key is damaged") from exc
    assert isinstance(key, EllipticCurvePublicKey | Ed25519PublicKey)  # noqa: S101 (kty is checked)
    return key


class RemoteKeys:
    """One shop's set, fetched from its URL and kept.

    Args:
        url: where the set is.
        alg: the shop's algorithm.
        fetch: gets the bytes of a URL; raises `JwksError`.
        warn: logs that the URL is away, once for each time.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        url: str,
        alg: str,
        fetch: Fetch,
        warn: Log,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url = url
        self._alg = alg
        self._fetch = fetch
        self._warn = warn
        self._clock = clock
        self._keys: KeySet | None = None
        self._fetched_s = self._tried_s = float("-inf")
        self._task: asyncio.Task[None] | None = None
        self._is_away = False

    async def find(self, kid: str | None) -> PublicKey | None:
        """Return the key of this id, or None; an unknown id has the set fetched, if it may be.

        Raises:
            TokenKeysAwayError: there is no set yet.
        """
        found = self._keys.find(kid) if self._keys else None
        if found is not None:
            return found
        if self._task is None and self._clock() - self._tried_s >= RETRY_S:
            self._start()
        if self._task is not None:
            # Shared; one client's hanging up does not end it for the others, and its own end,
            # whatever it is, is not theirs.
            await asyncio.wait({self._task})
        if self._keys is None:
            raise TokenKeysAwayError(
                "The keys that customer tokens are checked with cannot be fetched from the shop. "
                "Try again soon, or send no token for an anonymous visitor."
            )
        return self._keys.find(kid)

    def tick(self) -> None:
        """Begin a fetch if the set is old, or missing."""
        pause = FIRST_RETRY_S if self._keys is None else RETRY_S
        is_old = self._clock() - self._fetched_s >= FRESH_S
        if is_old and self._task is None and self._clock() - self._tried_s >= pause:
            self._start()

    async def close(self) -> None:
        """End a fetch under way."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    def _start(self) -> None:
        self._tried_s = self._clock()
        self._task = asyncio.create_task(self._refresh())

    async def _refresh(self) -> None:
        try:
            async with asyncio.timeout(FETCH_TIMEOUT_S):
                body = await self._fetch(self._url)
            self._keys = parse_jwks(msgspec.json.decode(body), self._alg)
        except (JwksError, TimeoutError, ValueError, RecursionError) as exc:
            if not self._is_away:
                self._warn(
                    "jwks_away",
                    url=self._url,
                    cause=_cause(exc),
                    remedy="Check that the URL answers with the shop's JWKS; "
                    "until then the last good copy is used, if there is one.",
                )
            self._is_away = True
        else:
            self._fetched_s = self._clock()
            self._is_away = False
        finally:
            self._task = None


def _cause(exc: Exception) -> str:
    if isinstance(exc, TimeoutError):
        return f"no answer within {FETCH_TIMEOUT_S:g} s"
    return str(exc) if isinstance(exc, JwksError) else "it is not JSON"


class KeySources:
    """All remote sets, one for each URL and algorithm.

    Args:
        warn: logs.
        fetch: gets the bytes of a URL; over HTTP when absent.
    """

    def __init__(self, warn: Log, fetch: Fetch | None = None) -> None:
        self._warn = warn
        self._http: httpx2.AsyncClient | None = None
        self._making = asyncio.Lock()
        self._fetch = fetch or self._get
        self._remote: dict[tuple[str, str], RemoteKeys] = {}

    def remote(self, url: str, alg: str) -> RemoteKeys:
        """Return the set of a URL; it survives a reload of the secrets file."""
        place = (url, alg)
        if place not in self._remote:
            self._remote[place] = RemoteKeys(url, alg, self._fetch, self._warn)
        return self._remote[place]

    async def keep_fresh(self, wanted: Callable[[], Iterable[tuple[str, str]]]) -> None:
        """Fetch sets before they are asked for and when they are old, until cancelled.

        Args:
            wanted: gives URL and algorithm of each set that is in use now.
        """
        while True:
            places = set(wanted())
            for unused in self._remote.keys() - places:
                await self._remote.pop(unused).close()
            for place in places:
                self.remote(*place).tick()
            await asyncio.sleep(_TICK_S)

    async def close(self) -> None:
        """End fetches under way and close the HTTP client."""
        for remote in self._remote.values():
            await remote.close()
        if self._http is not None:
            await self._http.aclose()

    async def _get(self, url: str) -> bytes:
        async with self._making:
            if self._http is None:
                # In a thread: reading the machine's certificates takes a while.
                self._http = await asyncio.to_thread(_client)
        try:
            return await read_limited(self._http, url)
        except (httpx2.HTTPError, httpx2.InvalidURL) as exc:
            raise JwksError(f"it cannot be reached ({type(exc).__name__})") from exc


def _client() -> httpx2.AsyncClient:
    return httpx2.AsyncClient(timeout=FETCH_TIMEOUT_S, trust_env=False)


async def read_limited(http: httpx2.AsyncClient, url: str) -> bytes:
    """Return the body of a URL.

    Raises:
        JwksError: it is no plain answer of a reasonable size; redirects are not followed.
    """
    # Not unpacked, so that the limit counts what arrives.
    headers = {"accept": "application/json", "accept-encoding": "identity"}
    async with http.stream("GET", url, headers=headers) as response:
        if response.status_code != 200:
            raise JwksError(f"it answers with status {response.status_code}")
        body = b""
        async for piece in response.aiter_raw():
            body += piece
            if len(body) > _MAX_BYTES:
                raise JwksError(f"it is larger than {_MAX_BYTES} bytes")
    return body

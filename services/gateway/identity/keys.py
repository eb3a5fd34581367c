"""Shop keys: how they are made, stored and recognised, and the origins that public ones belong to.

A `secret` key is for a shop's servers. A `public` key stands in a page for everybody to read, so
it is only good together with the `Origin` header that browsers set and pages cannot change.
"""

import hashlib
import hmac
import secrets
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Literal
from urllib.parse import urlsplit

import msgspec

from services.gateway.errors import ForbiddenError

KeyKind = Literal["secret", "public"]

PREFIXES: dict[KeyKind, str] = {"secret": "sk-xiaoer-", "public": "pk-xiaoer-"}
_RANDOM_BYTES = 32
_ID_BYTES = 4
_DEFAULT_PORTS = {"http": 80, "https": 443}


class ShopKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is kept of a key.

    The key itself has 256 random bits, so its plain SHA-256 is enough: salts and slow hashes make
    guessable passwords dear to guess, and these cannot be guessed at any price.
    """

    id: str
    kind: KeyKind
    sha256: str
    """Of the whole key, in lower-case hexadecimal."""
    origins: tuple[str, ...]
    """Where a public key may be used, as browsers write it; empty for a secret key."""
    created_at: datetime

    def __post_init__(self) -> None:
        """Check what the types do not say.

        Raises:
            ValueError: naming the field, never a value that could be secret.
        """
        if not self.id.isascii() or not self.id.isprintable() or not 0 < len(self.id) <= 64:
            raise ValueError("id must have 1 to 64 printable ASCII characters")
        if len(self.sha256) != 64 or not set(self.sha256) <= set("0123456789abcdef"):
            raise ValueError("sha256 must be 64 hexadecimal digits, in lower case")
        if self.created_at.tzinfo is None:
            raise ValueError("created_at must have a time zone")
        if self.kind == "secret" and self.origins:
            raise ValueError("a secret key has no origins")
        if self.kind == "public" and not self.origins:
            raise ValueError("a public key needs at least one origin")
        for origin in self.origins:
            check_origin(origin)

    def allow(self, origin: str | None) -> None:
        """Check where a request with this key comes from.

        Args:
            origin: the `Origin` header, which browsers set on every request to another site.

        Raises:
            ForbiddenError: a public key from elsewhere, or a secret key in a browser.
        """
        if self.kind == "secret":
            if origin is None:
                return
            raise ForbiddenError(
                "This is a secret key, and it was sent by a browser, where everybody can read it. "
                "Use the shop's public key in pages, and revoke this one if it was published.",
                code="secret_key_in_browser",
            )
        if origin is None:
            raise ForbiddenError(
                "A public key is for browsers: the request has no Origin header. Use a secret key "
                "on servers.",
                code="origin_missing",
            )
        if origin not in self.origins:
            raise ForbiddenError(
                f"This key is not for pages of {origin[:200]!r}. Use it on the shop's own pages, "
                "or have a key made for this origin.",
                code="origin_not_allowed",
            )


def make_key(
    kind: KeyKind, origins: Iterable[str] = (), *, taken: Iterable[str] = ()
) -> tuple[str, ShopKey]:
    """Return a new key, and what to keep of it.

    Args:
        kind: of the key.
        origins: of a public key.
        taken: ids of the shop's other keys.

    Raises:
        ValueError: the origins do not go with the kind, or one is none.
    """
    key = PREFIXES[kind] + secrets.token_urlsafe(_RANDOM_BYTES)
    used = set(taken)
    while (key_id := f"k_{secrets.token_hex(_ID_BYTES)}") in used:
        pass
    now = datetime.now(UTC).replace(microsecond=0)
    unique = tuple(dict.fromkeys(origins))
    return key, ShopKey(key_id, kind, key_hash(key), unique, now)


def key_hash(key: str) -> str:
    """Return what is stored in place of a key."""
    return hashlib.sha256(key.encode()).hexdigest()


def same_hash(one: str, other: str) -> bool:
    """Compare two hashes in constant time."""
    return hmac.compare_digest(one.encode(), other.encode())


def check_origin(origin: str) -> None:
    """Check that this is an origin as a browser writes it (RFC 6454, section 6.2).

    Raises:
        ValueError: says how to write it.
    """
    form = f"origin {origin!r} must be written as browsers do, such as https://shop.example"
    try:
        parts = urlsplit(origin)
        port = parts.port
    except ValueError as exc:
        raise ValueError(form) from exc
    host = parts.hostname or ""
    if parts.scheme not in _DEFAULT_PORTS or not host or not origin.isascii():
        raise ValueError(f"{form} (http or https, a host in its xn-- form)")
    if set(host) & set(" *%,;\"'<>\\"):
        raise ValueError(f"{form}; each host is named, there are no wildcards")
    bracketed = f"[{host}]" if ":" in host else host
    shown_port = "" if port in {None, _DEFAULT_PORTS[parts.scheme]} else f":{port}"
    if origin != (written := f"{parts.scheme}://{bracketed}{shown_port}"):
        raise ValueError(f"{form}: here {written!r}, without path, slash or default port")

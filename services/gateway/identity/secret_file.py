"""`SHOP_SECRETS_FILE`: each shop's keys (hashed) and how its customer tokens are checked.

Whoever changes the file holds a lock on its folder meanwhile, and puts a whole new file in its
place: readers never see half of one, and two changes at once do not undo each other.
"""

import contextlib
import fcntl
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import msgspec

from services.gateway.errors import JwksError, SettingsError
from services.gateway.identity.agents import Agent
from services.gateway.identity.jwks import KeySet, parse_jwks
from services.gateway.identity.keys import ShopKey
from services.gateway.settings import SECRET_BYTES

Algorithm = Literal["HS256", "ES256", "EdDSA"]
_LOOPBACK = {"127.0.0.1", "::1", "localhost"}


class TokenRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """How a shop's customer tokens are checked. The algorithm is set here, never by a token."""

    alg: Algorithm
    secrets: tuple[str, ...] = ()
    """HS256: the current one, then the one before it while its tokens are still about."""
    jwks_url: str | None = None
    """ES256, EdDSA: where the shop publishes its public keys."""
    jwks: dict[str, Any] | None = None
    """ES256, EdDSA: the public keys themselves."""

    def __post_init__(self) -> None:
        """Check what the types do not say.

        Raises:
            ValueError: naming the field, never a secret.
        """
        if self.alg == "HS256":
            if self.jwks_url is not None or self.jwks is not None:
                raise ValueError("HS256 has secrets; jwks_url and jwks are for ES256 and EdDSA")
            if not 1 <= len(self.secrets) <= 2:
                raise ValueError("HS256 needs one or two secrets")
            if any(len(secret.encode()) < SECRET_BYTES for secret in self.secrets):
                raise ValueError(f"each of secrets must have at least {SECRET_BYTES} bytes")
            return
        if self.secrets:
            raise ValueError(f"{self.alg} has public keys, no secrets")
        if (self.jwks_url is None) == (self.jwks is None):
            raise ValueError(f"{self.alg} needs either jwks_url or jwks")
        if self.jwks_url is not None:
            _check_url(self.jwks_url, "jwks_url")
        else:
            self.key_set()

    def key_set(self) -> KeySet | None:
        """Return the keys that stand in the file, or None where there are none."""
        if self.jwks is None:
            return None
        try:
            return parse_jwks(self.jwks, self.alg)
        except JwksError as exc:
            raise ValueError(f"jwks cannot be used: {exc}") from exc


class Webhook(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a shop's own helpdesk hears of its tickets."""

    url: str
    secret: str
    """Signs each event."""

    def __post_init__(self) -> None:
        """Check what the types do not say.

        Raises:
            ValueError: naming the field, never the secret.
        """
        _check_url(self.url, "webhook url")
        if len(self.secret.encode()) < SECRET_BYTES:
            raise ValueError(f"the webhook's secret must have at least {SECRET_BYTES} bytes")


class ShopSecrets(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One shop's entry."""

    keys: tuple[ShopKey, ...]
    customer_tokens: TokenRules
    agents: tuple[Agent, ...] = ()
    webhook: Webhook | None = None

    def __post_init__(self) -> None:
        """Check what the types do not say.

        Raises:
            ValueError: two keys or two agents have one id.
        """
        if len({agent.id for agent in self.agents}) != len(self.agents):
            raise ValueError("two agents have the same id")
        if len({key.id for key in self.keys}) != len(self.keys):
            raise ValueError("two keys have the same id")


def _check_url(url: str, name: str) -> None:
    """Check a URL: over plain HTTP anybody on the way could read, or put in something else.

    Raises:
        ValueError: says what is wrong.
    """
    try:
        parts = urlsplit(url)
        local = parts.hostname in _LOOPBACK
    except ValueError as exc:
        raise ValueError(f"{name} is no URL") from exc
    if not parts.hostname or not (parts.scheme == "https" or (parts.scheme == "http" and local)):
        raise ValueError(f"{name} must start https:// (http:// only on this machine)")
    if parts.username is not None or parts.fragment:
        raise ValueError(f"{name} must have neither a user nor a fragment")


def read_secrets(path: Path) -> dict[str, ShopSecrets]:
    """Read the file.

    Raises:
        SettingsError: it is missing, open to others, or wrong; says which, never a secret.
    """
    try:
        mode = path.stat().st_mode
        raw = path.read_bytes()
    except OSError as exc:
        raise SettingsError(
            f"SHOP_SECRETS_FILE {path} cannot be read: {exc.strerror}. `make shop` makes it."
        ) from exc
    if mode & stat.S_IRWXO:
        raise SettingsError(
            f"SHOP_SECRETS_FILE {path} is open to every user of this machine; run: chmod 600 {path}"
        )
    shop_id, shops = "", {}
    try:
        for shop_id, entry in msgspec.json.decode(raw, type=dict[str, msgspec.Raw]).items():
            shops[shop_id] = msgspec.json.decode(entry, type=ShopSecrets)
    except (ValueError, RecursionError) as exc:
        # The messages of msgspec and of our own checks name the place, never a secret.
        whose = f"the entry of {shop_id!r}" if shop_id else "it"
        raise SettingsError(
            f"SHOP_SECRETS_FILE {path} is not as it should be: {exc}. Mend {whose}, or remove it "
            "and make it anew with `make shop`."
        ) from exc
    return shops


def write_secrets(path: Path, shops: dict[str, ShopSecrets]) -> None:
    """Replace the file by a whole new one that its owner alone may read.

    Raises:
        SettingsError: it cannot be written.
    """
    body = msgspec.json.format(msgspec.json.encode(shops), indent=2) + b"\n"
    draft = path.with_name(f".{path.name}.{secrets.token_hex(6)}.part")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as exc:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
        raise SettingsError(
            f"SHOP_SECRETS_FILE {path} cannot be written: {exc.strerror}. Check its folder."
        ) from exc


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keep others from changing the file meanwhile; its folder is made if need be.

    Raises:
        SettingsError: the folder cannot be used.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder = os.open(path.parent, os.O_RDONLY)
    except OSError as exc:
        raise SettingsError(
            f"The folder of SHOP_SECRETS_FILE {path} cannot be used: {exc.strerror}."
        ) from exc
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)

"""The demo shop's key, the secrets that sign tokens, and tokens for trying things out.

Made once, kept in `DATA_DIR/secrets` (folder 0700, files 0600), never printed except the key and
the tokens that the user asked for. The gateway's `make shop` changes the shops' file too; both hold
a lock on the folder while they do.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import secrets
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jwt

from deploy.local.errors import LocalError, SettingsError

DEMO_SHOP = "demo"
_CUSTOMER_CHARS = 128  # the gateway accepts no longer `sub`


@dataclass(frozen=True, slots=True)
class Credentials:
    """Secrets of this data folder.

    Attributes:
        service_token_secret: shared by gateway and tools (HS256).
        shop_secrets_file: what the gateway reads: hashed keys and token rules per shop.
        shop_key: the demo shop's secret key, as its server sends it.
        customer_token_secret: signs the demo shop's customer tokens (HS256); None where the shop
            signs them by a key of its own.

    """

    service_token_secret: str = field(repr=False)
    shop_secrets_file: Path
    shop_key: str = field(repr=False)
    customer_token_secret: str | None = field(repr=False)

    def customer_token(self, customer: str, ttl_s: int) -> str:
        """Make a token: its bearer is this customer of the demo shop, for `ttl_s` seconds.

        Raises:
            SettingsError: the gateway would not accept that customer id.
            LocalError: the shop's tokens are signed elsewhere.

        """
        if self.customer_token_secret is None:
            raise LocalError(
                "The demo shop's tokens are signed by a key that is not kept here; sign them "
                'there, or go back to a secret: make shop ARGS="use-secret demo"'
            )
        if not 0 < len(customer) <= _CUSTOMER_CHARS:
            raise SettingsError(
                f"CUSTOMER must be a customer's id of 1 to {_CUSTOMER_CHARS} characters, such as "
                "alice: make -s token CUSTOMER=alice"
            )
        claims = {"sub": customer, "shop": DEMO_SHOP, "exp": int(time.time()) + ttl_s}
        return jwt.encode(claims, self.customer_token_secret, algorithm="HS256")


def load_credentials(folder: Path) -> Credentials:
    """Read the secrets in `folder`, making those that are not there yet.

    The shops' file may hold more shops, and more keys of the demo shop; they are left as they are.

    Raises:
        LocalError: the folder cannot be written, or a file in it is damaged.

    """
    shops_file = folder / "shops.json"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
        with _locked(folder):
            service = _once(folder / "service-token.secret", secrets.token_urlsafe(48))
            shops = json.loads(shops_file.read_text("utf-8")) if shops_file.exists() else {}
            entry = shops.setdefault(DEMO_SHOP, {})
            if "keys" not in entry:  # a new file, or one of another form
                entry = shops[DEMO_SHOP] = _fresh_entry()
            key = _known_key(folder / "demo-shop.key", entry)
            text = json.dumps(shops, indent=2) + "\n"
            if not shops_file.exists() or shops_file.read_text("utf-8") != text:
                _write(shops_file, text)
            signing: list[str] = entry["customer_tokens"].get("secrets", [])
    except OSError as exc:
        raise LocalError(
            f"{folder} cannot hold the secrets ({exc.strerror}); choose another folder: DATA_DIR=…"
        ) from exc
    except (ValueError, AttributeError, KeyError, TypeError) as exc:
        raise LocalError(
            f"{shops_file} is damaged; mend it, or remove it to have it made anew."
        ) from exc
    return Credentials(service, shops_file, key, signing[0] if signing else None)


def _fresh_entry() -> dict[str, Any]:
    """Return the demo shop's entry in the form that the gateway reads."""
    rules = {"alg": "HS256", "secrets": [secrets.token_urlsafe(48)]}
    return {"keys": [], "customer_tokens": rules}


def _known_key(path: Path, entry: dict[str, Any]) -> str:
    """Return the key in `path`; a key that the entry does not know is replaced by a new one.

    It was revoked, or its entry was lost: either way what it was is not to come back by itself.
    """
    known = {key["sha256"] for key in entry["keys"]}
    if path.exists() and hashlib.sha256(_read(path).encode()).hexdigest() not in known:
        path.unlink()
    key = _once(path, f"sk-xiaoer-{secrets.token_urlsafe(32)}")
    digest = hashlib.sha256(key.encode()).hexdigest()
    if digest not in known:
        entry["keys"].append(
            {
                "id": f"k_{secrets.token_hex(4)}",
                "kind": "secret",
                "sha256": digest,
                "origins": [],
                "created_at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            }
        )
    return key


def _once(path: Path, fresh: str) -> str:
    """Return the secret in `path`; `fresh` is written first where there is none."""
    if not path.exists():
        _write(path, fresh)
    return _read(path)


def _read(path: Path) -> str:
    if stat.S_IMODE(path.stat().st_mode) != 0o600:
        path.chmod(0o600)
    found = path.read_text("utf-8").strip()
    if not found:
        raise LocalError(f"{path} is empty; remove it to have a new secret made.")
    return found


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Keep other starts, and `make shop`, from changing the secrets meanwhile."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _write(path: Path, text: str) -> None:
    draft = path.with_name(f".{path.name}.{secrets.token_hex(6)}.part")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    draft.replace(path)

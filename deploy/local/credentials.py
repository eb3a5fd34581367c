"""The demo shop's key, the secrets that sign tokens, and tokens for trying things out.

Made once, kept in `DATA_DIR/secrets` (folder 0700, files 0600), never printed except the key and
the tokens that the user asked for.
"""

import hashlib
import json
import os
import secrets
import stat
import time
from dataclasses import dataclass, field
from pathlib import Path

import jwt

from deploy.local.errors import LocalError, SettingsError

DEMO_SHOP = "demo"
_CUSTOMER_CHARS = 128  # the gateway accepts no longer `sub`


@dataclass(frozen=True, slots=True)
class Credentials:
    """Secrets of this data folder.

    Attributes:
        service_token_secret: shared by gateway and tools (HS256).
        shop_secrets_file: what the gateway reads: key hash and customer-token secret per shop.
        shop_key: the demo shop's key, as its page sends it.
        customer_token_secret: signs the demo shop's customer tokens (HS256).

    """

    service_token_secret: str = field(repr=False)
    shop_secrets_file: Path
    shop_key: str = field(repr=False)
    customer_token_secret: str = field(repr=False)

    def customer_token(self, customer: str, ttl_s: int) -> str:
        """Make a token: its bearer is this customer of the demo shop, for `ttl_s` seconds.

        Raises:
            SettingsError: the gateway would not accept that customer id.

        """
        if not 0 < len(customer) <= _CUSTOMER_CHARS:
            raise SettingsError(
                f"CUSTOMER must be a customer's id of 1 to {_CUSTOMER_CHARS} characters, such as "
                "alice: make -s token CUSTOMER=alice"
            )
        claims = {"sub": customer, "shop": DEMO_SHOP, "exp": int(time.time()) + ttl_s}
        return jwt.encode(claims, self.customer_token_secret, algorithm="HS256")


def load_credentials(folder: Path) -> Credentials:
    """Read the secrets in `folder`, making those that are not there yet.

    The shop secrets file may hold more shops; they are left as they are.

    Raises:
        LocalError: the folder cannot be written, or a file in it is damaged.

    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
        service = _once(folder / "service-token.secret", secrets.token_urlsafe(48))
        key = _once(folder / "demo-shop.key", f"sk-xiaoer-{secrets.token_urlsafe(32)}")
        customer = _once(folder / "demo-customer-token.secret", secrets.token_urlsafe(48))
        shops_file = folder / "shops.json"
        shops = json.loads(shops_file.read_text("utf-8")) if shops_file.exists() else {}
        entry = {
            "key_sha256": hashlib.sha256(key.encode()).hexdigest(),
            "customer_token_secret": customer,
        }
        if shops.get(DEMO_SHOP) != entry:
            _write(shops_file, json.dumps({**shops, DEMO_SHOP: entry}, indent=2))
    except OSError as exc:
        raise LocalError(
            f"{folder} cannot hold the secrets ({exc.strerror}); choose another folder: DATA_DIR=…"
        ) from exc
    except (ValueError, AttributeError) as exc:
        raise LocalError(
            f"{folder / 'shops.json'} is damaged; mend it, or remove it to have it made anew."
        ) from exc
    return Credentials(service, shops_file, key, customer)


def _once(path: Path, fresh: str) -> str:
    """Return the secret in `path`; `fresh` is written first where there is none.

    Two starts at once agree: a link is made by one of them only, and only of a whole file.
    """
    if not path.exists():
        draft = path.with_name(f"{path.name}.{secrets.token_hex(6)}")
        _write(draft, fresh)
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    if stat.S_IMODE(path.stat().st_mode) != 0o600:
        path.chmod(0o600)
    found = path.read_text("utf-8").strip()
    if not found:
        raise LocalError(f"{path} is empty; remove it to have a new secret made.")
    return found


def _write(path: Path, text: str) -> None:
    draft = path.with_name(f".{path.name}.{secrets.token_hex(6)}.part")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    draft.replace(path)

"""Shops: the public part (name, tone, policies) and the secret part (key hash, token secret).

Both files are read once, at start. Nothing here knows about HTTP.
"""

import hashlib
import hmac
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import msgspec
import yaml

from services.gateway.errors import SettingsError
from services.gateway.settings import SECRET_BYTES

Language = Literal["zh", "en"]


class ShopText(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A short text in both languages."""

    zh: str
    en: str


class ShopPolicies(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The shop's rules as complete sentences, in both languages."""

    zh: tuple[str, ...] = ()
    en: tuple[str, ...] = ()


class ShopProfile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The public part of a shop, as `SHOPS_FILE` gives it."""

    name: ShopText
    tone: ShopText
    policies: ShopPolicies = ShopPolicies()


class _ShopsFile(msgspec.Struct, forbid_unknown_fields=True):
    shops: dict[str, ShopProfile]


class _ShopSecrets(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    key_sha256: str
    customer_token_secret: str


class Shop(msgspec.Struct, frozen=True):
    """One shop with what is needed to recognise its requests and speak for it."""

    id: str
    profile: ShopProfile
    key_sha256: bytes
    customer_token_secret: str


class Shops:
    """All shops of this gateway, found by their key."""

    def __init__(self, shops: list[Shop]) -> None:
        self._shops = shops

    def __iter__(self) -> Iterator[Shop]:
        return iter(self._shops)

    def by_key(self, key: str) -> Shop | None:
        """Return the shop whose key this is.

        Every shop is compared, in constant time each, so that timing tells nothing about keys.
        """
        digest = hashlib.sha256(key.encode()).digest()
        found: Shop | None = None
        for shop in self._shops:
            if hmac.compare_digest(shop.key_sha256, digest):
                found = shop
        return found


def load_shops(shops_file: Path, secrets_file: Path) -> Shops:
    """Read both files and join them.

    Raises:
        SettingsError: a file is missing or wrong, or a shop has no secrets; says which.
    """
    profiles = _read_profiles(shops_file)
    secrets = _read_secrets(secrets_file)
    if unknown := sorted(secrets.keys() - profiles.keys()):
        raise SettingsError(f"{secrets_file} has secrets for {unknown[0]!r}, not in {shops_file}.")
    shops = []
    for shop_id, profile in profiles.items():
        if not shop_id or not all(c.isascii() and (c.isalnum() or c in "-_") for c in shop_id):
            raise SettingsError(
                f"{shops_file}: {shop_id!r} is no shop id; use letters, digits, '-' and '_'."
            )
        if shop_id not in secrets:
            raise SettingsError(
                f"{secrets_file} has no entry for shop {shop_id!r}; add its key_sha256 and "
                "customer_token_secret."
            )
        shops.append(_join(shop_id, profile, secrets[shop_id], secrets_file))
    if len({shop.key_sha256 for shop in shops}) != len(shops):
        raise SettingsError(f"{secrets_file}: two shops have the same key; give each its own.")
    return Shops(shops)


def _join(shop_id: str, profile: ShopProfile, secret: _ShopSecrets, path: Path) -> Shop:
    try:
        digest = bytes.fromhex(secret.key_sha256)
    except ValueError as exc:
        raise SettingsError(f"{path}: key_sha256 of shop {shop_id!r} is not hexadecimal.") from exc
    if len(digest) != hashlib.sha256().digest_size:
        raise SettingsError(f"{path}: key_sha256 of shop {shop_id!r} must have 64 hex digits.")
    if len(secret.customer_token_secret.encode()) < SECRET_BYTES:
        raise SettingsError(
            f"{path}: customer_token_secret of shop {shop_id!r} must have at least "
            f"{SECRET_BYTES} bytes."
        )
    return Shop(shop_id, profile, digest, secret.customer_token_secret)


def _read_profiles(path: Path) -> dict[str, ShopProfile]:
    try:
        raw = yaml.safe_load(path.read_text("utf-8"))
        shops = msgspec.convert(raw, _ShopsFile).shops
    except OSError as exc:
        raise SettingsError(f"SHOPS_FILE {path} cannot be read: {exc.strerror}.") from exc
    except (yaml.YAMLError, UnicodeDecodeError, msgspec.ValidationError) as exc:
        raise SettingsError(f"SHOPS_FILE {path} is not as it should be: {exc}") from exc
    if not shops:
        raise SettingsError(f"SHOPS_FILE {path} names no shop; add one under `shops:`.")
    return shops


def _read_secrets(path: Path) -> dict[str, _ShopSecrets]:
    try:
        mode = path.stat().st_mode
        raw = path.read_bytes()
    except OSError as exc:
        raise SettingsError(f"SHOP_SECRETS_FILE {path} cannot be read: {exc.strerror}.") from exc
    if mode & stat.S_IRWXO:
        raise SettingsError(
            f"SHOP_SECRETS_FILE {path} is open to every user of this machine; run: chmod 600 {path}"
        )
    try:
        return msgspec.json.decode(raw, type=dict[str, _ShopSecrets])
    except msgspec.DecodeError as exc:
        # The library's message names the place, never a value: it is safe to show.
        raise SettingsError(f"SHOP_SECRETS_FILE {path} is not as it should be: {exc}") from exc

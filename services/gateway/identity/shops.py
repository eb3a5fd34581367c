"""Shops: the public part (name, tone, policies) joined with the secret part (keys, token rules).

Reads files and nothing else; `directory` reads them again when they change. Nothing here knows
about HTTP.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal, TypeVar

import msgspec
import yaml

from services.gateway.errors import SettingsError
from services.gateway.handoff.hours import ServiceHours
from services.gateway.identity.agents import Agent
from services.gateway.identity.jwks import KeySet
from services.gateway.identity.keys import ShopKey, key_hash, same_hash
from services.gateway.identity.secret_file import TokenRules, Webhook, read_secrets
from services.gateway.limits.shop_limits import ShopLimits

Language = Literal["zh", "en"]


class ShopText(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A short text in both languages."""

    zh: str
    en: str


class ShopPolicies(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The shop's rules as complete sentences, in both languages."""

    zh: tuple[str, ...] = ()
    en: tuple[str, ...] = ()


class ShopRails(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a shop adds to the rails on customers' messages."""

    keywords: tuple[str, ...] = ()
    """A request with one of these goes to a person; a question is answered, and one offered."""
    links: tuple[str, ...] = ()
    """The shop's own hosts, such as shop.example; links to elsewhere are taken out of answers."""


class ShopProfile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The public part of a shop and its limits, as `SHOPS_FILE` gives them."""

    name: ShopText
    tone: ShopText
    policies: ShopPolicies = ShopPolicies()
    limits: ShopLimits = ShopLimits()
    rails: ShopRails = ShopRails()
    service_hours: ServiceHours | None = None
    """When agents are at work; None: always."""


class _ShopsFile(msgspec.Struct, forbid_unknown_fields=True):
    shops: dict[str, ShopProfile]


class Shop(msgspec.Struct, frozen=True):
    """One shop with what is needed to recognise its requests and speak for it."""

    id: str
    profile: ShopProfile
    keys: tuple[ShopKey, ...] = ()
    token_rules: TokenRules | None = None
    token_keys: KeySet | None = None
    """Public keys that stand in the secrets file; None where a secret or a URL is used."""
    agents: tuple[Agent, ...] = ()
    webhook: Webhook | None = None


class Shops:
    """All shops of this gateway as their files were when they were read."""

    def __init__(self, shops: list[Shop]) -> None:
        self._shops = shops
        self.origins = frozenset(
            origin for shop in shops for key in shop.keys for origin in key.origins
        )
        """Where any shop's public key may be used."""

    def __iter__(self) -> Iterator[Shop]:
        return iter(self._shops)

    def by_key(self, key: str) -> tuple[Shop, ShopKey] | None:
        """Return the shop whose key this is, and what is kept of the key.

        Every key is compared, in constant time each, so that timing tells nothing about them.
        """
        return _by_hash(key_hash(key), ((shop, key) for shop in self._shops for key in shop.keys))

    def by_agent_key(self, key: str) -> tuple[Shop, Agent] | None:
        """Return the shop and the agent whose key this is; compares as `by_key` does."""
        agents = ((shop, agent) for shop in self._shops for agent in shop.agents)
        return _by_hash(key_hash(key), agents)


Keyed = TypeVar("Keyed", ShopKey, Agent)


def _by_hash(digest: str, known: Iterable[tuple[Shop, Keyed]]) -> tuple[Shop, Keyed] | None:
    found = None
    for shop, one in known:
        if same_hash(one.sha256, digest):
            found = shop, one
    return found


def load_shops(shops_file: Path, secrets_file: Path) -> Shops:
    """Read both files and join them.

    Raises:
        SettingsError: a file is missing or wrong, or a shop has no secrets; says which.
    """
    profiles = read_profiles(shops_file)
    secrets = read_secrets(secrets_file)
    if unknown := sorted(secrets.keys() - profiles.keys()):
        raise SettingsError(
            f"{secrets_file} has secrets for {unknown[0]!r}, not in {shops_file}. Describe the "
            f'shop there, or run: make shop ARGS="remove {unknown[0]}"'
        )
    shops = []
    hashes: set[str] = set()
    for shop_id, profile in profiles.items():
        if shop_id not in secrets:
            raise SettingsError(
                f"{secrets_file} has no entry for shop {shop_id!r}; run: "
                f'make shop ARGS="add {shop_id}"'
            )
        entry = secrets[shop_id]
        for key in entry.keys:
            if key.sha256 in hashes:
                raise SettingsError(
                    f"{secrets_file}: key {key.id} of shop {shop_id!r} is there twice; revoke one."
                )
            hashes.add(key.sha256)
        rules = entry.customer_tokens
        shops.append(
            Shop(
                shop_id,
                profile,
                entry.keys,
                rules,
                rules.key_set(),
                entry.agents,
                entry.webhook,
            )
        )
    return Shops(shops)


def read_profiles(path: Path) -> dict[str, ShopProfile]:
    """Read the public part of all shops.

    Raises:
        SettingsError: the file is missing or wrong; says which.
    """
    try:
        raw = yaml.safe_load(path.read_text("utf-8"))
        shops = msgspec.convert(raw, _ShopsFile).shops
    except OSError as exc:
        raise SettingsError(f"SHOPS_FILE {path} cannot be read: {exc.strerror}.") from exc
    except (yaml.YAMLError, ValueError, RecursionError) as exc:
        raise SettingsError(f"SHOPS_FILE {path} is not as it should be: {exc}") from exc
    if not shops:
        raise SettingsError(f"SHOPS_FILE {path} names no shop; add one under `shops:`.")
    for shop_id in shops:
        if not shop_id or not all(c.isascii() and (c.isalnum() or c in "-_") for c in shop_id):
            raise SettingsError(
                f"{path}: {shop_id!r} is no shop id; use letters, digits, '-' and '_'."
            )
    return shops

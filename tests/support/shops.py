"""The shops of the gateway's tests: their keys, their token secrets and their files."""

import hashlib
import json
from pathlib import Path
from typing import Any

SHOP_KEYS = {"demo": "sk-xiaoer-demo-key", "other": "sk-xiaoer-other-key"}
PUBLIC_KEYS = {"demo": "pk-xiaoer-demo-key"}
ORIGINS = {"demo": ["https://shop.example", "http://localhost:3000"]}
AGENT_KEYS = {"mei": "ak-xiaoer-mei-key", "bo": "ak-xiaoer-bo-key", "lin": "ak-xiaoer-lin-key"}
"""Agents of the demo shop; lin is a lead."""
TOKEN_SECRETS = {
    "demo": "customer-token-secret-demo-0123456789",
    "other": "customer-token-secret-other-0123456789",
}
SHOPS_YAML = """
shops:
  demo:
    name: {zh: 小二数码, en: Xiaoer Digital}
    tone: {zh: 亲切简洁, en: friendly and brief}
    policies:
      zh: ["签收后7天内可以无理由退货。", "满99元包邮。"]
      en: ["You can return any item within 7 days.", "Shipping is free from ¥99."]
  other:
    name: {zh: 别家, en: Other Shop}
    tone: {zh: 正式, en: formal}
    policies:
      zh: ["不退不换。"]
      en: ["No returns."]
"""


def key_entry(key: str, *origins: str, key_id: str = "") -> dict[str, Any]:
    """Return what the secrets file keeps of a key; with origins it is a public one."""
    digest = hashlib.sha256(key.encode()).hexdigest()
    return {
        "id": key_id or f"k_{digest[:8]}",
        "kind": "public" if origins else "secret",
        "sha256": digest,
        "origins": list(origins),
        "created_at": "2026-11-01T08:00:00Z",
    }


def shop_entry(key: str, secret: str, *more_keys: dict[str, Any]) -> dict[str, Any]:
    """Return a shop's entry with a secret key and an HS256 secret."""
    return {
        "keys": [key_entry(key), *more_keys],
        "customer_tokens": {"alg": "HS256", "secrets": [secret]},
    }


def agent_entry(name: str, role: str = "agent") -> dict[str, Any]:
    """Return what the secrets file keeps of an agent."""
    return {
        "id": f"a_{name}",
        "name": name.capitalize(),
        "role": role,
        "sha256": hashlib.sha256(AGENT_KEYS[name].encode()).hexdigest(),
        "created_at": "2026-11-01T08:00:00Z",
    }


def shop_secrets() -> dict[str, Any]:
    """Return the secrets of both shops; the first has three agents."""
    public = key_entry(PUBLIC_KEYS["demo"], *ORIGINS["demo"])
    agents = [agent_entry("mei"), agent_entry("bo"), agent_entry("lin", "lead")]
    return {
        "demo": shop_entry(SHOP_KEYS["demo"], TOKEN_SECRETS["demo"], public) | {"agents": agents},
        "other": shop_entry(SHOP_KEYS["other"], TOKEN_SECRETS["other"]),
    }


def write_shop_files(
    folder: Path, secrets: object | None = None, shops: str = SHOPS_YAML
) -> tuple[Path, Path]:
    """Write the public and the secret file.

    Args:
        folder: where.
        secrets: what the secret file holds, as JSON or as it is; both shops' when absent.
        shops: what the public file holds.
    """
    public, secret = folder / "shops.yaml", folder / "secrets.json"
    public.write_text(shops, "utf-8")
    if secrets is None:
        secrets = shop_secrets()
    draft = folder / "secrets.draft"
    draft.write_text(secrets if isinstance(secrets, str) else json.dumps(secrets), "utf-8")
    draft.chmod(0o600)
    draft.replace(secret)
    return public, secret

"""Signs customers in for a rehearsal, where the secret that signs the shop's tokens is at hand."""

import time
from collections.abc import Callable
from pathlib import Path

import jwt

from services.gateway.errors import SettingsError
from services.gateway.identity.secret_file import read_secrets

TOKEN_S = 600
"""Life of a token; each request gets a new one."""

Sign = Callable[[str], str]
"""Returns a customer's token."""


def signer(secrets_file: Path | None, shop: str) -> tuple[Sign | None, str]:
    """Return what signs the shop's customer tokens, or None and the reason why there is nothing."""
    if secrets_file is None:
        return None, "SHOP_SECRETS_FILE is not set"
    try:
        entry = read_secrets(secrets_file).get(shop)
    except SettingsError as exc:
        return None, str(exc).rstrip(".")
    if entry is None:
        return None, f"{secrets_file} has no shop {shop!r}"
    rules = entry.customer_tokens
    if rules.alg != "HS256":
        return None, f"the tokens of {shop} are signed by a key that is not kept here"
    secret = rules.secrets[0]

    def sign(customer: str) -> str:
        claims = {"sub": customer, "shop": shop, "exp": int(time.time()) + TOKEN_S}
        return jwt.encode(claims, secret, algorithm=rules.alg)

    return sign, ""

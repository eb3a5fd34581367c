"""Service tokens: how the gateway says on whose behalf it calls."""

import re
import time
from collections.abc import Callable
from typing import Any

import jwt

from services.tools.calls import Caller
from services.tools.errors import Unauthorized

MAX_LIFETIME_S = 60
_CLOCK_SKEW_S = 1
_SHOP = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_MAX_CLAIM = 128  # characters of a customer's or a token's id


class TokenVerifier:
    """Accepts HS256 tokens from `gateway` for `tools` that live for at most a minute."""

    def __init__(self, secret: str, *, now: Callable[[], float] = time.time) -> None:
        self._secret = secret
        self._now = now

    def caller(self, authorization: str | None) -> Caller:
        """Read the caller from an Authorization header; raises Unauthorized."""
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Unauthorized("a service token is needed: Authorization: Bearer <token>")
        claims = self._claims(token.strip())
        shop, customer = claims.get("shop"), claims.get("sub")
        if not isinstance(shop, str) or not _SHOP.fullmatch(shop):
            raise Unauthorized("the service token names no shop")
        if customer is not None and not _is_identifier(customer):
            raise Unauthorized("the service token's customer is not usable")
        if not _is_identifier(claims["jti"]):
            raise Unauthorized("the service token's id is not usable")
        return Caller(shop, customer, claims["jti"])

    def _claims(self, token: str) -> dict[str, Any]:
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                self._secret,
                algorithms=["HS256"],
                audience="tools",
                issuer="gateway",
                leeway=_CLOCK_SKEW_S,
                options={
                    "require": ["exp", "iss", "aud", "jti"],
                    "verify_exp": False,
                    "verify_iat": False,
                },
            )
        except jwt.MissingRequiredClaimError as exc:
            raise Unauthorized(f"the service token lacks {exc.claim}") from exc
        except jwt.InvalidAudienceError as exc:
            raise Unauthorized("the service token is not for this service") from exc
        except jwt.InvalidIssuerError as exc:
            raise Unauthorized("the service token is not from the gateway") from exc
        except jwt.InvalidTokenError as exc:
            raise Unauthorized("the service token is not valid") from exc
        self._check_lifetime(claims)
        return claims

    def _check_lifetime(self, claims: dict[str, Any]) -> None:
        expires, issued, now = claims["exp"], claims.get("iat"), self._now()
        if not _is_time(expires) or (issued is not None and not _is_time(issued)):
            raise Unauthorized("the service token's times are not valid")
        if expires <= now - _CLOCK_SKEW_S:
            raise Unauthorized("the service token has expired")
        too_long = expires - now > MAX_LIFETIME_S + _CLOCK_SKEW_S
        if too_long or (issued is not None and expires - issued > MAX_LIFETIME_S):
            raise Unauthorized(f"the service token lives longer than {MAX_LIFETIME_S} s")


def _is_time(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e12


def _is_identifier(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= _MAX_CLAIM and value.isprintable()

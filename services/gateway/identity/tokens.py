"""Tokens: who the customer is (signed by the shop), and who we are (signed for the tools service).

Whose data is read comes from these, never from text or a model's arguments.
"""

import time
from typing import Any

import jwt

from services.gateway.errors import NotAuthenticatedError
from services.gateway.identity.shops import Shop, Shops

ALGORITHM = "HS256"
"""Pinned: a token cannot choose how it is checked."""
SKEW_S = 30
"""Seconds that the shop's clock may be off."""
SERVICE_TOKEN_S = 55
"""Life of a service token. The tools service accepts up to 60 s: the rest is for its clock."""
_CUSTOMER_CHARS = 128


class Authenticator:
    """Turns the two credentials of a request into a shop and a customer."""

    def __init__(self, shops: Shops) -> None:
        self._shops = shops

    def shop(self, authorization: str | None) -> Shop:
        """Return the shop of an `Authorization` header.

        Raises:
            NotAuthenticatedError: there is no key, or it is no shop's.
        """
        scheme, _, key = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not key.strip():
            raise NotAuthenticatedError(
                "No shop key was sent. Send it as 'Authorization: Bearer <shop key>'.",
                code="missing_api_key",
            )
        shop = self._shops.by_key(key.strip())
        if shop is None:
            raise NotAuthenticatedError(
                "This shop key is not known. Check the key in the Authorization header."
            )
        return shop

    def customer(self, shop: Shop, token: str | None) -> str | None:
        """Return the customer's id of an `X-Customer-Token`, or None for an anonymous visitor.

        Raises:
            NotAuthenticatedError: the token is expired, forged, or for another shop.
        """
        if token is None:
            return None
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                shop.customer_token_secret,
                algorithms=[ALGORITHM],
                leeway=SKEW_S,
                options={"require": ["exp", "sub", "shop"], "verify_aud": False},
            )
        except jwt.ExpiredSignatureError as exc:
            raise NotAuthenticatedError(
                "The customer token has expired. Ask the shop for a new one.",
                code="customer_token_expired",
                param="X-Customer-Token",
            ) from exc
        except jwt.PyJWTError as exc:
            raise _bad_token("it is malformed, lacks a claim, or its signature is wrong") from exc
        if claims["shop"] != shop.id:
            raise _bad_token("it was issued for another shop")
        customer = claims["sub"]
        if not isinstance(customer, str) or not 0 < len(customer) <= _CUSTOMER_CHARS:
            raise _bad_token(f"'sub' must be the customer's id, 1 to {_CUSTOMER_CHARS} characters")
        if not customer.isprintable():
            raise _bad_token("'sub' holds characters that cannot be printed")
        return customer


def _bad_token(why: str) -> NotAuthenticatedError:
    return NotAuthenticatedError(
        f"The customer token cannot be used: {why}. Send none for an anonymous visitor.",
        code="invalid_customer_token",
        param="X-Customer-Token",
    )


class ServiceTokens:
    """Mints the short-lived token that each tool call carries."""

    def __init__(self, secret: str) -> None:
        self._secret = secret

    def mint(self, *, shop_id: str, customer: str | None, request_id: str) -> str:
        """Return a JWT for one tool call on behalf of `customer` (None: anonymous)."""
        claims: dict[str, Any] = {
            "iss": "gateway",
            "aud": "tools",
            "shop": shop_id,
            "exp": int(time.time()) + SERVICE_TOKEN_S,
            "jti": request_id,
        }
        if customer is not None:
            claims["sub"] = customer
        return jwt.encode(claims, self._secret, algorithm=ALGORITHM)

"""Who asks: the shop by its key, the customer by the token that the shop signed for them.

Also the token we sign for the tools service. Whose data is read comes from these, never from text
or a model's arguments.
"""

import time
from typing import Any

import jwt

from services.gateway.errors import NotAuthenticatedError
from services.gateway.identity.agents import Agent
from services.gateway.identity.customer_tokens import CustomerTokens
from services.gateway.identity.directory import ShopDirectory
from services.gateway.identity.jwks import KeySources
from services.gateway.identity.keys import ShopKey
from services.gateway.identity.shops import Shop

ALGORITHM = "HS256"
"""Of service tokens."""
SERVICE_TOKEN_S = 55
"""Life of a service token. The tools service accepts up to 60 s: the rest is for its clock."""


class Authenticator:
    """Turns the two credentials of a request into a shop and a customer.

    Args:
        directory: the shops as they are now.
        sources: the key sets that shops publish.
    """

    def __init__(self, directory: ShopDirectory, sources: KeySources) -> None:
        self._directory = directory
        self._tokens = CustomerTokens(sources)

    def shop(self, authorization: str | None, origin: str | None) -> tuple[Shop, ShopKey]:
        """Return the shop of an `Authorization` header, and which of its keys was sent.

        Args:
            authorization: the header.
            origin: the `Origin` header.

        Raises:
            NotAuthenticatedError: there is no key, or it is no shop's, or no longer.
            ForbiddenError: the key must not be used from this origin.
        """
        found = self._directory.shops.by_key(_bearer(authorization, "shop key"))
        if found is None:
            raise NotAuthenticatedError(
                "This shop key is not known. Check the key in the Authorization header."
            )
        shop, known = found
        known.allow(origin)
        return shop, known

    def agent(self, authorization: str | None) -> tuple[Shop, Agent]:
        """Return the agent of an `Authorization` header, and their shop.

        Raises:
            NotAuthenticatedError: there is no key, or it is no agent's, or no longer.
        """
        found = self._directory.shops.by_agent_key(_bearer(authorization, "agent's key"))
        if found is None:
            raise NotAuthenticatedError(
                "This agent's key is not known. Check the key in the Authorization header."
            )
        return found

    async def customer(self, shop: Shop, token: str | None) -> str | None:
        """Return the customer's id of an `X-Customer-Token`, or None for an anonymous visitor.

        Raises:
            NotAuthenticatedError: the token is expired, forged, or for another shop.
            TokenKeysAwayError: the shop's public keys could not be fetched yet.
        """
        return None if token is None else await self._tokens.customer(shop, token)


def _bearer(authorization: str | None, what: str) -> str:
    scheme, _, key = (authorization or "").partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        raise NotAuthenticatedError(
            f"No {what} was sent. Send it as 'Authorization: Bearer <{what}>'.",
            code="missing_api_key",
        )
    return key.strip()


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

"""`POST /v1/catalogue/changed`: the importer says that a shop's products are new."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import jwt
from litestar import Router, post
from litestar.openapi.spec import OpenAPIMediaType, OpenAPIResponse, Operation, Reference

from services.gateway.api.http import PlainRequest, header
from services.gateway.errors import (
    MemoryAwayError,
    MemoryUnavailableError,
    NotAuthenticatedError,
    NotFoundError,
)

ALGORITHM = "HS256"
MAX_LIFETIME_S = 60
_CLOCK_SKEW_S = 1


@dataclass
class CatalogueChanged(Operation):
    """`POST /v1/catalogue/changed`."""

    def __post_init__(self) -> None:
        """Litestar knows the 204 only."""
        error = {"application/json": OpenAPIMediaType(Reference(ref="#/components/schemas/Error"))}
        told = {
            "401": "No notice token, or not a good one.",
            "404": "No such shop here.",
            "503": "Redis is away; older answers may still be given.",
        }
        self.responses = {
            "204": OpenAPIResponse(description="No older answer is given from now on."),
            **{
                status: OpenAPIResponse(description=text, content=error)
                for status, text in told.items()
            },
        }


def catalogue_router(
    secret: str,
    is_shop: Callable[[str], bool],
    move_epoch: Callable[[str], Awaitable[None]],
    read_again: Callable[[], None],
) -> Router:
    """Return the route of the importer's notice.

    Args:
        secret: of the service tokens; signs the notice too.
        is_shop: tells whether there is a shop of an id.
        move_epoch: makes every answer of a shop an old one; raises MemoryAwayError.
        read_again: has product names read soon.
    """

    @post(
        "/changed",
        status_code=204,
        operation_class=CatalogueChanged,
        summary="A shop's products were imported: forget answers made with the old ones",
        tags=["operation"],
    )
    async def changed(request: PlainRequest) -> None:
        """For the tools service's importer, with a token it signs. The body is not read."""
        shop = _shop_of(header(request.scope, b"authorization"), secret)
        if not is_shop(shop):
            raise NotFoundError(f"There is no shop {shop!r} here.", code="unknown_shop")
        try:
            await move_epoch(shop)
        except MemoryAwayError as exc:
            raise MemoryUnavailableError(
                "Redis is away: answers made with the old catalogue may still be given. Try again."
            ) from exc
        read_again()

    return Router(path="/v1/catalogue", route_handlers=[changed])


def _shop_of(authorization: str | None, secret: str) -> str:
    """Return the shop that a notice is about.

    Raises:
        NotAuthenticatedError: it is not signed by the tools service, not for us, or too old.
    """
    scheme, _, token = (authorization or "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise NotAuthenticatedError("A notice needs a token: Authorization: Bearer <token>.")
    try:
        claims: dict[str, Any] = jwt.decode(
            token.strip(),
            secret,
            algorithms=[ALGORITHM],
            audience="gateway",
            issuer="tools",
            leeway=_CLOCK_SKEW_S,
            options={"require": ["exp", "iss", "aud"]},
        )
    except jwt.InvalidTokenError as exc:
        raise NotAuthenticatedError("The notice's token is not good, or has expired.") from exc
    shop = claims.get("shop")
    if claims["exp"] - time.time() > MAX_LIFETIME_S + _CLOCK_SKEW_S:
        raise NotAuthenticatedError(f"The notice's token lives longer than {MAX_LIFETIME_S} s.")
    if not isinstance(shop, str) or not shop:
        raise NotAuthenticatedError("The notice's token names no shop.")
    return shop

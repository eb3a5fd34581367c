"""`GET` and `DELETE /v1/customers/me`: all that is kept of the signed-in customer.

Whose data it is comes from the customer's token. A shop's server that acts for a customer signs a
token for them.
"""

import hashlib
from typing import Any

import msgspec
from litestar import Response, Router, delete, get

from services.gateway.api import schemas
from services.gateway.api.desk import Desk
from services.gateway.api.http import PlainRequest, json_response
from services.gateway.api.visits import Visit
from services.gateway.errors import NotAuthenticatedError
from services.gateway.handoff.tickets import TicketBook
from services.gateway.identity.shops import Shop


def customers_router(desk: Desk, tickets: TicketBook, audit_log: Any) -> Router:
    """Return the routes of a customer's own data.

    Args:
        desk: what the handlers work with.
        tickets: what people have in hand.
        audit_log: keeps a line of each export and erasure, whatever the service's log level.
    """

    @get(
        "/me",
        operation_class=schemas.ExportCustomer,
        summary="Export what is kept of them",
        tags=["customers"],
    )
    async def export(request: PlainRequest) -> Response[Any]:
        """Every session with its turns, tool calls and results, and every ticket."""
        with desk.keeping_books(request, "customers") as visit:
            shop, customer = await _enter(desk, request, visit)
            sessions = await desk.sessions.of_customer(shop.id, customer)
            held = await tickets.of_customer(shop.id, customer)
            _audit(audit_log, "export", visit, shop, customer, len(sessions), len(held))
        listed = [{"session_id": name, "turns": turns} for name, turns in sessions.items()]
        body = {"shop": shop.id, "customer": customer, "sessions": listed, "tickets": held}
        return json_response(msgspec.json.encode(body))

    @delete(
        "/me",
        status_code=204,
        operation_class=schemas.EraseCustomer,
        summary="Erase what is kept of them",
        tags=["customers"],
    )
    async def erase(request: PlainRequest) -> None:
        """Forgets all sessions and tickets at once. The log keeps a line that holds no content."""
        with desk.keeping_books(request, "customers") as visit:
            shop, customer = await _enter(desk, request, visit)
            erased = await desk.sessions.erase(shop.id, customer)
            held = await tickets.erase_of_customer(shop.id, customer)
            _audit(audit_log, "erase", visit, shop, customer, erased, held)

    return Router(path="/v1/customers", route_handlers=[export, erase])


async def _enter(desk: Desk, request: PlainRequest, visit: Visit) -> tuple[Shop, str]:
    shop, customer = await desk.identify(request, visit)
    if customer is None:
        raise NotAuthenticatedError(
            "This is a customer's own data. Send the customer's token as X-Customer-Token.",
            code="missing_customer_token",
            param="X-Customer-Token",
        )
    await desk.admit(request, visit, shop, customer)
    return shop, customer


def _audit(
    log: Any, action: str, visit: Visit, shop: Shop, customer: str, sessions: int, tickets: int
) -> None:
    log.info(
        "audit",
        action=action,
        request_id=visit.request_id,
        shop=shop.id,
        customer=customer_digest(shop.id, customer),
        sessions=sessions,
        tickets=tickets,
    )


def customer_digest(shop_id: str, customer: str) -> str:
    """Return what stands for a customer in the audit log.

    Who knows the customer's id can find its lines; the lines do not give the id away at sight.
    """
    return hashlib.blake2b(f"{shop_id}\0{customer}".encode(), digest_size=16).hexdigest()

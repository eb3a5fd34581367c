"""`/v1/tickets`: what a shop's agents do with conversations that need a person.

Agents have keys of their own (`make shop ARGS="add-agent …"`), good for these addresses alone.
"""

import re
from typing import Any, cast

import msgspec
from litestar import Response, Router, get, post
from litestar.params import FromPath

from services.gateway.api import schemas
from services.gateway.api.desk import Desk
from services.gateway.api.events import EventStream
from services.gateway.api.http import (
    AsgiResponse,
    PlainRequest,
    header,
    json_response,
    read_body,
)
from services.gateway.api.requests import check_event_id, parse_text
from services.gateway.api.visits import Visit
from services.gateway.assistant.types import StoredTurn
from services.gateway.errors import GatewayError, MemoryAwayError, NotFoundError
from services.gateway.handoff.events import EventFeed, desk_stream
from services.gateway.handoff.tickets import Ticket, TicketBook, Verb, no_such_ticket
from services.gateway.identity.agents import Agent
from services.gateway.identity.shops import Shop

_TICKET_ID = re.compile(r"t_[0-9a-f]{16}\Z")
_SAYS = frozenset({"reply", "note"})
_VERBS = frozenset({"claim", "reply", "note", "release", "resolve"})


def tickets_router(desk: Desk, tickets: TicketBook, feed: EventFeed) -> Router:
    """Return the routes of tickets."""

    def enter(request: PlainRequest, visit: Visit) -> tuple[Shop, Agent]:
        shop, agent = desk.authenticator.agent(header(request.scope, b"authorization"))
        visit.shop = shop.id
        return shop, agent

    @get(
        "/",
        operation_class=schemas.ListTickets,
        summary="The open tickets: those that wait, most pressing first, then those agents have",
        tags=["agents"],
    )
    async def list_tickets(request: PlainRequest) -> Response[Any]:
        """Without transcripts."""
        with desk.keeping_books(request, "tickets") as visit:
            shop, _ = enter(request, visit)
            found = await tickets.waiting_and_claimed(shop.id)
        return json_response(msgspec.json.encode({"shop": shop.id, "tickets": found}))

    @get(
        "/events",
        operation_class=schemas.DeskEvents,
        summary="What happens to the shop's tickets, as server-sent events",
        tags=["agents"],
    )
    async def desk_events(request: PlainRequest) -> Response[Any]:
        """As long as it is open, the agent keeps their claims. Honours Last-Event-ID."""
        with desk.keeping_books(request, "ticket_events") as visit:
            shop, agent = enter(request, visit)
            after = check_event_id(header(request.scope, b"last-event-id"))
            await tickets.renew(shop.id, agent)

        async def still_there() -> None:
            enter(request, visit)
            try:
                await tickets.renew(shop.id, agent)
            except MemoryAwayError:
                return  # Claims outlast a short absence of Redis.

        return AsgiResponse(EventStream(feed, desk_stream(shop.id), after, still_there))

    @get(
        "/{ticket_id:str}",
        operation_class=schemas.ShowTicket,
        summary="A ticket with its transcript and what tools returned",
        tags=["agents"],
    )
    async def show_ticket(request: PlainRequest, ticket_id: FromPath[str]) -> Response[Any]:
        """Personal data in the transcript is masked."""
        with desk.keeping_books(request, "tickets") as visit:
            shop, _ = enter(request, visit)
            shown = await tickets.show(shop.id, _checked(ticket_id))
        return json_response(msgspec.json.encode(shown))

    @post(
        "/{ticket_id:str}/{verb:str}",
        status_code=200,
        operation_class=schemas.ActOnTicket,
        summary="Claim, reply, note, release or resolve",
        tags=["agents"],
    )
    async def act_on_ticket(
        request: PlainRequest, ticket_id: FromPath[str], verb: FromPath[str]
    ) -> Response[Any]:
        """Replies and notes have a body, `{"text": …}`; the others have none.

        A reply or note that comes again with the same `Idempotency-Key` is said once.
        """
        with desk.keeping_books(request, "tickets") as visit:
            body = await read_body(request, desk.max_body_bytes, visit.deadline)
            shop, agent = enter(request, visit)
            if verb not in _VERBS:
                raise NotFoundError("There is nothing at this address. See /schema.")
            text = parse_text(body, desk.limits) if verb in _SAYS else ""
            key = (header(request.scope, b"idempotency-key") or "") if verb in _SAYS else ""
            first = await tickets.act(
                shop.id, agent, _checked(ticket_id), cast("Verb", verb), text, key
            )
            shown = await tickets.show(shop.id, ticket_id)
            if verb == "reply" and first:
                await _remember(desk, visit, shop, shown.ticket, text)
        return json_response(msgspec.json.encode(shown.ticket))

    return Router(
        path="/v1/tickets",
        route_handlers=[list_tickets, desk_events, show_ticket, act_on_ticket],
    )


async def _remember(desk: Desk, visit: Visit, shop: Shop, ticket: Ticket, text: str) -> None:
    """Put an agent's reply into the conversation's memory, so that the bot knows it later."""
    said = StoredTurn("", text, (), "agent")
    try:
        turn = await desk.sessions.open(
            shop.id, ticket.session_id, ticket.customer or None, visit.deadline
        )
        try:
            await desk.sessions.save(turn, said)
        finally:
            await desk.sessions.release(turn)
    except (GatewayError, MemoryAwayError) as exc:
        # The customer has the reply by their event stream; only the bot's memory lacks it.
        desk.log.warning("reply_not_remembered", ticket=ticket.id, reason=type(exc).__name__)


def _checked(ticket_id: str) -> str:
    if not _TICKET_ID.match(ticket_id):
        raise no_such_ticket()
    return ticket_id

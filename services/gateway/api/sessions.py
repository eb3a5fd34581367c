"""`GET` and `DELETE /v1/sessions/{id}`: what the server remembers, for its owner."""

from typing import Any

import msgspec
from litestar import Response, Router, delete, get
from litestar.params import FromPath

from services.gateway.api import schemas
from services.gateway.api.desk import Desk
from services.gateway.api.events import EventStream
from services.gateway.api.http import AsgiResponse, PlainRequest, header, json_response
from services.gateway.api.requests import check_event_id, check_session_id
from services.gateway.api.visits import Visit
from services.gateway.errors import MemoryAwayError
from services.gateway.handoff.events import EventFeed, session_stream
from services.gateway.handoff.tickets import TicketBook
from services.gateway.identity.shops import Shop


def sessions_router(desk: Desk, tickets: TicketBook, feed: EventFeed) -> Router:
    """Return the routes of sessions."""

    async def enter(
        request: PlainRequest, visit: Visit, session_id: str
    ) -> tuple[Shop, str | None]:
        shop, customer = await desk.identify(request, visit)
        check_session_id(session_id, "session_id")
        await desk.admit(request, visit, shop, customer, session_id)
        return shop, customer

    @get(
        "/{session_id:str}",
        operation_class=schemas.ShowSession,
        summary="A session's turns",
        tags=["sessions"],
    )
    async def show_session(request: PlainRequest, session_id: FromPath[str]) -> Response[Any]:
        """Turns as they are stored, oldest first, tool calls and results included."""
        with desk.keeping_books(request, "sessions") as visit:
            shop, customer = await enter(request, visit, session_id)
            turns = await desk.sessions.show(shop.id, session_id, customer)
        body = {"session_id": session_id, "shop": shop.id, "customer": customer, "turns": turns}
        return json_response(msgspec.json.encode(body))

    @delete(
        "/{session_id:str}",
        status_code=204,
        operation_class=schemas.DeleteSession,
        summary="Forget a session",
        tags=["sessions"],
    )
    async def delete_session(request: PlainRequest, session_id: FromPath[str]) -> None:
        """Forgets it at once; a turn under way is answered but not remembered."""
        with desk.keeping_books(request, "sessions") as visit:
            shop, customer = await enter(request, visit, session_id)
            await desk.sessions.delete(shop.id, session_id, customer)
            await tickets.erase_of_session(shop.id, session_id)

    @get(
        "/{session_id:str}/events",
        operation_class=schemas.SessionEvents,
        summary="What agents say, and who has the conversation, as server-sent events",
        tags=["sessions"],
    )
    async def session_events(request: PlainRequest, session_id: FromPath[str]) -> Response[Any]:
        """Honours Last-Event-ID; ends now and then, and the client reconnects."""
        with desk.keeping_books(request, "session_events") as visit:
            shop, customer = await enter(request, visit, session_id)
            after = check_event_id(header(request.scope, b"last-event-id"))
            await desk.sessions.show(shop.id, session_id, customer)

        async def still_theirs() -> None:
            try:
                await desk.sessions.show(shop.id, session_id, customer)
            except MemoryAwayError:
                return

        stream = session_stream(shop.id, session_id)
        return AsgiResponse(EventStream(feed, stream, after, still_theirs))

    return Router(
        path="/v1/sessions", route_handlers=[show_session, delete_session, session_events]
    )

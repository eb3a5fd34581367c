"""`GET` and `DELETE /v1/sessions/{id}`: what the server remembers, for its owner."""

from typing import Any

import msgspec
from litestar import Response, Router, delete, get
from litestar.params import FromPath

from services.gateway.api import schemas
from services.gateway.api.chat import Desk
from services.gateway.api.http import PlainRequest, json_response
from services.gateway.api.requests import check_session_id
from services.gateway.errors import GatewayError, MemoryAwayError


class MemoryUnavailableError(GatewayError):
    """Redis is away, and without it there is nothing to show."""

    status = 503
    default_code = "memory_unavailable"


def memory_away(exc: MemoryAwayError) -> MemoryUnavailableError:
    """Return what a client is told when Redis is away."""
    error = MemoryUnavailableError("Conversation memory is away at the moment. Try again soon.")
    error.__cause__ = exc
    return error


def sessions_router(desk: Desk) -> Router:
    """Return the routes of sessions."""

    @get(
        "/{session_id:str}",
        operation_class=schemas.ShowSession,
        summary="A session's turns",
        tags=["sessions"],
    )
    async def show_session(request: PlainRequest, session_id: FromPath[str]) -> Response[Any]:
        """Turns as they are stored, oldest first, tool calls and results included."""
        visit = desk.visit(request, "sessions")
        try:
            shop, customer = await desk.identify(request, visit)
            check_session_id(session_id, "session_id")
            turns = await desk.sessions.show(shop.id, session_id, customer)
        except MemoryAwayError as exc:
            visit.failed(exc)
            raise memory_away(exc) from exc
        except BaseException as exc:
            visit.failed(exc)
            raise
        visit.done()
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
        visit = desk.visit(request, "sessions")
        try:
            shop, customer = await desk.identify(request, visit)
            check_session_id(session_id, "session_id")
            await desk.sessions.delete(shop.id, session_id, customer)
        except MemoryAwayError as exc:
            visit.failed(exc)
            raise memory_away(exc) from exc
        except BaseException as exc:
            visit.failed(exc)
            raise
        visit.done()

    return Router(path="/v1/sessions", route_handlers=[show_session, delete_session])

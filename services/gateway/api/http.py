"""The HTTP plumbing under the handlers: request ids, bodies, hang-ups, replies.

Handlers work on ASGI's own messages here because the client's hanging up must be seen while an
answer is being made, and because a stream's status is known only with its first clause.
"""

import asyncio
import re
import secrets
from collections.abc import Coroutine
from typing import Any, TypeVar, cast

from litestar import Request, Response
from litestar.enums import MediaType
from litestar.types import ASGIApp, Message, Receive, Scope

from services.gateway.assistant.deadline import Deadline
from services.gateway.errors import BadRequestError, BodyTooLargeError, ClientGoneError

_REQUEST_ID = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}\Z")
_DRAIN_BYTES = 4_194_304
"""How much of a body that is too large is read and dropped, so that the client sees the 413."""

_LIMITS = "limit_headers"

T = TypeVar("T")
PlainRequest = Request[Any, Any, Any]


def header(scope: Scope, name: bytes) -> str | None:
    """Return a request header's value; `name` in lower case."""
    headers = cast("list[tuple[bytes, bytes]]", scope["headers"])
    for key, value in headers:
        if key == name:
            return value.decode("latin-1")
    return None


def joined_header(scope: Scope, name: bytes) -> str | None:
    """Return the values of a header that may be sent several times, in order, as one list."""
    headers = cast("list[tuple[bytes, bytes]]", scope["headers"])
    found = [value.decode("latin-1") for key, value in headers if key == name]
    return ", ".join(found) if found else None


def request_id(scope: Scope) -> str:
    """Return the request's id: the client's `x-request-id` if it is sane, else a new one."""
    state = scope["state"]
    known = state.get("request_id")
    if known is None:
        sent = header(scope, b"x-request-id")
        sane = sent is not None and _REQUEST_ID.match(sent.encode("latin-1"))
        known = state["request_id"] = sent if sane else secrets.token_hex(16)
    return cast("str", known)


async def add_headers(message: Message, scope: Scope) -> None:
    """Put `x-request-id`, and what is left of the limits, on a reply.

    As Litestar's `before_send` hook, so that errors and streams have it too.
    """
    if message["type"] == "http.response.start":
        added = [(b"x-request-id", request_id(scope).encode())]
        message["headers"] = [*message["headers"], *added, *scope["state"].get(_LIMITS, ())]


def show_allowance(scope: Scope, headers: list[tuple[bytes, bytes]]) -> None:
    """Put headers that tell what is left of the limits on the reply to come."""
    scope["state"][_LIMITS] = headers


async def read_body(request: PlainRequest, most: int, deadline: Deadline) -> bytes:
    """Return the request's body.

    Raises:
        BodyTooLargeError: it has more than `most` bytes.
        BadRequestError: it did not arrive before the deadline.
        ClientGoneError: the client hung up while sending.
    """
    pieces: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(deadline.remaining_s()):
            while True:
                message = await request.receive()
                if message["type"] == "http.disconnect":
                    raise ClientGoneError
                piece = cast("bytes", message.get("body", b""))
                size += len(piece)
                if size <= most:
                    pieces.append(piece)
                if not message.get("more_body", False) or size > most + _DRAIN_BYTES:
                    break
    except TimeoutError as exc:
        raise BadRequestError(
            "The body did not arrive in time. Send it again.", code="body_timeout"
        ) from exc
    if size > most:
        raise BodyTooLargeError(f"The body is larger than {most} bytes. Send less text.")
    return b"".join(pieces)


async def while_connected(receive: Receive, work: Coroutine[Any, Any, T]) -> T:
    """Run `work` until it is done, and stop it when the client hangs up.

    Raises:
        ClientGoneError: the client hung up; `work` was cancelled and has ended.
    """
    task = asyncio.create_task(work)
    # Servers return awaitables of their own here, not always coroutines.
    watch = asyncio.ensure_future(receive())
    try:
        await asyncio.wait({task, watch}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        raise ClientGoneError
    finally:
        watch.cancel()
        if not task.done():
            task.cancel()
            await asyncio.wait({task})


def json_response(
    body: bytes, status: int = 200, headers: dict[str, str] | None = None
) -> Response[bytes]:
    """Return a response with JSON that is already encoded."""
    return Response(
        content=body, status_code=status, media_type=MediaType.JSON, headers=headers or {}
    )


class AsgiResponse(Response[None]):
    """A response that an ASGI application sends itself."""

    def __init__(self, app: ASGIApp) -> None:
        super().__init__(content=None)
        self._app = app

    def to_asgi_response(self, *_: Any, **__: Any) -> Any:
        """Return the application; Litestar calls it with the request's scope."""
        return self._app

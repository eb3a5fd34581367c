"""Server-sent events: what a customer's page or an agent's desk is told, until it hangs up."""

import time
from collections.abc import Awaitable, Callable

from litestar.types import Receive, Scope, Send

from services.gateway.api.http import while_connected
from services.gateway.errors import ClientGoneError, GatewayError
from services.gateway.handoff.events import Event, EventFeed

STREAM_LIFE_S = 600.0
"""Then the client reconnects, with credentials that are looked at anew; it misses nothing."""
_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
]
_QUIET = b": nothing new\n\n"


class EventStream:
    """An ASGI application that sends a stream's events.

    Args:
        feed: where they come from.
        stream: the stream's key.
        after: the last event that the client has seen.
        on_quiet: awaited now and then; a GatewayError from it ends the stream.
    """

    def __init__(
        self,
        feed: EventFeed,
        stream: str,
        after: str | None,
        on_quiet: Callable[[], Awaitable[None]],
    ) -> None:
        self._feed = feed
        self._stream = stream
        self._after = after
        self._on_quiet = on_quiet

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Send events until the client hangs up or the stream's life is over."""
        try:
            await while_connected(receive, self._run(send))
        except ClientGoneError:
            return

    async def _run(self, send: Send) -> None:
        until = time.monotonic() + STREAM_LIFE_S
        await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
        try:
            async for event in self._feed.follow(self._stream, self._after):
                if event is None:
                    await self._on_quiet()
                body = _QUIET if event is None else _encoded(event)
                await send({"type": "http.response.body", "body": body, "more_body": True})
                if time.monotonic() > until:
                    break
        except GatewayError:
            pass  # The credentials are no longer good; the client learns why when it reconnects.
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def _encoded(event: Event) -> bytes:
    return b"id: %s\nevent: %s\ndata: %s\n\n" % (
        event.id.encode(),
        event.name.encode(),
        event.data,
    )

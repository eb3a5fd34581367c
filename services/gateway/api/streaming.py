"""A streamed answer: server-sent events in OpenAI's chunk format.

The response starts with the first clause, so that whatever fails before it is a proper HTTP error.
After that an error is an event, and the stream ends without `[DONE]`.
"""

from litestar.types import Receive, Scope, Send

from services.gateway.api.http import while_connected
from services.gateway.api.replies import DONE, Chunks, error_event
from services.gateway.api.visits import Visit
from services.gateway.assistant.conversation import Ask, Conversation, Reply
from services.gateway.errors import GatewayError, InternalError

_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    # Reverse proxies must not collect clauses.
    (b"x-accel-buffering", b"no"),
]


class StreamedAnswer:
    """An ASGI application that answers one request as a stream.

    Args:
        conversation: answers.
        ask: the request.
        visit: its books.
        include_usage: whether the client wants a usage chunk.
    """

    def __init__(
        self, conversation: Conversation, ask: Ask, visit: Visit, *, include_usage: bool
    ) -> None:
        self._conversation = conversation
        self._ask = ask
        self._visit = visit
        self._include_usage = include_usage
        self._chunks = Chunks(ask.request_id, include_usage=include_usage)
        self._started = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Answer; raises only while the response has not begun."""
        try:
            reply = await while_connected(receive, self._run(send))
        except BaseException as exc:
            self._visit.failed(exc, mid_stream=self._started)
            if not self._started or not isinstance(exc, Exception):
                raise
            error = exc if isinstance(exc, GatewayError) else InternalError(_BROKEN)
            await _send(send, error_event(error), last=True)
        else:
            self._visit.answered(reply)

    async def _run(self, send: Send) -> Reply:
        async def emit(clause: str) -> None:
            chunk = self._chunks.clause(clause)
            if not self._started:
                self._visit.first_clause()
                chunk = self._chunks.role() + chunk
                await self._start(send)
            await _send(send, chunk)

        reply = await self._conversation.reply(self._ask, emit)
        ending = self._chunks.finish(reply)
        if self._include_usage:
            ending += self._chunks.usage(reply)
        await _send(send, ending + DONE, last=True)
        return reply

    async def _start(self, send: Send) -> None:
        self._started = True
        await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})


_BROKEN = "The answer broke off because of a fault here. Try again."


async def _send(send: Send, data: bytes, *, last: bool = False) -> None:
    await send({"type": "http.response.body", "body": data, "more_body": not last})

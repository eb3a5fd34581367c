"""The model endpoint, through OpenAI's own client.

The client's pydantic models cost more than everything else in a request, so replies are taken as
bytes (`cast_to=Response`, the client's documented way for raw replies) and decoded by msgspec.
Connections, authentication, timeouts and errors stay the client's. Retries are the router's.
"""

import asyncio
import zlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import httpx2
import msgspec
import openai

from services.gateway.assistant.deadline import Deadline
from services.gateway.assistant.types import ToolCall, Usage
from services.gateway.errors import (
    BadRequestError,
    DeadlineError,
    GatewayError,
    ModelFailedError,
    ModelUnavailableError,
)

CONNECT_S = 5.0
"""Longest try to connect. Over loopback a connection takes microseconds, but a process that gets no
CPU sees that late, and uvloop runs its timers before it looks at its sockets."""
CONNECT_SHARE = 0.4
"""Most of the time left that one try may take: two fit, and the 503 comes before the deadline."""
MAX_TOKENS = 256
"""Two sentences, or a few tool calls, fit many times over."""
SHORT_TOKENS = 96
"""Two short sentences, or a tool call: what an answer may take while much is waiting."""
_UNSENT = dict.fromkeys(
    (
        *("User-Agent", "X-Stainless-Lang", "X-Stainless-Package-Version", "X-Stainless-OS"),
        *("X-Stainless-Arch", "X-Stainless-Runtime", "X-Stainless-Runtime-Version"),
        *("X-Stainless-Async", "X-Stainless-Retry-Count", "X-Stainless-Read-Timeout"),
    ),
    openai.Omit(),
)
"""The client's statistics for its maker: of no use to a model server, and each costs CPU."""
_TOO_BUSY = 429


class _Function(msgspec.Struct):
    name: str | None = None
    arguments: str | None = None


class _Call(msgspec.Struct):
    index: int = 0
    id: str | None = None
    function: _Function | None = None


class _Message(msgspec.Struct):
    content: str | None = None
    tool_calls: list[_Call] | None = None


class _Choice(msgspec.Struct):
    message: _Message | None = None
    delta: _Message | None = None
    finish_reason: str | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int = 0
    completion_tokens: int = 0


class _Reply(msgspec.Struct):
    choices: list[_Choice] = []
    usage: _Usage | None = None
    error: Any = None


_reply = msgspec.json.Decoder(_Reply)


class BrokenOffError(ModelUnavailableError):
    """A stream ended before the answer did: its node is lost, and another may go on."""

    def __init__(self) -> None:
        super().__init__("The model's answer broke off. Try again.")


@dataclass(slots=True)
class ModelCall:
    """What one model call came to. While streaming it grows as chunks arrive."""

    text: str = ""
    tool_calls: list[ToolCall] = field(default_factory=list)
    finish_reason: str | None = None
    usage: Usage = field(default_factory=Usage)
    node: str | None = None
    """The node that answered, where it names itself in `x-node`, as our nodes do."""


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """One call of the model."""

    messages: list[dict[str, Any]]
    tools: list[msgspec.Raw]
    use_tools: bool
    """False: the tools stay in the prompt (its prefix is cached) but none may be called."""
    request_id: str
    affinity: str | None
    """The session, which the router keeps on one node."""
    max_tokens: int = MAX_TOKENS
    said: str = ""
    """What was said of the answer before its node was lost: the reply goes on from there."""


class ModelClient:
    """Asks the model, plain or streamed.

    Args:
        client: with `max_retries=0`; closed by whoever made it.
        model: the model's name at the endpoint.
        gap_s: longest silence inside a stream; a node that is frozen longer counts as lost.
        urls: base URLs of the routers, where there are several; without them the client's. A
            session keeps to one, whose prefix cache knows it, and takes another when that is away.
    """

    def __init__(
        self,
        client: openai.AsyncOpenAI,
        model: str,
        gap_s: float = 3.0,
        urls: Sequence[str] = (),
    ) -> None:
        self._client = client
        self._model = model
        self._gap_s = gap_s
        self._encoder = msgspec.json.Encoder()
        self._bases = [url.rstrip("/") for url in urls or (str(client.base_url),)]

    async def complete(self, request: ModelRequest, deadline: Deadline) -> ModelCall:
        """Ask once and return the whole reply.

        Raises:
            ModelUnavailableError: the endpoint is away or overloaded.
            ModelFailedError: its reply makes no sense.
            DeadlineError: it took too long.
            BadRequestError: the conversation does not fit the model's context.
        """
        response = await self._post(request, deadline, stream=False)
        reply = _decode(response.content)
        if not reply.choices or reply.choices[0].message is None:
            raise ModelFailedError("The model's reply held no message. Try again.")
        choice = reply.choices[0]
        call = ModelCall(node=response.headers.get("x-node"))
        _take(call, choice.message, choice.finish_reason, reply.usage)
        return call

    @asynccontextmanager
    async def stream(
        self, request: ModelRequest, deadline: Deadline
    ) -> AsyncIterator[tuple[ModelCall, AsyncIterator[str]]]:
        """Ask once; give the growing reply and its text, piece by piece.

        Leaving the context closes the connection, which makes vLLM stop generating.
        Raises as `complete` does, at entry or from the iterator.
        """
        response = await self._post(request, deadline, stream=True)
        call = ModelCall(node=response.headers.get("x-node"))
        try:
            yield call, _pieces(response, call, self._gap_s)
        finally:
            await response.aclose()

    async def ping(self, timeout_s: float) -> None:
        """Ask for the list of models.

        Raises:
            GatewayError: the endpoint does not answer as it should.
        """
        for number, base in enumerate(self._bases, 1):
            try:
                await self._client.get(
                    f"{base}/models", cast_to=httpx2.Response, options={"timeout": timeout_s}
                )
            except openai.OpenAIError as exc:
                if number == len(self._bases):
                    raise _translated(exc) from exc
            else:
                return

    async def _post(
        self, request: ModelRequest, deadline: Deadline, *, stream: bool
    ) -> httpx2.Response:
        headers: dict[str, str | openai.Omit] = {
            **_UNSENT,
            "x-request-id": request.request_id,
        }
        if request.affinity is not None:
            headers["X-Session-ID"] = request.affinity
        content = self._encoder.encode(_body(self._model, request, stream=stream))
        routers = self._routers(request.affinity)
        for left, base in zip(range(len(routers) - 1, -1, -1), routers, strict=True):
            try:
                response = await self._client.post(
                    f"{base}/chat/completions",
                    cast_to=httpx2.Response,
                    content=content,
                    options={"headers": headers, "timeout": _timeout(deadline)},
                    stream=stream,
                    stream_cls=openai.AsyncStream[Any] if stream else None,
                )
            except openai.APIConnectionError as exc:
                # A model call has no effect, so one that was lost on the way may be made anew.
                if not left or isinstance(exc.__cause__, httpx2.ReadTimeout):
                    raise _translated(exc) from exc
            except openai.OpenAIError as exc:
                raise _translated(exc) from exc
            else:
                # With this `cast_to` the client returns the response itself, streamed or not.
                return cast("httpx2.Response", response)
        raise AssertionError("there is always a router")

    def _routers(self, affinity: str | None) -> list[str]:
        """Return the base URLs, the session's own first."""
        if len(self._bases) == 1:
            return self._bases
        session = (affinity or "").partition("~")[0]
        first = zlib.crc32(session.encode()) % len(self._bases)
        return [*self._bases[first:], *self._bases[:first]]


def _body(model: str, request: ModelRequest, *, stream: bool) -> dict[str, Any]:
    """Return a call in OpenAI's form."""
    messages = request.messages
    if request.said:
        messages = [*messages, {"role": "assistant", "content": request.said}]
    body: dict[str, Any] = {
        "model": model,
        "messages": messages,
        "temperature": 0,
        "max_tokens": request.max_tokens,
    }
    if request.tools:
        body["tools"] = request.tools
        if not request.use_tools:
            body["tool_choice"] = "none"
    if request.said:
        # vLLM's: the last message is not ended, and no new one begun.
        body["continue_final_message"] = True
        body["add_generation_prompt"] = False
    if stream:
        body["stream"] = True
        body["stream_options"] = {"include_usage": True}
    return body


def _timeout(deadline: Deadline) -> httpx2.Timeout:
    left = deadline.remaining_s()
    return httpx2.Timeout(left, connect=min(CONNECT_S, left * CONNECT_SHARE))


async def _pieces(response: httpx2.Response, call: ModelCall, gap_s: float) -> AsyncIterator[str]:
    """Read server-sent events; give out text, and put the rest into `call`."""
    done = False
    try:
        async for data in _without_gaps(_events(response), gap_s):
            if data == b"[DONE]":
                done = True
                break
            reply = _decode(data)
            choice = reply.choices[0] if reply.choices else _Choice()
            _take(call, choice.delta, choice.finish_reason, reply.usage)
            if choice.delta is not None and choice.delta.content:
                yield choice.delta.content
    except httpx2.ReadTimeout as exc:
        raise DeadlineError("The model did not finish within the request's deadline.") from exc
    except (httpx2.HTTPError, TimeoutError) as exc:
        raise BrokenOffError from exc
    if not done and call.finish_reason is None:
        raise BrokenOffError


async def _without_gaps(events: AsyncIterator[bytes], gap_s: float) -> AsyncIterator[bytes]:
    """Pass events on; the first may take its time, since requests queue.

    Raises:
        TimeoutError: one did not come for `gap_s` after the one before.
    """
    loop, last = asyncio.get_running_loop(), None
    while True:
        try:
            # Armed only while we wait ourselves: what the reader does meanwhile may take longer.
            async with asyncio.timeout_at(None if last is None else loop.time() + gap_s):
                last = await anext(events)
        except StopAsyncIteration:
            return
        yield last


async def _events(response: httpx2.Response) -> AsyncIterator[bytes]:
    """Yield the data of each server-sent event of `response`."""
    buffer = b""
    async for piece in response.aiter_bytes():
        buffer += piece
        if b"\n" not in piece:
            continue
        *lines, buffer = buffer.split(b"\n")
        for line in lines:
            if line.startswith(b"data:"):
                yield line[5:].strip()


def _decode(data: bytes) -> _Reply:
    try:
        reply = _reply.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        raise ModelFailedError("The model's reply could not be read. Try again.") from exc
    if reply.error is not None:
        raise ModelUnavailableError("The model reported an error while answering. Try again.")
    return reply


def _take(
    call: ModelCall, message: _Message | None, finish: str | None, usage: _Usage | None
) -> None:
    """Fold a message, or a chunk's part of one, into `call`."""
    if message is not None:
        if message.content:
            call.text += message.content
        for position, part in enumerate(message.tool_calls or ()):
            _take_call(call, part, position)
    if finish is not None:
        call.finish_reason = finish
    if usage is not None:
        call.usage = Usage(usage.prompt_tokens, usage.completion_tokens)


def _take_call(call: ModelCall, part: _Call, position: int) -> None:
    """Start a tool call, or continue one, as OpenAI's stream format does it: by index."""
    # A plain reply carries no index, so every part of it would continue the first call.
    index = part.index or position
    while len(call.tool_calls) <= min(index, 63):
        call.tool_calls.append(ToolCall("", "", ""))
    target = call.tool_calls[min(index, 63)]
    if part.id and not target.id:
        target.id = part.id
    if part.function is not None:
        target.name += part.function.name or ""
        target.arguments += part.function.arguments or ""


def _translated(exc: openai.OpenAIError) -> GatewayError:
    """Return our error for one of the client's."""
    # The client tells time-outs apart by their cause only; one before the request was sent says
    # that the endpoint is away, not that it is slow.
    if isinstance(exc, openai.APITimeoutError) and isinstance(exc.__cause__, httpx2.ReadTimeout):
        return DeadlineError("The model did not answer within the request's deadline.")
    if isinstance(exc, openai.APIConnectionError):
        return ModelUnavailableError("The model cannot be reached at the moment. Try again soon.")
    if isinstance(exc, openai.APIStatusError):
        status = exc.status_code
        if status == 400 and "context" in str(exc).lower():
            return BadRequestError(
                "The conversation is too long for the model. Shorten it.",
                code="context_length_exceeded",
                param="messages",
            )
        if status >= 500 or status == _TOO_BUSY:
            return ModelUnavailableError("The model is not available at the moment. Try again.")
        return ModelFailedError(f"The model endpoint refused the request (status {status}).")
    return ModelFailedError("The model endpoint gave an answer that cannot be used.")

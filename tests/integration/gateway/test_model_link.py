"""The way to the model endpoint: connecting, waiting, breaking off. Over raw sockets."""

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import httpx2
import openai
import pytest

from services.gateway.assistant.deadline import Deadline
from services.gateway.assistant.model import ModelCall, ModelClient, ModelRequest
from services.gateway.assistant.transport import ModelTransport
from services.gateway.errors import DeadlineError, ModelFailedError, ModelUnavailableError
from tests.support.redis_server import free_port

BODY = b'{"choices":[{"message":{"content":"ok"},"finish_reason":"stop"}]}'
REPLY = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\nx-node: n1\r\n\r\n%s" % (len(BODY), BODY)
REQUEST = ModelRequest([{"role": "user", "content": "hi"}], [], True, "r1", "demo:s1")


class RawServer:
    """Answers each request with given bytes, or as `behave` does; remembers what came."""

    def __init__(self, reply: bytes | None = REPLY) -> None:
        self.reply = reply
        """None: the connection is closed without a reply."""
        self.silent = False
        self.requests: list[bytes] = []
        self.connections = 0
        self._writers: list[asyncio.StreamWriter] = []
        self._tasks: list[asyncio.Task[None]] = []

    def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.append(writer)
        self._tasks.append(asyncio.create_task(self._answer(reader, writer)))

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                self.requests.append(head + await reader.readexactly(length))
                if self.silent:
                    await reader.read()
                if self.reply is None:
                    break
                writer.write(self.reply)
        writer.close()

    @asynccontextmanager
    async def at(self, listener: socket.socket) -> AsyncIterator[None]:
        server = await asyncio.start_server(self.serve, sock=listener)
        try:
            yield
        finally:
            server.close()
            for writer in self._writers:
                writer.close()
                with contextlib.suppress(ConnectionError):
                    await writer.wait_closed()
            await asyncio.gather(*self._tasks)


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        one.listen()
        yield one


@pytest.fixture
def full() -> Iterator[socket.socket]:
    """A listener that takes no further connection: the kernel drops what comes."""
    with contextlib.ExitStack() as stack:
        one = stack.enter_context(socket.socket())
        one.bind(("127.0.0.1", 0))
        one.listen(0)
        for _ in range(4):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(one.getsockname())
        yield one


@asynccontextmanager
async def model_at(port: int) -> AsyncIterator[ModelClient]:
    http = httpx2.AsyncClient(transport=ModelTransport(10, 4.0), trust_env=False)
    client = openai.AsyncOpenAI(
        base_url=f"http://127.0.0.1:{port}/v1", api_key="k", max_retries=0, http_client=http
    )
    try:
        yield ModelClient(client, "xiaoer")
    finally:
        await client.close()


async def ask(port: int, seconds: float = 5) -> ModelCall:
    async with model_at(port) as model:
        return await model.complete(REQUEST, Deadline(seconds))


def port_of(listener: socket.socket) -> int:
    port: int = listener.getsockname()[1]
    return port


async def test_a_connection_that_is_never_made_is_503_before_the_deadline(
    full: socket.socket,
) -> None:
    started = time.monotonic()
    with pytest.raises(ModelUnavailableError, match="reached"):
        await ask(port_of(full), 2.0)
    assert 1.5 < time.monotonic() - started < 2.0


async def test_a_connection_that_is_never_made_is_tried_once_more(full: socket.socket) -> None:
    server = RawServer()
    started = time.monotonic()
    task = asyncio.create_task(ask(port_of(full), 2.0))
    await asyncio.sleep(0.3)
    async with server.at(full):
        call = await task
    # The first try had 0.8 s; its packet would be sent again by the kernel after a second only.
    assert time.monotonic() - started > 0.75
    assert call.text == "ok"
    assert len(server.requests) == 1


async def test_a_refused_connection_is_503_at_once() -> None:
    started = time.monotonic()
    with pytest.raises(ModelUnavailableError, match="reached"):
        await ask(free_port())
    assert time.monotonic() - started < 3


async def test_only_a_reply_that_does_not_come_is_a_missed_deadline(
    listener: socket.socket,
) -> None:
    server = RawServer()
    server.silent = True
    async with server.at(listener):
        with pytest.raises(DeadlineError):
            await ask(port_of(listener), 0.4)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "reply", [None, b"SSH-2.0-no-http\r\n\r\n", REPLY[:-5].replace(b"n1", b"n2")]
)
async def test_what_was_sent_is_never_sent_again(
    listener: socket.socket, reply: bytes | None
) -> None:
    server = RawServer(reply)
    async with server.at(listener):
        with pytest.raises((ModelUnavailableError, DeadlineError)):
            await ask(port_of(listener), 1.0)
    assert len(server.requests) == 1


async def test_a_connection_serves_the_next_request_too(listener: socket.socket) -> None:
    server = RawServer()
    async with server.at(listener), model_at(port_of(listener)) as model:
        for _ in range(3):
            assert (await model.complete(REQUEST, Deadline(5))).text == "ok"
    assert (server.connections, len(server.requests)) == (1, 3)


async def test_a_connection_that_was_closed_while_idle_is_replaced(
    listener: socket.socket,
) -> None:
    server = RawServer(REPLY.replace(b"x-node: n1", b"connection: close"))
    async with server.at(listener), model_at(port_of(listener)) as model:
        for _ in range(3):
            assert (await model.complete(REQUEST, Deadline(5))).text == "ok"
    assert server.connections == 3


async def test_what_the_endpoint_is_told(listener: socket.socket) -> None:
    server = RawServer()
    async with server.at(listener):
        call = await ask(port_of(listener))
    head = server.requests[0].lower()
    assert head.startswith(b"post /v1/chat/completions http/1.1\r\n")
    assert b"\r\nauthorization: bearer k\r\n" in head
    assert b"\r\nx-request-id: r1\r\n" in head
    assert b"\r\nx-session-id: demo:s1\r\n" in head
    assert b"\r\ncontent-type: application/json\r\n" in head
    assert head.count(b"\r\ncontent-length: ") == 1
    assert b"x-stainless" not in head
    assert call.node == "n1"


def beginning_of_a_stream(pieces: int) -> bytes:
    lines = b'data: {"choices":[{"delta":{"content":"a"}}]}\n\n' * pieces
    head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    return head + b"%x\r\n%s\r\n" % (len(lines), lines)


async def test_a_stream_left_early_closes_its_connection(listener: socket.socket) -> None:
    server = RawServer(beginning_of_a_stream(3))
    async with server.at(listener), model_at(port_of(listener)) as model:
        async with model.stream(REQUEST, Deadline(5)) as (_, pieces):
            assert await anext(pieces) == "a"
        server.reply = REPLY
        assert (await model.complete(REQUEST, Deadline(5))).text == "ok"
    assert server.connections == 2


async def test_a_stream_that_falls_silent_misses_the_deadline(listener: socket.socket) -> None:
    server = RawServer(beginning_of_a_stream(2))
    async with (
        server.at(listener),
        model_at(port_of(listener)) as model,
        model.stream(REQUEST, Deadline(0.5)) as (call, pieces),
    ):
        assert [await anext(pieces), await anext(pieces)] == ["a", "a"]
        with pytest.raises(DeadlineError):
            await anext(pieces)
    assert call.finish_reason is None


async def test_the_endpoints_errors_keep_their_meaning(listener: socket.socket) -> None:
    server = RawServer(b"HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\n{}")
    async with server.at(listener), model_at(port_of(listener)) as model:
        with pytest.raises(ModelFailedError, match="404"):
            await model.complete(REQUEST, Deadline(5))
        server.reply = b"HTTP/1.1 503 Away\r\ncontent-length: 2\r\n\r\n{}"
        with pytest.raises(ModelUnavailableError):
            async with model.stream(REQUEST, Deadline(5)):
                pass
    assert len(server.requests) == 2

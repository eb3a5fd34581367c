"""A very fast OpenAI-like model server for measuring what stands in front of it.

Answers at once, plain or streamed, with bytes prepared at start: a plain ASGI application without
a framework. Run it with `python -m tests.support.fast_model --port 9000`; the bench does. It never
looks at the conversation, so it belongs in measurements only: behaviour is tested with
`fake_model`.
"""

import argparse
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import msgspec

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

# States nothing: what the gateway cannot find supported it asks for again.
ANSWER = "Good morning and welcome to our shop, please tell me which order or product it is about."
CHUNKS = 50
"""Content chunks of a streamed answer, the number the published figures use."""

_JSON = (b"content-type", b"application/json")
_SSE = (b"content-type", b"text/event-stream; charset=utf-8")


def _chunk(delta: dict[str, str], finish: str | None = None) -> bytes:
    body = {
        "id": "chatcmpl-fast",
        "object": "chat.completion.chunk",
        "created": 1735689600,
        "model": "xiaoer",
        "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}],
    }
    return b"data: " + msgspec.json.encode(body) + b"\n\n"


def plain_body() -> bytes:
    """Return the JSON of the one plain answer."""
    return msgspec.json.encode(
        {
            "id": "chatcmpl-fast",
            "object": "chat.completion",
            "created": 1735689600,
            "model": "xiaoer",
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": ANSWER, "tool_calls": []},
                    "logprobs": None,
                    "finish_reason": "stop",
                }
            ],
            "usage": {"prompt_tokens": 180, "completion_tokens": 24, "total_tokens": 204},
        }
    )


def stream_chunks(chunks: int = CHUNKS) -> list[bytes]:
    """Return the server-sent events of the one streamed answer, `chunks` of them with content."""
    words = (ANSWER.split(" ") * (chunks // 12 + 1))[:chunks]
    usage = {
        "id": "chatcmpl-fast",
        "object": "chat.completion.chunk",
        "created": 1735689600,
        "model": "xiaoer",
        "choices": [],
        "usage": {"prompt_tokens": 180, "completion_tokens": chunks, "total_tokens": 180 + chunks},
    }
    return [
        _chunk({"role": "assistant", "content": ""}),
        *[_chunk({"content": word + " "}) for word in words],
        _chunk({}, "stop"),
        b"data: " + msgspec.json.encode(usage) + b"\n\n",
        b"data: [DONE]\n\n",
    ]


async def _read(receive: Receive) -> bytes:
    body = b""
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return body
        body += bytes(message.get("body", b""))
        if not message.get("more_body", False):
            return body


def create_app() -> App:
    """Return the ASGI application; everything it will say is encoded here, once."""
    plain = plain_body()
    chunks = stream_chunks()
    models = msgspec.json.encode(
        {"object": "list", "data": [{"id": "xiaoer", "object": "model", "owned_by": "fast"}]}
    )

    async def reply(send: Send, body: bytes) -> None:
        length = (b"content-length", str(len(body)).encode())
        await send({"type": "http.response.start", "status": 200, "headers": [_JSON, length]})
        await send({"type": "http.response.body", "body": body})

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            while (await receive())["type"] != "lifespan.shutdown":
                await send({"type": "lifespan.startup.complete"})
            await send({"type": "lifespan.shutdown.complete"})
            return
        body = await _read(receive)
        if scope["method"] == "GET":
            await reply(send, models)
        elif b'"stream":true' in body or b'"stream": true' in body:
            await send({"type": "http.response.start", "status": 200, "headers": [_SSE]})
            for chunk in chunks:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        else:
            await reply(send, plain)

    return app


def main() -> None:
    """Serve the fake with granian until interrupted."""
    from granian.constants import Interfaces, Loops
    from granian.server import Server

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args()
    Server(
        "tests.support.fast_model:create_app",
        address=options.host,
        port=options.port,
        interface=Interfaces.ASGI,
        loop=Loops.uvloop,
        factory=True,
        log_access=False,
    ).serve()


if __name__ == "__main__":
    main()

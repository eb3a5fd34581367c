"""What clients get: OpenAI's reply objects and stream chunks, with our `xiaoer` object."""

import time
from typing import Any

import msgspec

from services.gateway.api.requests import MODEL
from services.gateway.assistant.conversation import Reply
from services.gateway.errors import GatewayError

_encoder = msgspec.json.Encoder()

DONE = b"data: [DONE]\n\n"


def xiaoer(reply: Reply) -> dict[str, Any]:
    """Return the object that carries what OpenAI's format has no place for."""
    answer = reply.answer
    return {
        "session_id": reply.session_id,
        "source": answer.source,
        "tools": [call.name for call in answer.tool_calls],
        "cards": answer.cards,
        "citations": answer.citations,
        "handoff": answer.owner,
        "degraded": answer.degraded,
        "node": answer.node,
        "timings_ms": answer.timings_ms,
    }


def usage(reply: Reply) -> dict[str, int]:
    """Return the tokens of all model calls of the turn."""
    used = reply.answer.usage
    return {
        "prompt_tokens": used.prompt_tokens,
        "completion_tokens": used.completion_tokens,
        "total_tokens": used.prompt_tokens + used.completion_tokens,
    }


def completion(reply: Reply, request_id: str) -> bytes:
    """Return the body of a plain answer."""
    return _encoder.encode(
        {
            "id": f"chatcmpl-{request_id}",
            "object": "chat.completion",
            "created": int(time.time()),
            "model": MODEL,
            "choices": [
                {
                    "index": 0,
                    "message": {
                        "role": "assistant",
                        "content": reply.answer.text,
                        "refusal": None,
                    },
                    "logprobs": None,
                    "finish_reason": reply.answer.finish_reason,
                }
            ],
            "usage": usage(reply),
            "xiaoer": xiaoer(reply),
        }
    )


def short(reply: Reply) -> bytes:
    """Return the body of `POST /chat`."""
    return _encoder.encode({"reply": reply.answer.text, "session_id": reply.session_id})


def error_body(error: GatewayError) -> bytes:
    """Return an error's body."""
    return _encoder.encode(error.body())


def error_event(error: GatewayError) -> bytes:
    """Return an error inside a stream, as OpenAI's clients recognise it."""
    return b"data: " + error_body(error) + b"\n\n"


class Chunks:
    """The chunks of one streamed answer.

    Args:
        request_id: names the answer.
        include_usage: whether the client wants a usage chunk; other chunks then carry null.
    """

    def __init__(self, request_id: str, *, include_usage: bool) -> None:
        self._include_usage = include_usage
        self._base: dict[str, Any] = {
            "id": f"chatcmpl-{request_id}",
            "object": "chat.completion.chunk",
            "created": int(time.time()),
            "model": MODEL,
        }
        # Most of a clause's chunk never changes, so it is written once.
        body = self._event(self._choice({"content": ""}))
        self._head, self._tail = body.split(b'"content":""', 1)

    def role(self) -> bytes:
        """Return the first chunk."""
        return self._event(self._choice({"role": "assistant", "content": ""}))

    def clause(self, text: str) -> bytes:
        """Return a chunk with a clause."""
        return self._head + b'"content":' + _encoder.encode(text) + self._tail

    def finish(self, reply: Reply) -> bytes:
        """Return the chunk that ends the answer and carries the `xiaoer` object."""
        fields = self._choice({}, reply.answer.finish_reason)
        return self._event({**fields, "xiaoer": xiaoer(reply)})

    def usage(self, reply: Reply) -> bytes:
        """Return the usage chunk."""
        return self._event({"choices": [], "usage": usage(reply)})

    def _choice(self, delta: dict[str, str], finish: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        fields: dict[str, Any] = {"choices": [choice]}
        if self._include_usage:
            fields["usage"] = None
        return fields

    def _event(self, fields: dict[str, Any]) -> bytes:
        return b"data: " + _encoder.encode({**self._base, **fields}) + b"\n\n"

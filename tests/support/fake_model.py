"""A scripted OpenAI-like model server with knobs for faults.

It says what its script says, in order, and refuses (and records) a request that the script does
not expect, so that a test cannot pass because a model was kind.
"""

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]


@dataclass(slots=True)
class Step:
    """One reply: text, tool calls, or both."""

    text: str = ""
    calls: list[tuple[str, str]] = field(default_factory=list)
    finish: str = "stop"


def say(text: str, *, finish: str = "stop") -> Step:
    """Return a reply in words."""
    return Step(text=text, finish=finish)


def call(*calls: tuple[str, dict[str, Any] | str], text: str = "") -> Step:
    """Return a reply with tool calls; arguments as an object, or as a (broken) string."""
    ready = [(name, args if isinstance(args, str) else json.dumps(args)) for name, args in calls]
    return Step(text=text, calls=ready, finish="tool_calls")


@dataclass(slots=True)
class Seen:
    """A request as the fake received it."""

    body: dict[str, Any]
    headers: dict[str, str]

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The messages of the prompt."""
        found: list[dict[str, Any]] = self.body["messages"]
        return found

    @property
    def contents(self) -> list[str]:
        """What stands in them after the system's, without the passages before the question."""
        return [str(m["content"]).rpartition("</context>\n")[2] for m in self.messages[1:]]


class FakeModel:
    """The server's application and its knobs; change them between requests."""

    def __init__(self) -> None:
        self.script: list[Step] = []
        self.default: Step | None = None
        self.seen: list[Seen] = []
        self.unexpected: list[Seen] = []
        self.finished = 0
        self.hung_up = 0
        self.chunks_sent = 0
        self.latency_s = 0.0
        self.places: asyncio.Semaphore | None = None
        """How many it works on at once; the others wait."""
        self.chunk_delay_s = 0.0
        self.chunk_chars = 3
        self.fail_first = 0
        self.fail_status = 500
        self.fail_body: dict[str, Any] = {"error": {"message": "boom", "type": "server_error"}}
        self.crash_after_chunks: int | None = None
        self.crashes = 1_000_000
        """How many streams crash."""
        self.freezes = False
        """Whether they fall silent instead."""
        self.hang = False
        self.garbage = False

    def will(self, *steps: Step) -> None:
        """Extend the script."""
        self.script.extend(steps)

    def always(self, step: Step) -> None:
        """Give this reply whenever the script is at its end."""
        self.default = step

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        body = await _body(receive)
        if scope["path"].endswith("/models"):
            await _json(send, 200, {"object": "list", "data": [{"id": "xiaoer"}]})
            return
        headers = {key.decode(): value.decode() for key, value in scope["headers"]}
        seen = Seen(json.loads(body), headers)
        self.seen.append(seen)
        work = asyncio.ensure_future(self._answer(seen, send))
        watch = asyncio.ensure_future(receive())
        await asyncio.wait({work, watch}, return_when=asyncio.FIRST_COMPLETED)
        if work.done():
            watch.cancel()
            work.result()
            self.finished += 1
        else:
            self.hung_up += 1
            work.cancel()

    async def _answer(self, seen: Seen, send: Send) -> None:
        async with self.places or contextlib.nullcontext():
            await asyncio.sleep(self.latency_s)
        if self.hang:
            await asyncio.sleep(3600)
        if self.fail_first > 0:
            self.fail_first -= 1
            await _json(send, self.fail_status, self.fail_body)
            return
        step = self.script.pop(0) if self.script else self.default
        if step is None:
            self.unexpected.append(seen)
            await _json(send, 500, {"error": {"message": "the script has no such request"}})
        elif self.garbage:
            await _raw(send, 200, b"<html>not a model</html>")
        elif seen.body.get("stream"):
            await self._stream(step, send)
        else:
            await _json(send, 200, _completion(step))

    async def _stream(self, step: Step, send: Send) -> None:
        headers = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for number, chunk in enumerate(self._chunks(step)):
            if number == self.crash_after_chunks and self.crashes > 0:
                self.crashes -= 1
                if self.freezes:
                    await asyncio.sleep(3600)
                raise ConnectionAbortedError("the fake crashes mid-stream, as told")
            data = b"data: " + json.dumps(chunk, ensure_ascii=False).encode() + b"\n\n"
            await send({"type": "http.response.body", "body": data, "more_body": True})
            self.chunks_sent += 1
            if self.chunk_delay_s:
                await asyncio.sleep(self.chunk_delay_s)
        await send({"type": "http.response.body", "body": b"data: [DONE]\n\n"})

    def _chunks(self, step: Step) -> list[dict[str, Any]]:
        size = self.chunk_chars
        chunks = [_delta({"role": "assistant", "content": ""})]
        chunks += [
            _delta({"content": step.text[at : at + size]}) for at in range(0, len(step.text), size)
        ]
        for index, (name, arguments) in enumerate(step.calls):
            function = {"name": name, "arguments": ""}
            opening = {"index": index, "id": f"c{index}", "type": "function", "function": function}
            chunks.append(_delta({"tool_calls": [opening]}))
            chunks += [
                _delta({"tool_calls": [{"index": index, "function": {"arguments": part}}]})
                for at in range(0, len(arguments), size)
                for part in [arguments[at : at + size]]
            ]
        chunks.append(_delta({}, step.finish))
        chunks.append({"object": "chat.completion.chunk", "choices": [], "usage": _usage()})
        return chunks


def _usage() -> dict[str, int]:
    return {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}


def _delta(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"id": "f", "object": "chat.completion.chunk", "model": "xiaoer", "choices": [choice]}


def _completion(step: Step) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": step.text or None}
    message["tool_calls"] = [
        {"id": f"c{index}", "type": "function", "function": {"name": name, "arguments": arguments}}
        for index, (name, arguments) in enumerate(step.calls)
    ]
    choice = {"index": 0, "message": message, "finish_reason": step.finish}
    return {"id": "f", "object": "chat.completion", "choices": [choice], "usage": _usage()}


async def _body(receive: Receive) -> bytes:
    body = b""
    while True:
        message = await receive()
        body += bytes(message.get("body", b""))
        if not message.get("more_body", False):
            return body


async def _raw(send: Send, status: int, body: bytes) -> None:
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _json(send: Send, status: int, value: Any) -> None:
    await _raw(send, status, json.dumps(value, ensure_ascii=False).encode())

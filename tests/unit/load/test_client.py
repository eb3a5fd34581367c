"""The streaming client against a server that says what a test tells it to, over real sockets."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.load.client import (
    BrokenStreamError,
    Caller,
    StreamedAnswer,
    ask,
    error_code,
    retry_after,
)

ABOUT = {"degraded": ["memory"], "tools": ["query_inventory"], "source": "model"}


def event(delta: dict[str, Any] | None = None, finish: str | None = None, **more: Any) -> bytes:
    choice = {"index": 0, "delta": delta or {}, "finish_reason": finish}
    return b"data: " + json.dumps({"choices": [choice], **more}).encode() + b"\n\n"


ROLE = event({"role": "assistant", "content": ""})
FIRST = event({"content": "¥599.00,"})
SECOND = event({"content": " in stock."})
FINISH = event(finish="stop", xiaoer=ABOUT)
DONE = b"data: [DONE]\n\n"


@contextmanager
def server(status: int, headers: dict[str, str], body: bytes) -> Iterator[tuple[str, list[Any]]]:
    seen: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            sent = self.rfile.read(int(self.headers["content-length"]))
            seen.append((self.path, dict(self.headers), json.loads(sent)))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{httpd.server_address[1]}", seen
    finally:
        httpd.shutdown()
        thread.join(5)
        httpd.server_close()


def caller(url: str, token: str | None = "token", deadline_s: float = 5.0) -> Caller:
    return Caller(url, "sk-xiaoer-test", token, deadline_s)


def test_a_whole_stream_is_an_answer() -> None:
    with server(200, {}, ROLE + FIRST + SECOND + FINISH + DONE) as (url, seen):
        sample = ask(caller(url), "多少钱？", "s-1", "zh")
    assert sample.failure is None
    assert sample.answered
    assert sample.text == "¥599.00, in stock."
    assert (sample.degraded, sample.tools, sample.source) == (
        ("memory",),
        ("query_inventory",),
        "model",
    )
    assert sample.ttft_s is not None
    assert 0 < sample.ttft_s <= sample.full_s
    ((path, headers, body),) = seen
    assert path == "/v1/chat/completions"
    assert headers["authorization"] == "Bearer sk-xiaoer-test"
    assert headers["x-customer-token"] == "token"
    assert headers["x-session-id"] == "s-1"
    assert body["messages"] == [{"role": "user", "content": "多少钱？"}]
    assert body["stream"] is True


def test_a_visitor_sends_no_token() -> None:
    with server(200, {}, FIRST + FINISH + DONE) as (url, seen):
        ask(caller(url, token=None), "hi", None)
    headers = seen[0][1]
    assert "x-customer-token" not in headers
    assert "x-session-id" not in headers


@pytest.mark.parametrize(
    ("body", "failure"),
    [
        (ROLE + FIRST, "broken stream"),
        (ROLE + FIRST + FINISH, "broken stream"),
        (ROLE + FIRST + DONE, "broken stream"),
        (ROLE + FINISH + DONE, "empty answer"),
        (FIRST + b'data: {"error": {"code": "model_failed"}}\n\n', "error in stream: model_failed"),
        (FIRST + b"data: {\n\n", "unreadable chunk"),
        (b"", "broken stream"),
    ],
)
def test_a_stream_without_its_end_has_failed(body: bytes, failure: str) -> None:
    with server(200, {}, body) as (url, _):
        sample = ask(caller(url), "hi", None)
    assert sample.failure == failure
    assert not sample.answered


def test_an_error_status_has_failed_with_its_code() -> None:
    body = json.dumps({"error": {"code": "model_unavailable"}}).encode()
    with server(503, {}, body) as (url, _):
        sample = ask(caller(url), "hi", None)
    assert sample.failure == "HTTP 503: model_unavailable"


def test_a_429_is_busy_and_not_failed() -> None:
    with server(429, {"retry-after": "3"}, b"{}") as (url, _):
        sample = ask(caller(url), "hi", None)
    assert sample.busy
    assert sample.failure is None
    assert not sample.answered
    assert sample.retry_after_s == 3.0


def test_an_answer_after_the_deadline_has_failed() -> None:
    with server(200, {}, FIRST + FINISH + DONE) as (url, _):
        sample = ask(caller(url, deadline_s=1e-6), "hi", None)
    assert sample.failure == "missed deadline"


def test_nobody_listening_has_failed() -> None:
    with server(200, {}, b"") as (url, _):
        pass
    sample = ask(caller(url), "hi", None)
    assert sample.status == 0
    assert sample.failure == "broken: ConnectionRefusedError"


def test_only_content_counts_as_the_first_token() -> None:
    answer = StreamedAnswer()
    found = [answer.take(line) for line in (b"", b": ping", ROLE, FIRST, FINISH, DONE)]
    assert found == [False, False, False, True, False, False]
    assert answer.done


def test_a_usage_chunk_has_no_choice_and_is_fine() -> None:
    answer = StreamedAnswer()
    assert not answer.take(b'data: {"choices": [], "usage": {"total_tokens": 3}}')


def test_an_error_in_a_stream_is_raised() -> None:
    with pytest.raises(BrokenStreamError, match="deadline_exceeded"):
        StreamedAnswer().take(b'data: {"error": {"code": "deadline_exceeded"}}')


@pytest.mark.parametrize(
    ("value", "seconds"), [("2", 2.0), (None, 1.0), ("soon", 1.0), ("-4", 0.0), ("0", 0.0)]
)
def test_retry_after_is_read_or_one_second(value: str | None, seconds: float) -> None:
    assert retry_after(value) == seconds


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"error": "no"}'])
def test_a_body_without_an_error_object_has_no_code(body: bytes) -> None:
    assert error_code(body) == "no error object"

"""What a vLLM pod runs to start and to stop, against a small HTTP server."""

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.unit.k8s.scripts import drain, warmup

CALL = {"function": {"name": "query_order_status", "arguments": '{"order_id": "XR20260001"}'}}
PAGE = """# HELP vllm:num_requests_running Number of requests running.
vllm:num_requests_running{{engine="0",model_name="xiaoer"}} {running}.0
vllm:num_requests_waiting{{engine="0",model_name="xiaoer"}} {waiting}.0
vllm:num_requests_waiting_by_reason{{engine="0",reason="capacity"}} 7.0
"""


class Server(ThreadingHTTPServer):
    """Says what the test has put here."""

    message: Any = None
    status = 200
    pages: list[str]
    asked: list[dict[str, Any]]

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.append(json.loads(body))
        self._say(json.dumps({"choices": [{"message": self.server.message}]}))

    def do_GET(self) -> None:
        pages = self.server.pages
        self._say(pages.pop(0) if len(pages) > 1 else pages[0])

    def _say(self, text: str) -> None:
        self.send_response(self.server.status)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as serving:
        serving.pages, serving.asked = [], []
        thread = threading.Thread(target=serving.serve_forever)
        thread.start()
        yield serving
        serving.shutdown()
        thread.join()


def test_warm_means_that_a_tool_was_called(server: Server) -> None:
    server.message = {"role": "assistant", "content": None, "tool_calls": [CALL]}
    assert warmup.warm_up(server.base, "xiaoer") == "query_order_status"
    (asked,) = server.asked
    # As the gateway asks: the model decides, and the parser has to find the call.
    assert asked["tool_choice"] == "auto"
    assert asked["tools"][0]["function"]["name"] == "query_order_status"


@pytest.mark.parametrize(
    "message",
    [
        {"role": "assistant", "content": "It is on its way."},
        {"role": "assistant", "content": '<tool_call>{"name": "query_order_status"}</tool_call>'},
        {"tool_calls": []},
        {"tool_calls": [{"function": {"name": "query_order_status", "arguments": "{"}}]},
        {"tool_calls": [{"function": {"name": "query_order_status", "arguments": "{}"}}]},
        {
            "tool_calls": [
                {"function": {"name": "query_order_status", "arguments": '{"order_id": ""}'}}
            ]
        },
        None,
    ],
)
def test_words_without_a_usable_call_are_not_warm(server: Server, message: Any) -> None:
    server.message = message
    with pytest.raises(warmup.NotWarmError):
        warmup.warm_up(server.base, "xiaoer")


def test_an_error_and_a_closed_port_are_not_warm(server: Server) -> None:
    server.status = 503
    with pytest.raises(warmup.NotWarmError, match="503"):
        warmup.warm_up(server.base, "xiaoer")
    with pytest.raises(warmup.NotWarmError, match="no answer yet"):
        warmup.warm_up("http://127.0.0.1:9", "xiaoer")


def test_draining_waits_for_what_is_being_answered(server: Server) -> None:
    busy = [PAGE.format(running=2, waiting=1), PAGE.format(running=1, waiting=0)]
    server.pages = [*busy, PAGE.format(running=0, waiting=0)]
    assert drain.busy(server.base) == 3
    assert drain.drain(server.base, settle_s=0, limit_s=5, period_s=0.01)
    assert len(server.pages) == 1


def test_draining_ends_at_its_limit_and_when_there_is_nobody(server: Server) -> None:
    server.pages = [PAGE.format(running=1, waiting=0)]
    started = time.monotonic()
    assert not drain.drain(server.base, settle_s=0, limit_s=0.2, period_s=0.01)
    assert time.monotonic() - started < 2
    assert drain.drain("http://127.0.0.1:9", settle_s=0, limit_s=5, period_s=0.01)
    server.pages = ["nothing of vLLM"]
    assert drain.busy(server.base) is None

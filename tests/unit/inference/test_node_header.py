from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from services.inference.errors import SettingsError
from services.inference.node_header import Message, NodeHeader
from services.inference.settings import load_settings


async def _answer(
    scope: Message,
    receive: Callable[[], Awaitable[Message]],
    send: Callable[[Message], Awaitable[None]],
) -> None:
    del scope, receive
    await send({"type": "http.response.start", "status": 200, "headers": [(b"a", b"b")]})
    await send({"type": "http.response.body", "body": b"{}"})


async def _sent(scope: dict[str, Any]) -> list[Message]:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        raise AssertionError("nothing is read")

    await NodeHeader(_answer)(scope, receive, send)
    return sent


async def test_every_response_names_the_node(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INFERENCE_NODE", "edge-a")
    start, body = await _sent({"type": "http"})
    assert start["headers"] == [(b"a", b"b"), (b"x-node", b"edge-a")]
    assert body == {"type": "http.response.body", "body": b"{}"}


async def test_other_protocols_pass_as_they_are() -> None:
    start, _ = await _sent({"type": "websocket"})
    assert start["headers"] == [(b"a", b"b")]


def test_a_node_is_named_after_its_host_unless_set() -> None:
    assert load_settings({}).node
    assert load_settings({"INFERENCE_NODE": "edge-b"}).node == "edge-b"
    with pytest.raises(SettingsError, match="INFERENCE_NODE"):
        load_settings({"INFERENCE_NODE": "edge\r\nb"})

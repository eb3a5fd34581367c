"""Faults: hang-ups, a model, tools or Redis that is away, slow or wrong. Nothing hangs."""

import socket
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest
import redis

from services.gateway.api.metrics import Metrics
from services.gateway.errors import MemoryAwayError
from services.gateway.sessions.redis_port import RedisPort, Script, connect
from tests.integration.gateway.conftest import Client, wait_ready
from tests.support.fake_model import FakeModel, call, say
from tests.support.fake_tools import FakeTools
from tests.support.gateway import GatewayProcess, ServerThread, gateway_server, headers, request
from tests.support.redis_server import RedisServer
from tests.support.shops import SHOP_KEYS

LONG = "This is a message. " * 200
PRICE = ("query_inventory", {"product": "WH-PRO-001"})


def body(text: str = "hi", *, stream: bool = False) -> dict[str, object]:
    return {"messages": [{"role": "user", "content": text}], "stream": stream}


def until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "did not happen in time"
        time.sleep(0.02)


def kept(store: redis.Redis) -> list[bytes]:
    """Return what is kept of a conversation: all but limits and the shop's epoch."""
    kept_otherwise = (b":rate:", b":answers:")
    return [key for key in store.scan_iter() if not any(one in key for one in kept_otherwise)]


def code(got: httpx2.Response) -> tuple[int, str]:
    return got.status_code, got.json()["error"]["code"]


def hang_up_mid_stream(url: str) -> None:
    with httpx2.stream(
        "POST",
        verify=False,
        url=f"{url}/v1/chat/completions",
        json=body(stream=True),
        headers=headers(session="s1"),
        timeout=10,
    ) as got:
        assert got.status_code == 200
        next(got.iter_bytes())


def test_a_hang_up_mid_stream_stops_the_model_and_saves_nothing(
    client: Client, model: FakeModel, store: redis.Redis
) -> None:
    model.will(say(LONG), say("ok"))
    model.chunk_delay_s = 0.01
    hang_up_mid_stream(client.url)
    until(lambda: model.hung_up == 1)
    sent = model.chunks_sent
    time.sleep(0.1)
    assert model.chunks_sent == sent < 1000
    until(lambda: kept(store) == [])
    model.chunk_delay_s = 0
    assert client.chat("next", session="s1").status_code == 200
    assert [t["user"] for t in client.turns("s1")] == ["next"]
    assert 'outcome="client_gone"' in client.get("/metrics").text


def test_a_hang_up_before_a_plain_answer_stops_the_model(
    client: Client, model: FakeModel, store: redis.Redis
) -> None:
    model.hang = True
    with pytest.raises(httpx2.ReadTimeout):
        request(
            "POST",
            f"{client.url}/v1/chat/completions",
            json=body(),
            headers=headers(session="s1"),
            timeout=0.4,
        )
    until(lambda: model.hung_up == 1)
    until(lambda: kept(store) == [])


def test_a_hang_up_while_queued_leaves_the_queue(
    client: Client, model: FakeModel, store: redis.Redis
) -> None:
    store.set("xiaoer:demo:session:s1:lock", "somebody.1", px=60_000)
    with pytest.raises(httpx2.ReadTimeout):
        request(
            "POST",
            f"{client.url}/v1/chat/completions",
            json=body(),
            headers=headers(session="s1"),
            timeout=0.4,
        )
    until(lambda: store.exists("xiaoer:demo:session:s1:queue") == 0)
    assert model.seen == []


@pytest.mark.parametrize("stream", [False, True])
def test_a_model_that_is_down_is_503(
    client: Client, model_server: ServerThread, store: redis.Redis, stream: bool
) -> None:
    model_server.stop()
    got = client.post(body(stream=stream), session="s1")
    assert code(got) == (503, "model_unavailable")
    assert got.headers["content-type"] == "application/json"
    assert kept(store) == []
    assert client.get("/health/ready").json()["dependencies"]["model"]["ok"] is False


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (500, (503, "model_unavailable")),
        (429, (503, "model_unavailable")),
        (404, (502, "model_failed")),
    ],
)
def test_a_model_that_fails_is_a_proper_error(
    client: Client, model: FakeModel, status: int, expected: tuple[int, str]
) -> None:
    model.fail_first, model.fail_status = 2, status
    model.always(say("ok"))
    assert code(client.post(body())) == expected
    assert code(client.post(body(stream=True))) == expected
    assert client.post(body()).status_code == 200
    assert len(model.seen) == 3  # nothing was retried: retries are the router's


def test_too_long_a_conversation_is_the_clients_to_mend(client: Client, model: FakeModel) -> None:
    model.fail_first, model.fail_status = 1, 400
    model.fail_body = {"error": {"message": "This model's maximum context length is 8192 tokens."}}
    assert code(client.post(body())) == (400, "context_length_exceeded")


@pytest.mark.parametrize("stream", [False, True])
def test_garbage_from_the_model_is_502(client: Client, model: FakeModel, stream: bool) -> None:
    model.garbage = True
    model.will(say("x"))
    got = client.post(body(stream=stream))
    assert got.status_code in (502, 503)
    assert "html" not in got.text


def keep_contents(stream: Iterable[Any], into: list[str | None]) -> None:
    for chunk in stream:
        into.append(chunk.choices[0].delta.content)  # noqa: PERF401 - kept when it breaks off


def test_a_stream_that_breaks_ends_in_an_error_event(client: Client, model: FakeModel) -> None:
    model.always(say(LONG))
    model.crash_after_chunks = 60
    said: list[str | None] = []
    with openai.OpenAI(
        base_url=f"{client.url}/v1", api_key=SHOP_KEYS["demo"], max_retries=0
    ) as official:
        stream = official.chat.completions.create(
            model="xiaoer",
            messages=[{"role": "user", "content": "hi"}],
            stream=True,
            extra_headers={"X-Session-Id": "s1"},
        )
        with pytest.raises(openai.APIError, match="broke off"):
            keep_contents(stream, said)
    assert said[:2] == ["", "This is a message."]
    assert client.get("/v1/sessions/s1").status_code == 404
    model.crash_after_chunks = None
    model.always(say("ok"))
    assert client.chat("again", session="s1").status_code == 200
    assert 'outcome="stream_broken"' in client.get("/metrics").text


def test_a_stream_that_breaks_before_the_first_clause_is_an_http_error(
    client: Client, model: FakeModel
) -> None:
    model.always(say(LONG))
    model.crash_after_chunks = 2
    assert code(client.post(body(stream=True))) == (503, "model_unavailable")


@pytest.mark.parametrize("stream", [False, True])
def test_the_deadline_is_kept(
    env: dict[str, str], model: FakeModel, store: redis.Redis, stream: bool
) -> None:
    model.hang = True
    with gateway_server(env, DEADLINE_S="0.5") as server:
        started = time.monotonic()
        got = Client(server.url).post(body(stream=stream), session="s1")
        assert code(got) == (504, "deadline_exceeded")
        assert 0.4 < time.monotonic() - started < 5
    until(lambda: model.hung_up == 1)
    assert kept(store) == []


def test_the_deadline_cuts_a_stream_that_drips(env: dict[str, str], model: FakeModel) -> None:
    model.always(say(LONG))
    model.chunk_delay_s = 0.05
    with gateway_server(env, DEADLINE_S="1.5") as server:
        started = time.monotonic()
        got = Client(server.url).post(body(stream=True))
        assert got.status_code == 200
        assert '"code":"deadline_exceeded"' in got.text
        assert "[DONE]" not in got.text
        assert time.monotonic() - started < 8
    until(lambda: model.hung_up == 1)


def test_a_slow_tool_and_a_short_deadline(
    env: dict[str, str], model: FakeModel, tools: FakeTools
) -> None:
    tools.latency_s = 5
    model.always(call(PRICE))
    with gateway_server(env, DEADLINE_S="1") as server:
        wait_ready(server.url)
        started = time.monotonic()
        got = Client(server.url).post(body())
        assert code(got) == (504, "deadline_exceeded")
        assert time.monotonic() - started < 4.5


def test_redis_down_is_an_answer_without_memory(
    tmp_path: Path, env: dict[str, str], model: FakeModel
) -> None:
    model.always(say("ok"))
    with RedisServer(tmp_path) as own, gateway_server(env, REDIS_URL=own.url) as server:
        client = Client(server.url)
        client.chat("one", session="s1")
        own.stop()
        took = []
        for _ in range(5):
            started = time.monotonic()
            got = client.chat("two", session="s1").json()
            took.append(time.monotonic() - started)
            assert got["xiaoer"]["degraded"] == ["memory"]
            assert got["xiaoer"]["session_id"] == "s1"
        assert max(took) < 4
        assert model.seen[-1].contents == ["two"]
        assert code(client.get("/v1/sessions/s1")) == (503, "memory_unavailable")
        assert client.get("/health/ready").status_code == 503
        own.start()
        wait_ready(server.url)
        assert client.chat("three", session="s1").json()["xiaoer"]["degraded"] == []
        assert len(client.turns("s1")) == 1


def test_redis_that_is_slow_for_a_moment_costs_no_memory(
    client: Client, model: FakeModel, store: redis.Redis
) -> None:
    model.always(say("ok"))
    client.chat("one", session="s1")
    store.client_pause(1200)
    got = client.chat("two", session="s1").json()
    assert got["xiaoer"]["degraded"] == []
    assert [turn["user"] for turn in client.turns("s1")] == ["one", "two"]


async def test_redis_that_hangs_is_waited_for_once() -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        client = connect(f"redis://127.0.0.1:{deaf.getsockname()[1]}/0")
        port = RedisPort(client, Metrics(), print)
        took = []
        for _ in range(5):
            started = time.monotonic()
            with pytest.raises(MemoryAwayError):
                await port.run(Script("return 1"), (), ())
            took.append(time.monotonic() - started)
        # Long enough for a process that gets no CPU for a while; the others do not wait at all.
        assert 1.5 < took[0] < 5
        assert max(took[1:]) < 0.2
        await client.aclose()


def test_as_a_process_it_sees_hang_ups_and_stops_gracefully(
    env: dict[str, str], model: FakeModel
) -> None:
    model.will(say(LONG), say("Well. " * 30))
    model.chunk_delay_s = 0.01
    with GatewayProcess(env) as process:
        hang_up_mid_stream(process.url)
        until(lambda: model.hung_up == 1)
        with httpx2.stream(
            "POST",
            verify=False,
            url=f"{process.url}/v1/chat/completions",
            json=body(stream=True),
            headers=headers(),
            timeout=10,
        ) as got:
            pieces = got.iter_text()
            text = next(pieces)
            assert process._process is not None
            process._process.terminate()
            text += "".join(pieces)
        assert text.endswith("data: [DONE]\n\n")
        assert process._process.wait(15) == 0
    assert model.hung_up == 1

"""A guard model judges messages beside the answer: nothing leaves before its verdict."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest

from services.gateway.safety.model_rail import read
from tests.integration.gateway.conftest import Client, wait_ready
from tests.integration.gateway.test_handoff import Desk
from tests.support.fake_model import FakeModel, say
from tests.support.gateway import ServerThread, gateway_server, headers, request
from tests.support.redis_server import free_port

ASKED = "它适合送人吗？"
SAFE = say("Safety: Safe\nCategories: None")
JAILBREAK = say("Safety: Unsafe\nCategories: Jailbreak")
SELF_HARM = say("Safety: Unsafe\nCategories: Suicide & Self-Harm")
ANSWER = "您好。"


@pytest.fixture
def guard() -> FakeModel:
    return FakeModel()


@pytest.fixture
def guarded(env: dict[str, str], guard: FakeModel) -> Iterator[dict[str, str]]:
    with ServerThread(guard) as server:
        yield {**env, "MODEL_RAIL_URL": f"{server.url}/v1", "MODEL_RAIL_TIMEOUT_S": "5"}


@pytest.fixture
def client(guarded: dict[str, str]) -> Iterator[Client]:
    with gateway_server(guarded) as server:
        wait_ready(server.url)
        yield Client(server.url)


def _said(reply: httpx2.Response) -> str:
    assert reply.status_code == 200, reply.text
    return str(reply.json()["choices"][0]["message"]["content"])


def _about(reply: httpx2.Response) -> tuple[str, str]:
    about = reply.json()["xiaoer"]
    return about["source"], about["handoff"]


def _counted(url: str, action: str, language: str = "zh") -> bool:
    line = f'rails_total{{action="{action}",language="{language}",rail="model"}} 1.0'
    return line in request("GET", f"{url}/metrics").text


def _until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


def test_without_a_guard_none_is_asked(
    env: dict[str, str], guard: FakeModel, model: FakeModel
) -> None:
    model.will(say(ANSWER))
    with gateway_server(env) as server:
        wait_ready(server.url)
        assert _said(Client(server.url).chat(ASKED)) == ANSWER
        assert 'rail="model"' not in request("GET", f"{server.url}/metrics").text
    assert guard.seen == []


def test_a_safe_message_is_answered(client: Client, guard: FakeModel, model: FakeModel) -> None:
    guard.will(SAFE)
    model.will(say(ANSWER))
    assert _said(client.chat(f"{ASKED}我的邮箱是a.b@example.com", session="s1")) == ANSWER
    (seen,) = guard.seen
    assert seen.body["model"] == "Qwen/Qwen3Guard-Gen-0.6B"
    assert seen.messages == [{"role": "user", "content": f"{ASKED}我的邮箱是[邮箱]"}]
    assert "tools" not in seen.body
    assert _counted(client.url, "pass")
    page = request("GET", f"{client.url}/metrics").text
    assert 'xiaoer_gateway_rail_seconds_count{rail="model"} 1.0' in page


def test_self_harm_gets_the_caring_line_and_an_urgent_ticket(
    client: Client, guard: FakeModel, model: FakeModel
) -> None:
    guard.will(SELF_HARM)
    model.always(say(ANSWER))
    reply = client.chat(ASKED, session="s1")
    assert "12356" in _said(reply)
    assert ANSWER not in _said(reply)
    assert _about(reply) == ("rail", "waiting")
    ticket = Desk(client.url).only()
    assert (ticket["priority"], ticket["reason"]) == ("urgent", "rail")
    assert _counted(client.url, "care")


def test_without_a_session_one_is_begun_for_the_ticket_and_the_guard_asked_once(
    client: Client, guard: FakeModel, model: FakeModel
) -> None:
    guard.will(say("Safety: Unsafe\nCategories: Violent"))
    model.always(say(ANSWER))
    reply = client.chat(ASKED)
    assert "110" in _said(reply)
    assert reply.json()["xiaoer"]["session_id"] == Desk(client.url).only()["session_id"]
    assert len(guard.seen) == 1


def test_a_jailbreak_gets_the_fixed_line_and_no_ticket(
    client: Client, guard: FakeModel, model: FakeModel
) -> None:
    guard.will(JAILBREAK)
    model.always(say(ANSWER))
    reply = client.chat(ASKED, session="s1")
    assert _said(reply).startswith("抱歉，这个我帮不了您")
    assert _about(reply) == ("rail", "bot")
    assert _counted(client.url, "refuse")


def test_what_the_patterns_decide_needs_no_guard(client: Client, guard: FakeModel) -> None:
    assert _about(client.chat("请帮我转人工", session="s1")) == ("rail", "waiting")
    assert guard.seen == []


@pytest.mark.parametrize(
    ("guard_says", "counted"),
    [
        ("Safety: Controversial\nCategories: Unethical Acts", "controversial"),
        ("I think this is fine", "unreadable"),
    ],
)
def test_what_is_no_clear_verdict_is_only_counted(
    client: Client, guard: FakeModel, model: FakeModel, guard_says: str, counted: str
) -> None:
    guard.will(say(guard_says))
    model.will(say(ANSWER))
    assert _said(client.chat(ASKED)) == ANSWER
    assert _counted(client.url, counted)


def test_a_slow_guard_delays_the_answer_no_longer_than_its_timeout(
    guarded: dict[str, str], guard: FakeModel, model: FakeModel
) -> None:
    guard.hang = True
    model.will(say(ANSWER))
    with gateway_server(guarded, MODEL_RAIL_TIMEOUT_S="0.5") as server:
        wait_ready(server.url)
        started = time.monotonic()
        assert _said(Client(server.url).chat(ASKED)) == ANSWER
        assert 0.4 < time.monotonic() - started < 4
        assert _counted(server.url, "timeout")
    _until(lambda: guard.hung_up == 1)


def test_a_failing_guard_is_counted_and_the_answer_goes_on(
    client: Client, guard: FakeModel, model: FakeModel
) -> None:
    guard.fail_first = 1
    model.will(say(ANSWER))
    assert _said(client.chat(ASKED)) == ANSWER
    assert _counted(client.url, "error")


def test_a_guard_that_is_away_is_counted_and_the_answer_goes_on(
    env: dict[str, str], model: FakeModel
) -> None:
    model.will(say(ANSWER))
    away = f"http://127.0.0.1:{free_port()}/v1"
    with gateway_server(env, MODEL_RAIL_URL=away) as server:
        wait_ready(server.url)
        assert _said(Client(server.url).chat(ASKED)) == ANSWER
        assert _counted(server.url, "error")


@pytest.mark.parametrize("stream", [False, True])
def test_the_model_stops_generating_when_the_guard_says_unsafe(
    client: Client, guard: FakeModel, model: FakeModel, *, stream: bool
) -> None:
    guard.will(JAILBREAK)
    guard.latency_s = 0.3
    model.always(say("很长。" * 400))
    model.chunk_delay_s = 0.02
    model.hang = not stream
    started = time.monotonic()
    reply = _stream(client.url) if stream else client.chat(ASKED).text
    assert "帮不了您" in reply
    assert "很长" not in reply
    assert time.monotonic() - started < 5
    _until(lambda: model.hung_up == 1)


def test_a_stream_begins_after_the_verdict_and_is_whole(
    client: Client, guard: FakeModel, model: FakeModel
) -> None:
    guard.will(SAFE)
    guard.latency_s = 0.5
    model.will(say("您好。欢迎光临。"))
    started = time.monotonic()
    first_at: list[float] = []
    text = _stream(client.url, first_at)
    assert first_at[0] - started >= 0.5
    assert "您好。" in text
    assert "欢迎光临。" in text
    assert text.rstrip().endswith("[DONE]")


def test_who_needs_help_gets_it_though_the_model_is_away(
    client: Client, guard: FakeModel, model: FakeModel
) -> None:
    guard.will(SELF_HARM)
    guard.latency_s = 0.3
    model.fail_first = 1
    assert _about(client.chat(ASKED, session="s1")) == ("rail", "waiting")


@pytest.mark.parametrize(
    ("said", "rail", "outcome"),
    [
        ("Safety: Safe\nCategories: None", "none", "pass"),
        ("Safety: Unsafe\nCategories: Violent, Suicide & Self-Harm", "self", "care"),
        ("Safety: Unsafe\nCategories: Non-violent Illegal Acts", "injection", "refuse"),
        ("Safety: Unsafe", "injection", "refuse"),
        ("", "none", "unreadable"),
    ],
)
def test_what_the_guard_says_is_read(said: str, rail: str, outcome: str) -> None:
    verdict, counted = read(said)
    assert (verdict.rail, counted) == (rail, outcome)


def _stream(url: str, first_at: list[float] | None = None) -> str:
    body: dict[str, Any] = {"messages": [{"role": "user", "content": ASKED}], "stream": True}
    text = ""
    with (
        httpx2.Client(trust_env=False, timeout=20) as http,
        http.stream(
            "POST", f"{url}/v1/chat/completions", headers=headers(session="st"), json=body
        ) as reply,
    ):
        for piece in reply.iter_text():
            if first_at is not None and not first_at:
                first_at.append(time.monotonic())
            text += piece
    return text

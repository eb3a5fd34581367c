"""Limits over real HTTP: what is refused, how it looks, and what counts as one asker."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from tests.integration.gateway.conftest import Client, wait_ready
from tests.support.fake_model import FakeModel, say
from tests.support.gateway import gateway_server, headers, request
from tests.support.shops import ORIGINS, PUBLIC_KEYS


@pytest.fixture
def tight(env: dict[str, str]) -> Iterator[Client]:
    """A gateway whose demo shop has few requests to give, behind a trusted proxy."""
    path = Path(env["SHOPS_FILE"])
    limits = (
        "    limits: {session_per_minute: 3, customer_per_minute: 4, address_per_minute: 2,"
        " customer_tokens_per_day: 5000}\n"
    )
    text = path.read_text("utf-8").replace("  other:\n", f"{limits}  other:\n", 1)
    path.write_text(text, "utf-8")
    with gateway_server(env, TRUSTED_PROXIES="127.0.0.0/8") as server:
        wait_ready(server.url)
        yield Client(server.url)


def test_a_session_that_asks_too_much_is_told_when_to_come_back(
    tight: Client, model: FakeModel, store: redis.Redis
) -> None:
    model.always(say("ok"))
    replies = [tight.chat("hi", session="s1") for _ in range(4)]
    assert [reply.status_code for reply in replies] == [200, 200, 200, 429]
    left = [reply.headers["x-ratelimit-remaining-requests"] for reply in replies[:3]]
    assert left == ["2", "1", "0"]
    assert replies[0].headers["x-ratelimit-limit-requests"] == "3"
    refused = replies[3]
    assert 1 <= int(refused.headers["retry-after"]) <= 20
    error = refused.json()["error"]
    assert (error["type"], error["code"]) == ("rate_limit_error", "rate_limit_exceeded")
    assert "session" in error["message"]
    assert tight.chat("hi", session="s2").status_code == 200
    # A refused message was no turn.
    assert len(json.loads(store.hget("xiaoer:demo:session:s1", "turns") or "[]")) == 3


def test_a_stream_says_what_is_left_too(tight: Client, model: FakeModel) -> None:
    model.always(say("ok"))
    body = {"messages": [{"role": "user", "content": "hi"}], "stream": True}
    reply = tight.post(body, session="s1")
    assert reply.headers["x-ratelimit-remaining-requests"] == "2"


def test_a_customer_cannot_go_round_the_limit_with_new_sessions(
    tight: Client, model: FakeModel
) -> None:
    model.always(say("ok"))
    replies = [tight.chat("hi", session=f"s{n}", customer="alice") for n in range(5)]
    assert [reply.status_code for reply in replies] == [200, 200, 200, 200, 429]
    assert tight.chat("hi", customer="bob").status_code == 200


def test_browsers_are_limited_by_address_and_a_shops_server_is_not(
    tight: Client, model: FakeModel
) -> None:
    model.always(say("ok"))

    def browser(*forwarded: str) -> int:
        sent = [
            ("authorization", f"Bearer {PUBLIC_KEYS['demo']}"),
            ("origin", ORIGINS["demo"][0]),
            *(("x-forwarded-for", value) for value in forwarded),
        ]
        return post(tight.url, sent)

    assert [browser("203.0.113.7") for _ in range(3)] == [200, 200, 429]
    # An entry of the client's own, before the one that the proxy added, changes nothing.
    assert browser("9.9.9.9, 203.0.113.7") == 429
    assert browser("203.0.113.8") == 200
    # Some proxies add a header of their own instead: the last one is theirs.
    assert browser("203.0.113.9") == 200
    assert browser("9.9.9.9", "203.0.113.7") == 429
    assert [post(tight.url, list(headers().items())) for _ in range(6)] == [200] * 6


def post(url: str, sent: list[tuple[str, str]]) -> int:
    body = {"messages": [{"role": "user", "content": "hi"}]}
    return request("POST", f"{url}/v1/chat/completions", headers=sent, json=body).status_code


def test_a_customers_tokens_are_counted_and_run_out(
    tight: Client, model: FakeModel, store: redis.Redis
) -> None:
    model.always(say("ok"))
    used = tight.chat("hi", customer="alice").json()["usage"]["total_tokens"]
    (key,) = store.keys("xiaoer:demo:tokens:*:alice")
    assert int(store.get(key) or 0) == used > 0
    store.set(key, 5000)
    reply = tight.chat("hi", customer="alice")
    assert reply.status_code == 429
    assert reply.json()["error"]["code"] == "token_budget_exceeded"


def test_looking_into_sessions_is_limited_as_well(tight: Client, model: FakeModel) -> None:
    model.always(say("ok"))
    tight.chat("hi", session="s1")
    guesses = [tight.get("/v1/sessions/s1").status_code for _ in range(3)]
    assert guesses == [200, 200, 429]
    own = [tight.get("/v1/customers/me", customer="alice").status_code for _ in range(5)]
    assert own == [200, 200, 200, 200, 429]

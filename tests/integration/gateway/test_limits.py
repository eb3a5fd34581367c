"""Limits over real HTTP: what is refused, how it looks, and what counts as one asker."""

from pathlib import Path

import pytest
import redis

from tests.integration.gateway.conftest import Client, wait_ready
from tests.support.fake_model import FakeModel, say
from tests.support.gateway import gateway_server, headers, request
from tests.support.shops import ORIGINS, PUBLIC_KEYS


@pytest.fixture
def tight(env: dict[str, str]) -> dict[str, str]:
    """Settings of a gateway whose demo shop has few requests to give."""
    path = Path(env["SHOPS_FILE"])
    limits = (
        "    limits: {session_per_minute: 3, customer_per_minute: 4, address_per_minute: 2,"
        " customer_tokens_per_day: 5000}\n"
    )
    text = path.read_text("utf-8").replace("  other:\n", f"{limits}  other:\n", 1)
    path.write_text(text, "utf-8")
    return {**env, "TRUSTED_PROXIES": "127.0.0.0/8"}


def test_a_session_that_asks_too_much_is_told_when_to_come_back(
    tight: dict[str, str], model: FakeModel
) -> None:
    model.always(say("ok"))
    with gateway_server(tight) as server:
        wait_ready(server.url)
        client = Client(server.url)
        replies = [client.chat("hi", session="s1") for _ in range(4)]
        assert [reply.status_code for reply in replies] == [200, 200, 200, 429]
        left = [reply.headers["x-ratelimit-remaining-requests"] for reply in replies[:3]]
        assert left == ["2", "1", "0"]
        assert replies[0].headers["x-ratelimit-limit-requests"] == "3"
        refused = replies[3]
        assert 1 <= int(refused.headers["retry-after"]) <= 20
        error = refused.json()["error"]
        assert (error["type"], error["code"]) == ("rate_limit_error", "rate_limit_exceeded")
        assert "session" in error["message"]
        assert client.chat("hi", session="s2").status_code == 200
        # A refused message was no turn.
        assert len(client.turns("s1")) == 3


def test_a_stream_says_what_is_left_too(tight: dict[str, str], model: FakeModel) -> None:
    model.always(say("ok"))
    with gateway_server(tight) as server:
        wait_ready(server.url)
        body = {"messages": [{"role": "user", "content": "hi"}], "stream": True}
        reply = Client(server.url).post(body, session="s1")
        assert reply.headers["x-ratelimit-remaining-requests"] == "2"


def test_a_customer_cannot_go_round_the_limit_with_new_sessions(
    tight: dict[str, str], model: FakeModel
) -> None:
    model.always(say("ok"))
    with gateway_server(tight) as server:
        wait_ready(server.url)
        client = Client(server.url)
        replies = [client.chat("hi", session=f"s{n}", customer="alice") for n in range(5)]
        assert [reply.status_code for reply in replies] == [200, 200, 200, 200, 429]
        assert client.chat("hi", customer="bob").status_code == 200


def test_browsers_are_limited_by_address_and_a_shops_server_is_not(
    tight: dict[str, str], model: FakeModel
) -> None:
    model.always(say("ok"))
    with gateway_server(tight) as server:
        wait_ready(server.url)

        def browser(address: str) -> int:
            sent = {
                "authorization": f"Bearer {PUBLIC_KEYS['demo']}",
                "origin": ORIGINS["demo"][0],
                "x-forwarded-for": address,
            }
            return post(server.url, sent)

        assert [browser("203.0.113.7") for _ in range(3)] == [200, 200, 429]
        # An entry of the client's own, before the one that the proxy added, changes nothing.
        assert browser("9.9.9.9, 203.0.113.7") == 429
        assert browser("203.0.113.8") == 200
        assert [post(server.url, headers()) for _ in range(6)] == [200] * 6


def post(url: str, sent: dict[str, str]) -> int:
    body = {"messages": [{"role": "user", "content": "hi"}]}
    return request("POST", f"{url}/v1/chat/completions", headers=sent, json=body).status_code


def test_a_customers_tokens_are_counted_and_run_out(
    tight: dict[str, str], model: FakeModel, store: redis.Redis
) -> None:
    model.always(say("ok"))
    with gateway_server(tight) as server:
        wait_ready(server.url)
        client = Client(server.url)
        used = client.chat("hi", customer="alice").json()["usage"]["total_tokens"]
        (key,) = store.keys("xiaoer:demo:tokens:*:alice")
        assert int(store.get(key) or 0) == used > 0
        store.set(key, 5000)
        reply = client.chat("hi", customer="alice")
        assert reply.status_code == 429
        assert reply.json()["error"]["code"] == "token_budget_exceeded"

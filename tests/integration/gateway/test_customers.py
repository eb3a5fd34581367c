"""A customer's own data: exported and erased over a real Redis, by the token alone."""

import json
import re

import pytest
import redis

from services.gateway.api.customers import customer_digest
from tests.integration.gateway.conftest import Client
from tests.support.fake_model import FakeModel, say
from tests.support.gateway import GatewayProcess, gateway_server

ME = "/v1/customers/me"


def test_all_sessions_of_a_customer_are_exported_and_nobody_elses(
    client: Client, model: FakeModel
) -> None:
    model.always(say("ok"))
    client.chat("first", session="s1", customer="alice")
    client.chat("second", session="s2", customer="alice")
    client.chat("bob's", session="s3", customer="bob")
    client.chat("a visitor's", session="s4")
    body = client.get(ME, customer="alice").json()
    assert (body["shop"], body["customer"]) == ("demo", "alice")
    said = {s["session_id"]: [turn["user"] for turn in s["turns"]] for s in body["sessions"]}
    assert said == {"s1": ["first"], "s2": ["second"]}


def test_a_session_that_moved_with_signing_in_is_the_customers(
    client: Client, model: FakeModel
) -> None:
    model.always(say("ok"))
    client.chat("before", session="s1")
    moved = client.chat("after", session="s1", customer="alice").json()["xiaoer"]["session_id"]
    body = client.get(ME, customer="alice").json()
    assert [s["session_id"] for s in body["sessions"]] == [moved]
    assert [turn["user"] for turn in body["sessions"][0]["turns"]] == ["before", "after"]


def test_erasing_leaves_nothing_of_the_customer_but_an_audit_line(
    env: dict[str, str], model: FakeModel, store: redis.Redis
) -> None:
    model.always(say("ok"))
    with gateway_server(env) as server:
        client = Client(server.url)
        client.chat("my address is Elm Street 1", session="s1", customer="alice")
        client.chat("again", session="s2", customer="alice")
        client.chat("bob's", session="s3", customer="bob")
        assert client.delete(ME, customer="alice").status_code == 204
        assert client.get(ME, customer="alice").json()["sessions"] == []
        assert client.turns("s3", customer="bob")
        # A second time is fine: there is nothing left.
        assert client.delete(ME, customer="alice").status_code == 204
    # Counters of the limits hold no content and run out by themselves.
    counters = re.compile(r"xiaoer:demo:(rate|tokens):")
    left = {key.decode() for key in store.scan_iter() if not counters.match(key.decode())}
    assert not [key for key in left if "alice" in key or "s1" in key or "s2" in key]


def test_the_audit_line_names_no_content(
    env: dict[str, str], model: FakeModel, capfd: pytest.CaptureFixture[str]
) -> None:
    model.always(say("ok"))
    with GatewayProcess(env, LOG_LEVEL="error") as process:
        client = Client(process.url)
        client.chat("my address is Elm Street 1", session="s1", customer="alice")
        assert client.delete(ME, customer="alice").status_code == 204
        assert process.terminate() == 0
    (line,) = [json.loads(line) for line in capfd.readouterr().out.splitlines() if "audit" in line]
    assert (line["action"], line["sessions"]) == ("erase", 1)
    assert line["customer"] == customer_digest("demo", "alice")
    assert "alice" not in json.dumps(line)
    assert "Elm" not in json.dumps(line)


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_a_visitor_has_no_data_of_a_customer(client: Client, method: str) -> None:
    reply = client.get(ME) if method == "GET" else client.delete(ME)
    assert reply.status_code == 401
    assert reply.json()["error"]["code"] == "missing_customer_token"


def test_other_sessions_that_come_and_go_do_not_stay_listed(
    client: Client, model: FakeModel, store: redis.Redis
) -> None:
    model.always(say("ok"))
    client.chat("one", session="s1", customer="alice")
    client.delete("/v1/sessions/s1", customer="alice")
    assert client.get(ME, customer="alice").json()["sessions"] == []
    index = "xiaoer:demo:customer:alice:sessions"
    assert not store.exists(index)
    store.zadd(index, {"s1": 1.0})
    client.chat("two", session="s2", customer="alice")
    assert store.zrange(index, 0, -1) == [b"s2"]
    assert 3590 < store.ttl(index) <= 3600

"""Conversation memory over a real Redis: order, limits, owners, and two gateways at once."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest
import redis

from tests.integration.gateway.conftest import Client, wait_ready
from tests.support.fake_model import FakeModel, call, say
from tests.support.fake_tools import FakeTools
from tests.support.gateway import GatewayProcess, gateway_server

PRICE = ("query_inventory", {"product": "WH-PRO-001"})


def test_a_follow_up_sees_the_turn_with_its_tool_call(client: Client, model: FakeModel) -> None:
    model.will(call(PRICE), say("¥599.00."), say("128 in stock."))
    client.chat("price", session="s1")
    client.chat("and stock?", session="s1")
    first, second = model.seen[1].messages, model.seen[2].messages
    assert [m["role"] for m in second[1:]] == ["user", "assistant", "tool", "assistant", "user"]
    assert second[3]["content"] == first[3]["content"]
    assert second[2]["tool_calls"][0]["function"] == {
        "name": "query_inventory",
        "arguments": '{"product": "WH-PRO-001"}',
    }
    turns = client.turns("s1")
    stored = turns[0]["tool_calls"][0]
    assert turns[0].keys() == {"user", "assistant", "tool_calls", "source"}
    assert stored.keys() == {"name", "arguments", "result", "at"}
    assert (stored["name"], stored["arguments"]) == ("query_inventory", PRICE[1])
    assert stored["result"]["price"] == "599.00"
    assert turns[0]["source"] == "model"


def test_rounds_are_remembered_as_rounds(
    client: Client, model: FakeModel, tools: FakeTools
) -> None:
    tools.latency_s = 0.01
    other = ("query_inventory", {"product": "x"})
    model.will(call(PRICE), call(other), say("A."), say("B."))
    client.chat("one", session="s1")
    client.chat("two", session="s1")
    roles = [m["role"] for m in model.seen[-1].messages[1:]]
    assert roles == ["user", "assistant", "tool", "assistant", "tool", "assistant", "user"]


def test_five_turns_and_an_hour_are_kept(
    client: Client, model: FakeModel, store: redis.Redis
) -> None:
    model.always(say("ok"))
    for n in range(7):
        client.chat(f"m{n}", session="s1")
    assert [t["user"] for t in client.turns("s1")] == ["m2", "m3", "m4", "m5", "m6"]
    assert 3590 < store.ttl("xiaoer:demo:session:s1") <= 3600
    shops_own = (b":rate:", b":answers:")
    kept = [key for key in store.scan_iter() if not any(one in key for one in shops_own)]
    assert kept == [b"xiaoer:demo:session:s1"]


def test_limits_can_be_set(env: dict[str, str], model: FakeModel, store: redis.Redis) -> None:
    model.always(say("Please go on. " * 22))
    changes = {"SESSION_TURNS": "3", "SESSION_TTL_S": "2", "SESSION_TOKENS": "250"}
    with gateway_server(env, **changes) as server:
        client = Client(server.url)
        for n in range(4):
            client.chat(f"m{n}", session="s1")
        # A turn is about 112 tokens, so two fit into 250 though three would be allowed.
        assert [t["user"] for t in client.turns("s1")] == ["m2", "m3"]
        assert 0 < store.ttl("xiaoer:demo:session:s1") <= 2


def test_two_messages_at_once_take_turns(client: Client, model: FakeModel) -> None:
    model.latency_s = 0.3
    model.will(say("first answer"), say("second answer"))
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(client.chat, "one", session="s1")
        time.sleep(0.1)
        second = pool.submit(client.chat, "two", session="s1")
        assert first.result().status_code == second.result().status_code == 200
    assert [(t["user"], t["assistant"]) for t in client.turns("s1")] == [
        ("one", "first answer"),
        ("two", "second answer"),
    ]
    assert model.seen[1].contents == ["one", "first answer", "two"]


def test_twenty_at_once_over_two_gateways_lose_none(
    env: dict[str, str], model: FakeModel, store: redis.Redis
) -> None:
    model.always(say("ok"))
    model.latency_s = 0.01
    env = {**env, "SESSION_TURNS": "50", "SESSION_TOKENS": "100000", "DEADLINE_S": "30"}
    with gateway_server(env) as one, gateway_server(env) as two:
        clients = [Client(one.url), Client(two.url)]
        with ThreadPoolExecutor(20) as pool:
            jobs = [pool.submit(clients[n % 2].chat, f"m{n}", session="s") for n in range(20)]
            assert {job.result().status_code for job in jobs} == {200}
        turns = clients[0].turns("s")
    assert sorted(t["user"] for t in turns) == sorted(f"m{n}" for n in range(20))
    # Each prompt holds all turns before it: no two ran side by side.
    assert sorted(len(s.messages) for s in model.seen) == [2 + 2 * n for n in range(20)]
    assert store.keys("*:lock") == store.keys("*:queue") == store.keys("*:alive") == []


def test_waiting_is_bounded(env: dict[str, str], model: FakeModel, store: redis.Redis) -> None:
    store.set("xiaoer:demo:session:s1:lock", "somebody.1", px=60_000)
    with gateway_server(env, DEADLINE_S="1") as server:
        started = time.monotonic()
        got = Client(server.url).chat("hi", session="s1")
        assert got.status_code == 429
        assert got.json()["error"]["code"] == "session_busy"
        assert int(got.headers["retry-after"]) >= 1
        assert time.monotonic() - started < 5
    assert model.seen == []
    assert store.exists("xiaoer:demo:session:s1:queue") == 0


def test_a_killed_holder_frees_its_session(
    env: dict[str, str], client: Client, model: FakeModel, store: redis.Redis
) -> None:
    model.hang = True
    with GatewayProcess(env) as doomed:

        def lost() -> None:
            try:
                Client(doomed.url).chat("lost", session="s1")
            except httpx2.HTTPError:
                return

        thread = threading.Thread(target=lost)
        thread.start()
        while not store.exists("xiaoer:demo:session:s1:lock"):
            time.sleep(0.02)
        doomed.kill()
        thread.join()
    model.hang = False
    model.always(say("here"))
    started = time.monotonic()
    assert client.chat("still there?", session="s1").status_code == 200
    assert time.monotonic() - started < 15
    assert [t["user"] for t in client.turns("s1")] == ["still there?"]


def test_a_session_belongs_to_one_customer_and_shop(client: Client, model: FakeModel) -> None:
    model.always(say("ok"))
    client.chat("mine", session="s1", customer="alice")
    for who in ({"customer": "bob"}, {"customer": None}):
        for got in (
            client.chat("hi", session="s1", **who),
            client.get("/v1/sessions/s1", **who),
            client.delete("/v1/sessions/s1", **who),
        ):
            assert got.status_code == 404
            assert got.json()["error"]["code"] == "session_not_found"
            assert "alice" not in got.text
    # Another shop's id of the same spelling is another session.
    other = client.chat("hi", session="s1", shop="other")
    assert other.status_code == 200
    assert len(model.seen[-1].messages) == 2
    assert client.get("/v1/sessions/s1", shop="other", customer="alice").status_code == 404
    assert [t["user"] for t in client.turns("s1", customer="alice")] == ["mine"]


def test_signing_in_moves_the_history_to_a_new_id(client: Client, model: FakeModel) -> None:
    model.always(say("ok"))
    client.chat("anonymous", session="s1")
    moved = client.chat("signed in", session="s1", customer="alice").json()["xiaoer"]["session_id"]
    assert moved != "s1"
    assert model.seen[-1].contents == ["anonymous", "ok", "signed in"]
    users = [t["user"] for t in client.turns(moved, customer="alice")]
    assert users == ["anonymous", "signed in"]
    for who in ({"customer": None}, {"customer": "alice"}, {"customer": "bob"}):
        assert client.chat("old", session="s1", **who).status_code == 404
        assert client.get("/v1/sessions/s1", **who).status_code == 404
    assert client.get(f"/v1/sessions/{moved}").status_code == 404
    again = client.chat("more", session=moved, customer="alice").json()["xiaoer"]["session_id"]
    assert again == moved


def test_a_failed_turn_does_not_move_a_session(client: Client, model: FakeModel) -> None:
    model.will(say("ok"))
    client.chat("anonymous", session="s1")
    assert client.chat("signed in", session="s1", customer="alice").status_code == 503
    assert [t["user"] for t in client.turns("s1")] == ["anonymous"]


def test_a_message_queued_during_the_move_follows_it(client: Client, model: FakeModel) -> None:
    model.will(say("a"), say("b"), say("c"))
    client.chat("anonymous", session="s1")
    model.latency_s = 0.4
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(client.chat, "one", session="s1", customer="alice")
        time.sleep(0.15)
        second = pool.submit(client.chat, "two", session="s1", customer="alice")
        ids = {j.result().json()["xiaoer"]["session_id"] for j in (first, second)}
    (moved,) = ids
    users = [t["user"] for t in client.turns(moved, customer="alice")]
    assert users == ["anonymous", "one", "two"]


def test_deleting_forgets(client: Client, model: FakeModel) -> None:
    model.always(say("ok"))
    client.chat("hi", session="s1")
    assert client.delete("/v1/sessions/s1").status_code == 204
    assert client.get("/v1/sessions/s1").status_code == 404
    assert client.delete("/v1/sessions/s1").status_code == 404
    client.chat("new", session="s1")
    assert [t["user"] for t in client.turns("s1")] == ["new"]


def test_deleting_during_a_turn_wins(client: Client, model: FakeModel) -> None:
    model.always(say("ok"))
    client.chat("one", session="s1")
    model.latency_s = 0.4
    with ThreadPoolExecutor(1) as pool:
        job = pool.submit(client.chat, "two", session="s1")
        time.sleep(0.2)
        assert client.delete("/v1/sessions/s1").status_code == 204
        assert job.result().json()["xiaoer"]["degraded"] == ["memory"]
    assert client.get("/v1/sessions/s1").status_code == 404


def test_the_user_field_is_a_session_too(client: Client, model: FakeModel) -> None:
    model.always(say("ok"))
    body = {"messages": [{"role": "user", "content": "hi"}], "user": "visitor-7"}
    assert client.post(body).json()["xiaoer"]["session_id"] == "visitor-7"
    assert client.post(body, session="other").json()["xiaoer"]["session_id"] == "other"
    assert len(client.turns("visitor-7")) == 1


def test_foreign_data_in_redis_is_not_an_outage(
    client: Client, model: FakeModel, store: redis.Redis
) -> None:
    model.always(say("ok"))
    store.hset("xiaoer:demo:session:s1", mapping={"owner": "", "v": "3", "turns": "{]"})
    assert client.chat("hi", session="s1").json()["xiaoer"]["degraded"] == []
    assert json.loads(store.hget("xiaoer:demo:session:s1", "turns") or "[]")[0]["user"] == "hi"


@pytest.mark.parametrize("stream", [False, True])
def test_only_three_round_trips_a_turn(
    env: dict[str, str], model: FakeModel, store: redis.Redis, stream: bool
) -> None:
    model.always(say("ok"))
    with gateway_server(env) as server:
        wait_ready(server.url)
        client = Client(server.url)
        client.chat("warm", session="s0")
        before = store.info("commandstats")["cmdstat_evalsha"]["calls"]
        body = {"messages": [{"role": "user", "content": "hi"}], "stream": stream}
        client.post(body, session="s1")
        assert (
            store.info("commandstats")["cmdstat_evalsha"]["calls"] - before == 3
        )  # admit, open, save

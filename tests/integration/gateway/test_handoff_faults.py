"""Tickets when things die: what was acknowledged is there afterwards, and the bot stays silent."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.gateway.conftest import Client, wait_ready
from tests.integration.gateway.test_handoff import PLEASE, Desk
from tests.support.fake_model import FakeModel, say
from tests.support.gateway import GatewayProcess, gateway_server
from tests.support.redis_server import RedisServer


@pytest.fixture
def durable(tmp_path: Path) -> Iterator[RedisServer]:
    folder = tmp_path / "durable"
    folder.mkdir()
    with RedisServer(folder, durable=True) as server:
        yield server


def _reconnected(desk: Desk) -> None:
    until = time.monotonic() + 15
    while time.monotonic() < until:
        if desk.get().status_code == 200:
            return
        time.sleep(0.2)
    raise AssertionError("Redis was not found again")


def test_an_acknowledged_ticket_survives_the_kill_of_redis(
    env: dict[str, str], durable: RedisServer, model: FakeModel
) -> None:
    model.always(say("ok"))
    with gateway_server(env, REDIS_URL=durable.url) as server:
        wait_ready(server.url)
        client, desk = Client(server.url), Desk(server.url)
        for number in range(4):
            session = f"s{number}"
            reply = client.chat(PLEASE, session=session, customer="alice")
            durable.stop()
            assert reply.json()["xiaoer"]["handoff"] == "waiting"
            durable.start()
            _reconnected(desk)
            kept = [one["session_id"] for one in desk.get().json()["tickets"]]
            assert kept == [f"s{n}" for n in range(number + 1)]
        ticket = desk.get().json()["tickets"][0]["id"]
        assert desk.act(ticket, "claim").status_code == 200
        assert desk.act(ticket, "reply", "你好").status_code == 200
        durable.stop()
        durable.start()
        _reconnected(desk)
        shown = desk.get(f"/{ticket}").json()
        assert shown["ticket"]["state"] == "agent"
        assert shown["transcript"][-1]["text"] == "你好"


def test_an_acknowledged_ticket_survives_the_kill_of_the_gateway(
    env: dict[str, str], model: FakeModel
) -> None:
    with GatewayProcess(env) as first:
        reply = Client(first.url).chat(PLEASE, session="s1", customer="alice")
        first.kill()
    assert reply.json()["xiaoer"]["handoff"] == "waiting"
    with gateway_server(env) as second:
        wait_ready(second.url)
        after = Client(second.url).chat("在吗", session="s1", customer="alice")
        assert after.json()["xiaoer"]["handoff"] == "waiting"
        assert len(Desk(second.url).get().json()["tickets"]) == 1
    assert model.seen == []


def test_without_redis_the_bot_does_not_speak_over_a_person(
    env: dict[str, str], durable: RedisServer, model: FakeModel
) -> None:
    model.always(say("ok"))
    with gateway_server(env, REDIS_URL=durable.url) as server:
        wait_ready(server.url)
        client = Client(server.url)
        client.chat(PLEASE, session="s1", customer="alice")
        durable.stop()
        held = client.chat("多少钱", session="s1", customer="alice").json()
        assert (held["xiaoer"]["handoff"], held["xiaoer"]["source"]) == ("waiting", "rail")
        assert held["xiaoer"]["degraded"] == ["memory"]
        assert model.seen == []
        other = client.chat("多少钱", session="s2", customer="bob").json()
        assert (other["xiaoer"]["handoff"], other["xiaoer"]["source"]) == ("bot", "model")


def test_without_redis_a_new_ticket_is_a_503_that_says_so(
    env: dict[str, str], durable: RedisServer
) -> None:
    with gateway_server(env, REDIS_URL=durable.url) as server:
        wait_ready(server.url)
        durable.stop()
        for session in (None, "s1"):
            refused = Client(server.url).chat(PLEASE, session=session)
            assert refused.status_code == 503
            assert refused.json()["error"]["code"] == "handoff_unavailable"


def test_a_conversation_that_waits_outlasts_the_sessions_usual_life(
    env: dict[str, str], model: FakeModel
) -> None:
    model.always(say("ok"))
    with gateway_server(env, SESSION_TTL_S="1") as server:
        wait_ready(server.url)
        client, desk = Client(server.url), Desk(server.url)
        client.chat(PLEASE, session="s1", customer="alice")
        time.sleep(1.3)
        assert client.get("/v1/sessions/s1", customer="alice").status_code == 200
        ticket = desk.only()["id"]
        desk.act(ticket, "claim")
        desk.act(ticket, "resolve")
        time.sleep(1.3)
        assert client.get("/v1/sessions/s1", customer="alice").status_code == 404

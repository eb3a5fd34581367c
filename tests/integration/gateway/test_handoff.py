"""A person takes a conversation over: one owner at a time, over a real Redis."""

import json
import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import httpx2
import pytest
import redis

from tests.integration.gateway.conftest import Client
from tests.support.fake_model import FakeModel, call, say
from tests.support.gateway import ServerThread, headers, request
from tests.support.shops import AGENT_KEYS

PLEASE = "请帮我转人工"
PRICE = ("query_inventory", {"product": "WH-PRO-001"})


class Desk:
    """An agent's side."""

    def __init__(self, url: str) -> None:
        self.url = url

    def get(self, path: str = "", agent: str = "mei") -> httpx2.Response:
        return request("GET", f"{self.url}/v1/tickets{path}", headers=_key(agent))

    def act(
        self, ticket: str, verb: str, text: str | None = None, agent: str = "mei"
    ) -> httpx2.Response:
        url = f"{self.url}/v1/tickets/{ticket}/{verb}"
        body = {} if text is None else {"json": {"text": text}}
        return request("POST", url, headers=_key(agent), **body)

    def only(self) -> dict[str, Any]:
        """The one open ticket."""
        (found,) = self.get().json()["tickets"]
        return dict(found)


def _key(agent: str) -> dict[str, str]:
    return {"authorization": f"Bearer {AGENT_KEYS[agent]}"}


@pytest.fixture
def desk(gateway: ServerThread) -> Desk:
    return Desk(gateway.url)


@pytest.fixture
def ticket(client: Client, desk: Desk) -> str:
    client.chat(PLEASE, session="s1", customer="alice")
    return str(desk.only()["id"])


def _owner(reply: httpx2.Response) -> str:
    assert reply.status_code == 200, reply.text
    return str(reply.json()["xiaoer"]["handoff"])


def _said(reply: httpx2.Response) -> str:
    return str(reply.json()["choices"][0]["message"]["content"])


def test_who_asks_for_a_person_gets_one_and_the_bot_is_silent(
    client: Client, desk: Desk, model: FakeModel
) -> None:
    reply = client.chat(PLEASE, session="s1", customer="alice")
    assert (_owner(reply), reply.json()["xiaoer"]["source"]) == ("waiting", "rail")
    assert "人工" in _said(reply)
    after = client.chat("耳机多少钱？", session="s1", customer="alice")
    assert _owner(after) == "waiting"
    assert model.seen == []
    opened = desk.only()
    assert {name: opened[name] for name in ("state", "reason", "priority", "customer")} == {
        "state": "waiting",
        "reason": "customer_asked",
        "priority": "normal",
        "customer": "alice",
    }
    texts = [entry["text"] for entry in desk.get(f"/{opened['id']}").json()["transcript"]]
    assert texts == [PLEASE, "耳机多少钱？"]


def test_an_angry_customers_ticket_is_more_pressing(
    client: Client, desk: Desk, model: FakeModel
) -> None:
    model.always(say("好的。"))
    angry = "你们这群骗子，垃圾店铺，气死我了！"
    client.chat(PLEASE, session="calm", customer="bob")
    client.chat(angry, session="angry", customer="alice")
    client.chat(PLEASE, session="angry", customer="alice")
    assert [(t["session_id"], t["priority"]) for t in desk.get().json()["tickets"]] == [
        ("angry", "high"),
        ("calm", "normal"),
    ]
    client.chat(angry, session="calm", customer="bob")
    assert {t["priority"] for t in desk.get().json()["tickets"]} == {"high"}


def test_an_agent_sees_what_was_said_and_found(
    client: Client, desk: Desk, model: FakeModel
) -> None:
    model.will(call(PRICE), say("¥599.00."))
    client.chat("多少钱，我的电话13812345678", session="s1", customer="alice")
    client.chat(PLEASE, session="s1", customer="alice")
    shown = desk.get(f"/{desk.only()['id']}").json()
    assert [entry["who"] for entry in shown["transcript"]] == ["customer", "assistant", "customer"]
    assert "13812345678" not in json.dumps(shown, ensure_ascii=False)
    assert shown["facts"][0]["price"] == "599.00"
    assert "599.00" in shown["ticket"]["summary"]


def test_claim_reply_and_resolve_hand_the_conversation_back_with_memory(
    client: Client, desk: Desk, model: FakeModel, ticket: str
) -> None:
    assert desk.act(ticket, "claim").json()["state"] == "agent"
    reply = client.chat("在吗", session="s1", customer="alice")
    assert (_owner(reply), reply.json()["xiaoer"]["source"]) == ("agent", "agent")
    assert desk.act(ticket, "reply", "您好，我是小梅。").status_code == 200
    assert desk.act(ticket, "resolve").json()["state"] == "resolved"
    model.will(say("好的。"))
    back = client.chat("谢谢，那我再问一下", session="s1", customer="alice")
    assert _owner(back) == "bot"
    sent = model.seen[-1].messages
    assert [m["role"] for m in sent[1:]] == ["user", "assistant"] * 2 + ["user"]
    assert sent[-2]["content"].endswith("\n您好，我是小梅。")
    assert desk.get().json()["tickets"] == []


def test_a_reply_that_is_sent_again_is_said_once(desk: Desk, ticket: str) -> None:
    desk.act(ticket, "claim")
    url, body = f"{desk.url}/v1/tickets/{ticket}/reply", {"text": "您好"}
    for key in ("one", "one", "two"):
        sent = {**_key("mei"), "idempotency-key": key}
        assert request("POST", url, headers=sent, json=body).status_code == 200
    desk.act(ticket, "resolve")
    again = request("POST", url, headers={**_key("mei"), "idempotency-key": "two"}, json=body)
    assert again.status_code == 200
    assert request("POST", url, headers=_key("mei"), json=body).status_code == 409
    said = [entry["text"] for entry in desk.get(f"/{ticket}").json()["transcript"]]
    assert said == [PLEASE, "您好", "您好"]


def test_two_agents_cannot_claim_one_ticket(desk: Desk, ticket: str) -> None:
    with ThreadPoolExecutor(2) as pool:
        tries = [pool.submit(desk.act, ticket, "claim", None, agent) for agent in ("mei", "bo")]
        codes = sorted(one.result().status_code for one in tries)
    assert codes == [200, 409]
    winner = desk.only()["agent_name"].lower()
    loser = "bo" if winner == "mei" else "mei"
    refused = desk.act(ticket, "reply", "hi", agent=loser)
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "ticket_not_claimed")
    assert desk.act(ticket, "note", "looks like a courier's fault", agent=loser).status_code == 200
    assert desk.act(ticket, "claim", agent="lin").json()["agent_name"] == "Lin"
    assert desk.act(ticket, "release", agent=winner).status_code == 403


def test_a_released_ticket_waits_in_its_old_place(client: Client, desk: Desk, ticket: str) -> None:
    client.chat(PLEASE, session="s2", customer="bob")
    desk.act(ticket, "claim")
    desk.act(ticket, "release")
    listed = desk.get().json()["tickets"]
    assert [one["customer"] for one in listed] == ["alice", "bob"]
    assert _owner(client.chat("喂", session="s1", customer="alice")) == "waiting"


def test_a_resolved_ticket_is_closed_for_good(desk: Desk, ticket: str) -> None:
    desk.act(ticket, "claim")
    desk.act(ticket, "resolve")
    again = desk.act(ticket, "claim", agent="bo")
    assert (again.status_code, again.json()["error"]["code"]) == (409, "ticket_resolved")


@pytest.mark.parametrize("ticket_id", ["t_0000000000000000", "nonsense", "t_%2e%2e"])
def test_unknown_tickets_are_not_found(desk: Desk, ticket_id: str) -> None:
    assert desk.get(f"/{ticket_id}").status_code == 404
    assert desk.act(ticket_id, "claim").status_code == 404


def test_only_agents_keys_open_the_desk(client: Client, desk: Desk, ticket: str) -> None:
    assert client.get("/v1/tickets").status_code == 401
    assert client.get(f"/v1/tickets/{ticket}").status_code == 401
    body = {"messages": [{"role": "user", "content": "hi"}]}
    as_shop = request("POST", f"{desk.url}/v1/chat/completions", headers=_key("mei"), json=body)
    assert as_shop.status_code == 401


def test_without_a_session_one_is_begun_for_the_ticket(client: Client, desk: Desk) -> None:
    reply = client.chat(PLEASE)
    session = reply.json()["xiaoer"]["session_id"]
    assert desk.only()["session_id"] == session
    assert _owner(client.chat("还在吗", session=session)) == "waiting"


def test_a_visitor_who_signs_in_keeps_their_place(client: Client, desk: Desk) -> None:
    client.chat(PLEASE, session="v1")
    moved = client.chat("我登录了", session="v1", customer="alice")
    session = moved.json()["xiaoer"]["session_id"]
    assert session != "v1"
    opened = desk.only()
    assert (opened["session_id"], opened["customer"]) == (session, "alice")
    assert _owner(client.chat("还在吗", session=session, customer="alice")) == "waiting"


def test_contact_details_reach_the_agent_though_transcripts_are_masked(
    client: Client, desk: Desk, ticket: str
) -> None:
    client.chat("打我电话13812345678", session="s1", customer="alice")
    shown = desk.get(f"/{ticket}").json()
    assert "13812345678" in shown["ticket"]["contact"]
    assert "13812345678" not in json.dumps(shown["transcript"])


def test_two_failed_answers_in_a_row_call_a_person(
    client: Client, desk: Desk, model: FakeModel
) -> None:
    model.always(say("抱歉，这一点我暂时无法确认。"))
    assert _owner(client.chat("它防水吗", session="s1")) == "bot"
    second = client.chat("那它多重", session="s1")
    assert _owner(second) == "waiting"
    assert "无法确认" in _said(second)
    assert desk.only()["reason"] == "failed_twice"


def test_erasing_a_customer_erases_their_tickets(
    client: Client, desk: Desk, store: redis.Redis, ticket: str
) -> None:
    exported = client.get("/v1/customers/me", customer="alice").json()
    assert [one["ticket"]["id"] for one in exported["tickets"]] == [ticket]
    assert client.delete("/v1/customers/me", customer="alice").status_code == 204
    assert desk.get(f"/{ticket}").status_code == 404
    left = [key.decode() for key in store.scan_iter()]
    shops_own = re.compile(r"xiaoer:[a-z]+:(rate|answers):")
    assert [key for key in left if not shops_own.match(key)] == ["xiaoer:demo:desk"]


def test_deleting_a_session_erases_its_ticket(client: Client, desk: Desk, ticket: str) -> None:
    assert client.delete("/v1/sessions/s1", customer="alice").status_code == 204
    assert desk.get(f"/{ticket}").status_code == 404


@contextmanager
def _events(url: str, sent: dict[str, str]) -> Iterator["Events"]:
    with (
        httpx2.Client(trust_env=False, timeout=10) as http,
        http.stream("GET", url, headers=sent) as response,
    ):
        assert response.status_code == 200
        yield Events(response)


class Events:
    """Reads a stream of events."""

    def __init__(self, response: httpx2.Response) -> None:
        self._lines = response.iter_lines()

    def next(self) -> tuple[str, str, dict[str, Any]]:
        """Return id, name and data of the next event."""
        found: dict[str, str] = {}
        for text in self._lines:
            if text.startswith(":"):
                continue
            if not text and found:
                return found["id"], found["event"], json.loads(found["data"])
            name, _, value = text.partition(": ")
            if name:
                found[name] = value
        raise AssertionError("the stream ended")


def test_the_customer_hears_the_agent_and_resumes_after_a_reconnect(
    desk: Desk, ticket: str
) -> None:
    url = f"{desk.url}/v1/sessions/s1/events"
    mine = headers(customer="alice")
    with _events(url, mine) as events:
        desk.act(ticket, "claim")
        last, name, data = events.next()
        assert (name, data) == ("owner", {"owner": "agent", "agent": "Mei"})
    desk.act(ticket, "reply", "您好“小梅”\n来了")
    desk.act(ticket, "resolve")
    with _events(url, {**mine, "last-event-id": last}) as events:
        assert events.next()[1:] == ("message", {"agent": "Mei", "text": "您好“小梅”\n来了"})
        assert events.next()[1:] == ("owner", {"owner": "bot"})


def test_nobody_else_hears_a_session(desk: Desk, ticket: str) -> None:
    assert desk.only()["id"] == ticket
    url = f"{desk.url}/v1/sessions/s1/events"
    for who in (headers(), headers(customer="bob"), headers("other", customer="alice")):
        assert request("GET", url, headers=who).status_code == 404


def test_the_desk_hears_of_tickets_at_once(client: Client, desk: Desk) -> None:
    with _events(f"{desk.url}/v1/tickets/events", _key("mei")) as events:
        asking = threading.Thread(target=client.chat, args=(PLEASE,), kwargs={"session": "s9"})
        asking.start()
        _, name, data = events.next()
        asking.join()
    assert (name, data["reason"]) == ("opened", "customer_asked")


def test_an_agent_who_vanishes_loses_the_claim(
    client: Client, desk: Desk, store: redis.Redis, ticket: str
) -> None:
    desk.act(ticket, "claim")
    with _events(f"{desk.url}/v1/tickets/events", _key("bo")) as events:
        store.zadd("xiaoer:demo:claims", {ticket: 1.0})  # Long ago.
        _, name, data = events.next()
    assert (name, data) == ("lapsed", {"ticket": ticket})
    assert desk.only()["state"] == "waiting"
    assert _owner(client.chat("喂", session="s1", customer="alice")) == "waiting"

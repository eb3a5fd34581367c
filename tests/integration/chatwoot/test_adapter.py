"""Tickets in Chatwoot: whatever either side says reaches the other, once."""

import hashlib
import hmac
import json
import time
from typing import Any

import pytest

from tests.integration.chatwoot.conftest import SECRET, until
from tests.integration.gateway.conftest import Client
from tests.integration.gateway.test_handoff import PLEASE, Desk, Events, _events
from tests.support.fake_chatwoot import FakeChatwoot, Fault
from tests.support.fake_model import FakeModel, say
from tests.support.gateway import ServerThread, headers, request

MASKED = "我的电话[电话]"


@pytest.fixture
def ticket(client: Client, desk: Desk, chatwoot: FakeChatwoot) -> str:
    client.chat(PLEASE, session="s1", customer="alice")
    until(lambda: chatwoot.conversations and chatwoot.texts() == [PLEASE])
    return str(desk.only()["id"])


def _event(events: Events, name: str) -> dict[str, Any]:
    while True:
        _, found, data = events.next()
        if found == name:
            return data


def test_a_handoff_opens_a_conversation_with_all_that_was_said(
    client: Client, desk: Desk, chatwoot: FakeChatwoot, model: FakeModel
) -> None:
    model.will(say("您好。"))
    client.chat("你好，我的电话13812345678", session="s1", customer="alice")
    client.chat(PLEASE, session="s1", customer="alice")
    until(lambda: chatwoot.conversations and chatwoot.texts() == [PLEASE])
    ticket = desk.only()["id"]
    assert chatwoot.only()["source_id"] == ticket
    (contact,) = chatwoot.contacts
    assert (contact["identifier"], contact["name"]) == ("demo:alice", "alice")
    (note,) = chatwoot.texts(private=True)
    for part in (ticket, "customer_asked", f"Customer: 你好，{MASKED}", "Assistant: 您好。"):
        assert part in note
    assert "13812345678" not in json.dumps(chatwoot.only(), ensure_ascii=False)


def test_what_the_customer_writes_goes_over_masked_and_in_order(
    client: Client, chatwoot: FakeChatwoot, ticket: str
) -> None:
    client.chat("我的电话13812345678", session="s1", customer="alice")
    client.chat("在吗", session="s1", customer="alice")
    until(lambda: chatwoot.texts() == [PLEASE, MASKED, "在吗"])
    assert chatwoot.only()["source_id"] == ticket


def test_a_customers_second_ticket_is_a_second_conversation_of_the_same_contact(
    client: Client, desk: Desk, chatwoot: FakeChatwoot, ticket: str
) -> None:
    desk.act(ticket, "claim")
    desk.act(ticket, "resolve")
    client.chat(PLEASE, session="s1", customer="alice")
    until(lambda: len(chatwoot.conversations) == 2)
    assert len(chatwoot.contacts) == 1
    assert {one["source_id"] for one in chatwoot.conversations} == {ticket, desk.only()["id"]}


def test_a_visitors_session_is_not_told(client: Client, chatwoot: FakeChatwoot) -> None:
    client.chat(PLEASE, session="a-visitors-session")
    until(lambda: chatwoot.contacts)
    assert "a-visitors-session" not in json.dumps([chatwoot.contacts, chatwoot.conversations])


def test_an_agents_reply_reaches_the_customers_page_and_does_not_come_back(
    client: Client, desk: Desk, chatwoot: FakeChatwoot, ticket: str
) -> None:
    with _events(f"{client.url}/v1/sessions/s1/events", headers(customer="alice")) as events:
        chatwoot.agent_says("您好，我是小梅。")
        assert _event(events, "message") == {"agent": "Mei", "text": "您好，我是小梅。"}
    assert desk.only()["state"] == "agent"
    client.chat("谢谢", session="s1", customer="alice")
    until(lambda: chatwoot.texts()[-1] == "谢谢")
    assert chatwoot.texts() == [PLEASE, "您好，我是小梅。", "谢谢"]
    assert len(chatwoot.texts(private=True)) == 1
    said = [one["text"] for one in desk.get(f"/{ticket}").json()["transcript"]]
    assert said == [PLEASE, "您好，我是小梅。", "谢谢"]


def test_notes_and_the_adapters_own_messages_reach_nobody(
    client: Client, desk: Desk, chatwoot: FakeChatwoot, ticket: str
) -> None:
    chatwoot.agent_says("只给同事看", private=True)
    chatwoot.agent_says("旧消息", source_id=f"{ticket}:1")
    client.chat("在吗", session="s1", customer="alice")
    # Each of ours comes back as a webhook too: two notes, two of the customer's, and that one.
    until(lambda: len(chatwoot.answers) == 5)
    assert {status for _, status in chatwoot.answers} == {200}
    said = [one["text"] for one in desk.get(f"/{ticket}").json()["transcript"]]
    assert said == [PLEASE, "在吗"]
    assert desk.only()["state"] == "waiting"


def test_resolving_in_chatwoot_hands_the_conversation_back(
    client: Client, desk: Desk, chatwoot: FakeChatwoot, model: FakeModel, ticket: str
) -> None:
    chatwoot.agent_says("您好")
    chatwoot.agent_resolves()
    until(lambda: desk.get().json()["tickets"] == [])
    model.will(say("好的。"))
    reply = client.chat("谢谢，我再问一下", session="s1", customer="alice")
    assert reply.json()["xiaoer"]["handoff"] == "bot"
    assert model.seen[-1].messages[-2]["content"].endswith("您好")
    assert desk.get(f"/{ticket}").json()["ticket"]["state"] == "resolved"


def test_resolving_at_the_desk_resolves_in_chatwoot(
    desk: Desk, chatwoot: FakeChatwoot, ticket: str
) -> None:
    desk.act(ticket, "claim", agent="bo")
    desk.act(ticket, "reply", "您好，我是阿波", agent="bo")
    desk.act(ticket, "resolve", agent="bo")
    until(lambda: ("conversation_status_changed", 200) in chatwoot.answers)
    assert chatwoot.only()["status"] == "resolved"
    assert chatwoot.texts(private=True)[1:] == ["Bo: 您好，我是阿波"]


def test_an_agent_is_told_what_did_not_reach_the_customer(
    desk: Desk, chatwoot: FakeChatwoot, ticket: str
) -> None:
    desk.act(ticket, "claim", agent="bo")
    chatwoot.agent_says("您好")
    until(lambda: "Another agent has this ticket" in chatwoot.texts(private=True)[-1])
    desk.act(ticket, "release", agent="bo")
    chatwoot.agent_says("", attachments=[{"data_url": "https://chatwoot.example/a.png"}])
    until(lambda: "only text" in chatwoot.texts(private=True)[-1])
    assert len(desk.get(f"/{ticket}").json()["transcript"]) == 1


def test_an_erased_ticket_is_deleted_in_chatwoot(
    client: Client, chatwoot: FakeChatwoot, ticket: str
) -> None:
    assert chatwoot.only()["source_id"] == ticket
    assert client.delete("/v1/sessions/s1", customer="alice").status_code == 204
    until(lambda: chatwoot.conversations == [])


@pytest.mark.parametrize("fault", ["down", "lost", "hang"])
@pytest.mark.parametrize("kind", ["contacts", "conversations", "messages"])
def test_whatever_fails_at_chatwoot_is_carried_over_later_and_once(
    client: Client, chatwoot: FakeChatwoot, kind: str, fault: Fault
) -> None:
    chatwoot.faults[kind] = [fault]
    client.chat(PLEASE, session="s1", customer="alice")
    client.chat("在吗", session="s1", customer="alice")
    until(lambda: chatwoot.conversations and chatwoot.texts()[-1:] == ["在吗"], 30)
    assert chatwoot.faults[kind] == []
    time.sleep(1)
    assert (len(chatwoot.contacts), len(chatwoot.conversations)) == (1, 1)
    assert len(chatwoot.texts(private=True)) == 1
    assert chatwoot.texts()[-1] == "在吗"
    assert len(set(chatwoot.texts())) == len(chatwoot.texts())


def test_what_chatwoot_will_never_take_holds_nothing_up(
    client: Client, chatwoot: FakeChatwoot, ticket: str
) -> None:
    chatwoot.faults["messages"] = ["refuse"]
    client.chat("在吗", session="s1", customer="alice")
    client.chat("还在吗", session="s1", customer="alice")
    until(lambda: chatwoot.texts()[-1] == "还在吗")
    assert chatwoot.texts() == [PLEASE, "在吗", "还在吗"]
    assert chatwoot.only()["source_id"] == ticket


def test_long_conversations_are_carried_on_where_they_stood(
    client: Client, chatwoot: FakeChatwoot, ticket: str
) -> None:
    for number in range(45):
        chatwoot.agent_says(f"备注{number}", private=True)
    client.chat("在吗", session="s1", customer="alice")
    until(lambda: chatwoot.texts() == [PLEASE, "在吗"])
    assert chatwoot.only()["source_id"] == ticket


def test_a_webhook_that_comes_twice_is_done_once(
    desk: Desk, chatwoot: FakeChatwoot, ticket: str
) -> None:
    conversation = chatwoot.only()
    message = {"id": 9, "content": "您好", "message_type": "outgoing", "private": False}
    payload = chatwoot.told_of(conversation, message)
    assert [chatwoot.deliver(payload) for _ in range(2)] == [200, 200]
    chatwoot.agent_resolves()
    until(lambda: desk.get().json()["tickets"] == [])
    assert chatwoot.deliver(payload) == 200
    said = [one["text"] for one in desk.get(f"/{ticket}").json()["transcript"]]
    assert said == [PLEASE, "您好"]
    assert len(chatwoot.texts(private=True)) == 1


def test_while_the_gateway_is_away_chatwoot_is_told_so(
    adapter: ServerThread, chatwoot: FakeChatwoot
) -> None:
    assert adapter.url in chatwoot.webhook_url
    conversation = {"id": 5, "status": "open", "source_id": "t_0123456789abcdef", "messages": []}
    message = {"id": 9, "content": "您好", "message_type": "outgoing", "private": False}
    assert chatwoot.deliver(chatwoot.told_of(conversation, message)) == 503


def _post(
    url: str, event: Any, *, secret: str = SECRET, age_s: int = 0, changed: bytes = b""
) -> int:
    body = json.dumps(event).encode()
    moment = int(time.time()) - age_s
    digest = hmac.new(secret.encode(), b"%d." % moment + body, hashlib.sha256).hexdigest()
    sent = {"x-xiaoer-signature": f"t={moment},v1={digest}", "idempotency-key": "demo-1-0"}
    return request("POST", f"{url}/xiaoer", content=changed or body, headers=sent).status_code


def test_forged_and_replayed_requests_are_refused(
    adapter: ServerThread, chatwoot: FakeChatwoot, desk: Desk, ticket: str
) -> None:
    event = {"id": "1-0", "shop": "demo", "event": "erased", "data": {"ticket": ticket}}
    url = adapter.url
    assert _post(url, event, secret="another") == 401
    assert _post(url, event, age_s=3600) == 401
    assert _post(url, event, age_s=-3600) == 401
    assert _post(url, event, changed=b"{}") == 401
    assert request("POST", f"{url}/xiaoer", json=event).status_code == 401
    message = {"id": 9, "content": "您好", "message_type": "outgoing", "private": False}
    payload = chatwoot.told_of(chatwoot.only(), message)
    assert chatwoot.deliver(payload, secret="another") == 401
    assert chatwoot.deliver(payload, age_s=3600) == 401
    assert request("POST", f"{url}/chatwoot", json=payload).status_code == 401
    assert len(chatwoot.conversations) == 1
    assert desk.only()["state"] == "waiting"
    # As it would be done with a good signature:
    assert _post(url, event) == 200
    assert chatwoot.conversations == []


@pytest.mark.parametrize("event", [[], {"shop": "demo"}, {"shop": 1, "event": "x", "data": {}}])
def test_signed_nonsense_is_a_bad_request(adapter: ServerThread, event: Any) -> None:
    assert _post(adapter.url, event) == 400


def test_other_inboxes_are_none_of_ours(desk: Desk, chatwoot: FakeChatwoot, ticket: str) -> None:
    message = {"id": 9, "content": "您好", "message_type": "outgoing", "private": False}
    payload = chatwoot.told_of(chatwoot.only(), message)
    payload["conversation"]["inbox_id"] = 99
    assert chatwoot.deliver(payload) == 200
    assert len(desk.get(f"/{ticket}").json()["transcript"]) == 1

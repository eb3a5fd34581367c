"""Conversations with a gateway played at the transport: what is sent, and what is read back."""

import json
from pathlib import Path

import httpx2
import jwt
import pytest

from tests.eval.client import Conversation, GatewayClient, hold_all
from tests.eval.dialogues import Dialogue, Turn
from tests.eval.settings import EvalSettings

SECRET = "0123456789abcdef0123456789abcdef"
SETTINGS = EvalSettings(url="http://gateway", key="sk-test", secret=SECRET, out=Path("unused"))
TWO_TURNS = Dialogue("zh-x", "follow_up", "zh", "alice", (Turn("一"), Turn("二")))


class PlayedGateway(httpx2.AsyncBaseTransport):
    """Keeps turns as the gateway does; `fail_on` names the message that gets an error."""

    def __init__(self, fail_on: str | None = None, session_status: int = 200) -> None:
        self.requests: list[httpx2.Request] = []
        self.turns: list[dict[str, object]] = []
        self._fail_on = fail_on
        self._session_status = session_status

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        path = request.url.path
        if path == "/v1/models":
            return httpx2.Response(200, json={"object": "list", "data": []})
        if path.startswith("/v1/sessions/"):
            return httpx2.Response(self._session_status, json={"turns": self.turns})
        said = json.loads(request.content)["messages"][-1]["content"]
        if said == self._fail_on:
            error = {"message": "the model is away", "type": "server_error", "code": "x"}
            return httpx2.Response(503, json={"error": error})
        call = {"name": "query_inventory", "arguments": {"product": said}, "result": {}}
        self.turns.append({"user": said, "assistant": "好", "tool_calls": [call]})
        message = {"role": "assistant", "content": "好"}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        body = {"id": "1", "object": "chat.completion", "created": 1, "model": "xiaoer"}
        return httpx2.Response(200, json={**body, "choices": [choice]})


async def test_a_session_holds_all_turns_and_carries_who_asks() -> None:
    gateway = PlayedGateway()
    async with GatewayClient(SETTINGS, gateway) as client:
        talk = await client.hold(TWO_TURNS, 0)
    said = [json.loads(request.content)["messages"] for request in gateway.requests[:2]]
    assert said == [[{"role": "user", "content": "一"}], [{"role": "user", "content": "二"}]]
    assert {request.headers["x-session-id"] for request in gateway.requests} == {talk.session}
    assert {request.headers["authorization"] for request in gateway.requests} == {"Bearer sk-test"}
    token = gateway.requests[0].headers["x-customer-token"]
    claims = jwt.decode(token, SECRET, algorithms=["HS256"])
    assert (claims["sub"], claims["shop"]) == ("alice", "demo")
    assert [one.calls[0].arguments for one in talk.answered] == [
        {"product": "一"},
        {"product": "二"},
    ]
    assert len(talk.seconds) == 2


async def test_an_anonymous_customer_has_no_token() -> None:
    gateway = PlayedGateway()
    async with GatewayClient(SETTINGS, gateway) as client:
        await client.hold(Dialogue("x", "talk", "zh", None, (Turn("在吗"),)), 0)
    assert all("x-customer-token" not in request.headers for request in gateway.requests)


async def test_a_failed_turn_ends_the_conversation_and_keeps_the_earlier_ones() -> None:
    async with GatewayClient(SETTINGS, PlayedGateway(fail_on="二")) as client:
        talk = await client.hold(TWO_TURNS, 0)
    assert [one.error is None for one in talk.answered] == [True, False]
    assert "the model is away" in (talk.answered[1].error or "")


async def test_an_unreadable_session_fails_every_turn() -> None:
    async with GatewayClient(SETTINGS, PlayedGateway(session_status=404)) as client:
        talk = await client.hold(TWO_TURNS, 0)
    assert ["404" in (one.error or "") for one in talk.answered] == [True, True]


async def test_each_dialogue_is_run_as_often_as_asked() -> None:
    told: list[Conversation] = []
    async with GatewayClient(SETTINGS, PlayedGateway()) as client:
        assert await client.ping() is None
        other = Dialogue("zh-y", "talk", "zh", None, (Turn("在吗"),))
        talks = await hold_all(client, [TWO_TURNS, other], 3, 2, told.append)
    assert sorted((talk.dialogue.id, talk.run) for talk in talks) == [
        (name, run) for name in ("zh-x", "zh-y") for run in range(3)
    ]
    assert told == talks
    assert len({talk.session for talk in talks}) == 6


async def test_a_gateway_that_is_away_is_reported() -> None:
    def refuse(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("refused", request=request)

    async with GatewayClient(SETTINGS, httpx2.MockTransport(refuse)) as client:
        assert await client.ping() == "Connection error."


@pytest.mark.parametrize("secret", [SECRET])
def test_secrets_stay_out_of_logs(secret: str) -> None:
    assert secret not in repr(SETTINGS)
    assert "sk-test" not in repr(SETTINGS)

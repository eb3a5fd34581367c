"""A node is lost in the middle of an answer, and another goes on with it."""

import json
from typing import Any

import pytest

from tests.integration.gateway.conftest import Client
from tests.support.fake_model import FakeModel, call, say
from tests.support.fake_tools import FakeTools
from tests.support.gateway import gateway_server
from tests.support.redis_server import free_port

SAID = "Hello and welcome. Please tell me which order or product it is"
BEFORE, AFTER = "Hello and welcome.", " Please tell me which one it is about."


def body() -> dict[str, Any]:
    messages = [{"role": "user", "content": "hi"}]
    return {"model": "xiaoer", "messages": messages, "stream": True}


def words(text: str) -> str:
    """Return what a stream said."""
    lines = [line[6:] for line in text.splitlines() if line.startswith("data: {")]
    choices = [json.loads(line).get("choices", []) for line in lines]
    return "".join(one[0]["delta"].get("content") or "" for one in choices if one)


@pytest.mark.parametrize("freezes", [False, True])
def test_another_node_goes_on_where_the_lost_one_stopped(
    env: dict[str, str], model: FakeModel, freezes: bool
) -> None:
    model.will(say(SAID), say(AFTER))
    model.crash_after_chunks, model.crashes, model.freezes = 16, 1, freezes
    with gateway_server(env, STREAM_GAP_S="0.3") as server:
        client = Client(server.url)
        got = client.post(body(), session="s1")
        assert words(got.text) == BEFORE + AFTER
        assert "[DONE]" in got.text
        asked, resumed = model.seen
        assert resumed.body["messages"] == [
            *asked.body["messages"],
            {"role": "assistant", "content": BEFORE},
        ]
        assert resumed.body["continue_final_message"] is True
        assert resumed.body["add_generation_prompt"] is False
        assert "continue_final_message" not in asked.body
        # Not where the session was: that node may be the lost one.
        assert resumed.headers["x-session-id"] != asked.headers["x-session-id"]
        assert client.get("/v1/sessions/s1").json()["turns"][0]["assistant"] == BEFORE + AFTER
        assert "xiaoer_gateway_takeovers_total 1.0" in client.get("/metrics").text


def test_nothing_sent_is_asked_for_from_the_beginning(client: Client, model: FakeModel) -> None:
    model.will(say(SAID), say("Hello."))
    model.crash_after_chunks, model.crashes = 3, 1
    assert words(client.post(body()).text) == "Hello."
    assert model.seen[0].body["messages"] == model.seen[1].body["messages"]
    assert "continue_final_message" not in model.seen[1].body


def test_a_call_that_was_cut_is_made_anew_and_its_tool_called_once(
    client: Client, model: FakeModel, tools: FakeTools
) -> None:
    asked = call(("query_inventory", {"product": "Kettle"}))
    model.will(asked, asked, say("Please go on."))
    model.crash_after_chunks, model.crashes = 4, 1
    assert words(client.post(body()).text) == "Please go on."
    assert len(model.seen) == 3
    assert len(tools.uses) == 1


def test_an_answer_whose_nodes_are_all_lost_ends_in_an_error(
    client: Client, model: FakeModel
) -> None:
    model.always(say(SAID))
    model.crash_after_chunks = 16
    got = client.post(body())
    assert words(got.text).startswith(BEFORE)
    assert '"code":"model_unavailable"' in got.text
    assert len(model.seen) == 4


def test_a_router_that_is_away_is_replaced_by_the_other(
    env: dict[str, str], model: FakeModel
) -> None:
    model.always(say("Please go on."))
    away = f"http://127.0.0.1:{free_port()}/v1"
    with gateway_server(env, MODEL_URL=f"{away},{env['MODEL_URL']}") as server:
        client = Client(server.url)
        # Sessions are spread over both routers; each is answered, streamed or not.
        for number in range(6):
            session = f"s{number}"
            assert client.chat("hi", session=session).status_code == 200
            assert words(client.post(body(), session=session).text) == "Please go on."
        assert client.get("/health/ready").status_code == 200

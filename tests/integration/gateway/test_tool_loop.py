"""The tool loop: what the model asks for is done, within bounds, and nothing else."""

import json

import pytest

from tests.integration.gateway.conftest import Client, wait_ready
from tests.support.fake_model import FakeModel, call, say
from tests.support.fake_tools import FakeTools
from tests.support.gateway import ServerThread, gateway_server, headers, request

ASK = ("query_order_status", {"order_id": "ORD20241201001"})
PRICE = ("query_inventory", {"product": "WH-PRO-001"})


def results(model: FakeModel) -> list[str]:
    """Return the tool results in the last prompt."""
    return [m["content"] for m in model.seen[-1].messages if m["role"] == "tool"]


def test_a_model_that_calls_nothing_means_no_tool_is_called(
    client: Client, model: FakeModel, tools: FakeTools
) -> None:
    model.always(say("I can't confirm that."))
    for text in ("where is ORD20241201001", "WH-PRO-001 多少钱", "我的订单到哪了", "stock?"):
        extra = client.chat(text, customer="alice").json()["xiaoer"]
        assert extra["tools"] == []
    assert tools.uses == []
    assert len(model.seen) == 4


def test_parallel_calls_run_in_parallel_and_stay_in_order(
    client: Client, model: FakeModel, tools: FakeTools
) -> None:
    tools.latency_s = 0.3
    model.will(call(ASK, PRICE), say("Shipped; it costs ¥599.00."))
    got = client.chat("both", customer="alice").json()
    assert tools.most_running == 2
    assert got["xiaoer"]["tools"] == ["query_order_status", "query_inventory"]
    assert [c["type"] for c in got["xiaoer"]["cards"]] == ["order", "product"]
    sent = model.seen[1].messages[2:]
    assert [m["role"] for m in sent] == ["assistant", "tool", "tool"]
    assert json.loads(sent[1]["content"])["order_id"] == "ORD20241201001"
    assert json.loads(sent[2]["content"])["sku"] == "WH-PRO-001"
    assert sent[2]["content"].startswith('{"product":"无线降噪耳机Pro","sku":')


def test_rounds_are_bounded(client: Client, model: FakeModel, tools: FakeTools) -> None:
    steps = [call(("query_inventory", {"product": f"p{n}"})) for n in range(4)]
    model.will(*steps, say("Enough."))
    got = client.chat("loop").json()
    assert got["choices"][0]["message"]["content"] == "Enough."
    assert len(tools.uses) == 4
    assert [s.body.get("tool_choice") for s in model.seen] == [None] * 4 + ["none"]


def test_a_model_that_never_stops_calling_gives_an_honest_sentence(
    client: Client, model: FakeModel
) -> None:
    model.will(*[call(("query_inventory", {"product": f"p{n}"})) for n in range(5)])
    got = client.chat("无限循环").json()
    assert got["choices"][0]["message"]["content"] == "抱歉，这一点我暂时无法确认。"
    assert model.unexpected == []


def test_a_repeated_identical_call_ends_the_loop(
    client: Client, model: FakeModel, tools: FakeTools
) -> None:
    spaced = ("query_inventory", '{ "product" : "WH-PRO-001" }')
    model.will(call(PRICE), call(spaced), say("¥599.00."))
    got = client.chat("price").json()
    assert len(tools.uses) == 1
    assert [s.body.get("tool_choice") for s in model.seen] == [None, None, "none"]
    assert got["xiaoer"]["tools"] == ["query_inventory"]


def test_unknown_tools_and_broken_arguments_are_told_to_the_model(
    client: Client, model: FakeModel, tools: FakeTools
) -> None:
    model.will(
        call(("cancel_order", {"order_id": "1"}), ("query_inventory", "{broken")),
        call(("query_inventory", {"sku": "x"}), ("query_inventory", "[1]")),
        say("I can't confirm that."),
    )
    got = client.chat("cancel")
    assert got.status_code == 200
    told = [json.loads(text) for text in results(model)]
    assert told[0] == {"error": "unknown_tool"}
    assert [t["error"] for t in told[1:]] == ["invalid_arguments"] * 3
    assert told[2]["detail"] == "needs other arguments"
    # The model server accepts objects only as arguments of earlier calls.
    sent = [c for m in model.seen[-1].messages for c in m.get("tool_calls", [])]
    assert all(isinstance(json.loads(c["function"]["arguments"]), dict) for c in sent)
    assert [use.name for use in tools.uses] == ["query_inventory"]
    assert got.json()["xiaoer"]["degraded"] == []


@pytest.mark.parametrize("stream", [False, True])
def test_machinery_never_reaches_the_customer(
    client: Client, model: FakeModel, tools: FakeTools, stream: bool
) -> None:
    leak = '<tool_call>\n{"name": "query_inventory", "arguments": {"product": "WH-PRO-001"}}\n'
    model.will(
        say(leak + "</tool_call>"),
        say('{"product":"无线降噪耳机Pro","price":"599.00"} It costs ¥599.00.'),
    )
    body = {"messages": [{"role": "user", "content": "price"}], "stream": stream}
    text = client.post(body).text
    assert "tool_call>" not in text
    assert '\\"price\\"' not in text
    assert "¥599.00." in text
    assert [use.arguments for use in tools.uses] == [{"product": "WH-PRO-001"}]


def test_a_broken_leaked_call_is_mended_by_the_model(
    client: Client, model: FakeModel, tools: FakeTools
) -> None:
    model.will(say('<tool_call>\n{"name": "query_inventory", "arg'), call(PRICE), say("¥599.00."))
    got = client.chat("price").json()
    assert got["choices"][0]["message"]["content"] == "¥599.00."
    assert json.loads(results(model)[0])["error"] == "invalid_arguments"
    assert len(tools.uses) == 1


def test_an_empty_reply_becomes_an_honest_sentence(client: Client, model: FakeModel) -> None:
    model.will(say("   "))
    got = client.chat("hello").json()
    assert got["choices"][0]["message"]["content"] == "I'm sorry, I can't confirm that right now."


def test_a_slow_tool_is_given_up(env: dict[str, str], model: FakeModel, tools: FakeTools) -> None:
    with gateway_server(env, TOOL_TIMEOUT_S="0.2") as server:
        client = Client(server.url)
        wait_ready(server.url)
        tools.latency_s = 5
        model.will(call(PRICE), say("I can't confirm that."))
        got = client.chat("price").json()
        assert results(model) == ['{"error":"tool_unavailable"}']
        assert got["xiaoer"]["degraded"] == ["tools"]


def test_tools_down_is_said_and_marked(
    client: Client, model: FakeModel, tools_server: ServerThread
) -> None:
    tools_server.stop()
    model.will(call(PRICE), say("I can't confirm that."))
    got = client.chat("price").json()
    assert results(model) == ['{"error":"tool_unavailable"}']
    assert got["xiaoer"]["degraded"] == ["tools"]
    ready = client.get("/health/ready")
    assert ready.status_code == 503
    assert ready.json()["dependencies"]["tools"]["ok"] is False


def test_the_gateway_starts_without_tools_and_learns_them_later(
    env: dict[str, str], model: FakeModel, tools: FakeTools
) -> None:
    tools.status = 503
    model.always(say("Hello."))
    with gateway_server(env) as server:
        client = Client(server.url)
        assert client.get("/health/ready").status_code == 503
        got = client.chat("hi").json()
        assert got["xiaoer"]["degraded"] == ["tools"]
        assert "tools" not in model.seen[-1].body
        tools.status = 200
        assert client.get("/health/ready").status_code == 200
        assert client.chat("hi").json()["xiaoer"]["degraded"] == []
        assert len(model.seen[-1].body["tools"]) == 3


def test_words_before_a_call_are_kept_apart(client: Client, model: FakeModel) -> None:
    model.will(call(PRICE, text="Let me check."), say("It costs ¥599.00."))
    body = {"messages": [{"role": "user", "content": "price"}], "stream": True}
    got = request(
        "POST", f"{client.url}/v1/chat/completions", json=body, headers=headers(), timeout=10
    ).text
    assert '"content":"Let me check."' in got
    assert '"content":" It costs ¥599.00."' in got

"""What a new user does: start it, ask in two languages, stop it, meet an obstacle."""

import re
import shutil
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from tests.support.stack import ROOT, SHARED_MODELS, Stack, fast_model, proxyless, running_stack

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

TRACKING = "SF123456789CN"


def ask(client: openai.OpenAI, text: str, session: str | None = None) -> tuple[str, dict[str, Any]]:
    """Ask one question; returns the answer and the reply's `xiaoer` object."""
    headers = {"X-Session-Id": session} if session else {}
    reply = client.chat.completions.create(
        model="xiaoer", messages=[{"role": "user", "content": text}], extra_headers=headers
    )
    answer = reply.choices[0].message.content
    assert answer
    extra = reply.model_extra or {}
    return answer, extra["xiaoer"]


def new_session() -> str:
    return f"e2e-{uuid.uuid4().hex}"


@pytest.mark.parametrize(
    "question",
    ["Where is my order ORD20241201001?", "我的订单ORD20241201001到哪了？"],
    ids=["en", "zh"],
)
def test_an_order_by_number_gives_its_tracking_number(alice: openai.OpenAI, question: str) -> None:
    answer, about = ask(alice, question)
    assert TRACKING in answer
    assert about["tools"] == ["query_order_status"]
    assert about["node"] == "node-1"


@pytest.mark.parametrize(
    "question",
    [
        "How much are the Wireless Noise-Cancelling Headphones Pro?",
        "无线降噪耳机Pro多少钱？",
    ],
    ids=["en", "zh"],
)
def test_a_product_gives_its_price(client: openai.OpenAI, question: str) -> None:
    answer, about = ask(client, question)
    assert "599" in answer
    assert about["tools"] == ["query_inventory"]


@pytest.mark.parametrize(
    ("question", "follow_up"),
    [
        ("How much are the Wireless Noise-Cancelling Headphones Pro?", "What about the warranty?"),
        ("无线降噪耳机Pro多少钱？", "那它保修多久？"),
    ],
    ids=["en", "zh"],
)
def test_a_follow_up_needs_no_name(client: openai.OpenAI, question: str, follow_up: str) -> None:
    session = new_session()
    first, _ = ask(client, question, session)
    second, about = ask(client, follow_up, session)
    assert "599" in first
    assert "24" in second
    assert about["session_id"] == session


@pytest.mark.parametrize(
    "question",
    ["Where is my order ORD20241201001?", "订单ORD20241201001发货了吗？"],
    ids=["en", "zh"],
)
def test_a_stream_says_the_same_as_a_plain_reply(alice: openai.OpenAI, question: str) -> None:
    plain, _ = ask(alice, question)
    pieces = []
    finished = []
    with alice.chat.completions.create(
        model="xiaoer", messages=[{"role": "user", "content": question}], stream=True
    ) as stream:
        for chunk in stream:
            if chunk.choices and chunk.choices[0].delta.content:
                pieces.append(chunk.choices[0].delta.content)
            if chunk.choices and chunk.choices[0].finish_reason:
                finished.append(chunk)
    assert "".join(pieces) == plain
    assert len(pieces) > 1
    assert [chunk.choices[0].finish_reason for chunk in finished] == ["stop"]
    assert (finished[0].model_extra or {})["xiaoer"]["tools"] == ["query_order_status"]


def counted(stack: Stack, metric: str) -> float:
    """One of vLLM's own figures."""
    page = httpx.get(f"http://127.0.0.1:{stack.env['NODE_PORT']}/metrics", trust_env=False).text
    found = re.findall(rf"^{metric}\{{.*\}} (\S+)$", page, re.MULTILINE)
    assert found, f"vLLM's metrics have no {metric}"
    return sum(map(float, found))


def tokens_of(stack: Stack, work: Callable[[], object]) -> float:
    """How many tokens vLLM generates for some work, until it is idle again."""
    before = counted(stack, "vllm:generation_tokens_total")
    work()
    give_up = time.monotonic() + 30
    while counted(stack, "vllm:num_requests_running"):
        assert time.monotonic() < give_up, "vLLM goes on generating"
        time.sleep(0.1)
    return counted(stack, "vllm:generation_tokens_total") - before


def test_hanging_up_ends_the_generation_at_vllm(stack: Stack, client: openai.OpenAI) -> None:
    question = "Which is cheaper, the Mechanical Keyboard K87 or the Mechanical Keyboard K104?"

    def hang_up() -> None:
        with client.chat.completions.create(
            model="xiaoer", messages=[{"role": "user", "content": question}], stream=True
        ) as stream:
            next(chunk for chunk in stream if chunk.choices and chunk.choices[0].delta.content)

    whole = tokens_of(stack, lambda: ask(client, question))
    # Some times, since the rest may just have been made when the first clause arrives.
    cut = [tokens_of(stack, hang_up) for _ in range(4)]
    assert min(cut) < whole, (cut, whole)


@pytest.mark.parametrize(
    ("question", "sign_in"),
    [("Where is my order ORD20241201001?", "sign in"), ("订单ORD20241201001到哪了？", "登录")],
    ids=["en", "zh"],
)
def test_a_visitor_is_asked_to_sign_in(client: openai.OpenAI, question: str, sign_in: str) -> None:
    answer, _ = ask(client, question)
    assert sign_in in answer
    assert TRACKING not in answer


@pytest.mark.parametrize(
    "question",
    ["Where is my order ORD20241201001?", "我的订单ORD20241201001到哪了？"],
    ids=["en", "zh"],
)
def test_bob_does_not_see_alices_order(bob: openai.OpenAI, question: str) -> None:
    answer, about = ask(bob, question)
    assert TRACKING not in answer
    assert about["cards"] == []


def test_the_model_is_listed(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["xiaoer"]


def test_the_printed_curl_works_as_printed(stack: Stack) -> None:
    printed = re.search(r"^curl .*?\}'$", stack.output, re.MULTILINE | re.DOTALL)
    assert printed is not None
    done = subprocess.run(
        ["bash", "-c", printed[0]],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env=proxyless(stack.env),
    )
    assert TRACKING in done.stdout


def test_keys_and_tokens_are_printed_alone(stack: Stack) -> None:
    assert re.fullmatch(r"sk-xiaoer-[\w-]+", stack.key())
    assert re.fullmatch(r"[\w-]+\.[\w-]+\.[\w-]+", stack.token("alice"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_everything(tmp_path: Path, number: signal.Signals) -> None:
    with fast_model() as url, running_stack(tmp_path / "data", 120, MODEL_URL=url) as stack:
        assert any("services.gateway" in line for line in stack.processes())
        stack.signal(number)
        assert stack.ended(60) == 0
        assert stack.left_over(2) == []
        assert "Everything is stopped." in stack.output


def test_the_second_start_keeps_keys_and_does_not_import_again(tmp_path: Path) -> None:
    with fast_model() as url:
        with running_stack(tmp_path / "data", 120, MODEL_URL=url) as first:
            key = first.key()
            first.signal(signal.SIGINT)
            assert first.ended(60) == 0
        with running_stack(tmp_path / "data", 120, MODEL_URL=url) as second:
            assert second.key() == key
            assert "sample shop" not in second.output
            assert second.command("stop") == "Everything is stopped."
            assert second.ended(10) == 0


def test_ctrl_c_while_a_node_loads_leaves_nothing(tmp_path: Path) -> None:
    stack = Stack(tmp_path / "data")
    try:
        stack.start()
        stack.wait_for("node-1 starting", 300)
        stack.signal(signal.SIGINT)
        assert stack.ended(60) == 130
        assert stack.left_over(2) == []
    finally:
        stack.close()


def test_kill_9_of_the_supervisor_leaves_nothing(tmp_path: Path) -> None:
    stack = Stack(tmp_path / "data")
    try:
        stack.start()
        stack.wait_for("node-1 starting", 300)
        stack.wait_for("tools ready", 120)
        assert len(stack.processes()) >= 4
        stack.signal(signal.SIGKILL)
        assert stack.ended(10) == -signal.SIGKILL
        assert stack.left_over(15) == []
    finally:
        stack.close()


def test_a_taken_port_is_named_with_its_variable(tmp_path: Path) -> None:
    stack = Stack(tmp_path / "data")
    try:
        with socket.socket() as holder:
            holder.bind(("127.0.0.1", int(stack.env["TOOLS_PORT"])))
            holder.listen()
            stack.start()
            assert stack.ended(60) == 1
        (sentence,) = [line for line in stack.lines if line.startswith("error: ")]
        assert stack.env["TOOLS_PORT"] in sentence
        assert "TOOLS_PORT=" in sentence
        assert stack.left_over(2) == []
    finally:
        stack.close()


@pytest.mark.usefixtures("stack")  # it has assembled the model that is broken here
def test_a_node_that_dies_while_loading_ends_the_start(tmp_path: Path) -> None:
    stack = Stack(tmp_path / "data")
    whole = Path(stack.env["MODEL_DIR"]) / "cpu-demo"
    broken = tmp_path / "models" / "cpu-demo"
    shutil.copytree(whole, broken)
    weights = broken / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[: 1 << 20])
    stack.env["MODEL_DIR"] = str(tmp_path / "models")
    try:
        stack.start()
        assert stack.ended(300) == 1
        (sentence,) = [line for line in stack.lines if line.startswith("error: ")]
        assert "node-1 failed" in sentence
        assert stack.left_over(2) == []
    finally:
        stack.close()


def test_an_endpoint_that_does_not_answer_is_named(tmp_path: Path) -> None:
    stack = Stack(tmp_path / "data", MODEL_URL="http://127.0.0.1:9/v1")
    try:
        stack.start()
        assert stack.ended(120) == 1
        (sentence,) = [line for line in stack.lines if line.startswith("error: ")]
        assert "http://127.0.0.1:9/v1" in sentence
        assert stack.left_over(2) == []
    finally:
        stack.close()


def test_the_shared_models_are_those_of_make_run() -> None:
    assert SHARED_MODELS == ROOT / "data" / "models"

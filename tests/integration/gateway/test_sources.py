"""Answers from the cache and from the shop's documents, through a whole gateway."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jwt
import numpy as np
import pytest
import redis

from services.gateway.knowledge.loader import Loader
from services.gateway.sessions.redis_port import connect
from services.inference.embedder.app import create_app
from services.inference.embedder.models import EmbeddingModel
from tests.integration.gateway.conftest import Client, wait_ready
from tests.support.fake_embedder import FakeEmbedder, vector_of
from tests.support.fake_model import FakeModel, call, say
from tests.support.fake_tools import FakeTools
from tests.support.gateway import SERVICE_SECRET, ServerThread, gateway_server, request
from tests.support.redis_server import RedisServer

PRICE = call(("query_inventory", {"product": "无线降噪耳机Pro"}))
ANSWER = "无线降噪耳机Pro的价格是¥599.00。"


@pytest.fixture(scope="module")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with RedisServer(tmp_path_factory.mktemp("redis"), search=True) as server:
        yield server


def encode(texts: Sequence[str]) -> "np.ndarray[Any, np.dtype[np.float32]]":
    return np.stack([np.frombuffer(vector_of(text), "<f4") for text in texts])


@pytest.fixture
def client(env: dict[str, str], tools: FakeTools) -> Iterator[Client]:
    names = ["无线降噪耳机Pro", "Wireless Noise-Cancelling Headphones Pro"]
    tools.products = [{"sku": "WH-PRO-001", "names": names}]
    embedder = create_app(EmbeddingModel("fake", encode))
    with (
        ServerThread(embedder) as server,
        gateway_server(env, EMBEDDINGS_URL=f"{server.url}/v1", EMBEDDINGS_MODEL="fake") as gateway,
    ):
        wait_ready(gateway.url)
        yield Client(gateway.url)


def source(reply: Any) -> str:
    return str(reply.json()["xiaoer"]["source"])


def settled(client: Client, model: FakeModel) -> None:
    """Ask until the catalogue is known and an answer was kept."""
    model.always(say("Please go on."))
    until = time.monotonic() + 10
    while time.monotonic() < until:
        model.will(PRICE, say(ANSWER))
        client.chat("无线降噪耳机Pro多少钱")
        model.script.clear()
        if source(client.chat("无线降噪耳机Pro多少钱")) == "cache":
            return
        time.sleep(0.1)
    raise AssertionError("nothing was kept")


def test_a_hot_question_is_answered_once_and_given_to_everybody(
    client: Client, model: FakeModel
) -> None:
    settled(client, model)
    asked = len(model.seen)
    reply = client.chat("请问，无线降噪耳机Pro多少钱？", session="s1").json()
    assert reply["choices"][0]["message"]["content"] == ANSWER
    assert reply["xiaoer"]["source"] == "cache"
    assert reply["xiaoer"]["tools"] == ["query_inventory"]
    assert reply["xiaoer"]["cards"][0]["price"] == "599.00"
    messages = [{"role": "user", "content": "无线降噪耳机PRO多少钱!"}]
    streamed = client.post({"model": "xiaoer", "messages": messages, "stream": True})
    assert '"source":"cache"' in streamed.text
    assert "599.00" in streamed.text
    assert len(model.seen) == asked
    # A follow-up is answered by the model, from what the kept answer was made with.
    assert source(client.chat("那它有货吗", session="s1")) == "model"
    roles = [m["role"] for m in model.seen[-1].messages]
    assert roles == ["system", "user", "assistant", "tool", "assistant", "user"]


def test_what_belongs_to_a_customer_is_never_kept(client: Client, model: FakeModel) -> None:
    settled(client, model)
    order = call(("query_order_status", {"order_id": "ORD20241201001"}))
    for customer in ("alice", "bob", "alice"):
        model.will(order, say("订单ORD20241201001已发货。"))
        assert source(client.chat("订单ORD20241201001到哪了", customer=customer)) == "model"
        model.will(call(("list_recent_orders", {})), say("请接着说。"))
        assert source(client.chat("我的订单到哪了", customer=customer)) == "model"
    assert not model.script


def test_an_import_ends_what_was_kept(client: Client, model: FakeModel) -> None:
    settled(client, model)
    claims = {"iss": "tools", "aud": "gateway", "shop": "demo", "exp": int(time.time()) + 30}
    token = jwt.encode(claims, SERVICE_SECRET, "HS256")
    headers = {"authorization": f"Bearer {token}"}
    told = request("POST", f"{client.url}/v1/catalogue/changed", headers=headers)
    assert told.status_code == 204
    assert source(client.chat("无线降噪耳机Pro多少钱")) == "model"


def test_a_hundred_who_ask_at_once_cost_one_answer(client: Client, model: FakeModel) -> None:
    settled(client, model)
    model.seen.clear()
    model.latency_s = 0.3
    model.will(call(("query_inventory", {"product": "WH-PRO-001"})), say("库存128件。"))
    with ThreadPoolExecutor(100) as pool:
        found = list(pool.map(lambda _: client.chat("无线降噪耳机Pro还有货吗"), range(100)))
    assert {reply.json()["choices"][0]["message"]["content"] for reply in found} == {"库存128件。"}
    assert sorted({source(reply) for reply in found}) == ["cache", "model"]
    assert len(model.seen) == 2, "one answer: a tool call, and the words"


def test_documents_reach_the_model_and_are_cited(
    client: Client, model: FakeModel, redis_server: RedisServer, tmp_path: Path
) -> None:
    folder = tmp_path / "documents" / "en"
    folder.mkdir(parents=True)
    (folder / "gifts.md").write_text("# Gifts\n\n## Wrapping\n\nGift wrapping costs ¥6 an item.\n")
    (folder / "june.md").write_text(
        "---\nvalid_until: 2026-06-18\n---\n# June\n\nGift wrapping is free in June.\n"
    )

    async def load() -> None:
        opened = connect(redis_server.url)
        await Loader(opened, FakeEmbedder("fake"), "demo").load(folder.parent, grace_s=0)
        await opened.aclose()

    asyncio.run(load())
    model.always(say("Gift wrapping costs ¥6 an item."))
    reply = client.chat("what does gift wrapping cost").json()
    prompt = model.seen[-1].messages[-1]["content"]
    assert "[Gifts › Wrapping] Gift wrapping costs ¥6 an item." in prompt
    assert "June" not in prompt
    assert reply["choices"][0]["message"]["content"] == "Gift wrapping costs ¥6 an item."
    cited = reply["xiaoer"]["citations"]
    assert {"document": "en/gifts.md", "title": "Gifts", "heading": "Wrapping"} in cited


def test_what_nothing_answers_is_noted(
    client: Client, model: FakeModel, store: redis.Redis
) -> None:
    model.always(say("Sorry, I can't confirm that."))
    client.chat("do you have a roof terrace")
    kept: Any = store.xrange("xiaoer:demo:knowledge:gaps")
    assert [fields[b"text"] for _, fields in kept] == [b"do you have a roof terrace"]
    assert store.keys("xiaoer:demo:answers:entry*") == []

"""Finding against a real Redis with the search module, and without either."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest
import redis.asyncio as aioredis

from services.gateway.knowledge.gaps import Gaps
from services.gateway.knowledge.index import gaps_key
from services.gateway.knowledge.knowledge import Knowledge
from services.gateway.knowledge.loader import Loader
from services.gateway.sessions.redis_port import connect
from tests.eval.knowledge import scale
from tests.support.fake_embedder import FakeEmbedder, vector_of
from tests.support.redis_server import RedisServer, free_port

TODAY = date(2026, 11, 25)
POLICIES = ("Shipping is free for orders of ¥99 or more.", "We accept Alipay and bank cards.")


class Log:
    def __init__(self) -> None:
        self.events: list[str] = []

    def __call__(self, event: str, **_: Any) -> None:
        self.events.append(event)


async def loaded(client: aioredis.Redis, folder: Path) -> Knowledge:
    embedder = FakeEmbedder()
    await Loader(client, embedder, "demo").load(folder, grace_s=0)
    return Knowledge(client, embedder, print)


@pytest.mark.parametrize("with_vector", [True, False])
async def test_the_right_section_is_found_in_the_customers_language(
    client: aioredis.Redis, folder: Path, with_vector: bool
) -> None:
    knowledge = await loaded(client, folder)
    for language, question, words in (
        ("en", "who pays the return shipping", "buyer pays"),
        ("zh", "退货时限是几天", "签收后7天"),
    ):
        vector = vector_of(question) if with_vector else None
        found = await knowledge.find("demo", language, question, vector, TODAY)  # type: ignore[arg-type]
        assert words in found[0].text
        assert {passage.document.split("/")[0] for passage in found} == {language}
        assert found[0].title == ("Returns" if language == "en" else "退货")


async def test_no_shop_sees_anothers_documents(client: aioredis.Redis, folder: Path) -> None:
    knowledge = await loaded(client, folder)
    question = "who pays the return shipping"
    assert await knowledge.find("other", "en", question, vector_of(question), TODAY) == ()
    assert await knowledge.find("dem", "en", question, vector_of(question), TODAY) == ()


@pytest.mark.parametrize(
    ("today", "there"),
    [
        (date(2026, 5, 31), False),
        (date(2026, 6, 1), True),
        (date(2026, 6, 18), True),
        (date(2026, 6, 19), False),
    ],
)
@pytest.mark.parametrize("with_vector", [True, False])
async def test_a_promotion_is_found_on_its_days_only(
    client: aioredis.Redis, folder: Path, today: date, there: bool, with_vector: bool
) -> None:
    knowledge = await loaded(client, folder)
    question = "what does the June sale take off a lamp"
    vector = vector_of(question) if with_vector else None
    found = await knowledge.find("demo", "en", question, vector, today)
    assert any("June sale" in passage.text for passage in found) is there


async def test_questions_with_search_syntax_are_only_words(
    client: aioredis.Redis, folder: Path
) -> None:
    await loaded(client, folder)
    log = Log()
    knowledge = Knowledge(client, FakeEmbedder(), log)
    for question in ('@words_en:{x} | -"a" (b=>[KNN 3 @vector $v])', "", "***", "a|", "无" * 9000):
        await knowledge.find("demo", "en", question, None, TODAY)
        await knowledge.find("demo", "zh", question, vector_of(question), TODAY)
    # A search that Redis refuses is not raised but told of, and puts the next ones off.
    assert log.events == []
    again = await knowledge.find("demo", "en", "who pays return shipping", None, TODAY)
    assert any("buyer pays" in passage.text for passage in again)


async def test_vectors_of_another_model_are_not_compared(
    client: aioredis.Redis, folder: Path
) -> None:
    await loaded(client, folder)
    log = Log()
    knowledge = Knowledge(client, FakeEmbedder("another"), log)
    question = "who pays the return shipping"
    for _ in range(2):
        found = await knowledge.find(
            "demo", "en", question, vector_of("zzzz"), TODAY, policies=POLICIES
        )
        assert "buyer pays" in found[0].text
        assert {passage.text for passage in found} >= set(POLICIES)
    assert log.events == ["knowledge_of_another_model"]


async def test_policies_answer_where_no_documents_are(client: aioredis.Redis) -> None:
    knowledge = Knowledge(client, FakeEmbedder(), print)
    question = "which bank cards do you accept"
    found = await knowledge.find(
        "demo", "en", question, vector_of(question), TODAY, policies=POLICIES
    )
    assert (found[0].document, found[0].title) == ("settings", "Shop policies")
    assert found[0].text == POLICIES[1]
    every = await knowledge.find("demo", "en", question, None, TODAY, policies=POLICIES)
    assert tuple(passage.text for passage in every) == POLICIES


async def test_a_policy_that_a_document_repeats_is_given_once(
    client: aioredis.Redis, folder: Path
) -> None:
    knowledge = await loaded(client, folder)
    policy = "Return any item within 7 days."
    question = "within how many days may I return any item"
    found = await knowledge.find(
        "demo", "en", question, vector_of(question), TODAY, policies=(policy,)
    )
    assert sum(passage.text.count(policy) for passage in found) == 1


async def test_redis_away_gives_nothing_and_says_so_once() -> None:
    log = Log()
    away = connect(f"redis://127.0.0.1:{free_port()}/0")
    knowledge = Knowledge(away, FakeEmbedder(), log)
    for _ in range(3):
        assert await knowledge.find("demo", "en", "returns", vector_of("returns"), TODAY) == ()
    assert log.events == ["knowledge_away"]
    every = await knowledge.find("demo", "en", "returns", None, TODAY, policies=POLICIES)
    assert tuple(passage.text for passage in every) == POLICIES
    await Gaps(away, FakeEmbedder(), log).note("demo", "anything")
    assert log.events == ["knowledge_away", "gap_not_noted"]
    await away.aclose()


async def test_without_the_search_module_there_are_policies_still(
    client: aioredis.Redis, folder: Path, tmp_path: Path
) -> None:
    await loaded(client, folder)
    pointer = await client.get("xiaoer:demo:knowledge:version")
    assert pointer is not None
    log = Log()
    with RedisServer(tmp_path) as server:
        plain = connect(server.url)
        await plain.set("xiaoer:demo:knowledge:version", pointer)
        knowledge = Knowledge(plain, FakeEmbedder(), log)
        question = "which bank cards do you accept"
        found = await knowledge.find(
            "demo", "en", question, vector_of(question), TODAY, policies=POLICIES
        )
        await plain.aclose()
    assert log.events == ["knowledge_away"]
    assert POLICIES[1] in found[0].text


async def test_many_chunks_are_loaded_while_questions_are_answered() -> None:
    figures = await scale.measure(3000)
    assert figures.same_group >= 0.95
    assert figures.chunks == 3000


async def test_gaps_are_grouped_most_asked_first(client: aioredis.Redis) -> None:
    gaps = Gaps(client, FakeEmbedder(), print)
    for text in ("do you engrave thermos flasks", "is there a shop in London"):
        await gaps.note("demo", text)
    for text in ("do you engrave thermos flask", "do you engrave a thermos flask?"):
        await gaps.note("demo", text, vector_of(text))
    first, second = await gaps.clusters("demo")
    assert first.asked == 3
    assert all("engrave" in example for example in first.examples)
    assert second.examples == ("is there a shop in London",)
    assert await gaps.clusters("other") == []
    assert 0 < await client.ttl(gaps_key("demo")) <= 30 * 24 * 3600
    assert [gap.asked for gap in await Gaps(client, None, print).clusters("demo")] == [1] * 4

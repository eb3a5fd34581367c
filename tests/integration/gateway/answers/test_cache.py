import asyncio
import time
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from services.gateway.answers import scripts
from services.gateway.answers.cache import Flight
from services.gateway.answers.hot import hot_questions, tables
from services.gateway.answers.types import CachedAnswer
from services.gateway.assistant.types import StoredToolCall
from services.gateway.sessions.redis_port import Script
from tests.support.answers import FakeCatalogue, Replica, asked, replica
from tests.support.redis_server import RedisServer

PRICE = "无线鼠标M1多少钱"
CALL = StoredToolCall(
    "query_inventory", msgspec.Raw(b'{"product":"M1"}'), msgspec.Raw(b'{"price":"79.90"}'), "now"
)
ANSWER = CachedAnswer("M1卖79.90元。", [CALL], [{"sku": "MS-M1-005"}], [{"title": "价目"}])


def unit(*numbers: float) -> bytes:
    row = np.array([*numbers, *([0.0] * (8 - len(numbers)))], "<f4")
    return bytes((row / np.linalg.norm(row)).astype("<f4").tobytes())


async def keep(here: Replica, text: str, answer: CachedAnswer = ANSWER, **how: Any) -> None:
    ttl_s = how.pop("ttl_s", 60.0)
    flight = await here.cache.open(asked(text, **how), 1.0)
    assert isinstance(flight, Flight)
    await flight.keep(answer, ttl_s)


async def test_the_same_words_are_answered_again(url: str) -> None:
    async with replica(url) as here, replica(url) as other:
        await keep(here, PRICE)
        for text in (
            PRICE,
            "请问Ｍ１无线鼠标多少钱？".replace("Ｍ１无线鼠标", "无线鼠标Ｍ１"),
            f"亲，{PRICE}呀！！",
        ):
            assert await other.cache.open(asked(text), 1.0) == ANSWER
        assert other.counts == ["exact"] * 3


async def test_other_words_need_likeness_too(url: str) -> None:
    async with replica(url) as here:
        await keep(here, PRICE, vector=unit(1))
        said = "请问M1无线鼠标的价格是多少？"
        unlike = await here.cache.open(asked(said, vector=unit(0, 1)), 1.0)
        assert isinstance(unlike, Flight)
        async with unlike:
            pass
        assert await here.cache.open(asked(said, vector=unit(1, 0.2)), 1.0) == ANSWER
        # Now known in these words as well, and no longer than the first.
        assert await here.cache.open(asked(said), 1.0) == ANSWER
        assert here.counts[-2:] == ["similar", "exact"]
        left = [await here.client.pttl(key) async for key in here.client.scan_iter("*:entry:*")]
        assert len(left) == 2
        assert all(0 < one <= 60_000 for one in left)


@pytest.mark.parametrize("other", [{"shop": "second"}, {"profile": "q"}])
async def test_nobody_elses_answer(url: str, other: dict[str, Any]) -> None:
    async with replica(url, shops=("demo", "second")) as here:
        await keep(here, PRICE, vector=unit(1))
        assert isinstance(await here.cache.open(asked(PRICE, vector=unit(1), **other), 1.0), Flight)


async def test_follow_ups_and_orders_are_not_looked_up(url: str) -> None:
    async with replica(url) as here:
        for text in ("那它有货吗", "and the black one?", "订单ORD20241201001到哪了", "多少钱"):
            assert await here.cache.open(asked(text), 1.0) is None
        assert here.counts == ["not_a_question"] * 4
        assert await here.client.keys("*answers:flight*") == []


async def test_a_conversation_may_be_answered_but_not_kept(url: str) -> None:
    async with replica(url) as here:
        assert await here.cache.open(asked(PRICE, fresh=False), 1.0) is None
        await keep(here, PRICE, vector=unit(1))
        assert await here.cache.open(asked(PRICE, fresh=False), 1.0) == ANSWER
        said = asked("请问M1无线鼠标的价格是多少？", fresh=False, vector=unit(1))
        assert await here.cache.open(said, 1.0) == ANSWER


@pytest.mark.parametrize(("text", "ttl_s"), [(" ", 60.0), ("ok", 0.0), ("ok", -1.0)])
async def test_what_is_empty_or_over_is_not_kept(url: str, text: str, ttl_s: float) -> None:
    async with replica(url) as here:
        await keep(here, PRICE, CachedAnswer(text), ttl_s=ttl_s)
        assert await here.cache.open(asked(PRICE), 1.0) is None
        assert here.counts[-1] == "not_public"


async def test_an_answer_ends_with_its_time(url: str) -> None:
    async with replica(url) as here:
        await keep(here, PRICE, ttl_s=0.05)
        await asyncio.sleep(0.1)
        assert isinstance(await here.cache.open(asked(PRICE), 1.0), Flight)


async def test_an_epoch_ends_all_answers_and_those_under_way(url: str) -> None:
    async with replica(url) as here:
        await keep(here, PRICE, vector=unit(1))
        late = await here.cache.open(asked("无线鼠标M3多少钱", vector=unit(0, 1)), 1.0)
        assert isinstance(late, Flight)
        await here.epochs.move("demo")
        await late.keep(ANSWER, 60.0)
        await here.catalogues.read("demo")
        for text in (PRICE, "请问M1无线鼠标的价格是多少？", "无线鼠标M3多少钱"):
            found = await here.cache.open(asked(text, vector=unit(1)), 1.0)
            assert isinstance(found, Flight)
            await found.release("test")


async def test_an_epoch_that_a_loader_began_is_never_an_old_one(url: str) -> None:
    async with replica(url) as here:
        await keep(here, PRICE)
        await here.client.set("xiaoer:demo:answers:epoch", 1)
        assert int(await here.epochs.now("demo")) > 1e9
        assert isinstance(await here.cache.open(asked(PRICE), 1.0), Flight)


async def test_a_new_catalogue_moves_the_epoch_once(url: str) -> None:
    catalogue = FakeCatalogue()
    async with replica(url, catalogue) as here, replica(url, catalogue) as other:
        before = int(await here.epochs.now("demo"))
        catalogue.version, catalogue.products = 2, [("X-1", ["杯子X1", "Cup X1"])]
        await here.catalogues.read("demo")
        await other.catalogues.read("demo")
        assert int(await here.epochs.now("demo")) == before + 1
        known = here.catalogues.known("demo")
        assert known is not None
        assert "杯子" in known.words
        assert known.epoch == str(before + 1)


async def test_words_of_an_older_catalogue_compare_nothing(url: str) -> None:
    async with replica(url) as here, replica(url) as behind:
        await here.epochs.move("demo")
        await here.catalogues.read("demo")
        await keep(here, PRICE, vector=unit(1))
        said = "请问M1无线鼠标的价格是多少？"
        flight = await behind.cache.open(asked(said, vector=unit(1)), 1.0)
        assert isinstance(flight, Flight)
        await flight.keep(ANSWER, 60.0)
        assert await behind.cache.open(asked(PRICE), 1.0) == ANSWER


async def test_without_a_catalogue_there_is_no_cache(url: str) -> None:
    async with replica(url) as here:
        assert await here.cache.open(asked(PRICE, shop="unknown"), 1.0) is None
        assert here.counts == ["no_catalogue"]


async def test_without_the_search_module_words_are_enough(tmp_path: Path) -> None:
    with RedisServer(tmp_path) as server:
        async with replica(server.url) as here:
            for text in (PRICE, "无线鼠标M3多少钱"):
                await keep(here, text, vector=unit(1))
                assert await here.cache.open(asked(text), 1.0) == ANSWER
            assert [event for event, _ in here.log] == ["answers_not_searchable"]


async def test_redis_stopped_midway(tmp_path: Path) -> None:
    with RedisServer(tmp_path, search=True) as server:
        async with replica(server.url) as here:
            flight = await here.cache.open(asked(PRICE), 1.0)
            assert isinstance(flight, Flight)
            server.stop()
            started = time.monotonic()
            await flight.keep(ANSWER, 60.0)
            assert await here.cache.open(asked(PRICE), 1.0) is None
            await flight.release("late")
            assert time.monotonic() - started < 1.5
            assert here.counts[-1] == "away"
            server.start()
            await asyncio.sleep(2.1)
            await here.catalogues.read("demo")
            await keep(here, PRICE, vector=unit(1))
            said = asked("请问M1无线鼠标的价格是多少？", vector=unit(1))
            assert await here.cache.open(said, 1.0) == ANSWER


async def test_an_index_that_is_gone_is_made_again(url: str) -> None:
    async with replica(url) as here:
        await keep(here, PRICE, vector=unit(1))
        await here.client.flushall()
        await here.catalogues.read("demo")
        await keep(here, PRICE, vector=unit(1))
        said = "请问M1无线鼠标的价格是多少？"
        first = await here.cache.open(asked(said, vector=unit(1)), 1.0)
        if isinstance(first, Flight):
            async with first:
                pass
            first = await here.cache.open(asked(said, vector=unit(1)), 1.0)
        assert first == ANSWER


async def test_entries_are_bounded(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    few = Script(scripts.KEEP.source.replace(f"- {scripts.MOST_ENTRIES}", "- 3"))
    monkeypatch.setattr(scripts, "KEEP", few)
    async with replica(url) as here:
        for days in range(2, 8):
            await keep(here, f"{days}天内能退货吗", ttl_s=100.0 + days)
        assert len(await here.client.keys("*:entry:*")) == 3
        assert await here.cache.open(asked("7天内能退货吗"), 1.0) == ANSWER


async def test_every_key_has_an_end(url: str) -> None:
    async with replica(url) as here:
        await keep(here, PRICE, vector=unit(1))
        flight = await here.cache.open(asked("支持货到付款吗"), 1.0)
        assert isinstance(flight, Flight)
        ended = await here.cache.open(asked("可以用支付宝吗"), 1.0)
        assert isinstance(ended, Flight)
        await ended.release("no_source")
        keys = [key async for key in here.client.scan_iter("*")]
        assert len(keys) >= 7
        for key in keys:
            assert await here.client.pttl(key) > 0, key


async def test_hot_questions(url: str) -> None:
    async with replica(url) as here:
        await keep(here, PRICE, vector=unit(1))
        for text in (PRICE, PRICE, "请问M1无线鼠标的价格是多少？"):
            assert await here.cache.open(asked(text, vector=unit(1)), 1.0) == ANSWER
        await here.cache.open(asked("支持刷脸付款吗"), 1.0)
        for _ in range(4):
            found = await here.cache.open(asked("最近有什么活动"), 1.0)
            if isinstance(found, Flight):
                await found.release("no_source")
        price, events = await hot_questions(here.client, "demo")
        assert (price.text, price.asked, price.exact, price.similar) == (PRICE, 4, 2, 1)
        assert price.hit_rate == 0.75
        assert (events.text, events.asked, events.not_cached) == ("最近有什么活动", 4, 4)
        assert events.why == "no_source"
        asked_table, never = tables("demo", [price, events], 20)
        assert (asked_table.row_count, never.row_count) == (2, 1)

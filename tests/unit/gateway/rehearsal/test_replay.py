import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import jwt
import pytest

from services.gateway.rehearsal.client import MOST_WAIT_S, ShopClient
from services.gateway.rehearsal.customers import Sign, signer
from services.gateway.rehearsal.errors import (
    GatewayAwayError,
    RefusedError,
    StoppingError,
    UnansweredError,
)
from services.gateway.rehearsal.outcomes import Exchange
from services.gateway.rehearsal.questions import Chat, Row
from services.gateway.rehearsal.replay import Replay, Stop
from services.gateway.safety.masking import Masker
from tests.support.shops import TOKEN_SECRETS, write_shop_files

Answer = Callable[[httpx2.Request], httpx2.Response]
MASKER = Masker()


def reply(text: str = "好的。", **facts: Any) -> httpx2.Response:
    body = {"choices": [{"message": {"role": "assistant", "content": text}}], "xiaoer": facts}
    return httpx2.Response(200, json=body)


def busy(retry_after: str | None) -> httpx2.Response:
    headers = {} if retry_after is None else {"retry-after": retry_after}
    error = {"error": {"message": "Too much.", "code": "rate_limit_exceeded"}}
    return httpx2.Response(429, headers=headers, json=error)


class Gateway:
    """What a test says the gateway answers, and what it was asked."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self.asked: list[str] = []
        self.sessions: list[str] = []
        self.deleted: list[str] = []
        self.tokens: list[str | None] = []
        self.waited: list[float] = []
        self.stop = Stop()

    def handle(self, request: httpx2.Request) -> httpx2.Response:
        assert request.headers["authorization"] == "Bearer key"
        if request.method == "DELETE":
            self.deleted.append(request.url.path.rsplit("/", 1)[1])
            return httpx2.Response(204)
        if request.method == "POST":
            self.asked.append(json.loads(request.content)["messages"][0]["content"])
            self.sessions.append(request.headers["x-session-id"])
            self.tokens.append(request.headers.get("x-customer-token"))
        return self._answer(request)

    async def pause(self, seconds: float) -> None:
        self.waited.append(seconds)
        if self.stop.asked:
            raise StoppingError

    def client(self, sign: Sign | None = None) -> ShopClient:
        http = httpx2.AsyncClient(
            base_url="http://gateway.test", transport=httpx2.MockTransport(self.handle)
        )
        return ShopClient(http, "key", sign, self.pause)


def chat(*questions: str, customer: str = "") -> Chat:
    return Chat([Row(number + 2, text) for number, text in enumerate(questions)], customer)


async def replayed(gateway: Gateway, *chats: Chat, sign: Sign | None = None) -> Replay:
    replay = Replay(gateway.client(sign), MASKER, gateway.stop, lambda _: None)
    await replay.run(chats, 4)
    return replay


def only(replay: Replay) -> Exchange:
    ((exchange,),) = [talk.exchanges for talk in replay.talks]
    return exchange


async def test_a_429_is_waited_for_as_long_as_it_says() -> None:
    answers = iter([busy("3"), busy(None), busy("Wed, 25 Nov 2026 11:00:00 GMT"), reply()])
    gateway = Gateway(lambda _: next(answers))
    client = gateway.client()
    assert (await client.ask("s", "", "q")).text == "好的。"
    assert gateway.waited == [3.0, 1.0, 1.0]
    assert (client.waits, gateway.sessions) == (3, ["s"] * 4)


async def test_a_wait_until_tomorrow_is_an_error_instead() -> None:
    gateway = Gateway(lambda _: busy(str(int(MOST_WAIT_S) + 1)))
    with pytest.raises(UnansweredError, match="HTTP 429: Too much"):
        await gateway.client().ask("s", "", "q")
    assert gateway.waited == []


async def test_a_gateway_that_is_always_busy_ends_the_patience() -> None:
    gateway = Gateway(lambda _: busy("60"))
    with pytest.raises(UnansweredError):
        await gateway.client().ask("s", "", "q")
    assert sum(gateway.waited) == 600


def broken(error: Exception) -> Answer:
    def answer(_: httpx2.Request) -> httpx2.Response:
        raise error

    return answer


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (lambda _: httpx2.Response(502, text="<html>"), "HTTP 502: it answers with HTTP 502"),
        (lambda _: httpx2.Response(504, json={"error": {"message": "Late."}}), "HTTP 504: Late"),
        (lambda _: httpx2.Response(200, json={"choices": []}), "none of this gateway's"),
        (lambda _: httpx2.Response(200, text="hello"), "none of this gateway's"),
        (broken(httpx2.ReadTimeout("slow")), "No reply within"),
        (broken(httpx2.ReadError("reset")), "The connection broke: reset"),
    ],
)
async def test_errors_are_one_questions_and_the_run_goes_on(answer: Answer, says: str) -> None:
    first = iter([answer])
    gateway = Gateway(lambda request: next(first, lambda _: reply())(request))
    replay = await replayed(gateway, chat("one", "two"))
    failed, answered = replay.talks[0].exchanges
    assert (failed.outcome, answered.outcome) == ("error", "answered")
    assert says in failed.error
    assert gateway.deleted == gateway.sessions[:1]


async def test_a_gateway_that_goes_away_ends_the_run_and_keeps_what_was_done() -> None:
    answers = iter([reply()])

    def answer(_: httpx2.Request) -> httpx2.Response:
        if (found := next(answers, None)) is None:
            raise httpx2.ConnectError("refused")
        return found

    gateway = Gateway(answer)
    replay = await replayed(gateway, chat("one", "two", "three"))
    assert [one.question for one in replay.talks[0].exchanges] == ["one"]
    assert isinstance(replay.ended_by, GatewayAwayError)
    assert "make run" in str(replay.ended_by)
    assert gateway.waited == [1.0, 2.0, 4.0]


async def test_a_key_that_is_refused_ends_the_run_and_leaves_no_session() -> None:
    refusal = {"error": {"message": "This shop key is not known."}}
    gateway = Gateway(lambda _: httpx2.Response(401, json=refusal))
    replay = await replayed(gateway, chat("one"), chat("two"))
    assert (replay.talks, gateway.deleted, replay.left_behind) == ([], [], [])
    assert isinstance(replay.ended_by, RefusedError)
    with pytest.raises(RefusedError, match="not known"):
        await gateway.client().check()


async def test_the_check_names_the_remedy_where_nobody_listens() -> None:
    gateway = Gateway(broken(httpx2.ConnectError("refused")))
    with pytest.raises(GatewayAwayError, match="make run") as caught:
        await gateway.client().check()
    assert caught.value.status == 2


async def test_each_conversation_has_a_session_of_its_own_that_ends_with_it() -> None:
    gateway = Gateway(lambda _: reply())
    await replayed(gateway, chat("a1", "a2"), chat("b1"), *(chat(f"c{n}") for n in range(8)))
    assert len(gateway.sessions) == 11
    assert sorted(set(gateway.sessions)) == sorted(gateway.deleted)
    assert all(session.startswith("rehearsal-") for session in gateway.deleted)


async def test_a_session_that_moved_is_followed() -> None:
    gateway = Gateway(lambda _: reply(session_id="moved"))
    await replayed(gateway, chat("one", "two"))
    assert gateway.sessions[1:] == gateway.deleted == ["moved"]


async def test_what_is_kept_of_a_reply() -> None:
    cited = [{"document": "a.md", "title": "A", "heading": ""}]
    gateway = Gateway(
        lambda _: reply(
            "订单ORD13812345678已发货，收件电话13912345678。",
            source="model",
            tools=["query_order_status"],
            cards=[{"type": "order", "order_id": "ORD13812345678", "tracking_no": "13812345678"}],
            citations=cited,
            handoff="bot",
            degraded=["memory"],
            timings_ms={"total": 12.5},
        )
    )
    replay = await replayed(gateway, chat("我的电话是13712345678，单号13812345678"))
    exchange = only(replay)
    # Personal data was sent, since a customer would have; it is not kept.
    assert gateway.asked == ["我的电话是13712345678，单号13812345678"]
    assert exchange.question == "我的电话是[电话]，单号13812345678"
    assert exchange.answer == "订单ORD13812345678已发货，收件电话[电话]。"
    assert (exchange.source, exchange.tools) == ("model", ["query_order_status"])
    assert (exchange.citations, exchange.degraded) == (cited, ["memory"])
    assert exchange.timings_ms == {"total": 12.5}


async def test_messages_after_a_handover_are_told_apart() -> None:
    owners = iter(["bot", "waiting", "waiting"])
    gateway = Gateway(lambda _: reply(handoff=next(owners)))
    replay = await replayed(gateway, chat("a", "b", "c"))
    found = [(one.outcome, one.after_handover) for one in replay.talks[0].exchanges]
    assert found == [("answered", False), ("handover", False), ("handover", True)]


async def test_a_stop_finishes_what_is_under_way_and_begins_nothing_more() -> None:
    gateway = Gateway(lambda _: reply())

    def answer(_: httpx2.Request) -> httpx2.Response:
        gateway.stop.ask()
        return reply()

    gateway._answer = answer
    replay = Replay(gateway.client(), MASKER, gateway.stop, lambda _: None)
    await replay.run([chat("a1", "a2"), chat("b1")], 1)
    assert gateway.asked == ["a1"]
    assert only(replay).question == "a1"
    assert gateway.deleted == gateway.sessions


async def test_a_stop_ends_a_wait() -> None:
    gateway = Gateway(lambda _: busy("60"))
    gateway.stop.ask()
    with pytest.raises(StoppingError):
        await gateway.client().ask("s", "", "q")
    with pytest.raises(StoppingError):
        await gateway.stop.pause(60)
    await Stop().pause(0)


async def test_a_run_that_is_cut_off_still_deletes_its_sessions() -> None:
    reached = asyncio.Event()

    async def hang(request: httpx2.Request) -> httpx2.Response:
        if request.method == "DELETE":
            return gateway.handle(request)
        reached.set()
        await asyncio.sleep(3600)
        raise AssertionError

    gateway = Gateway(lambda _: reply())
    http = httpx2.AsyncClient(base_url="http://gateway.test", transport=httpx2.MockTransport(hang))
    client = ShopClient(http, "key", None, gateway.pause)
    replay = Replay(client, MASKER, gateway.stop, lambda _: None)
    run = asyncio.ensure_future(replay.run([chat("a")], 1))
    await reached.wait()
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert len(gateway.deleted) == 1


@pytest.mark.parametrize(
    ("status", "owner", "left"), [(404, "bot", 0), (404, "waiting", 1), (503, "bot", 1)]
)
async def test_sessions_that_stay_are_named(status: int, owner: str, left: int) -> None:
    def answer(request: httpx2.Request) -> httpx2.Response:
        if request.method == "DELETE":
            return httpx2.Response(status)
        return reply(handoff=owner)

    http = httpx2.AsyncClient(
        base_url="http://gateway.test", transport=httpx2.MockTransport(answer)
    )
    stop = Stop()
    replay = Replay(ShopClient(http, "key", None, stop.pause), MASKER, stop, lambda _: None)
    await replay.run([chat("a")], 1)
    assert len(replay.left_behind) == left


async def test_customers_are_signed_in_where_the_shops_secret_is_at_hand(tmp_path: Path) -> None:
    _, secrets_file = write_shop_files(tmp_path)
    sign, why_not = signer(secrets_file, "demo")
    assert (sign is not None, why_not) == (True, "")
    gateway = Gateway(lambda _: reply())
    replay = await replayed(gateway, chat("a", customer="alice"), chat("b"), sign=sign)
    assert [talk.exchanges[0].signed_in for talk in replay.talks] == [True, False]
    token = next(one for one in gateway.tokens if one is not None)
    claims = jwt.decode(token, TOKEN_SECRETS["demo"], algorithms=["HS256"])
    assert (claims["sub"], claims["shop"]) == ("alice", "demo")
    assert gateway.tokens.count(None) == 1
    assert replay.anonymous == 0


async def test_customers_who_cannot_be_signed_in_are_counted(tmp_path: Path) -> None:
    gateway = Gateway(lambda _: reply())
    replay = await replayed(gateway, chat("a", "b", customer="alice"), chat("c"))
    assert replay.anonymous == 2
    assert gateway.tokens == [None] * 3
    own_keys = {"demo": {"keys": [], "customer_tokens": _PUBLIC}}
    _, secrets_file = write_shop_files(tmp_path, own_keys)
    for file, shop, says in (
        (None, "demo", "SHOP_SECRETS_FILE is not set"),
        (tmp_path / "none.json", "demo", "cannot be read"),
        (secrets_file, "other", "no shop 'other'"),
        (secrets_file, "demo", "not kept here"),
    ):
        sign, why_not = signer(file, shop)
        assert sign is None
        assert says in why_not


_PUBLIC = {"alg": "ES256", "jwks_url": "https://shop.example/jwks.json"}

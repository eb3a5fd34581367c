"""Random interleavings: no answer reaches a customer that is another's or from before a change."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from services.gateway.answers.cache import Flight
from services.gateway.answers.types import CachedAnswer
from tests.support.answers import FakeCatalogue, Replica, asked, replica
from tests.support.redis_server import RedisServer

SHOPS = ("demo", "second")
ASKED = {
    "price": ("无线鼠标M1多少钱", "请问M1无线鼠标的价格是多少？"),
    "other price": ("无线鼠标M3多少钱", "M3鼠标什么价格"),
    "returns": ("支持无理由退货吗", "能无理由退货不"),
    "mine": ("退款多久到账", "退的钱几天能到账啊"),
}
VECTOR = np.array([1, 0, 0, 0], "<f4").tobytes()


class Machine(RuleBasedStateMachine):
    """Answers say what they were made from: the shop, its version, the customer, the question."""

    url = ""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.stack = AsyncExitStack()
        self.catalogue = FakeCatalogue()
        self.replicas: list[Replica] = []
        self.versions = dict.fromkeys(SHOPS, 0)
        self.flights: list[tuple[Flight, str, str, str | None, int]] = []
        self.customer: str | None = None
        self.run(self.start())

    def run(self, work: Any) -> Any:
        return self.loop.run_until_complete(work)

    async def start(self) -> None:
        for _ in range(2):
            here = replica(self.url, self.catalogue, SHOPS)
            self.replicas.append(await self.stack.enter_async_context(here))
        await self.replicas[0].client.flushall()
        for one in self.replicas:
            for shop in SHOPS:
                await one.catalogues.read(shop)

    def teardown(self) -> None:
        self.run(self.stack.aclose())
        self.loop.close()

    @rule(customer=st.sampled_from([None, "alice", "bob"]))
    def sign_in(self, customer: str | None) -> None:
        self.customer = customer

    @rule(
        shop=st.sampled_from(SHOPS),
        what=st.sampled_from(sorted(ASKED)),
        words=st.integers(0, 1),
        number=st.integers(0, 1),
        fresh=st.booleans(),
    )
    def ask(self, shop: str, what: str, words: int, number: int, fresh: bool) -> None:
        question = asked(ASKED[what][words], shop=shop, fresh=fresh, vector=VECTOR)
        found = self.run(self.replicas[number].cache.open(question, 0.0))
        if isinstance(found, Flight):
            assert fresh
            self.flights.append((found, shop, what, self.customer, self.versions[shop]))
        elif found is not None:
            self.check(found, shop, what)

    def check(self, found: CachedAnswer, shop: str, what: str) -> None:
        made = found.cards[0]
        assert made["customer"] is None, "made with a customer's data"
        assert made["shop"] == shop, "another shop's"
        assert made["what"] == what, "of another question"
        assert made["version"] == self.versions[shop], "from before a change"

    @rule(data=st.data(), private=st.booleans())
    def answer(self, data: Any, private: bool) -> None:
        if not self.flights:
            return
        at = data.draw(st.integers(0, len(self.flights) - 1))
        flight, shop, what, customer, version = self.flights.pop(at)
        if private or what == "mine":
            self.run(flight.release("private"))
        card = {"shop": shop, "what": what, "customer": None, "version": version}
        if private or what == "mine":
            card["customer"] = customer or "somebody"
        # Kept even so: what is released stays released.
        self.run(flight.keep(CachedAnswer("answer", cards=[card]), 60.0))

    @rule(data=st.data())
    def hang_up(self, data: Any) -> None:
        if self.flights:
            at = data.draw(st.integers(0, len(self.flights) - 1))
            self.run(self.flights.pop(at)[0].__aexit__(None, None, None))

    @rule(shop=st.sampled_from(SHOPS))
    def load_documents(self, shop: str) -> None:
        self.versions[shop] += 1
        self.run(self.replicas[0].client.incr(f"xiaoer:{shop}:answers:epoch"))

    @rule(shop=st.sampled_from(SHOPS), number=st.integers(0, 1))
    def import_catalogue(self, shop: str, number: int) -> None:
        self.versions[shop] += 1
        self.run(self.replicas[number].epochs.move(shop))

    @rule(number=st.integers(0, 1))
    def poll(self, number: int) -> None:
        for shop in SHOPS:
            self.run(self.replicas[number].catalogues.read(shop))

    @rule()
    def edit_catalogue_unannounced(self) -> None:
        self.catalogue.version += 1
        for shop in SHOPS:
            self.versions[shop] += 1
            self.run(self.replicas[0].catalogues.read(shop))

    @invariant()
    def few_flights_are_open(self) -> None:
        while len(self.flights) > 6:
            self.run(self.flights.pop(0)[0].release("test"))


@pytest.fixture
def machine_url(searching_redis: RedisServer) -> str:
    return searching_redis.url


def test_no_answer_is_anothers_or_old(machine_url: str) -> None:
    Machine.url = machine_url
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=25,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )

import asyncio
import time

from services.gateway.answers.cache import Flight
from services.gateway.answers.types import CachedAnswer
from tests.support.answers import asked, replica

PRICE = "无线鼠标M1多少钱"
ANSWER = CachedAnswer("M1卖79.90元。")


async def test_of_a_hundred_one_makes_the_answer(url: str) -> None:
    async with replica(url) as here, replica(url) as other:
        flights = []

        async def ask(number: int) -> CachedAnswer | None:
            cache = (here, other)[number % 2].cache
            found = await cache.open(asked(PRICE), 5.0)
            if isinstance(found, Flight):
                flights.append(found)
                await asyncio.sleep(0.3)
                await found.keep(ANSWER, 60.0)
                return ANSWER
            return found

        started = time.monotonic()
        found = await asyncio.gather(*(ask(number) for number in range(100)))
        assert {*here.counts, *other.counts} <= {"flight", "exact"}
        assert found == [ANSWER] * 100
        assert len(flights) == 1
        assert time.monotonic() - started < 1.2


async def test_a_release_lets_all_go_on_at_once(url: str) -> None:
    async with replica(url) as here, replica(url) as other:
        flight = await here.cache.open(asked(PRICE), 5.0)
        assert isinstance(flight, Flight)
        caches = [here.cache, other.cache] * 10
        waiting = [asyncio.create_task(cache.open(asked(PRICE), 20.0)) for cache in caches]
        await asyncio.sleep(0.2)
        started = time.monotonic()
        await flight.release("private")
        assert await asyncio.gather(*waiting) == [None] * 20
        assert await other.cache.open(asked(PRICE), 20.0) is None
        assert time.monotonic() - started < 0.5


async def test_a_cancelled_maker_is_followed_by_another(url: str) -> None:
    async with replica(url) as here, replica(url) as other:

        async def make() -> None:
            flight = await here.cache.open(asked(PRICE), 5.0)
            assert isinstance(flight, Flight)
            async with flight:
                await asyncio.sleep(60)

        making = asyncio.create_task(make())
        await asyncio.sleep(0.1)
        waiting = asyncio.create_task(other.cache.open(asked(PRICE), 5.0))
        await asyncio.sleep(0.1)
        started = time.monotonic()
        making.cancel()
        assert isinstance(await waiting, Flight)
        assert time.monotonic() - started < 0.5


async def test_a_killed_maker_is_followed_by_one_other(url: str) -> None:
    async with replica(url) as dead, replica(url) as other:
        assert isinstance(await dead.cache.open(asked(PRICE), 5.0), Flight)
        dead.kill()
        started = time.monotonic()
        waiting = [asyncio.create_task(other.cache.open(asked(PRICE), 10.0)) for _ in range(5)]
        done, left = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        assert 1.0 < time.monotonic() - started < 3.5
        (first,) = done
        found = first.result()
        assert isinstance(found, Flight)
        await found.keep(ANSWER, 60.0)
        assert await asyncio.gather(*left) == [ANSWER] * 4


async def test_a_slow_maker_keeps_its_lease(url: str) -> None:
    async with replica(url) as here, replica(url) as other:
        flight = await here.cache.open(asked(PRICE), 5.0)
        assert isinstance(flight, Flight)
        assert await other.cache.open(asked(PRICE), 3.0) is None
        assert other.counts == ["waited_too_long"]
        await flight.keep(ANSWER, 60.0)
        assert await other.cache.open(asked(PRICE), 1.0) == ANSWER


async def test_ending_twice_does_nothing(url: str) -> None:
    async with replica(url) as here:
        flight = await here.cache.open(asked(PRICE), 5.0)
        assert isinstance(flight, Flight)
        await flight.release("private")
        await flight.keep(ANSWER, 60.0)
        await flight.release("again")
        assert await here.cache.open(asked(PRICE), 1.0) is None


async def test_a_lost_wake_up_costs_a_heartbeat(url: str) -> None:
    async with replica(url) as here, replica(url) as deaf:
        deaf.tasks[0].cancel()
        flight = await here.cache.open(asked(PRICE), 5.0)
        assert isinstance(flight, Flight)
        waiting = asyncio.create_task(deaf.cache.open(asked(PRICE), 5.0))
        await asyncio.sleep(0.1)
        await flight.keep(ANSWER, 60.0)
        assert await waiting == ANSWER

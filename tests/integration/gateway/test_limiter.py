"""The limiter on a real server of the Redis protocol: exact, over replicas, and by Redis' clock."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import redis

from services.gateway.api.metrics import Metrics
from services.gateway.errors import RateLimitedError
from services.gateway.limits.limiter import Allowance, Asker, Limiter
from services.gateway.limits.shop_limits import ShopLimits
from services.gateway.sessions.redis_port import RedisPort, connect
from tests.support.redis_server import RedisServer

OFF = ShopLimits(
    shop_per_minute=0,
    customer_per_minute=0,
    session_per_minute=0,
    address_per_minute=0,
    customer_tokens_per_day=0,
)


@pytest.fixture
async def replicas(redis_server: RedisServer, store: redis.Redis) -> AsyncIterator[list[Limiter]]:
    """Limiters of three gateways that share one Redis."""
    assert store.dbsize() == 0
    clients = [connect(redis_server.url) for _ in range(3)]
    yield [Limiter(RedisPort(client, Metrics(), print)) for client in clients]
    for client in clients:
        await client.aclose()


def limits(**changed: int) -> ShopLimits:
    return ShopLimits(**{**dict.fromkeys(OFF.__struct_fields__, 0), **changed})


async def admitted(limiter: Limiter, asker: Asker) -> Allowance | RateLimitedError | None:
    try:
        return await limiter.admit(asker)
    except RateLimitedError as exc:
        return exc


async def test_replicas_together_admit_no_more_than_the_limit(replicas: list[Limiter]) -> None:
    asker = Asker("demo", limits(customer_per_minute=40), customer="alice")
    few = asyncio.Semaphore(9)

    async def ask(number: int) -> Allowance | RateLimitedError | None:
        async with few:
            return await admitted(replicas[number % 3], asker)

    outcomes = await asyncio.gather(*(ask(number) for number in range(120)))
    assert None not in outcomes
    refused = [found for found in outcomes if isinstance(found, RateLimitedError)]
    # One more is given back every 1.5 s, and asking takes a moment.
    assert 76 <= len(refused) <= 80
    assert refused[0].status == 429
    assert 1 <= refused[0].retry_after_s <= 2
    assert "customer" in refused[0].message


async def test_what_was_taken_comes_back_evenly(replicas: list[Limiter]) -> None:
    asker = Asker("demo", limits(session_per_minute=600), session_id="s1")
    first = [await admitted(replicas[0], asker) for _ in range(700)]
    assert sum(isinstance(found, RateLimitedError) for found in first) > 0
    await asyncio.sleep(0.35)
    # 0.1 s each: three and a bit.
    again = [await admitted(replicas[0], asker) for _ in range(8)]
    assert 3 <= sum(isinstance(found, Allowance) for found in again) <= 5


async def test_a_refusal_costs_the_other_buckets_nothing(replicas: list[Limiter]) -> None:
    both = limits(session_per_minute=1, shop_per_minute=10)
    session = Asker("demo", both, session_id="s1")
    outcomes = [await admitted(replicas[0], session) for _ in range(5)]
    assert sum(isinstance(found, RateLimitedError) for found in outcomes) == 4
    other = await admitted(replicas[1], Asker("demo", both, session_id="s2"))
    assert isinstance(other, Allowance)
    shop = await admitted(replicas[1], Asker("demo", limits(shop_per_minute=10)))
    assert isinstance(shop, Allowance)
    assert shop.left == 7


async def test_buckets_are_the_shops_own_and_hold_no_address(
    replicas: list[Limiter], store: redis.Redis
) -> None:
    one = limits(customer_per_minute=1, address_per_minute=1)
    asker = Asker("demo", one, customer="alice", address="203.0.113.7")
    assert isinstance(await admitted(replicas[0], asker), Allowance)
    assert isinstance(await admitted(replicas[0], asker), RateLimitedError)
    elsewhere = Asker("other", one, customer="alice", address="203.0.113.7")
    assert isinstance(await admitted(replicas[0], elsewhere), Allowance)
    keys = [key.decode() for key in store.scan_iter()]
    assert not [key for key in keys if "203.0.113.7" in key]
    assert all(0 < store.pttl(key) <= 60_000 for key in keys)


async def test_the_reply_says_what_the_scarcest_bucket_holds(replicas: list[Limiter]) -> None:
    asker = Asker("demo", limits(session_per_minute=5, shop_per_minute=100), session_id="s1")
    first = await admitted(replicas[0], asker)
    assert isinstance(first, Allowance)
    assert (first.limit, first.left) == (5, 4)
    assert first.full_in_s == pytest.approx(12, abs=0.1)
    assert dict(first.headers())[b"x-ratelimit-remaining-requests"] == b"4"


async def test_a_customers_tokens_of_a_day_run_out(
    replicas: list[Limiter], store: redis.Redis
) -> None:
    asker = Asker("demo", limits(customer_tokens_per_day=1000), customer="alice")
    assert await replicas[0].admit(asker) is None
    await asyncio.gather(*(replica.spend(asker, 400) for replica in replicas))
    with pytest.raises(RateLimitedError, match="1000 tokens") as caught:
        await replicas[1].admit(asker)
    assert caught.value.code == "token_budget_exceeded"
    assert 0 < caught.value.retry_after_s <= 86_400
    assert await replicas[1].admit(Asker("demo", asker.limits, customer="bob")) is None
    (key,) = store.keys("*tokens*")
    assert 0 < store.ttl(key) <= 90_000


async def test_visitors_have_no_day_to_spend(replicas: list[Limiter], store: redis.Redis) -> None:
    await replicas[0].spend(Asker("demo", ShopLimits(), session_id="s1"), 5000)
    assert store.keys("*tokens*") == []


async def test_nothing_limits_where_all_limits_are_off(replicas: list[Limiter]) -> None:
    asker = Asker("demo", OFF, customer="alice", session_id="s", address="203.0.113.7")
    assert [await replicas[0].admit(asker) for _ in range(50)] == [None] * 50


async def test_without_redis_everybody_is_admitted(tmp_path: Path) -> None:
    with RedisServer(tmp_path) as server:
        client = connect(server.url)
        limiter = Limiter(RedisPort(client, Metrics(), print))
        asker = Asker("demo", limits(customer_per_minute=1), customer="alice")
        assert isinstance(await admitted(limiter, asker), Allowance)
        assert isinstance(await admitted(limiter, asker), RateLimitedError)
        server.stop()
        assert await limiter.admit(asker) is None
        await client.aclose()


def test_a_negative_limit_is_refused() -> None:
    with pytest.raises(ValueError, match="session_per_minute"):
        ShopLimits(session_per_minute=-1)

"""A Redis with the search module a module; emptied for each test."""

from collections.abc import Iterator

import pytest
import redis

from tests.support.redis_server import RedisServer


@pytest.fixture(scope="module")
def searching_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with RedisServer(tmp_path_factory.mktemp("redis"), search=True) as server:
        yield server


@pytest.fixture
def url(searching_redis: RedisServer) -> str:
    client = redis.Redis.from_url(searching_redis.url)
    client.flushall()
    client.close()
    return searching_redis.url

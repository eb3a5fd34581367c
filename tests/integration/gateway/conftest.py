"""One Redis server a module, fresh fakes and a fresh gateway a test."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import redis

from tests.support.fake_model import FakeModel
from tests.support.fake_tools import FakeTools
from tests.support.gateway import (
    SERVICE_SECRET,
    ServerThread,
    gateway_server,
    headers,
    request,
    shop_files,
)
from tests.support.redis_server import RedisServer


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/integration/gateway" in str(item.path):
            item.add_marker(pytest.mark.integration)


@pytest.fixture(scope="module")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def store(redis_server: RedisServer) -> Iterator[redis.Redis]:
    client = redis.Redis.from_url(redis_server.url)
    client.flushall()
    yield client
    client.close()


@pytest.fixture
def model() -> FakeModel:
    return FakeModel()


@pytest.fixture
def tools() -> FakeTools:
    return FakeTools(SERVICE_SECRET)


@pytest.fixture
def model_server(model: FakeModel) -> Iterator[ServerThread]:
    with ServerThread(model) as server:
        yield server


@pytest.fixture
def tools_server(tools: FakeTools) -> Iterator[ServerThread]:
    with ServerThread(tools) as server:
        yield server


@pytest.fixture
def env(
    tmp_path: Path,
    redis_server: RedisServer,
    store: redis.Redis,
    model_server: ServerThread,
    tools_server: ServerThread,
) -> dict[str, str]:
    assert store.dbsize() == 0
    return {
        **shop_files(tmp_path),
        "REDIS_URL": redis_server.url,
        "MODEL_URL": f"{model_server.url}/v1",
        "TOOLS_URL": tools_server.url,
        "DEADLINE_S": "20",
    }


@pytest.fixture
def gateway(env: dict[str, str]) -> Iterator[ServerThread]:
    with gateway_server(env) as server:
        wait_ready(server.url)
        yield server


def wait_ready(url: str) -> None:
    until = time.monotonic() + 10
    while time.monotonic() < until:
        if request("GET", f"{url}/health/ready", timeout=5).status_code == 200:
            return
        time.sleep(0.02)
    raise RuntimeError("the gateway did not become ready")


class Client:
    """Posts chat requests and returns the raw response."""

    def __init__(self, url: str) -> None:
        self.url = url

    def chat(self, text: str, **who: Any) -> httpx2.Response:
        body = {"model": "xiaoer", "messages": [{"role": "user", "content": text}]}
        return self.post(body, **who)

    def post(self, body: Any, path: str = "/v1/chat/completions", **who: Any) -> httpx2.Response:
        content = {"content": body} if isinstance(body, bytes) else {"json": body}
        return request("POST", f"{self.url}{path}", headers=headers(**who), timeout=30, **content)

    def get(self, path: str, **who: Any) -> httpx2.Response:
        return request("GET", f"{self.url}{path}", headers=headers(**who), timeout=30)

    def delete(self, path: str, **who: Any) -> httpx2.Response:
        return request("DELETE", f"{self.url}{path}", headers=headers(**who), timeout=30)

    def turns(self, session: str, **who: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.get(f"/v1/sessions/{session}", **who).json()["turns"]
        return found


@pytest.fixture
def client(gateway: ServerThread) -> Client:
    return Client(gateway.url)

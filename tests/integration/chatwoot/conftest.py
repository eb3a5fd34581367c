"""The real gateway on a real Redis, the adapter over real HTTP, and a fake Chatwoot."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.chatwoot.app import create_app
from deploy.chatwoot.settings import Settings
from services.gateway.app import create_app as create_gateway
from tests.integration.gateway.conftest import (  # noqa: F401 (fixtures)
    Client,
    env,
    model,
    model_server,
    redis_server,
    store,
    tools,
    tools_server,
    wait_ready,
)
from tests.integration.gateway.test_handoff import Desk
from tests.support import fake_chatwoot
from tests.support.fake_chatwoot import FakeChatwoot
from tests.support.gateway import ServerThread, settings_for
from tests.support.redis_server import free_port
from tests.support.shops import AGENT_KEYS, shop_secrets, write_shop_files

SECRET = "webhook-secret-of-the-tests-0123456789"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/integration/chatwoot" in str(item.path):
            item.add_marker(pytest.mark.integration)


def until(condition: Callable[[], Any], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)


@pytest.fixture
def chatwoot() -> FakeChatwoot:
    return FakeChatwoot()


@pytest.fixture
def gateway_port() -> int:
    return free_port()


@pytest.fixture
def adapter(chatwoot: FakeChatwoot, gateway_port: int) -> Iterator[ServerThread]:
    with ServerThread(chatwoot.app) as server:
        settings = Settings(
            xiaoer_url=f"http://127.0.0.1:{gateway_port}",
            xiaoer_agent_key=AGENT_KEYS["mei"],
            xiaoer_agent_name="Mei",
            xiaoer_webhook_secret=SECRET,
            chatwoot_url=server.url,
            chatwoot_account_id=fake_chatwoot.ACCOUNT,
            chatwoot_inbox_id=fake_chatwoot.INBOX,
            chatwoot_token=fake_chatwoot.TOKEN,
            chatwoot_webhook_secret=fake_chatwoot.SECRET,
            timeout_s=1.0,
        )
        with ServerThread(create_app(settings), lifespan=True) as adapter:
            chatwoot.webhook_url = f"{adapter.url}/chatwoot"
            yield adapter


@pytest.fixture
def gateway(
    env: dict[str, str],  # noqa: F811 (the fixture)
    tmp_path: Path,
    adapter: ServerThread,
    gateway_port: int,
) -> Iterator[str]:
    secrets = shop_secrets()
    secrets["demo"]["webhook"] = {"url": f"{adapter.url}/xiaoer", "secret": SECRET}
    folder = tmp_path / "hooked"
    folder.mkdir()
    public, secret = write_shop_files(folder, secrets)
    hooked = {**env, "SHOPS_FILE": str(public), "SHOP_SECRETS_FILE": str(secret)}
    app = create_gateway(settings_for(hooked))
    with ServerThread(app, lifespan=True, port=gateway_port) as server:
        wait_ready(server.url)
        yield server.url


@pytest.fixture
def client(gateway: str) -> Client:
    return Client(gateway)


@pytest.fixture
def desk(gateway: str) -> Desk:
    return Desk(gateway)

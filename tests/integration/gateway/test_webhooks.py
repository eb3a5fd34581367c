"""A shop's helpdesk is told of its tickets: signed, in order, and again until it has heard."""

import hashlib
import hmac
import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.integration.gateway.conftest import Client, wait_ready
from tests.integration.gateway.test_handoff import PLEASE, Desk
from tests.support.gateway import ServerThread, gateway_server
from tests.support.shops import shop_secrets, write_shop_files

SECRET = "webhook-secret-of-the-tests-0123456789"


class Helpdesk:
    """Receives events; fails as often as it is told to."""

    def __init__(self) -> None:
        self.heard: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.failures = 0
        self.app = Starlette(routes=[Route("/hook", self._hook, methods=["POST"])])

    async def _hook(self, request: Request) -> Response:
        body = await request.body()
        found = re.fullmatch(r"t=(\d+),v1=([0-9a-f]{64})", request.headers["x-xiaoer-signature"])
        assert found is not None
        expected = hmac.new(SECRET.encode(), found[1].encode() + b"." + body, hashlib.sha256)
        if found[2] != expected.hexdigest() or abs(time.time() - int(found[1])) > 60:
            return Response(status_code=401)
        self.keys.append(request.headers["idempotency-key"])
        if self.failures > 0:
            self.failures -= 1
            return Response(status_code=503)
        self.heard.append(json.loads(body))
        return Response(status_code=204)


@pytest.fixture
def helpdesk() -> Helpdesk:
    return Helpdesk()


@pytest.fixture
def hooked(env: dict[str, str], tmp_path: Path, helpdesk: Helpdesk) -> Iterator[dict[str, str]]:
    with ServerThread(helpdesk.app) as server:
        secrets = shop_secrets()
        secrets["demo"]["webhook"] = {"url": f"{server.url}/hook", "secret": SECRET}
        folder = tmp_path / "hooked"
        folder.mkdir()
        public, secret = write_shop_files(folder, secrets)
        yield {**env, "SHOPS_FILE": str(public), "SHOP_SECRETS_FILE": str(secret)}


def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)


def test_events_arrive_signed_and_in_order(hooked: dict[str, str], helpdesk: Helpdesk) -> None:
    with gateway_server(hooked) as server:
        wait_ready(server.url)
        client, desk = Client(server.url), Desk(server.url)
        client.chat(PLEASE, session="s1", customer="alice")
        client.chat("我的电话13812345678", session="s1", customer="alice")
        ticket = desk.only()["id"]
        desk.act(ticket, "claim")
        desk.act(ticket, "reply", "您好")
        desk.act(ticket, "resolve")
        until(lambda: len(helpdesk.heard) == 5)
    names = [event["event"] for event in helpdesk.heard]
    assert names == ["opened", "message", "claim", "reply", "resolve"]
    assert {event["shop"] for event in helpdesk.heard} == {"demo"}
    assert {event["data"]["ticket"] for event in helpdesk.heard} == {ticket}
    assert helpdesk.heard[1]["data"]["entry"]["text"] == "我的电话[电话]"
    assert helpdesk.heard[3]["data"]["entry"]["text"] == "您好"


def test_a_failing_helpdesk_hears_it_again_and_nothing_overtakes(
    hooked: dict[str, str], helpdesk: Helpdesk
) -> None:
    helpdesk.failures = 2
    with gateway_server(hooked) as server:
        wait_ready(server.url)
        client = Client(server.url)
        client.chat(PLEASE, session="s1", customer="alice")
        client.chat("在吗", session="s1", customer="alice")
        until(lambda: len(helpdesk.heard) == 2)
    assert [event["event"] for event in helpdesk.heard] == ["opened", "message"]
    first, again, third, second = helpdesk.keys
    assert first == again == third != second


def test_another_gateway_goes_on_where_one_stopped(
    hooked: dict[str, str], helpdesk: Helpdesk
) -> None:
    with gateway_server(hooked) as first:
        wait_ready(first.url)
        Client(first.url).chat(PLEASE, session="s1", customer="alice")
        until(lambda: len(helpdesk.heard) == 1)
    with gateway_server(hooked) as second:
        wait_ready(second.url)
        Client(second.url).chat("在吗", session="s1", customer="alice")
        # The first one's lease has to run out.
        until(lambda: len(helpdesk.heard) == 2, 45)
    assert [event["event"] for event in helpdesk.heard] == ["opened", "message"]

import time
from collections.abc import Iterator
from typing import Any

import jwt
import pytest
from litestar import Litestar

from services.gateway.api.catalogue import catalogue_router
from services.gateway.app import _error_handler
from services.gateway.errors import MemoryAwayError
from services.tools.importer.notice import tell_gateway
from services.tools.settings import NoticeSettings
from tests.support.answers import SECRET
from tests.support.gateway import ServerThread, request


class Room:
    def __init__(self) -> None:
        self.moved: list[str] = []
        self.read = 0
        self.away = False

    async def move(self, shop: str) -> None:
        if self.away:
            raise MemoryAwayError("away")
        self.moved.append(shop)

    def ask(self) -> None:
        self.read += 1


@pytest.fixture
def room() -> Room:
    return Room()


@pytest.fixture
def server(room: Room) -> Iterator[ServerThread]:
    router = catalogue_router(SECRET, lambda shop: shop == "demo", room.move, room.ask)
    app = Litestar([router], exception_handlers={Exception: _error_handler(None)})
    with ServerThread(app) as running:
        yield running


def token(secret: str = SECRET, **changes: Any) -> dict[str, str]:
    claims = {"iss": "tools", "aud": "gateway", "shop": "demo", "exp": int(time.time()) + 50}
    kept = {name: value for name, value in (claims | changes).items() if value is not None}
    return {"authorization": f"Bearer {jwt.encode(kept, secret, 'HS256')}"}


def post(server: ServerThread, headers: dict[str, str]) -> int:
    return request("POST", f"{server.url}/v1/catalogue/changed", headers=headers).status_code


def test_the_importer_is_believed(server: ServerThread, room: Room) -> None:
    assert tell_gateway(NoticeSettings((server.url,), SECRET), "demo") == server.url
    assert (room.moved, room.read) == (["demo"], 1)


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "gateway"}, {"aud": "tools"}, {"shop": None}, {"shop": 7}, {"exp": None},
        {"exp": int(time.time()) - 5}, {"exp": int(time.time()) + 600}, {"secret": "x" * 32},
    ],
)  # fmt: skip
def test_others_are_not(server: ServerThread, room: Room, changes: dict[str, Any]) -> None:
    assert post(server, token(**changes)) == 401
    assert post(server, {}) == 401
    assert room.moved == []


def test_no_such_shop(server: ServerThread, room: Room) -> None:
    assert post(server, token(shop="nobody")) == 404
    assert room.moved == []


def test_redis_is_away(server: ServerThread, room: Room) -> None:
    room.away = True
    assert post(server, token()) == 503
    assert room.read == 0

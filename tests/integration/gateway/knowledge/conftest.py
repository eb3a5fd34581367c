"""One Redis with the search module a module; it is emptied before each test."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import redis.asyncio as aioredis

from services.gateway.sessions.redis_port import connect
from tests.support.redis_server import RedisServer


@pytest.fixture(scope="module")
def search_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with RedisServer(tmp_path_factory.mktemp("search"), search=True) as server:
        yield server


@pytest.fixture
async def client(search_server: RedisServer) -> AsyncIterator[aioredis.Redis]:
    opened = connect(search_server.url)
    for name in await opened.execute_command("FT._LIST"):  # type: ignore[no-untyped-call]
        await opened.execute_command("FT.DROPINDEX", name)  # type: ignore[no-untyped-call]
    await opened.flushall()
    yield opened
    await opened.aclose()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "documents"
    (made / "en").mkdir(parents=True)
    (made / "zh").mkdir()
    (made / "en" / "returns.md").write_text(
        "# Returns\n\n## Time limit\n\nReturn any item within 7 days.\n\n"
        "## Who pays\n\nThe buyer pays return shipping.\n"
    )
    (made / "zh" / "returns.md").write_text("# 退货\n\n## 时限\n\n签收后7天内可以退货。\n")
    (made / "en" / "june.md").write_text(
        "---\nvalid_from: 2026-06-01\nvalid_until: 2026-06-18\n---\n"
        "# June sale\n\nIn the June sale every lamp takes ten off.\n"
    )
    return made

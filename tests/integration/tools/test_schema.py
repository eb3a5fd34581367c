"""Requests made up from the published schema, against a real server process."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest

from services.tools.db.migrate import migrate
from services.tools.settings import DatabaseSettings
from tests.integration.tools.conftest import SAMPLE, SECRET, import_files, token
from tests.support.schema_cases import play
from tests.support.tools_process import tools_server

pytestmark = pytest.mark.integration

NAMES = ["query_order_status", "list_recent_orders", "query_inventory"]
ARGUMENTS = {"query_order_status": "order_id", "query_inventory": "product"}
WRITTEN = st.one_of(st.text(max_size=40), st.sampled_from(["ORD20241201001", "降噪耳机", "键盘"]))


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("schema")
    database = DatabaseSettings.from_env({"DATABASE_URL": f"sqlite:///{folder / 'shop.db'}"})

    async def prepare() -> None:
        await migrate(database)
        await import_files(database, "demo", SAMPLE)

    asyncio.run(prepare())
    with tools_server(database, SECRET, folder / "log") as server:
        yield server
    assert "Traceback" not in Path(folder / "log").read_text("utf-8")


def _aim(data: st.DataObject, case: Any) -> None:
    """Most made-up names are no tool's: take a real one as often, and often its argument."""
    if "name" in (case.path_parameters or {}) and data.draw(st.booleans()):
        name = case.path_parameters["name"] = data.draw(st.sampled_from(NAMES))
        if name in ARGUMENTS and isinstance(case.body, dict) and data.draw(st.booleans()):
            case.body = {ARGUMENTS[name]: data.draw(WRITTEN)}


def test_answers_are_as_published(url: str) -> None:
    seen = play(f"{url}/schema", url, lambda: {"authorization": token()}, cases=60, change=_aim)
    assert seen["POST /v1/tools/{name}"] >= {200, 400, 401, 404}
    assert seen["GET /v1/catalogue"] == {200, 401}
    assert seen["GET /health/ready"] == {200}

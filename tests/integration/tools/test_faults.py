import io
import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from services.tools.db.engine import write_transaction
from services.tools.settings import DatabaseSettings
from tests.integration.tools.conftest import Client, Serve, token

pytestmark = pytest.mark.integration

URL = "/v1/tools/query_inventory"


def _error(response: httpx.Response) -> dict[str, Any]:
    body: dict[str, dict[str, Any]] = response.json()
    assert set(body) == {"error"}
    assert set(body["error"]) == {"code", "message", "param", "request_id"}
    assert body["error"]["request_id"] == response.headers["x-request-id"]
    assert "Traceback" not in response.text
    return body["error"]


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b'{"product": ', 400, "invalid_json"),
        (b"\xff\xfe", 400, "invalid_json"),
        (b"[" * 20_000, 400, "invalid_json"),
        (b'["product"]', 400, "invalid_json"),
        (b"null", 400, "invalid_json"),
        (b'{"product": 5}', 400, "invalid_arguments"),
        (b'{"product": ["a"]}', 400, "invalid_arguments"),
        (b"", 400, "invalid_arguments"),
        (b'{"product": "' + b"a" * 1_000_000 + b'"}', 413, "body_too_large"),
    ],
)
async def test_bad_bodies(client: Client, content: bytes, status: int, code: str) -> None:
    response = await client.http.post(URL, content=content, headers={"authorization": token()})
    assert response.status_code == status
    assert _error(response)["code"] == code


async def test_a_broken_argument_is_named(client: Client) -> None:
    error = _error(await client.call("query_order_status", {"order": "ORD20241201001"}))
    assert error["param"] == "order"
    assert "query_order_status takes order_id" in error["message"]
    missing = _error(await client.call("query_order_status", {}))
    assert missing["param"] == "order_id"


async def test_unknown_tools_and_paths(client: Client) -> None:
    response = await client.call("cancel_order", {"order_id": "ORD20241201001"})
    assert response.status_code == 404
    assert _error(response)["code"] == "unknown_tool"
    assert _error(await client.http.get("/v2"))["code"] == "not_found"
    deleted = await client.http.delete("/v1/tools")
    assert deleted.status_code == 405
    assert _error(deleted)["code"] == "method_not_allowed"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer nonsense"},
        {"authorization": token(aud="gateway")},
        {"authorization": token(exp=1)},
        {"authorization": token(exp=9_999_999_999)},
    ],
)
async def test_calls_without_a_good_token(client: Client, headers: dict[str, str]) -> None:
    response = await client.http.post(URL, json={"product": "耳机"}, headers=headers)
    assert response.status_code == 401
    assert response.headers["www-authenticate"] == "Bearer"
    assert _error(response)["code"] == "unauthorized"


async def test_the_callers_request_id_is_kept(client: Client) -> None:
    given = await client.http.get("/v1/tools", headers={"x-request-id": "gw-42"})
    assert given.headers["x-request-id"] == "gw-42"
    for unusable in ("a" * 500, 'x"}', ""):
        made = await client.http.get("/v1/tools", headers={"x-request-id": unusable})
        assert re.fullmatch("[0-9a-f]{32}", made.headers["x-request-id"])


async def test_health_metrics_and_schema(client: Client) -> None:
    assert (await client.http.get("/health/live")).json() == {"status": "live"}
    assert (await client.http.get("/health/ready")).json() == {"status": "ready"}
    await client.result("query_order_status", {"order_id": "none"})
    await client.call("query_inventory", {"product": 1})
    await client.call("evil_name_1", {})
    metrics = (await client.http.get("/metrics")).text
    counter = "xiaoer_tools_requests_total"
    assert f'{counter}{{outcome="order_not_found",tool="query_order_status"}} 1.0' in metrics
    assert f'{counter}{{outcome="invalid_arguments",tool="query_inventory"}} 1.0' in metrics
    assert f'{counter}{{outcome="unknown_tool",tool="unknown"}} 1.0' in metrics
    assert "evil_name" not in metrics
    assert "xiaoer_tools_request_duration_seconds_bucket" in metrics
    schema = (await client.http.get("/schema")).json()
    assert {"/v1/tools", "/v1/tools/{name}", "/v1/catalogue"} <= set(schema["paths"])


async def test_logs_are_json_without_personal_data(shop: DatabaseSettings, serve: Serve) -> None:
    log = io.StringIO()
    client = await serve(shop, log=log)
    await client.result("query_order_status", {"order_id": "ORD20241201001"})
    await client.result("query_inventory", {"product": "降噪耳机"})
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    assert [(line["tool"], line["outcome"]) for line in lines] == [
        ("query_order_status", "ok"),
        ("query_inventory", "ok"),
    ]
    for secret in ("alice", "ORD2024", "SF123456789CN", "降噪", "Bearer"):
        assert secret not in log.getvalue()


async def test_a_database_that_is_down_is_a_503(serve: Serve, tmp_path: Path) -> None:
    log = io.StringIO()
    nowhere = DatabaseSettings.from_env({"DATABASE_URL": f"sqlite:///{tmp_path}/no/shop.db"})
    nobody = DatabaseSettings.from_env({"DATABASE_URL": "postgresql://u:hunter2@127.0.0.1:1/shop"})
    for database in (nowhere, nobody):
        client = await serve(database, log=log)
        assert (await client.http.get("/health/live")).status_code == 200
        ready = await client.http.get("/health/ready")
        assert ready.status_code == 503
        for tool, arguments in (
            ("query_inventory", {"product": "耳机"}),
            ("query_order_status", {"order_id": "1"}),
            ("list_recent_orders", {}),
        ):
            response = await client.call(tool, arguments)
            assert response.status_code == 503
            assert _error(response)["code"] == "database_unavailable"
        assert (await client.call("query_inventory", {}, customer=None)).status_code == 400
    assert "hunter2" not in log.getvalue()


async def test_a_tool_that_takes_too_long_is_a_503(
    postgres_shop: DatabaseSettings, serve: Serve
) -> None:
    shop = postgres_shop
    client = await serve(shop, deadline_s=0.3)
    async with write_transaction(shop, lock="test") as connection:
        await connection.execute(text("LOCK TABLE orders IN ACCESS EXCLUSIVE MODE"))
        response = await client.call("list_recent_orders")
        assert response.status_code == 503
        assert _error(response)["code"] == "deadline_exceeded"
    assert len((await client.result("list_recent_orders"))["orders"]) == 4


async def test_an_error_inside_says_nothing_outside(shop: DatabaseSettings, serve: Serve) -> None:
    log = io.StringIO()
    async with write_transaction(shop, lock="test") as connection:
        await connection.execute(text("DROP TABLE order_items"))
    client = await serve(shop, log=log)
    response = await client.call("query_order_status", {"order_id": "ORD20241201001"})
    assert response.status_code in {500, 503}
    assert "order_items" not in response.text
    assert "alice" not in log.getvalue()
    assert "ORD2024" not in log.getvalue()

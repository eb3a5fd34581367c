"""A shop's other agents: the official MCP client against a real server process."""

import asyncio
import contextlib
import json
import re
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import httpx2
import jwt
import pytest
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client

from services.tools.db.migrate import migrate
from services.tools.settings import DatabaseSettings
from tests.integration.tools.conftest import SAMPLE, SECRET, import_files, token
from tests.support.tools_process import ROOT, tools_server

pytestmark = pytest.mark.integration

LATEST = "2026-07-28"
ASK = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "tools/call",
    "params": {"name": "query_inventory", "arguments": {"product": "降噪耳机"}},
}
ACCEPT = {"accept": "application/json, text/event-stream"}


@dataclass(frozen=True)
class Server:
    url: str
    log: Path

    @contextlib.asynccontextmanager
    async def client(
        self, authorization: str | None, mode: Any = "auto", language: str = "zh"
    ) -> AsyncIterator[Client]:
        headers = {"accept-language": language}
        if authorization is not None:
            headers["authorization"] = authorization
        async with (
            httpx2.AsyncClient(headers=headers, timeout=30) as http,
            Client(streamable_http_client(f"{self.url}/mcp", http_client=http), mode=mode) as mcp,
        ):
            yield mcp

    async def call(self, who: str, name: str, arguments: dict[str, Any], **how: Any) -> Any:
        async with self.client(who, **how) as client:
            return await client.call_tool(name, arguments)

    def post(self, body: Any = ASK, **headers: str) -> httpx.Response:
        return httpx.post(f"{self.url}/mcp", json=body, headers=ACCEPT | headers, timeout=30)

    def published(self) -> Any:
        return httpx.get(f"{self.url}/v1/tools").json()

    def over_http(self, who: str, name: str, arguments: dict[str, Any]) -> httpx.Response:
        return httpx.post(
            f"{self.url}/v1/tools/{name}", json=arguments, headers={"authorization": who}
        )


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("mcp")
    database = DatabaseSettings.from_env({"DATABASE_URL": f"sqlite:///{folder / 'shop.db'}"})

    async def prepare() -> None:
        await migrate(database)
        await import_files(database, "demo", SAMPLE)

    asyncio.run(prepare())
    with tools_server(database, SECRET, folder / "log") as url:
        yield Server(url, folder / "log")
    said = (folder / "log").read_text("utf-8")
    assert "Traceback" not in said
    assert "SF123456789CN" not in said


@pytest.mark.parametrize("mode", ["legacy", "auto", LATEST])
async def test_the_list_is_the_registrys(server: Server, mode: str) -> None:
    async with server.client(token(None), mode) as client:
        listed = (await client.list_tools()).tools
    published = server.published()
    assert [
        {
            "type": "function",
            "function": {
                "name": tool.name,
                "description": tool.description,
                "parameters": tool.input_schema,
            },
            "xiaoer": (tool.meta or {})["xiaoer"],
        }
        for tool in listed
    ] == published
    assert all(tool.annotations and tool.annotations.read_only_hint for tool in listed)


@pytest.mark.parametrize("mode", ["legacy", "auto", LATEST])
@pytest.mark.parametrize("customer", [None, "alice", "bob"])
async def test_results_are_those_of_the_http_call(
    server: Server, customer: str | None, mode: str
) -> None:
    who = token(customer)
    async with server.client(who, mode) as client:
        for name, arguments in (
            ("query_order_status", {"order_id": "ORD-20241201-001"}),  # alice's
            ("list_recent_orders", {}),
            ("query_inventory", {"product": "降噪耳机"}),
            ("query_inventory", {"product": "键盘"}),
        ):
            result = await client.call_tool(name, arguments)
            same = server.over_http(who, name, arguments)
            assert [block.type for block in result.content] == ["text"]
            assert result.content[0].text == same.text  # type: ignore[union-attr]
            assert result.structured_content == same.json()
            assert not result.is_error


async def test_whose_order_it_is(server: Server) -> None:
    order = {"order_id": "ORD20241201001"}
    alices = await server.call(token("alice"), "query_order_status", order, language="en")
    assert alices.structured_content["tracking_no"] == "SF123456789CN"
    assert alices.structured_content["items"][0]["name"].startswith("Wireless Noise")
    for who, error in (
        (token("bob"), "order_not_found"),
        (token("alice", "other"), "order_not_found"),
        (token(None), "sign_in_required"),
    ):
        result = await server.call(who, "query_order_status", order)
        assert result.structured_content == {"error": error}


async def test_bad_arguments_are_a_tool_error(server: Server) -> None:
    # A customer is no argument, whoever asks for it.
    for name, arguments, param in (
        ("query_order_status", {"order_id": "ORD20241201001", "customer": "alice"}, "customer"),
        ("query_order_status", {}, "order_id"),
        ("query_inventory", {"product": 5}, "product"),
    ):
        result = await server.call(token("bob"), name, arguments)
        assert result.is_error
        error = json.loads(result.content[0].text)["error"]
        assert (error["code"], error["param"]) == ("invalid_arguments", param)
        assert result.structured_content == {"error": error}


@pytest.mark.parametrize("mode", ["legacy", LATEST])
async def test_an_unknown_tool_is_refused_by_name(server: Server, mode: str) -> None:
    async with server.client(token("alice"), mode) as client:
        with pytest.raises(MCPError, match="no tool has this name; there are query_order_status"):
            await client.call_tool("cancel_order", {"order_id": "ORD20241201001"})


FORGED = jwt.encode(
    {"iss": "gateway", "aud": "tools", "shop": "demo", "sub": "alice", "jti": "r"}
    | {"exp": int(time.time()) + 30},
    "another-secret-another-secret-another",
    "HS256",
)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer nonsense"},
        {"authorization": f"Bearer {FORGED}"},
        {"authorization": token(exp=int(time.time()) - 60)},
        {"authorization": token(exp=9_999_999_999)},
        {"authorization": token(aud="gateway")},
    ],
)
def test_without_a_good_token_nothing_is_read(server: Server, headers: dict[str, str]) -> None:
    # Even what is no MCP at all gets the 401: the token is looked at first.
    bodies: list[Any] = [ASK, {"no": "rpc"}, []]
    for body in bodies:
        response = server.post(body, **headers)
        assert response.status_code == 401
        assert response.headers["www-authenticate"] == "Bearer"
        assert response.json()["error"]["code"] == "unauthorized"
    assert httpx.get(f"{server.url}/mcp", headers=headers).status_code == 401


@pytest.mark.parametrize("mode", ["legacy", "auto"])
@pytest.mark.parametrize("authorization", [None, f"Bearer {FORGED}", token(exp=1)])
async def test_the_client_gets_nowhere_without_one(
    server: Server, mode: str, authorization: str | None
) -> None:
    with pytest.raises(Exception, match=r"401|Unauthorized|TaskGroup|Server returned an error"):
        async with server.client(authorization, mode) as client:
            await client.list_tools()


def test_other_names_and_web_pages_are_refused(server: Server) -> None:
    good = {"authorization": token("alice")}
    assert server.post(**good).status_code == 200
    assert server.post(host="evil.example", **good).status_code == 421
    assert server.post(host="127.0.0.1.evil.example:80", **good).status_code == 421
    for origin in ("http://evil.example", "http://localhost:3000", "null"):
        assert server.post(origin=origin, **good).status_code == 403


def test_what_is_no_request_is_a_clear_error(server: Server) -> None:
    good = {"authorization": token("alice")}
    assert server.post({"no": "rpc"}, **good).status_code == 400
    large = server.post(ASK | {"id": "x" * 70_000}, **good)
    assert large.status_code == 413
    for method in ("GET", "DELETE", "PUT"):
        response = httpx.request(method, f"{server.url}/mcp", headers=ACCEPT | good)
        assert response.status_code == 405
        assert response.headers["allow"] == "POST"


def test_calls_are_counted_and_named_like_any_other(server: Server) -> None:
    def counted() -> float:
        name = 'xiaoer_tools_requests_total{outcome="ok",tool="query_inventory"} '
        lines = httpx.get(f"{server.url}/metrics").text.splitlines()
        return sum(float(line.removeprefix(name)) for line in lines if line.startswith(name))

    before = counted()
    response = server.post(**{"authorization": token(None), "x-request-id": "agent-7"})
    assert response.headers["x-request-id"] == "agent-7"
    assert counted() == before + 1


@pytest.mark.parametrize("readme", ["README.md", "README.zh-CN.md"])
async def test_the_readmes_example_runs(server: Server, readme: str) -> None:
    text = (ROOT / readme).read_text("utf-8")
    example = re.search(r"```python\n(import time.*?)```", text, re.DOTALL)
    assert example
    names: dict[str, Any] = {}
    exec(example.group(1).replace("http://127.0.0.1:8081", server.url), names)
    orders = (await names["latest_orders"](SECRET))["orders"]
    assert orders[0]["order_id"] == "ORD20241201002"


async def test_many_agents_at_once(server: Server) -> None:
    customers = ["alice", "bob", None] * 8
    results = await asyncio.gather(
        *(
            server.call(token(customer), "query_order_status", {"order_id": "ORD20241201001"})
            for customer in customers
        )
    )
    for customer, result in zip(customers, results, strict=True):
        assert ("tracking_no" in result.structured_content) == (customer == "alice")

"""A fake tools service: the published catalogue, canned results, and knobs for faults.

It checks the service token as the real one does, so that identity is tested and not assumed.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

import jwt

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]

ORDER = {
    "order_id": "ORD20241201001",
    "status": "shipped",
    "carrier": "SF Express",
    "tracking_no": "SF123456789CN",
    "updated_at": "2024-12-03T08:30:00Z",
    "items": [{"name": "Wireless Noise-Cancelling Headphones Pro", "quantity": 1}],
}
PRODUCT = {
    "product": "无线降噪耳机Pro",
    "sku": "WH-PRO-001",
    "price": "599.00",
    "currency": "CNY",
    "stock": 128,
    "ships_from": "杭州",
    "warranty_months": 24,
}


def _function(name: str, description: str, **properties: str) -> dict[str, Any]:
    parameters: dict[str, Any] = {
        "type": "object",
        "properties": {
            key: {"type": "string", "description": text} for key, text in properties.items()
        },
    }
    if properties:
        parameters["required"] = list(properties)
    function = {"name": name, "description": description, "parameters": parameters}
    public = name == "query_inventory"
    note = {
        "access": "public" if public else "customer",
        "effect": "read",
        "cache_ttl_s": 60 if public else 0,
        "fresh_for_s": 60,
    }
    return {"type": "function", "function": function, "xiaoer": note}


CATALOGUE = [
    _function(
        "query_order_status",
        "Status, carrier, tracking number and items of one order.",
        order_id="Order number as the customer wrote it.",
    ),
    _function(
        "list_recent_orders",
        "The customer's latest orders, newest first. For when no order number is given.",
    ),
    _function(
        "query_inventory",
        "Price, stock, shipping place and warranty of one product.",
        product="Product name or SKU as the customer wrote it.",
    ),
]


@dataclass(slots=True)
class ToolUse:
    """A tool call as the fake received it."""

    name: str
    arguments: dict[str, Any]
    headers: dict[str, str]
    claims: dict[str, Any]


class FakeTools:
    """The server's application and its knobs.

    Args:
        secret: of the service token.

    """

    def __init__(self, secret: str) -> None:
        self._secret = secret
        self.uses: list[ToolUse] = []
        self.latency_s = 0.0
        self.status = 200
        self.results: dict[str, Any] = {
            "query_order_status": ORDER,
            "query_inventory": PRODUCT,
            "list_recent_orders": {"orders": [ORDER]},
        }
        self.products: list[dict[str, Any]] | None = None
        """What `GET /v1/catalogue` lists; None: there is no such address, and no answer cache."""
        self.running = 0
        self.most_running = 0

    def add(self, name: str, arguments: dict[str, Any], result: Any) -> None:
        """Give this result to a call with just these arguments."""
        self.results[_use(name, arguments)] = result

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body", False):
                break
        if scope["path"] == "/v1/tools":
            await _json(send, self.status, CATALOGUE)
            return
        if scope["path"] == "/v1/catalogue":
            listed = {"version": 1, "products": self.products or []}
            await _json(send, 404 if self.products is None else 200, listed)
            return
        await self._call(scope, body, send)

    async def _call(self, scope: Scope, body: bytes, send: Send) -> None:
        headers = {key.decode(): value.decode() for key, value in scope["headers"]}
        name = scope["path"].rsplit("/", 1)[1]
        token = headers["authorization"].removeprefix("Bearer ")
        claims = jwt.decode(
            token, self._secret, algorithms=["HS256"], audience="tools", issuer="gateway"
        )
        arguments = json.loads(body)
        self.uses.append(ToolUse(name, arguments, headers, claims))
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            if self.latency_s:
                await asyncio.sleep(self.latency_s)
        finally:
            self.running -= 1
        status = self.status
        use = _use(name, arguments)
        result = self.results[use if use in self.results else name]
        published = next(tool for tool in CATALOGUE if tool["function"]["name"] == name)
        known = published["function"]["parameters"]["properties"]
        if status == 200 and set(arguments) != set(known):
            status, result = 422, {"error": "invalid_arguments", "detail": "needs other arguments"}
        if status == 200 and name != "query_inventory" and "sub" not in claims:
            result = {"error": "sign_in_required"}
        await _json(send, status, result)


def _use(name: str, arguments: dict[str, Any]) -> str:
    return f"{name} {json.dumps(arguments, sort_keys=True, ensure_ascii=False)}"


async def _json(send: Send, status: int, value: Any) -> None:
    body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})

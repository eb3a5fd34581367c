import asyncio

import pytest

from services.tools.settings import DatabaseSettings
from tests.integration.tools.conftest import SAMPLE, Client, Serve, import_files, token

pytestmark = pytest.mark.integration


async def test_an_order_as_the_model_reads_it(client: Client) -> None:
    response = await client.call(
        "query_order_status", {"order_id": "ORD20241201001"}, language="en"
    )
    assert (
        response.content
        == (
            '{"order_id":"ORD20241201001","status":"shipped","carrier":"顺丰速运",'
            '"tracking_no":"SF123456789CN","updated_at":"2024-12-03T08:30:00Z",'
            '"items":[{"name":"Wireless Noise-Cancelling Headphones Pro","quantity":1}]}'
        ).encode()
    )
    assert response.headers["content-type"] == "application/json"


async def test_absent_facts_are_left_out(client: Client) -> None:
    order = await client.result("query_order_status", {"order_id": "ORD20241201002"})
    assert list(order) == ["order_id", "status", "updated_at", "items"]
    assert order["status"] == "awaiting_payment"
    bottle = await client.result("query_inventory", {"product": "保温杯"})
    assert "warranty_months" not in bottle


@pytest.mark.parametrize(
    "written",
    [
        "ord20241201001",
        " ORD 2024 1201 001 ",
        "ORD-20241201-001",
        "ＯＲＤ２０２４１２０１００１",
        "ord－2024–1201—001",
        "#ORD20241201001",
    ],
)
async def test_order_numbers_as_people_write_them(client: Client, written: str) -> None:
    order = await client.result("query_order_status", {"order_id": written})
    assert order["order_id"] == "ORD20241201001"


@pytest.mark.parametrize("written", ["", "-", "ORD2024120100", "\x00", "\ud800", "%", "x" * 9000])
async def test_order_numbers_that_are_none(client: Client, written: str) -> None:
    # JSON may hold lone surrogates; they must reach the database no more than NUL does.
    body = b'{"order_id": "\\ud800"}' if written == "\ud800" else None
    if body:
        response = await client.http.post(
            "/v1/tools/query_order_status", content=body, headers={"authorization": token()}
        )
        assert response.status_code == 400
    else:
        result = await client.result("query_order_status", {"order_id": written})
        assert result == {"error": "order_not_found"}


async def test_somebody_elses_order_is_one_that_does_not_exist(client: Client) -> None:
    answers = [
        (await client.call("query_order_status", {"order_id": number}, **who)).content
        for number, who in (
            ("ORD20241201003", {"customer": "alice"}),  # bob's
            ("ORD20241201001", {"customer": "bob"}),
            ("ORD20241201001", {"customer": "alice", "shop": "other"}),
            ("ORD20241201001", {"customer": "ALICE"}),
            ("ORD20241201001", {"customer": "' OR '1'='1"}),
            ("ORD99999999999", {"customer": "alice"}),
        )
    ]
    assert set(answers) == {b'{"error":"order_not_found"}'}


async def test_shops_do_not_see_each_other(shop: DatabaseSettings, serve: Serve) -> None:
    await import_files(shop, "other", SAMPLE)
    client = await serve(shop)
    for name in ("demo", "other"):
        order = await client.result("query_order_status", {"order_id": "ORD20241201001"}, shop=name)
        assert [item["quantity"] for item in order["items"]] == [1]
        recent = await client.result("list_recent_orders", shop=name)
        assert len(recent["orders"]) == 4
    assert await client.result("query_inventory", {"product": "耳机"}, shop="third") == {
        "error": "product_not_found"
    }
    assert (await client.result("list_recent_orders", shop="third")) == {"orders": []}


async def test_recent_orders_are_the_customers_own_newest_first(client: Client) -> None:
    recent = (await client.result("list_recent_orders"))["orders"]
    assert [order["order_id"] for order in recent] == [
        "ORD20241201002",
        "ORD20241201001",
        "ORD20241105004",
        "ORD20241018006",
    ]
    assert list(recent[0]) == ["order_id", "status", "placed_at", "items"]
    assert recent[0]["placed_at"] == "2024-12-01T12:40:00Z"
    assert [item["name"] for item in recent[0]["items"]] == ["机械键盘K87", "无线鼠标M1"]
    bobs = (await client.result("list_recent_orders", customer="bob"))["orders"]
    times = [order["placed_at"] for order in bobs]
    assert len(bobs) == 5
    assert times == sorted(times, reverse=True)


@pytest.mark.parametrize("tool", ["query_order_status", "list_recent_orders"])
async def test_visitors_are_asked_to_sign_in(client: Client, tool: str) -> None:
    arguments = {"order_id": "ORD20241201001"} if tool == "query_order_status" else {}
    response = await client.call(tool, arguments, customer=None)
    assert response.content == b'{"error":"sign_in_required"}'


async def test_a_product_as_the_model_reads_it(client: Client) -> None:
    response = await client.call("query_inventory", {"product": "降噪耳机"}, customer=None)
    assert (
        response.content
        == (
            '{"product":"无线降噪耳机Pro","sku":"WH-PRO-001","price":"599.00","currency":"CNY",'
            '"stock":128,"ships_from":"杭州","warranty_months":24}'
        ).encode()
    )


async def test_products_out_of_stock_and_with_cents(client: Client) -> None:
    cable = await client.result("query_inventory", {"product": "usb-c cable"}, language="en")
    assert (cable["product"], cable["price"]) == ("USB-C Braided Cable", "29.90")
    assert (await client.result("query_inventory", {"product": "K104"}))["stock"] == 0


async def test_candidates_come_in_the_language_asked_for(client: Client) -> None:
    keyboards = await client.call("query_inventory", {"product": "键盘"}, language="en-US")
    assert keyboards.json() == {
        "error": "ambiguous_product",
        "candidates": ["Mechanical Keyboard K87", "Mechanical Keyboard K104"],
    }
    in_chinese = await client.result("query_inventory", {"product": "keyboard"})
    assert set(in_chinese["candidates"]) == {"机械键盘K87", "机械键盘K104"}


async def test_many_calls_at_once(client: Client) -> None:
    numbers = [("ORD20241201001", "alice"), ("ORD20241201003", "bob")] * 40
    orders = await asyncio.gather(
        *(
            client.result("query_order_status", {"order_id": number}, customer=customer)
            for number, customer in numbers
        )
    )
    assert [order["order_id"] for order in orders] == [number for number, _ in numbers]


async def test_the_catalogue_of_the_tokens_shop(client: Client) -> None:
    response = await client.http.get("/v1/catalogue", headers={"authorization": token(None)})
    body = response.json()
    assert body["version"] == 1
    assert len(body["products"]) >= 24
    assert {
        "sku": "WH-PRO-001",
        "names": ["无线降噪耳机Pro", "Wireless Noise-Cancelling Headphones Pro"],
    } in body["products"]
    again = await client.http.get(
        "/v1/catalogue",
        headers={"authorization": token(None), "if-none-match": response.headers["etag"]},
    )
    assert (again.status_code, again.content) == (304, b"")
    empty = await client.http.get("/v1/catalogue", headers={"authorization": token(None, "x")})
    assert empty.json() == {"version": 0, "products": []}
    assert (await client.http.get("/v1/catalogue")).status_code == 401

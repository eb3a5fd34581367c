import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text

from services.tools.db.engine import Database, write_transaction
from services.tools.db.models import Order, OrderItem, Product
from services.tools.importer.__main__ import main
from services.tools.importer.files import ORDERS
from services.tools.importer.load import RefusedRows, load
from services.tools.settings import DatabaseSettings
from tests.integration.tools.conftest import SAMPLE, Serve, import_files, write_csv

pytestmark = pytest.mark.integration

CUP = {
    "sku": "CUP-1", "name_zh": "杯子", "name_en": "Cup", "price": "12.50", "currency": "CNY",
    "stock": "3", "ships_from": "杭州", "warranty_months": "6", "description": '白瓷，"薄"\n耐热',
}  # fmt: skip
ORDER = {
    "order_id": "A-1", "customer_id": "alice", "status": "shipped", "carrier": "顺丰速运",
    "tracking_no": "SF1", "placed_at": "2024-12-01T18:15:00+08:00",
    "updated_at": "2024-12-01T10:15:00Z", "total": "25.00", "currency": "CNY",
}  # fmt: skip
ITEM = {"order_id": "a1", "sku": "CUP-1", "quantity": "2", "unit_price": "12.5"}


async def _counts(settings: DatabaseSettings) -> dict[str, int]:
    database = Database(settings)
    async with database.connect() as connection:
        counts = {
            table: await connection.scalar(text(f"SELECT count(*) FROM {table}"))
            for table in ("products", "orders", "order_items", "catalogues")
        }
    await database.close()
    return counts


async def _row(settings: DatabaseSettings, query: Any) -> Any:
    database = Database(settings)
    async with database.connect() as connection:
        row = (await connection.execute(query)).one()
    await database.close()
    return row


@pytest.mark.parametrize("bom", [False, True])
async def test_what_is_imported_is_what_was_written(
    database: DatabaseSettings, tmp_path: Path, bom: bool
) -> None:
    for name, row in (("products", CUP), ("orders", ORDER), ("items", ITEM)):
        write_csv(tmp_path / f"{name}.csv", [row], bom=bom)
    report = await import_files(database, "demo", tmp_path)
    assert (dict(report.rows), report.version) == ({"products": 1, "orders": 1, "items": 1}, 1)
    cup = await _row(database, select(Product))
    assert (cup.name_zh, cup.price, cup.stock) == ("杯子", Decimal("12.50"), 3)
    assert cup.description == '白瓷，"薄"\n耐热'
    order = await _row(database, select(Order))
    assert (order.order_key, order.order_id, order.total) == ("a1", "A-1", Decimal("25.00"))
    assert order.placed_at == order.updated_at
    assert order.placed_at.isoformat() == "2024-12-01T10:15:00+00:00"
    item = await _row(database, select(OrderItem))
    assert (item.order_key, item.position, item.unit_price) == ("a1", 1, Decimal("12.50"))


async def test_a_second_import_updates(
    shop: DatabaseSettings, serve: Serve, tmp_path: Path
) -> None:
    client = await serve(shop)
    before = await _counts(shop)
    assert (await client.result("query_inventory", {"product": "K87"}))["stock"] == 45
    report = await import_files(shop, "demo", SAMPLE)
    assert report.version == 2
    assert await _counts(shop) == before

    write_csv(
        tmp_path / "products.csv",
        [CUP | {"sku": "KB-087-003", "name_zh": "静音键盘Q1", "name_en": "", "stock": "7"}],
    )
    write_csv(tmp_path / "orders.csv", [ORDER | {"order_id": "ord-2024 1201002"}])
    write_csv(tmp_path / "items.csv", [ITEM | {"order_id": "ORD20241201002", "sku": "MS-M1-005"}])
    assert (await import_files(shop, "demo", tmp_path)).version == 3
    # The running service answers from the new catalogue with the very next question.
    assert (await client.result("query_inventory", {"product": "静音键盘"}))["stock"] == 7
    assert (await client.result("query_inventory", {"product": "K87"})) == {
        "error": "product_not_found"
    }
    order = await client.result("query_order_status", {"order_id": "ORD20241201002"})
    assert order["status"] == "shipped"
    assert order["items"] == [{"name": "无线鼠标M1", "quantity": 2}]
    counts = await _counts(shop)
    assert (counts["products"], counts["orders"]) == (before["products"], before["orders"])


async def test_orders_alone_leave_the_catalogue_as_it_is(
    shop: DatabaseSettings, tmp_path: Path
) -> None:
    write_csv(tmp_path / "orders.csv", [ORDER])
    assert (await import_files(shop, "demo", tmp_path)).version == 1


BAD = [
    ("products", {"sku": ""}, "sku", "is empty"),
    ("products", {"price": "-1"}, "price", "is not an amount"),
    ("products", {"price": "1.999"}, "price", "two decimals"),
    ("products", {"price": "NaN"}, "price", "is not an amount"),
    ("products", {"price": "１２"}, "price", "is not an amount"),
    ("products", {"currency": "RMB"}, "currency", "ISO 4217"),
    ("products", {"stock": "many"}, "stock", "whole number"),
    ("products", {"stock": "99999999999"}, "stock", "whole number"),
    ("products", {"warranty_months": "2 years"}, "warranty_months", "whole number"),
    ("products", {"name_zh": "", "name_en": " "}, "name_zh", "needs a name"),
    ("products", {"name_zh": "杯\x00子"}, "name_zh", "control character"),
    ("products", {"name_en": "x" * 300}, "name_en", "longer than 256"),
    ("orders", {"order_id": "---"}, "order_id", "no letters or digits"),
    ("orders", {"customer_id": ""}, "customer_id", "is empty"),
    ("orders", {"status": "sent"}, "status", "awaiting_payment, processing, shipped"),
    ("orders", {"placed_at": "2024-12-01 18:15"}, "placed_at", "has no zone"),
    ("orders", {"placed_at": "yesterday"}, "placed_at", "ISO 8601"),
    ("orders", {"updated_at": "0001-01-01T00:00:00+14:00"}, "updated_at", "years"),
    ("orders", {"total": "1e5"}, "total", "is not an amount"),
    ("items", {"quantity": "0"}, "quantity", "from 1"),
    ("items", {"quantity": "1.5"}, "quantity", "whole number"),
    ("items", {"order_id": "A-2"}, "order_id", "neither in these files"),
    ("items", {"sku": "cup-1"}, "sku", "neither in these files"),
]


@pytest.mark.parametrize(("table", "change", "column", "reason"), BAD)
async def test_a_bad_row_is_named_and_nothing_is_kept(
    shop: DatabaseSettings,
    tmp_path: Path,
    table: str,
    change: dict[str, str],
    column: str | None,
    reason: str,
) -> None:
    before = await _counts(shop)
    for name, row in (("products", CUP), ("orders", ORDER), ("items", ITEM)):
        rows = [row, row | change] if name == table == "items" else [row]
        if name == table != "items":
            key = {"products": {"sku": "CUP-2"}, "orders": {"order_id": "A-9"}}[name]
            rows = [row, row | key | change]
        write_csv(tmp_path / f"{name}.csv", rows)
    with pytest.raises(RefusedRows) as caught:
        await import_files(shop, "demo", tmp_path)
    (problem,) = caught.value.problems
    # A quoted line break in the first product moves the second one line down.
    line = 4 if table == "products" else 3
    assert (problem.file, problem.line, problem.column) == (f"{table}.csv", line, column)
    assert reason in problem.reason
    assert await _counts(shop) == before


async def test_the_same_order_twice_in_a_file(database: DatabaseSettings, tmp_path: Path) -> None:
    write_csv(
        tmp_path / "orders.csv", [ORDER, ORDER | {"order_id": "ＡA"}, ORDER | {"order_id": "a 1"}]
    )
    with pytest.raises(RefusedRows) as caught:
        await import_files(database, "demo", tmp_path)
    assert (
        str(caught.value) == "orders.csv, line 4, column order_id: 'a 1' is the same as on line 2"
    )


async def test_known_orders_and_products_of_another_shop_do_not_count(
    shop: DatabaseSettings, tmp_path: Path
) -> None:
    write_csv(tmp_path / "items.csv", [ITEM | {"order_id": "ORD20241201001", "sku": "WH-PRO-001"}])
    assert (await import_files(shop, "demo", tmp_path)).rows == {"items": 1}
    with pytest.raises(RefusedRows) as caught:
        await import_files(shop, "other", tmp_path)
    assert [problem.column for problem in caught.value.problems] == ["order_id", "sku"]


async def test_at_most_twenty_problems(database: DatabaseSettings, tmp_path: Path) -> None:
    rows = [ORDER | {"order_id": f"A{n}", "status": "lost"} for n in range(50)]
    write_csv(tmp_path / "orders.csv", rows)
    with pytest.raises(RefusedRows) as caught:
        await import_files(database, "demo", tmp_path)
    assert [problem.line for problem in caught.value.problems] == list(range(2, 22))


HEADER = ",".join(ORDERS.columns).encode()
LINE = ",".join(ORDER.values()).encode()


@pytest.mark.parametrize(
    ("content", "line", "column", "reason"),
    [
        (b"", 1, None, "empty"),
        (HEADER.replace(b"status", b"state") + b"\n" + LINE, 1, "status", "is missing"),
        (HEADER + b",total\n", 1, "total", "comes twice"),
        (HEADER + b"\n" + LINE + b",x\n", 2, None, "has 10 columns, not 9"),
        (HEADER + b"\n" + LINE + b"\n\xff" + LINE, 3, None, "not UTF-8"),
        (HEADER + b"\n" + LINE + b"\n" + b'"' + LINE, 3, None, "not valid CSV"),
        ("订单".encode("gb18030"), 1, None, "not UTF-8"),
    ],
)
async def test_files_that_are_no_such_csv(
    database: DatabaseSettings,
    tmp_path: Path,
    content: bytes,
    line: int,
    column: str | None,
    reason: str,
) -> None:
    (tmp_path / "orders.csv").write_bytes(content)
    with pytest.raises(RefusedRows) as caught:
        await import_files(database, "demo", tmp_path)
    problem = caught.value.problems[0]
    assert (problem.line, problem.column) == (line, column)
    assert reason in problem.reason


async def test_columns_may_come_in_any_order_and_blank_lines_are_nothing(
    database: DatabaseSettings, tmp_path: Path
) -> None:
    names = list(ORDERS.columns)[::-1]
    values = [ORDER[name] for name in names]
    (tmp_path / "orders.csv").write_text(",".join(names) + "\r\n\r\n" + ",".join(values) + "\r\n")
    assert (await import_files(database, "demo", tmp_path)).rows == {"orders": 1}


async def test_many_rows_come_in_chunks(database: DatabaseSettings, tmp_path: Path) -> None:
    rows = [ORDER | {"order_id": f"A-{n}", "customer_id": f"c{n % 7}"} for n in range(12_345)]
    write_csv(tmp_path / "orders.csv", rows)
    path = tmp_path / "orders.csv"
    seen: list[int] = []
    report = await load(database, "demo", {ORDERS: path}, lambda _kind, done: seen.append(done))
    assert report.rows == {"orders": 12_345}
    assert (await _counts(database))["orders"] == 12_345
    assert seen == sorted(seen)
    assert len(seen) == 3
    assert seen[-1] == path.stat().st_size


async def test_two_imports_at_once_take_turns(database: DatabaseSettings) -> None:
    reports = await asyncio.gather(*(import_files(database, "demo", SAMPLE) for _ in range(3)))
    assert sorted(report.version for report in reports) == [1, 2, 3]
    assert (await _counts(database))["orders"] == 40


async def test_readers_go_on_during_an_import(shop: DatabaseSettings, serve: Serve) -> None:
    client = await serve(shop)
    async with write_transaction(shop, lock="import:demo") as connection:
        await connection.execute(text("UPDATE products SET stock = 1"))
        assert (await client.result("query_inventory", {"product": "K87"}))["stock"] == 45
    assert (await client.result("query_inventory", {"product": "K87"}))["stock"] == 1


def _command(monkeypatch: pytest.MonkeyPatch, settings: DatabaseSettings, *arguments: str) -> int:
    monkeypatch.setenv("DATABASE_URL", settings.url.render_as_string(hide_password=False))
    return main(list(arguments))


def test_the_command_migrates_imports_and_says_so(
    empty_database: DatabaseSettings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    files = [f"--{name}={SAMPLE / name}.csv" for name in ("products", "orders", "items")]
    assert _command(monkeypatch, empty_database, "--shop=demo", *files) == 0
    assert "30 products, 40 orders, 71 items into shop demo" in capsys.readouterr().err


def test_the_command_names_bad_rows(
    empty_database: DatabaseSettings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    path = write_csv(tmp_path / "orders.csv", [ORDER | {"status": "[red]sent"}])
    assert _command(monkeypatch, empty_database, f"--orders={path}") == 1
    said = capsys.readouterr().err
    assert "orders.csv, line 2, column status: '[red]sent' is not one of" in said
    assert "nothing was imported" in said
    missing = Path(tmp_path / "none.csv")
    assert _command(monkeypatch, empty_database, f"--orders={missing}") == 1
    assert "there is no such file" in capsys.readouterr().err


def test_the_command_line_needs_a_file_and_a_usable_shop(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for arguments in ([], ["--shop", "../x", "--orders", "o.csv"]):
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        assert caught.value.code == 2
    assert "--shop must be" in capsys.readouterr().err

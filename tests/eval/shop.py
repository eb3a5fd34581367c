"""The sample shop as the grader knows it: what each tool call must have answered.

Read from the CSV files and the shop's public settings themselves, so that a fault of the product
cannot hide behind the same fault here.
"""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import yaml

from tests.eval.dialogues import ExpectedCall
from tests.eval.text import order_key, product_key

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "services" / "tools" / "sample"
SHOPS = ROOT / "deploy" / "local" / "shops.yaml"
MOST_LISTED = 5
# The shop's own clock; tools speak UTC. An answer may use either.
_SHOP_ZONE = timezone(timedelta(hours=8))


@dataclass(frozen=True, slots=True)
class Product:
    """A row of products.csv."""

    sku: str
    name_zh: str
    name_en: str
    price: Decimal
    stock: int
    ships_from: str
    warranty_months: int | None

    @property
    def names(self) -> tuple[str, str]:
        """Chinese and English."""
        return self.name_zh, self.name_en


@dataclass(frozen=True, slots=True)
class Order:
    """A row of orders.csv with its rows of items.csv as (sku, quantity)."""

    order_id: str
    customer: str
    status: str
    carrier: str
    tracking_no: str
    placed_at: datetime
    updated_at: datetime
    items: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Result:
    """What one tool call told: a product, an order's details, a list of orders, or nothing.

    `candidates` are products that were offered to choose from: names, without their facts.
    """

    product: Product | None = None
    order: Order | None = None
    listed: tuple[Order, ...] = ()
    candidates: tuple[Product, ...] = ()


class Shop:
    """The sample shop's data and policies."""

    def __init__(self, sample: Path = SAMPLE, shops: Path = SHOPS, shop: str = "demo") -> None:
        self.products = {row["sku"]: _product(row) for row in _rows(sample / "products.csv")}
        items: dict[str, list[tuple[str, int]]] = {}
        for row in _rows(sample / "items.csv"):
            items.setdefault(row["order_id"], []).append((row["sku"], int(row["quantity"])))
        self.orders = {
            row["order_id"]: _order(row, items.get(row["order_id"], []))
            for row in _rows(sample / "orders.csv")
        }
        settings = yaml.safe_load(shops.read_text("utf-8"))["shops"][shop]
        self.policies: tuple[str, ...] = (*settings["policies"]["zh"], *settings["policies"]["en"])
        self._by_spelling = {
            product_key(spelling): product
            for product in self.products.values()
            for spelling in (product.sku, *product.names)
        }

    def result(self, call: ExpectedCall, customer: str | None) -> Result:
        """What `call` tells `customer`; nothing for a miss, another's order or an anonymous one."""
        if call.name == "query_inventory":
            spellings = call.arguments["product"]
            product = self.product(spellings)
            candidates = () if product else self._candidates(spellings)
            return Result(product=product, candidates=candidates)
        mine = [order for order in self.orders.values() if customer and order.customer == customer]
        if call.name == "query_order_status":
            keys = {order_key(text) for text in call.arguments["order_id"]}
            found = [order for order in mine if order_key(order.order_id) in keys]
            return Result(order=found[0] if found else None)
        mine.sort(key=lambda order: order.placed_at, reverse=True)
        return Result(listed=tuple(mine[:MOST_LISTED]))

    def product(self, spellings: tuple[str, ...]) -> Product | None:
        """The product that one of the spellings names in full or by its SKU."""
        for spelling in spellings:
            if found := self._by_spelling.get(product_key(spelling)):
                return found
        return None

    def spellings(self, accepted: tuple[str, ...]) -> set[str]:
        """All accepted spellings as keys; a product's SKU brings its names along."""
        keys = {product_key(text) for text in accepted}
        for product in self.products.values():
            if product_key(product.sku) in keys:
                keys.update(map(product_key, product.names))
        return keys

    def _candidates(self, spellings: tuple[str, ...]) -> tuple[Product, ...]:
        """Products whose name holds all that was said."""
        return tuple(
            product
            for product in self.products.values()
            if any(_within(product_key(said), product) for said in spellings)
        )


def local_and_utc(moment: datetime) -> tuple[datetime, datetime]:
    """`moment` as a tool writes it and as the shop's clock showed it."""
    return moment.astimezone(UTC), moment.astimezone(_SHOP_ZONE)


def _within(said: str, product: Product) -> bool:
    if said in product_key(product.name_zh):
        return True
    name = product_key(product.name_en).replace("-", " ").split()
    words = [word.rstrip("s") for word in said.replace("-", " ").split() if word != "the"]
    singular = {word.rstrip("s") for word in name} | set(name)
    return bool(words) and all(word in singular for word in words)


def _rows(file: Path) -> list[Mapping[str, str]]:
    with file.open(encoding="utf-8-sig", newline="") as lines:
        return list(csv.DictReader(lines))


def _product(row: Mapping[str, str]) -> Product:
    months = row["warranty_months"]
    return Product(
        sku=row["sku"],
        name_zh=row["name_zh"],
        name_en=row["name_en"],
        price=Decimal(row["price"]),
        stock=int(row["stock"]),
        ships_from=row["ships_from"],
        warranty_months=int(months) if months else None,
    )


def _order(row: Mapping[str, str], items: list[tuple[str, int]]) -> Order:
    return Order(
        order_id=row["order_id"],
        customer=row["customer_id"],
        status=row["status"],
        carrier=row["carrier"],
        tracking_no=row["tracking_no"],
        placed_at=datetime.fromisoformat(row["placed_at"]),
        updated_at=datetime.fromisoformat(row["updated_at"]),
        items=tuple(items),
    )

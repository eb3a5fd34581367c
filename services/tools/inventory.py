"""The tool about products: price, stock, shipping place, warranty."""

from collections import Counter

import msgspec
from sqlalchemy import select

from services.tools.calls import Call, Miss
from services.tools.catalogue.index import Entry, Found
from services.tools.db.models import Product


class Inventory(msgspec.Struct, kw_only=True):
    """Result of query_inventory; facts that there are not are left out."""

    product: str
    sku: str
    price: str
    currency: str
    stock: int
    ships_from: str | msgspec.UnsetType = msgspec.UNSET
    warranty_months: int | msgspec.UnsetType = msgspec.UNSET


async def query_inventory(call: Call, product: str) -> Inventory | Miss:
    """Price, stock, shipping place and warranty of one product.

    :param product: Product name or SKU as the customer wrote it.
    """
    index = await call.catalogue.index(call.caller.shop)
    match = index.find(product)
    if match is None:
        return Miss("product_not_found")
    if not isinstance(match, Found):
        return Miss("ambiguous_product", _candidates(call, match.entries))
    query = select(Product).where(Product.shop == call.caller.shop, Product.sku == match.entry.sku)
    async with call.database.connect() as connection:
        row = (await connection.execute(query)).one_or_none()
    if row is None:
        return Miss("product_not_found")
    return Inventory(
        product=call.name(row.name_zh, row.name_en),
        sku=row.sku,
        price=f"{row.price:.2f}",
        currency=row.currency,
        stock=row.stock,
        ships_from=row.ships_from or msgspec.UNSET,
        warranty_months=msgspec.UNSET if row.warranty_months is None else row.warranty_months,
    )


def _candidates(call: Call, entries: tuple[Entry, ...]) -> list[str]:
    """Names to choose from; where two are the same, the SKU tells them apart."""
    names = [call.name(entry.name_zh, entry.name_en) for entry in entries]
    times = Counter(names)
    return [
        name if times[name] == 1 else f"{name} ({entry.sku})"
        for name, entry in zip(names, entries, strict=True)
    ]

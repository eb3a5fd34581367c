"""Keeps each shop's name index up to date with the database, version by version."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence

import msgspec
from sqlalchemy import Row, select

from services.tools.catalogue.index import Entry, NameIndex
from services.tools.db.engine import Database
from services.tools.db.models import Catalogue, Product

_SHOPS = 64  # indexes kept in memory; the least recently used goes first


class CatalogueStore:
    """Name indexes by shop, rebuilt when an import has raised the catalogue's version."""

    def __init__(self, database: Database, *, on_build: Callable[[float], None]) -> None:
        self._database = database
        self._on_build = on_build
        self._indexes: OrderedDict[str, NameIndex] = OrderedDict()
        self._building: dict[str, asyncio.Lock] = {}

    async def index(self, shop: str) -> NameIndex:
        """Return the shop's index as of now; raises Unavailable if the database does not answer."""
        version = await self._version(shop)
        if (index := self._current(shop, version)) is not None:
            return index
        # One builder a shop; the others wait for it instead of doing the same work.
        async with self._building.setdefault(shop, asyncio.Lock()):
            version = await self._version(shop)
            if (index := self._current(shop, version)) is not None:
                return index
            if version == 0:
                # Never imported: nothing to keep, so made-up shop names cost no memory.
                self._building.pop(shop, None)
                return NameIndex(0, ())
            return await self._build(shop, version)

    def _current(self, shop: str, version: int) -> NameIndex | None:
        index = self._indexes.get(shop)
        if index is None or index.version != version:
            return None
        self._indexes.move_to_end(shop)
        return index

    async def _version(self, shop: str) -> int:
        async with self._database.connect() as connection:
            version = await connection.scalar(
                select(Catalogue.version).where(Catalogue.shop == shop)
            )
        return version or 0

    async def _build(self, shop: str, version: int) -> NameIndex:
        # The version is read before the names: an import in between makes this index newer than
        # it says, and the next request builds it again. The other order could miss an import.
        async with self._database.connect() as connection:
            rows = (
                await connection.execute(
                    select(Product.sku, Product.name_zh, Product.name_en)
                    .where(Product.shop == shop)
                    .order_by(Product.sku)
                )
            ).all()
        started = time.perf_counter()
        index = await asyncio.to_thread(_index_of, version, rows)
        self._on_build(time.perf_counter() - started)
        self._indexes[shop] = index
        self._indexes.move_to_end(shop)
        while len(self._indexes) > _SHOPS:
            dropped, _ = self._indexes.popitem(last=False)
            self._building.pop(dropped, None)
        return index


def _index_of(version: int, rows: Sequence[Row[str, str, str]]) -> NameIndex:
    return NameIndex(version, (Entry(*row) for row in rows))


class CatalogueProduct(msgspec.Struct):
    """A product as GET /v1/catalogue lists it."""

    sku: str
    names: tuple[str, ...]


class CatalogueView(msgspec.Struct):
    """Body of GET /v1/catalogue."""

    version: int
    products: list[CatalogueProduct]


def view(index: NameIndex) -> CatalogueView:
    """Show the shop's catalogue as callers see it."""
    return CatalogueView(
        index.version, [CatalogueProduct(entry.sku, entry.names) for entry in index.entries]
    )

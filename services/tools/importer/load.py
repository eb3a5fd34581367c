"""Takes a shop's files into the database: all of them, or nothing.

Rows are staged in temporary tables and merged by the database, so memory does not grow with the
files, and what only the whole can tell (an order twice, an item of no order) is asked in SQL.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from sqlalchemy import BindParameter, bindparam, text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.tools.db.engine import write_transaction
from services.tools.db.types import UtcDateTime, to_minor_units, utc_text
from services.tools.errors import ImportFailed
from services.tools.importer.files import (
    ITEMS,
    MAX_PROBLEMS,
    ORDERS,
    PRODUCTS,
    FileKind,
    Problem,
    Problems,
    Record,
    read,
)
from services.tools.settings import DatabaseSettings

Progress = Callable[[FileKind, int], None]

_COLUMN_TYPES = {
    "line": "BIGINT",
    "price": "NUMERIC(14, 2)",
    "total": "NUMERIC(14, 2)",
    "unit_price": "NUMERIC(14, 2)",
    "stock": "INTEGER",
    "quantity": "INTEGER",
    "warranty_months": "INTEGER",
    "placed_at": "TIMESTAMPTZ",
    "updated_at": "TIMESTAMPTZ",
}
_KEYS = {"products": ("sku", "sku"), "orders": ("order_key", "order_id")}


class RefusedRows(ImportFailed):
    """Rows were bad; nothing of the run was kept."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Report:
    """What an import did.

    Attributes:
        rows: rows taken in, by kind of file.
        version: the shop's catalogue version after it.

    """

    rows: Mapping[str, int]
    version: int


async def load(
    settings: DatabaseSettings, shop: str, files: Mapping[FileKind, Path], progress: Progress
) -> Report:
    """Take the files in, in one transaction.

    Products and orders that the shop has already are updated; the items of an order that the
    items file names are replaced as a whole. Raises RefusedRows if any row is bad.
    """
    async with write_transaction(settings, lock=f"import:{shop}") as connection:
        return await _Run(connection, settings, shop, files, progress).do()


class _Run:
    def __init__(
        self,
        connection: AsyncConnection,
        settings: DatabaseSettings,
        shop: str,
        files: Mapping[FileKind, Path],
        progress: Progress,
    ) -> None:
        self._connection = connection
        self._sqlite = settings.is_sqlite
        self._shop = shop
        self._files = files
        self._progress = progress
        self._problems = Problems()

    async def do(self) -> Report:
        kinds = [kind for kind in (PRODUCTS, ORDERS, ITEMS) if kind in self._files]
        rows = {kind.table: await self._stage(kind) for kind in kinds}
        self._stop_if_bad()
        for kind in kinds:
            if kind.table in _KEYS:
                await self._find_repeats(kind)
        self._stop_if_bad()
        if PRODUCTS in self._files:
            await self._merge(PRODUCTS)
        if ORDERS in self._files:
            await self._merge(ORDERS)
        if ITEMS in self._files:
            await self._find_strangers()
            self._stop_if_bad()
            await self._replace_items()
        return Report(rows, await self._version(raised=PRODUCTS in self._files))

    def _stop_if_bad(self) -> None:
        if self._problems.found:
            raise RefusedRows(self._problems.found)

    async def _stage(self, kind: FileKind) -> int:
        columns = ("line", *kind.stored)
        types = ", ".join(f"{name} {self._type(name)}" for name in columns)
        await self._run(f"CREATE TEMPORARY TABLE stage_{kind.table} ({types})")
        staged = 0
        for chunk in read(
            self._files[kind], kind, self._problems, lambda done: self._progress(kind, done)
        ):
            await self._put(kind, columns, chunk)
            staged += len(chunk)
        if not self._sqlite:
            # Without figures PostgreSQL takes a staged table for a small one.
            await self._run(f"ANALYZE stage_{kind.table}")
        return staged

    def _type(self, column: str) -> str:
        if self._sqlite:
            numeric = _COLUMN_TYPES.get(column, "TEXT") not in {"TEXT", "TIMESTAMPTZ"}
            return "INTEGER" if numeric else "TEXT"
        return _COLUMN_TYPES.get(column, "TEXT")

    async def _put(self, kind: FileKind, columns: tuple[str, ...], chunk: list[Record]) -> None:
        if self._sqlite:
            marks = ", ".join("?" * len(columns))
            await self._connection.exec_driver_sql(
                f"INSERT INTO stage_{kind.table} VALUES ({marks})",  # noqa: S608 - our own names # nosec B608
                [tuple(_for_sqlite(value) for value in record) for record in chunk],
            )
            return
        raw = await self._connection.get_raw_connection()
        driver: Any = raw.driver_connection
        await driver.copy_records_to_table(f"stage_{kind.table}", records=chunk, columns=columns)

    async def _find_repeats(self, kind: FileKind) -> None:
        key, column = _KEYS[kind.table]
        found = await self._run(
            f"""SELECT s.line, s.{column} AS shown, f.first
            FROM stage_{kind.table} s JOIN (
                SELECT {key}, min(line) AS first FROM stage_{kind.table}
                GROUP BY {key} HAVING count(*) > 1
            ) f ON f.{key} = s.{key}
            WHERE s.line > f.first ORDER BY s.line LIMIT {MAX_PROBLEMS}"""  # noqa: S608 - our own names # nosec B608
        )
        for row in found:
            reason = f"{row.shown!r} is the same as on line {row.first}"
            self._problems.add(self._files[kind].name, row.line, column, reason)

    async def _find_strangers(self) -> None:
        for column, key, table in (("order_id", "order_key", "orders"), ("sku", "sku", "products")):
            found = await self._run(
                f"""SELECT s.line, s.{column} AS shown FROM stage_items s
                WHERE NOT EXISTS (
                    SELECT 1 FROM {table} t WHERE t.shop = :shop AND t.{key} = s.{key}
                ) ORDER BY s.line LIMIT {MAX_PROBLEMS}""",  # noqa: S608 - our own names # nosec B608
                shop=self._shop,
            )
            for row in found:
                reason = f"{row.shown!r} is neither in these files nor in the shop's {table}"
                self._problems.add(self._files[ITEMS].name, row.line, column, reason)

    async def _merge(self, kind: FileKind) -> None:
        key = _KEYS[kind.table][0]
        columns = ", ".join(kind.stored)
        updates = ", ".join(f"{name} = excluded.{name}" for name in kind.stored if name != key)
        # "WHERE true" keeps SQLite from reading ON CONFLICT as a join's condition.
        await self._run(
            f"""INSERT INTO {kind.table} (shop, {columns})
            SELECT CAST(:shop AS VARCHAR(64)), {columns} FROM stage_{kind.table} WHERE true
            ON CONFLICT (shop, {key}) DO UPDATE SET {updates}""",  # noqa: S608 - our own names # nosec B608
            shop=self._shop,
        )

    async def _replace_items(self) -> None:
        await self._run(
            """DELETE FROM order_items WHERE shop = :shop
            AND order_key IN (SELECT order_key FROM stage_items)""",
            shop=self._shop,
        )
        await self._run(
            """INSERT INTO order_items (shop, order_key, position, sku, quantity, unit_price)
            SELECT CAST(:shop AS VARCHAR(64)), order_key,
                row_number() OVER (PARTITION BY order_key ORDER BY line),
                sku, quantity, unit_price
            FROM stage_items""",
            shop=self._shop,
        )

    async def _version(self, *, raised: bool) -> int:
        """Catalogue version, raised if products came in: every name index is then stale."""
        if raised:
            await self._connection.execute(
                text(
                    """INSERT INTO catalogues (shop, version, updated_at) VALUES (:shop, 1, :now)
                    ON CONFLICT (shop) DO UPDATE
                    SET version = catalogues.version + 1, updated_at = excluded.updated_at"""
                ).bindparams(_now()),
                {"shop": self._shop},
            )
        found = await self._run(
            "SELECT version FROM catalogues WHERE shop = :shop", shop=self._shop
        )
        return found.scalar() or 0

    async def _run(self, statement: str, **values: Any) -> Any:
        return await self._connection.execute(text(statement), values)


def _now() -> BindParameter[datetime]:
    return bindparam("now", datetime.now(UTC), type_=UtcDateTime())


def _for_sqlite(value: Any) -> Any:
    if isinstance(value, Decimal):
        return to_minor_units(value)
    return utc_text(value) if isinstance(value, datetime) else value

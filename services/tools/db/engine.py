"""Engines for the two ways this program uses the database, and one name for its failures."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg  # type: ignore[import-untyped]
from sqlalchemy import Connection, event, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from services.tools.errors import Unavailable
from services.tools.settings import DatabaseSettings

_WRITER_CACHE_KIB = 65_536
_LOCK_WAIT_S = 120  # how long an import or migration waits for another one to finish


class Database:
    """Read side of the shop's data: short, independent queries, each on its own snapshot."""

    def __init__(self, settings: DatabaseSettings) -> None:
        self._settings = settings
        self._engine = _reader(settings)

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[AsyncConnection]:
        """Lend a connection from the pool; raises Unavailable if the database does not answer."""
        try:
            async with self._engine.connect() as connection:
                yield connection
        except (DBAPIError, PoolTimeoutError, OSError, TimeoutError, asyncpg.PostgresError) as exc:
            raise Unavailable("The shop's database does not answer; try again shortly.") from exc
        except asyncpg.InterfaceError as exc:
            raise Unavailable("The shop's database refused the connection.") from exc

    async def ping(self, timeout_s: float = 2.0) -> None:
        """Raise Unavailable unless the migrated database answers in time."""
        try:
            async with asyncio.timeout(timeout_s), self.connect() as connection:
                await connection.execute(text("SELECT version_num FROM alembic_version"))
        except TimeoutError as exc:
            raise Unavailable("The shop's database does not answer in time.") from exc

    async def close(self) -> None:
        """Close every connection."""
        await self._engine.dispose()


@asynccontextmanager
async def write_transaction(
    settings: DatabaseSettings, *, lock: str
) -> AsyncIterator[AsyncConnection]:
    """One write transaction on a connection of its own, alone among those with the same lock.

    SQLite has one writer anyway (BEGIN IMMEDIATE); on PostgreSQL an advisory lock stands for it,
    held until the transaction ends. Waits at most two minutes.
    """
    engine = _writer(settings)
    try:
        async with engine.begin() as connection:
            if not settings.is_sqlite:
                await connection.execute(text(f"SET LOCAL lock_timeout = '{_LOCK_WAIT_S}s'"))
                await connection.execute(
                    text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"),
                    {"name": f"xiaoer:{lock}"},
                )
            yield connection
    finally:
        await engine.dispose()


async def use_write_ahead_log(settings: DatabaseSettings) -> None:
    """Let SQLite's readers go on during an import. The mode stays with the file.

    Two processes may try at once; one of them is told that the file is locked, which is fine.
    """
    engine = _reader(settings)
    try:
        async with engine.connect() as connection:
            await connection.exec_driver_sql("PRAGMA journal_mode = WAL")
    except SQLAlchemyError as exc:
        if "locked" not in str(exc):
            raise
    finally:
        await engine.dispose()


def _reader(settings: DatabaseSettings) -> AsyncEngine:
    if settings.is_sqlite:
        engine = create_async_engine(
            settings.url,
            isolation_level="AUTOCOMMIT",
            skip_autocommit_rollback=True,
            pool_size=settings.pool_size,
            max_overflow=0,
            pool_timeout=settings.connect_timeout_s,
            connect_args={"timeout": settings.statement_timeout_s},
        )
        event.listen(engine.sync_engine, "connect", _configure_sqlite)
        return engine
    return create_async_engine(
        settings.url,
        isolation_level="AUTOCOMMIT",
        skip_autocommit_rollback=True,
        pool_size=settings.pool_size,
        max_overflow=0,
        pool_timeout=settings.connect_timeout_s,
        pool_pre_ping=True,
        connect_args={
            "timeout": settings.connect_timeout_s,
            "command_timeout": settings.statement_timeout_s,
            "server_settings": {"application_name": "xiaoer-tools"},
        },
    )


def _writer(settings: DatabaseSettings) -> AsyncEngine:
    if not settings.is_sqlite:
        return create_async_engine(
            settings.url,
            pool_size=1,
            max_overflow=0,
            connect_args={
                "timeout": settings.connect_timeout_s,
                "server_settings": {"application_name": "xiaoer-tools-write"},
            },
        )
    Path(settings.url.database or "").parent.mkdir(parents=True, exist_ok=True)
    engine = create_async_engine(
        settings.url, pool_size=1, max_overflow=0, connect_args={"timeout": _LOCK_WAIT_S}
    )
    event.listen(engine.sync_engine, "connect", _configure_sqlite_writer)
    event.listen(engine.sync_engine, "begin", _begin_immediate)
    return engine


def _configure_sqlite(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _configure_sqlite_writer(connection: Any, record: Any) -> None:
    # The driver must not open transactions by itself: it would leave DDL outside of them.
    connection.isolation_level = None
    _configure_sqlite(connection, record)
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA cache_size = -{_WRITER_CACHE_KIB}")
    cursor.close()


def _begin_immediate(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def is_locked(exc: BaseException) -> bool:
    """Whether the failure is another writer that did not finish while we waited."""
    cause = getattr(exc, "orig", exc)
    text_of = str(cause)
    return (isinstance(cause, sqlite3.OperationalError) and "locked" in text_of) or (
        "lock timeout" in text_of
    )

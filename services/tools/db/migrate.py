"""Brings the database to this release's schema. Safe when several replicas start at once."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection

from services.tools.db.engine import use_write_ahead_log, write_transaction
from services.tools.errors import SchemaTooNew
from services.tools.settings import DatabaseSettings

_SCRIPTS = Path(__file__).parent / "migrations"


async def migrate(settings: DatabaseSettings, revision: str = "head") -> None:
    """Upgrade to the given revision in one transaction; the second of two callers finds it done.

    Raises SchemaTooNew if the database was migrated by a newer release.
    """
    async with write_transaction(settings, lock="migrate") as connection:
        await connection.run_sync(_upgrade, revision)
    if settings.is_sqlite:
        await use_write_ahead_log(settings)


async def unmigrate(settings: DatabaseSettings, revision: str = "base") -> None:
    """Downgrade to the given revision. Drops data; for development and tests."""
    async with write_transaction(settings, lock="migrate") as connection:
        await connection.run_sync(_downgrade, revision)


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS))
    config.attributes["connection"] = connection
    return config


def _upgrade(connection: Connection, revision: str) -> None:
    try:
        command.upgrade(_config(connection), revision)
    except CommandError as exc:
        raise SchemaTooNew(
            "The database was migrated by a newer release than this one; start that release."
        ) from exc


def _downgrade(connection: Connection, revision: str) -> None:
    command.downgrade(_config(connection), revision)

import asyncio

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, text

from services.tools.db.engine import Database, write_transaction
from services.tools.db.migrate import migrate, unmigrate
from services.tools.db.models import Base
from services.tools.errors import SchemaTooNew, Unavailable
from services.tools.settings import DatabaseSettings

pytestmark = pytest.mark.integration


async def _tables(settings: DatabaseSettings) -> set[str]:
    async with write_transaction(settings, lock="test") as connection:
        return set(await connection.run_sync(lambda sync: inspect(sync).get_table_names()))


async def test_up_down_and_up_again(empty_database: DatabaseSettings) -> None:
    await migrate(empty_database)
    everything = {*Base.metadata.tables, "alembic_version"}
    assert await _tables(empty_database) == everything
    await unmigrate(empty_database)
    assert await _tables(empty_database) == {"alembic_version"}
    await migrate(empty_database)
    await migrate(empty_database)
    assert await _tables(empty_database) == everything


async def test_migrations_make_what_the_models_say(database: DatabaseSettings) -> None:
    async with write_transaction(database, lock="test") as connection:
        differences = await connection.run_sync(
            lambda sync: compare_metadata(
                MigrationContext.configure(sync, opts={"compare_type": True}), Base.metadata
            )
        )
    assert differences == []


async def test_several_replicas_start_at_once(empty_database: DatabaseSettings) -> None:
    await asyncio.gather(*(migrate(empty_database) for _ in range(4)))
    assert set(Base.metadata.tables) <= await _tables(empty_database)
    async with write_transaction(empty_database, lock="test") as connection:
        applied = await connection.execute(text("SELECT count(*) FROM alembic_version"))
    assert applied.scalar_one() == 1


async def test_a_failed_migration_leaves_nothing(empty_database: DatabaseSettings) -> None:
    async def half_way() -> None:
        async with write_transaction(empty_database, lock="migrate") as connection:
            await connection.execute(text("CREATE TABLE half (id INTEGER)"))
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        await half_way()
    assert await _tables(empty_database) == set()


async def test_a_database_from_a_newer_release_is_left_alone(database: DatabaseSettings) -> None:
    async with write_transaction(database, lock="test") as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(SchemaTooNew, match="newer release"):
        await migrate(database)


async def test_ready_only_when_migrated(empty_database: DatabaseSettings) -> None:
    database = Database(empty_database)
    with pytest.raises(Unavailable):
        await database.ping()
    await migrate(empty_database)
    await database.ping()
    await database.close()

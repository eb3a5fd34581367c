from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from services.tools.calls import Call, Caller
from services.tools.catalogue.store import CatalogueStore
from services.tools.db.engine import Database
from services.tools.settings import DatabaseSettings

MakeCall = Callable[[str | None], Call]


@pytest.fixture
async def make_call(tmp_path: Path) -> AsyncIterator[MakeCall]:
    """Calls whose tool must not need the database: there is none behind this one."""
    database = Database(
        DatabaseSettings.from_env({"DATABASE_URL": f"sqlite:///{tmp_path / 'none.db'}"})
    )
    catalogue = CatalogueStore(database, on_build=lambda _: None)

    def make(customer: str | None) -> Call:
        return Call(Caller("demo", customer, "r1"), "zh", database, catalogue)

    yield make
    await database.close()

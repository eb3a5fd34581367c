"""One parametrised database: every test here runs on SQLite and on a real PostgreSQL."""

import asyncio
import contextlib
import csv
import io
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Protocol, cast

import httpx
import jwt
import pytest
from litestar import Litestar

import services.tools
from services.tools.app import create_app
from services.tools.db.migrate import migrate
from services.tools.importer.files import ITEMS, ORDERS, PRODUCTS
from services.tools.importer.load import Report, load
from services.tools.settings import DatabaseSettings, Settings
from tests.support.postgres import Postgres, postgres_server

SECRET = "0123456789abcdef0123456789abcdef"
SAMPLE = Path(services.tools.__file__).parent / "sample"
KINDS = {kind.table: kind for kind in (PRODUCTS, ORDERS, ITEMS)}


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with postgres_server() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[DatabaseSettings]:
    """A database without any tables."""
    with contextlib.ExitStack() as stack:
        if request.param == "sqlite":
            url = f"sqlite+aiosqlite:///{tmp_path / 'data' / 'shop.db'}"
        else:
            url = stack.enter_context(request.getfixturevalue("postgres").create())
        yield DatabaseSettings.from_env({"DATABASE_URL": url})


@pytest.fixture
async def database(empty_database: DatabaseSettings) -> DatabaseSettings:
    """A migrated database without any rows."""
    await migrate(empty_database)
    return empty_database


@pytest.fixture
async def shop(database: DatabaseSettings) -> DatabaseSettings:
    """A database with the sample shop under `demo`."""
    await import_files(database, "demo", SAMPLE)
    return database


@pytest.fixture
async def postgres_shop(postgres: Postgres) -> AsyncIterator[DatabaseSettings]:
    """The sample shop on PostgreSQL, for what SQLite cannot show: its readers never wait."""
    with postgres.create() as url:
        settings = DatabaseSettings.from_env({"DATABASE_URL": url})
        await migrate(settings)
        await import_files(settings, "demo", SAMPLE)
        yield settings


async def import_files(settings: DatabaseSettings, shop: str, folder: Path) -> Report:
    """Import those of products.csv, orders.csv and items.csv that are in the folder."""
    files = {kind: folder / f"{name}.csv" for name, kind in KINDS.items()}
    found = {kind: path for kind, path in files.items() if path.exists()}
    return await load(settings, shop, found, lambda _kind, _bytes: None)


def write_csv(path: Path, rows: list[dict[str, Any]], *, bom: bool = False) -> Path:
    """Write rows under the header of the file's kind; what a row leaves out is empty."""
    output = io.StringIO()
    writer = csv.DictWriter(output, KINDS[path.stem].columns, restval="")
    writer.writeheader()
    writer.writerows(rows)
    path.write_bytes((b"\xef\xbb\xbf" if bom else b"") + output.getvalue().encode())
    return path


class Client:
    """Calls tools as the gateway does."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http

    async def call(
        self,
        tool: str,
        arguments: dict[str, Any] | None = None,
        *,
        customer: str | None = "alice",
        shop: str = "demo",
        language: str = "zh",
    ) -> httpx.Response:
        return await self.http.post(
            f"/v1/tools/{tool}",
            json=arguments or {},
            headers={"accept-language": language, "authorization": token(customer, shop)},
        )

    async def result(self, tool: str, arguments: dict[str, Any] | None = None, **who: Any) -> Any:
        response = await self.call(tool, arguments, **who)
        assert response.status_code == 200, response.text
        return response.json()


def token(customer: str | None = "alice", shop: str = "demo", **changes: Any) -> str:
    """Make an Authorization header."""
    claims = {
        "iss": "gateway", "aud": "tools", "shop": shop, "exp": int(time.time()) + 30, "jti": "r-1"
    }  # fmt: skip
    if customer is not None:
        claims["sub"] = customer
    return f"Bearer {jwt.encode(claims | changes, SECRET, 'HS256')}"


class Serve(Protocol):
    """Starts an application on a database; settings by name, `log` catches its log."""

    async def __call__(self, database: DatabaseSettings, **settings: Any) -> Client: ...


@contextlib.asynccontextmanager
async def running(app: Litestar) -> AsyncIterator[None]:
    """Hold an application's lifespan in a task of its own: pytest tears down in another one."""
    up, down = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        async with app.lifespan():
            up.set()
            await down.wait()

    task = asyncio.create_task(hold())
    waiting = asyncio.create_task(up.wait())
    await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
    try:
        yield
    finally:
        waiting.cancel()
        down.set()
        await task


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Start applications on databases; what a test started is closed after it."""
    async with contextlib.AsyncExitStack() as stack:

        async def start(database: DatabaseSettings, **settings: Any) -> Client:
            log = settings.pop("log", None) or io.StringIO()
            app = create_app(Settings(database, SECRET, **settings), log_stream=log)
            await stack.enter_async_context(running(app))
            # As in production, an error inside is an answer and not an exception out here.
            transport = httpx.ASGITransport(cast("Any", app), raise_app_exceptions=False)
            http = httpx.AsyncClient(transport=transport, base_url="http://tools", timeout=30)
            return Client(await stack.enter_async_context(http))

        yield start


@pytest.fixture
async def client(shop: DatabaseSettings, serve: Serve) -> Client:
    return await serve(shop)

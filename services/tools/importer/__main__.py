"""`python -m services.tools.importer`: load a shop's products, orders and items from CSV."""

import argparse
import asyncio
import re
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import asyncpg  # type: ignore[import-untyped]
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn
from sqlalchemy.exc import SQLAlchemyError

from services.tools.db.engine import is_locked
from services.tools.db.migrate import migrate
from services.tools.errors import ImportFailed, ToolsError
from services.tools.importer.files import ITEMS, MAX_PROBLEMS, ORDERS, PRODUCTS, FileKind
from services.tools.importer.load import RefusedRows, Report, load
from services.tools.importer.notice import NotToldError, tell_gateway
from services.tools.settings import DatabaseSettings, NoticeSettings

NOT_TOLD = 3
"""Exit code where the import is done but no gateway was told."""


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line; exits with 2 if it is unusable."""
    parser = argparse.ArgumentParser(prog="python -m services.tools.importer", description=__doc__)
    parser.add_argument("--shop", default="demo", help="the shop's id (default: demo)")
    for kind in (PRODUCTS, ORDERS, ITEMS):
        parser.add_argument(
            f"--{kind.table}",
            type=Path,
            metavar="CSV",
            help=f"columns: {','.join(kind.columns)}",
        )
    options = parser.parse_args(arguments)
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", options.shop):
        parser.error("--shop must be letters, digits, '.', '_' and '-', at most 64 of them")
    if not (options.products or options.orders or options.items):
        parser.error("name at least one file: --products, --orders, --items")
    return options


async def run(options: argparse.Namespace, settings: DatabaseSettings, console: Console) -> Report:
    """Migrate, then import with a progress bar by bytes. Raises ImportFailed."""
    given = {PRODUCTS: options.products, ORDERS: options.orders, ITEMS: options.items}
    files = {kind: path for kind, path in given.items() if path}
    for path in files.values():
        if not path.is_file():
            raise ImportFailed(f"{path}: there is no such file")
    await migrate(settings)
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TimeElapsedColumn(),
        console=console,
    ) as bars:
        tasks = {
            kind.table: bars.add_task(path.name, total=path.stat().st_size)
            for kind, path in files.items()
        }

        def progress(kind: FileKind, done: int) -> None:
            bars.update(tasks[kind.table], completed=done)

        return await load(settings, options.shop, files, progress)


def main(arguments: Sequence[str] | None = None) -> int:
    """Import and say what happened.

    Returns:
        The exit code: 0 done, 1 nothing was kept, 3 imported but no gateway could be told.

    """
    options = parse(sys.argv[1:] if arguments is None else arguments)
    console = Console(stderr=True, highlight=False)
    started = time.perf_counter()
    try:
        # Read first: what cannot be told of should not be begun.
        notice = NoticeSettings.from_env()
        report = asyncio.run(run(options, DatabaseSettings.from_env(), console))
    except RefusedRows as exc:
        for problem in exc.problems:
            console.print(str(problem), markup=False, soft_wrap=True)
        more = " (there may be more)" if len(exc.problems) == MAX_PROBLEMS else ""
        console.print(f"{len(exc.problems)} problems{more}; nothing was imported.", soft_wrap=True)
        return 1
    except ToolsError as exc:
        console.print(f"{exc}; nothing was imported.", markup=False, soft_wrap=True)
        return 1
    except (SQLAlchemyError, asyncpg.PostgresError, OSError) as exc:
        console.print(_reason(exc), markup=False, soft_wrap=True)
        return 1
    rows = ", ".join(f"{count} {table}" for table, count in report.rows.items())
    seconds = time.perf_counter() - started
    console.print(
        f"Imported {rows} into shop {options.shop} in {seconds:.1f} s "
        f"(catalogue version {report.version}).",
        soft_wrap=True,
    )
    return _tell(notice, options.shop, console)


def _tell(notice: NoticeSettings, shop: str, console: Console) -> int:
    """Tell the gateway, and say so; return the exit code."""
    try:
        url = tell_gateway(notice, shop)
    except NotToldError as exc:
        console.print(
            f"The import is done and stays, but no gateway could be told ({exc}): for up to half a "
            "minute customers may be given answers made with the old catalogue. Check GATEWAY_URL "
            "and that a gateway runs there, then import again: the same files change nothing else.",
            markup=False,
            soft_wrap=True,
        )
        return NOT_TOLD
    if url is not None:
        console.print(f"Told the gateway at {url}: no older answer is given.", soft_wrap=True)
    return 0


def _reason(exc: BaseException) -> str:
    if is_locked(exc):
        return "Another import or migration is running; nothing was imported. Try again after it."
    cause = getattr(exc, "orig", None) or exc
    return f"The database or a file cannot be used ({cause}); nothing was imported."


if __name__ == "__main__":
    sys.exit(main())

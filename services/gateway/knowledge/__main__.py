"""`python -m services.gateway.knowledge`: loads a shop's documents, shows what they lack.

`load DIR --shop SHOP` and `gaps --shop SHOP`. `REDIS_URL`, `EMBEDDINGS_URL`, `EMBEDDINGS_MODEL` and
`EMBEDDINGS_API_KEY` say where Redis and the embedder are. Exit codes of a load: 0 all loaded; 3 all
but broken files, which are named; 1 nothing was changed; 130 stopped by Ctrl-C.
"""

import argparse
import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import openai
from redis.exceptions import RedisError
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from services.gateway.embedder import Embedder, EmbedderAwayError
from services.gateway.knowledge.gaps import Gaps
from services.gateway.knowledge.loader import Loader, Report, files_in
from services.gateway.knowledge.versions import GRACE_S, LoadError
from services.gateway.sessions.redis_port import connect

REDIS_URL = "redis://127.0.0.1:6390/0"
EMBEDDINGS_URL = "http://127.0.0.1:8083/v1"
EMBEDDINGS_MODEL = "use-multilingual-3"
_TIMEOUT_S = 300.0
"""For a batch of passages; the slower model takes half a minute for one on a small machine."""
SOME_BROKEN = 3


def main(
    arguments: Sequence[str] | None = None, environment: Mapping[str, str] | None = None
) -> int:
    """Run one command; returns the exit code."""
    options = _parser().parse_args(arguments)
    console = Console(stderr=True)
    command = {"load": _load, "gaps": _gaps}[options.command]
    try:
        env = os.environ if environment is None else environment
        return asyncio.run(_connected(command, options, env, console))
    except LoadError as exc:
        console.print(str(exc), style="red", markup=False)
    except EmbedderAwayError as exc:
        console.print(f"{exc}. See EMBEDDINGS_URL.", style="red", markup=False)
    except (RedisError, OSError) as exc:
        console.print(f"Redis cannot be used: {exc}. See REDIS_URL.", style="red", markup=False)
    except KeyboardInterrupt:
        console.print("Stopped. What is left behind, the next load removes.")
        return 130
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m services.gateway.knowledge")
    commands = parser.add_subparsers(dest="command", required=True)
    load = commands.add_parser("load", help="load a folder of documents in place of those before")
    load.add_argument("folder", type=Path, help="Markdown, HTML, PDF, DOCX, CSV; sub-folders too")
    load.add_argument("--shop", required=True, help="the shop's id")
    load.add_argument(
        "--no-wait",
        action="store_true",
        help=f"leave the old documents to the next load; else they go after {GRACE_S} s",
    )
    gaps = commands.add_parser("gaps", help="what was asked and nothing answered, in 30 days")
    gaps.add_argument("--shop", required=True, help="the shop's id")
    gaps.add_argument("--most", type=int, default=20, help="how many groups to show")
    return parser


async def _connected(
    command: Any, options: argparse.Namespace, env: Mapping[str, str], console: Console
) -> int:
    """Run a command with clients of Redis and the embedder, and close them."""
    redis = connect(env.get("REDIS_URL") or REDIS_URL)
    client = openai.AsyncOpenAI(
        base_url=env.get("EMBEDDINGS_URL") or EMBEDDINGS_URL,
        # The client insists on a key; local endpoints want none.
        api_key=env.get("EMBEDDINGS_API_KEY") or "none",
        timeout=_TIMEOUT_S,
        max_retries=0,
    )
    model = env.get("EMBEDDINGS_MODEL") or EMBEDDINGS_MODEL
    try:
        return int(await command(options, redis, Embedder(client, model, print), console))
    finally:
        await client.close()
        await redis.aclose()


async def _load(
    options: argparse.Namespace, redis: Any, embedder: Embedder, console: Console
) -> int:
    if not options.folder.is_dir():
        raise LoadError(f"{options.folder} is no folder.")
    loader = Loader(redis, embedder, options.shop)
    files, _ = files_in(options.folder)
    total = sum((options.folder / path).stat().st_size for path in files)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
    )
    with Progress(*columns, TimeElapsedColumn(), console=console) as progress:
        bar = progress.add_task("reading", total=total or None)

        def done(size: int, chunks: int) -> None:
            progress.update(bar, advance=size, description=f"{chunks} chunks")

        try:
            report = await loader.load(options.folder, done)
        finally:
            progress.update(bar, completed=total)
    _tell(report, console)
    if report.old and not options.no_wait:
        console.print(
            f"Questions read the new documents from now on; the old ones go in {GRACE_S} s. "
            "(Ctrl-C leaves that to the next load.)"
        )
        await loader.remove_old()
    return SOME_BROKEN if report.broken else 0


def _tell(report: Report, console: Console) -> None:
    for path, reason in report.broken:
        console.print(f"[red]left out[/red] {escape(path)}: {escape(reason)}")
    for path in report.passed_over:
        console.print(f"not read  {escape(path)}: no Markdown, HTML, PDF, DOCX or CSV")
    rate = report.chunks / max(report.seconds, 0.001)
    console.print(
        f"{report.documents} documents, {report.chunks} chunks in {report.seconds:.1f} s "
        f"({rate:.0f} chunks/s); {report.reused} were unchanged and not embedded again."
    )


async def _gaps(
    options: argparse.Namespace, redis: Any, embedder: Embedder, console: Console
) -> int:
    found = await Gaps(redis, embedder, print).clusters(options.shop)
    if not found:
        console.print(f"Nothing was asked in vain of shop {options.shop!r} in the last 30 days.")
    for gap in found[: options.most]:
        day = datetime.fromtimestamp(gap.last_ms / 1000, UTC).date()
        print(f"{gap.asked:>4} ×  (last {day})  {gap.examples[0]}")
        for example in gap.examples[1:]:
            print(f"{'':>24}{example}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

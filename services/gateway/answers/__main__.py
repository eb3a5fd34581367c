"""`python -m services.gateway.answers hot --shop SHOP`: the most asked questions and their hits.

`REDIS_URL` says where Redis is.
"""

import argparse
import asyncio
import os
import sys
from collections.abc import Mapping, Sequence

from redis.exceptions import RedisError
from rich.console import Console

from services.gateway.answers.hot import Hot, hot_questions, tables
from services.gateway.sessions.redis_port import connect

REDIS_URL = "redis://127.0.0.1:6390/0"


def main(
    arguments: Sequence[str] | None = None, environment: Mapping[str, str] | None = None
) -> int:
    """Run the command; returns the exit code: 0 shown, 1 Redis is away."""
    options = _parser().parse_args(arguments)
    console = Console()
    env = os.environ if environment is None else environment
    try:
        questions = asyncio.run(_read(env.get("REDIS_URL") or REDIS_URL, options.shop))
    except (RedisError, OSError) as exc:
        Console(stderr=True).print(f"Redis cannot be used: {exc}. See REDIS_URL.", markup=False)
        return 1
    if not questions:
        console.print(f"No question of shop {options.shop} was asked twice in seven days.")
        return 0
    for table in tables(options.shop, questions, options.most):
        if table.row_count:
            console.print(table)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m services.gateway.answers")
    commands = parser.add_subparsers(dest="command", required=True)
    hot = commands.add_parser("hot", help="the most asked questions, and why some are never cached")
    hot.add_argument("--shop", required=True, help="the shop's id")
    hot.add_argument("--most", type=int, default=20, help="how many questions to show")
    return parser


async def _read(url: str, shop: str) -> list[Hot]:
    client = connect(url)
    try:
        return await hot_questions(client, shop)
    finally:
        await client.aclose()


if __name__ == "__main__":
    sys.exit(main())

"""What a rehearsal is told: its command line, and the environment behind it, read once."""

import argparse
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import httpx2

from services.gateway.rehearsal.errors import RehearsalError

MOST_CONCURRENT = 64
_GATEWAY = "http://127.0.0.1:8080"
_ABOUT = """Asks a running gateway a shop's past questions, and reports which it answered and from
where, which it handed over to a person, and which it could not confirm. Exits with 0 when all were
asked, 1 when they cannot be, 2 when the gateway cannot be reached, and 130 when it was stopped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """A run's options."""

    file: Path
    """CSV with the questions."""
    shop: str
    """The shop's id; customers' tokens are made out to it."""
    gateway: str
    """Base URL of the gateway."""
    key: str = field(repr=False)
    """The shop's secret key."""
    out: Path
    """Folder in which each run makes one of its own."""
    concurrency: int
    """Conversations at a time."""
    secrets_file: Path | None
    """`SHOP_SECRETS_FILE`, where it is at hand: it signs customers' tokens."""


def parse_options(arguments: Sequence[str] | None, env: Mapping[str, str] | None = None) -> Options:
    """Read the command line, and from `env` (the process's when absent) what it leaves open.

    Raises:
        RehearsalError: there is no key, or the address is none.
    """
    env = os.environ if env is None else env
    given = _parser().parse_args(arguments)
    gateway = str(given.gateway or env.get("GATEWAY_URL") or _GATEWAY).rstrip("/")
    _check_address(gateway)
    key = str(given.key or env.get("SHOP_KEY") or "").strip()
    if not key:
        raise RehearsalError(
            'There is no shop key. Give SHOP_KEY or --key; SHOP_KEY="$(make -s key)" is the local '
            "demo shop's."
        )
    if not (key.isascii() and key.isprintable()):
        raise RehearsalError("The shop key holds characters that no key has; check SHOP_KEY.")
    if not given.shop.isprintable():
        raise RehearsalError("--shop is no shop's id; it holds characters that cannot be printed.")
    secrets_file = env.get("SHOP_SECRETS_FILE", "").strip()
    return Options(
        file=given.file,
        shop=given.shop,
        gateway=gateway,
        key=key,
        out=given.out,
        concurrency=given.concurrency,
        secrets_file=Path(secrets_file) if secrets_file else None,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m services.gateway.rehearsal", description=_ABOUT
    )
    parser.add_argument(
        "file",
        type=Path,
        metavar="FILE.csv",
        help="a column question; optional conversation, customer, expected",
    )
    parser.add_argument("--shop", default="demo", help="the shop's id (default: %(default)s)")
    parser.add_argument("--gateway", help=f"base URL (default: GATEWAY_URL, then {_GATEWAY})")
    parser.add_argument("--key", help="the shop's secret key (default: SHOP_KEY)")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("reports/rehearsal"),
        help="folder of reports (default: %(default)s)",
    )
    parser.add_argument(
        "--concurrency",
        type=_concurrency,
        default=4,
        metavar="N",
        help="conversations at a time (default: %(default)s)",
    )
    return parser


def _concurrency(text: str) -> int:
    if not (text.isdecimal() and 1 <= int(text) <= MOST_CONCURRENT):
        raise argparse.ArgumentTypeError(f"must be from 1 to {MOST_CONCURRENT}")
    return int(text)


def _check_address(url: str) -> None:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
        usable = usable and "@" not in parts.netloc  # the report names the address
        httpx2.URL(url)
    except (ValueError, httpx2.InvalidURL):
        usable = False
    if not usable:
        raise RehearsalError(f"The gateway's address must start http:// or https://, not {url!r}.")

"""What an evaluation run can be told; the only module of it that reads the environment."""

import argparse
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.eval.dialogues import KINDS


class EvalError(Exception):
    """The evaluation cannot run; the message is one sentence with the remedy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvalSettings:
    """One evaluation run.

    Attributes:
        url: the gateway's root.
        key: the shop's key.
        secret: signs customer tokens (HS256).
        shop: the shop's id, which the tokens name.
        model: the model's name to clients.
        languages: which golden files.
        kinds: which kinds of dialogue; all where empty.
        only: ids to run; all where empty.
        runs: how often each dialogue is run.
        concurrency: conversations at a time.
        timeout_s: longest wait for one answer.
        out: folder for reports.
        min_calls: least share of right calls, per language.
        min_answers: least share of right answers, per language.
    """

    url: str = "http://127.0.0.1:8080"
    key: str = field(repr=False)
    secret: str = field(repr=False)
    shop: str = "demo"
    model: str = "xiaoer"
    languages: tuple[str, ...] = ("zh", "en")
    kinds: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    runs: int = 4
    concurrency: int = 8
    timeout_s: float = 60.0
    out: Path = Path("reports/eval")
    min_calls: float = 0.95
    min_answers: float = 0.90


def load(
    arguments: Sequence[str] | None = None, environ: Mapping[str, str] | None = None
) -> EvalSettings:
    """Read the command line, the environment and the secrets that `make run` keeps.

    Raises:
        EvalError: no key or secret was found, or an option makes no sense.
    """
    env = os.environ if environ is None else environ
    options = _parser().parse_args(arguments)
    kinds = _list(options.kind)
    if unknown := set(kinds) - set(KINDS):
        raise EvalError(f"--kind {sorted(unknown)} is not known; use some of {', '.join(KINDS)}.")
    if unknown := set(_list(options.language)) - {"zh", "en"}:
        raise EvalError(f"--language {sorted(unknown)} is not known; use zh, en or zh,en.")
    if options.runs < 1 or options.concurrency < 1:
        raise EvalError("--runs and --concurrency must be at least 1.")
    secrets = Path(env.get("DATA_DIR") or "data") / "secrets"
    return EvalSettings(
        url=options.url.rstrip("/"),
        key=options.key
        or env.get("EVAL_KEY")
        or _kept(secrets / "demo-shop.key", "--key or EVAL_KEY"),
        secret=options.secret
        or env.get("EVAL_CUSTOMER_SECRET")
        or _signing_secret(secrets / "shops.json", options.shop),
        shop=options.shop,
        model=options.model,
        languages=_list(options.language),
        kinds=kinds,
        only=_list(options.only),
        runs=options.runs,
        concurrency=options.concurrency,
        timeout_s=options.timeout,
        out=options.out,
        min_calls=options.min_calls,
        min_answers=options.min_answers,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.eval",
        description="Runs the golden dialogues against a running gateway and grades the answers.",
    )
    add = parser.add_argument
    add("--url", default="http://127.0.0.1:8080", help="the gateway (default: %(default)s)")
    add("--key", help="the shop's key (default: EVAL_KEY, then DATA_DIR/secrets/demo-shop.key)")
    add(
        "--secret",
        help="signs customer tokens (default: EVAL_CUSTOMER_SECRET, then DATA_DIR/secrets)",
    )
    add("--shop", default="demo", help="the shop the tokens name (default: %(default)s)")
    add("--model", default="xiaoer", help="the model's name to clients (default: %(default)s)")
    add("--language", default="zh,en", help="zh, en or both (default: %(default)s)")
    add("--kind", default="", help="kinds of dialogue, by comma (default: all)")
    add("--only", default="", help="ids of dialogues, by comma (default: all)")
    add("--runs", type=int, default=4, help="how often each is run (default: %(default)s)")
    add("--concurrency", type=int, default=8, help="conversations at a time (default: %(default)s)")
    add("--timeout", type=float, default=60.0, help="seconds for one answer (default: %(default)s)")
    add("--out", type=Path, default=Path("reports/eval"), help="reports (default: %(default)s)")
    add("--min-calls", type=float, default=0.95, help="least share of right calls (%(default)s)")
    add(
        "--min-answers", type=float, default=0.90, help="least share of right answers (%(default)s)"
    )
    return parser


def _list(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _signing_secret(file: Path, shop: str) -> str:
    instead = "--secret or EVAL_CUSTOMER_SECRET"
    try:
        rules = json.loads(_kept(file, instead))[shop]["customer_tokens"]
        secret: str = rules["secrets"][0]
    except (ValueError, LookupError, TypeError) as exc:
        raise EvalError(
            f"{file} holds no secret that signs customer tokens of {shop!r}; give {instead}."
        ) from exc
    return secret


def _kept(file: Path, instead: str) -> str:
    try:
        text = file.read_text("utf-8").strip()
    except OSError as exc:
        raise EvalError(
            f"{file} cannot be read ({exc.strerror}); start the stack with make run, set DATA_DIR "
            f"to its data folder, or give {instead}."
        ) from exc
    if not text:
        raise EvalError(f"{file} is empty; give {instead}.")
    return text

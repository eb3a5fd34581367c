"""`python -m tests.eval.cache [development|test]`: which questions the cache takes for one.

Exits with 1 where two different questions were taken for one, or fewer than 70% of a language's
paraphrases were found. `--sweep` shows what each threshold of similarity would do; `--misses` lists
the pairs that went wrong.
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from services.inference.embedder.models import load
from tests.eval.cache.pairs import MODELS, Outcome, Pair, load_pairs, play
from tests.support.redis_server import RedisServer

LEAST_HIT_RATE = 0.70
STEPS = tuple(step / 20 for step in range(20))


def main() -> int:
    """Play a split with either embedder; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.eval.cache", description=__doc__)
    parser.add_argument("split", nargs="?", choices=("development", "test"), default="test")
    parser.add_argument("--sweep", action="store_true", help="hits by threshold of similarity")
    parser.add_argument("--misses", action="store_true", help="list the pairs that went wrong")
    parser.add_argument("--model", choices=MODELS, action="append", help="only this embedder")
    options = parser.parse_args()
    console = Console()
    try:
        pairs = load_pairs(options.split)
    except FileNotFoundError as exc:
        console.print(f"{exc.filename}: there is no such split here.", markup=False)
        return 2
    good = True
    with tempfile.TemporaryDirectory() as folder, RedisServer(Path(folder), search=True) as server:
        for name in options.model or MODELS:
            outcomes = asyncio.run(play(server.url, pairs, load(name), gate_only=options.sweep))
            console.print(sweep(name, outcomes) if options.sweep else table(name, outcomes))
            if options.misses:
                wrong = [one for one in outcomes if one.hit != one.pair.same]
                for one in wrong:
                    what = "FALSE HIT" if one.hit else "miss"
                    first, second = one.pair.first, one.pair.second
                    console.print(f"{what} {one.pair.id}: {first} | {second}", markup=False)
            good = good and acceptable(outcomes)
    return 0 if good or options.sweep else 1


def acceptable(outcomes: Sequence[Outcome]) -> bool:
    """Tell whether nothing was confused and enough was found."""
    if any(one.hit and not one.pair.same for one in outcomes):
        return False
    rates = [_rate(outcomes, language) for language in ("zh", "en")]
    return all(rate >= LEAST_HIT_RATE for rate in rates)


def _rate(outcomes: Sequence[Outcome], language: str) -> float:
    same = [one for one in outcomes if one.pair.same and one.pair.language == language]
    return sum(one.hit for one in same) / len(same) if same else 1.0


def table(model: str, outcomes: Sequence[Outcome]) -> Table:
    """Return hits and false hits by language and kind."""
    costs = [one.cost_ms for one in outcomes]
    shown = Table(
        title=f"{model}: {statistics.mean(costs):.2f} ms a question (worst {max(costs):.1f} ms), "
        "embedding included"
    )
    for column in ("language", "kind"):
        shown.add_column(column)
    for column in ("pairs", "hits", "same words", "false hits", "hit rate"):
        shown.add_column(column, justify="right")
    groups: dict[tuple[str, str], list[Outcome]] = {}
    for one in outcomes:
        groups.setdefault((one.pair.language, one.pair.kind), []).append(one)
    for (language, kind), group in sorted(groups.items(), key=lambda item: _order(item[1][0].pair)):
        hits = [one for one in group if one.hit]
        false = sum(not one.pair.same for one in hits)
        same = [one for one in group if one.pair.same]
        rate = f"{sum(one.hit for one in same) / len(same):.1%}" if same else ""
        exact = str(sum(one.exact for one in hits))
        shown.add_row(language, kind, str(len(group)), str(len(hits)), exact, str(false), rate)
    return shown


def _order(pair: Pair) -> tuple[bool, str, str]:
    return not pair.same, pair.language, pair.kind


def sweep(model: str, outcomes: Sequence[Outcome]) -> Table:
    """Return what each threshold would let through, of the pairs whose words agree and of all."""
    shown = Table(title=f"{model}: least similarity")
    for column in ("at least", "zh hit rate", "en hit rate", "false hits", "by similarity alone"):
        shown.add_column(column, justify="right")
    for least in STEPS:
        passed = [one for one in outcomes if one.hit and (one.exact or one.similarity >= least)]
        rates = []
        for language in ("zh", "en"):
            same = [one for one in outcomes if one.pair.same and one.pair.language == language]
            found = sum(one in passed for one in same)
            rates.append(f"{found / len(same):.1%}" if same else "")
        false = sum(not one.pair.same for one in passed)
        alone = sum(not one.pair.same and one.similarity >= least for one in outcomes)
        shown.add_row(f"{least:.2f}", *rates, str(false), str(alone))
    return shown


if __name__ == "__main__":
    sys.exit(main())

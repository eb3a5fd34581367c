"""`python -m tests.eval.knowledge [development|test]`: how often the right section is found.

`scale` in its place loads 100,000 synthetic chunks and measures that.
"""

import argparse
import asyncio
import statistics
import sys

from rich.console import Console
from rich.table import Table

from tests.eval.knowledge import questions, scale
from tests.eval.knowledge.measure import Asked, Measured, measure, share

MODELS = ("use-multilingual-3", "multilingual-e5-small-q4")
WANTED = 0.95


def main() -> int:
    """Run; returns 1 when the first embedder finds less than wanted."""
    parser = argparse.ArgumentParser(prog="python -m tests.eval.knowledge")
    parser.add_argument("what", nargs="?", choices=("development", "test", "scale"), default="test")
    parser.add_argument("--model", action="append", choices=MODELS, help="default: both")
    parser.add_argument("--chunks", type=int, default=100_000, help="of `scale`")
    parser.add_argument("--misses", action="store_true", help="name the questions not found")
    options = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 150)
    if options.what == "scale":
        return scale.main(options.chunks, console)
    asked = questions.load(options.what)
    recalls = []
    for name in options.model or MODELS:
        measured = asyncio.run(measure(name, asked))
        console.print(_table(measured))
        console.print(_speed(measured), highlight=False)
        if options.misses:
            for one in measured.asked:
                if not one.right:
                    found = ", ".join(passage.document for passage in one.passages)
                    console.print(
                        f"  {one.question.id} {one.question.text} | {found}", markup=False
                    )
        recalls.append(measured.recall)
    if recalls[0] < WANTED:
        console.print(f"Found {recalls[0]:.1%}; {WANTED:.0%} is wanted.", style="red")
        return 1
    return 0


def _table(measured: Measured) -> Table:
    table = Table(title=measured.model)
    for name in ("language", "kind", "n", "at 3", "all", "even", "odd", "no synonyms", "chars"):
        table.add_column(name, justify="left" if name in {"language", "kind"} else "right")
    groups: dict[tuple[str, str], list[int]] = {}
    for place, one in enumerate(measured.asked):
        question = one.question
        kind = question.kind if question.sections else f"{question.kind}, no answer"
        groups.setdefault((question.language, kind), []).append(place)
        if question.sections:
            groups.setdefault(("both", "with an answer"), []).append(place)
    for (language, kind), places in sorted(groups.items()):
        asked = [measured.asked[place] for place in places]
        plain = [measured.plain[place] for place in places]
        table.add_row(
            *(language, kind, str(len(asked))),
            *(f"{share([one.right_at_3 for one in part]):.1%}" for part in (asked,)),
            f"{share([one.right for one in asked]):.1%}",
            *(f"{_half(asked, even=even):.1%}" for even in (True, False)),
            f"{share([one.right for one in plain]):.1%}",
            f"{statistics.fmean(_chars(one) for one in asked):.0f}",
        )
    return table


def _half(asked: list[Asked], *, even: bool) -> float:
    return share([one.right for one in asked if one.question.even == even])


def _chars(one: Asked) -> int:
    return sum(len(passage.text) for passage in one.passages)


def _speed(measured: Measured) -> str:
    took = sorted(one.ms for one in measured.asked)
    return (
        f"{measured.ms_per_vector:.1f} ms to embed a question, {statistics.median(took):.1f} ms to "
        f"find (p99 {took[int(len(took) * 0.99)]:.1f}); {measured.ms_per_chunk:.1f} ms to load a "
        "chunk"
    )


if __name__ == "__main__":
    sys.exit(main())

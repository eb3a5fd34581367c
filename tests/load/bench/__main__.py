"""`python -m tests.load.bench`: what the gateway adds to a model call.

Starts everything it needs on free ports, over a fast fake model. With --real it measures the
running local stack instead: tokens a second through it over raw vLLM's.
"""

import argparse
import json
import math
import pstats
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import uvloop
from rich.console import Console
from rich.table import Table

from deploy.local.errors import LocalError
from tests.load.bench import compare, real
from tests.load.bench.measure import Case
from tests.load.bench.rig import RigError, add_litellm, rig
from tests.load.bench.tables import (
    real_table,
    real_verdicts,
    share,
    stage_verdicts,
    stages_table,
)
from tests.load.report import machine, write_html
from tests.load.target import TargetError
from tests.support.fast_model import CHUNKS

NO_LITELLM = "LiteLLM not installed: row left out"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the bench; returns 0, 1 when a request failed, 2 when it could not be run."""
    options = _parser().parse_args(arguments)
    say = Console(soft_wrap=True, highlight=False, markup=False).print
    about = machine()
    say(f"{about['cores']} cores, load average {about['load_average_before']}")
    if about["load_average_before"][0] > 1:
        say("Something else is running here: figures will be worse than the machine can do.")
    try:
        run = _real(options, say) if options.real else _stages(options, say)
        table, lines, figures, failures = uvloop.run(run)
    except (RigError, TargetError, LocalError, OSError) as exc:
        print(f"error: {exc}", file=sys.stderr)
        return 2
    _keep(options.out, {**about, **figures}, table, lines)
    return 1 if failures else 0


Outcome = tuple[Table, list[str], dict[str, Any], int]


async def _stages(options: argparse.Namespace, say: Any) -> Outcome:
    """Compare the stages over the fake model."""
    cases = [
        Case(streamed, connections)
        for streamed in (False, True)
        for connections in options.connections
    ]
    lines = []
    with tempfile.TemporaryDirectory(prefix="xiaoer-bench-") as folder:
        async with rig(Path(folder), say, options.profile) as made:
            litellm = await add_litellm(made, options.litellm_python)
            if litellm is None:
                lines.append(NO_LITELLM)
            if made.cores.proxy:
                own, rest = (",".join(map(str, sorted(x))) for x in _sets(made.cores))
                say(f"the gateway has core {own} to itself; all else shares core {rest}")
            found = compare.stages(made, litellm)
            tallies = await compare.measure(found, cases, options.rounds, options.seconds, say)
    if options.profile is not None:
        _show_profile(options.profile)
    failures = sum(tally.failures for stages in tallies.values() for tally in stages.values())
    figures = {
        "stages": {
            case.name: {name: tally.as_json(CHUNKS) for name, tally in stages.items()}
            for case, stages in tallies.items()
        }
    }
    lines += stage_verdicts(tallies)
    return stages_table(tallies, CHUNKS), lines, figures, failures


async def _real(options: argparse.Namespace, say: Any) -> Outcome:
    """Compare the running stack with its own vLLM."""
    results = await real.compare(real.find_place(), options.rounds, options.repeats, say)
    figures = {
        ("streamed" if streamed else "plain"): {
            "ratio": share(sides),
            **{
                name: {"tokens": side.tokens, "tokens_per_s": side.tokens_per_s}
                for name, side in sides.items()
            },
        }
        for streamed, sides in results.items()
    }
    failures = sum(
        sum(side.wrong.values()) for sides in results.values() for side in sides.values()
    )
    return real_table(results), real_verdicts(results), {"real": figures}, failures


def _sets(cores: Any) -> tuple[frozenset[int], frozenset[int]]:
    return cores.proxy, cores.rest


def _show_profile(path: Path) -> None:
    stats = pstats.Stats(str(path))
    stats.sort_stats("tottime").print_stats(25)
    stats.sort_stats("cumulative").print_stats("services/gateway", 25)


def _keep(out: Path, figures: dict[str, Any], table: Table, lines: list[str]) -> None:
    console = Console(width=160, highlight=False, markup=False)
    console.print(table)
    for line in lines:
        console.print(line)
    folder = out / time.strftime("%Y%m%d-%H%M%S")
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(_plain(figures), indent=2, ensure_ascii=False)
    (folder / "figures.json").write_text(text + "\n", "utf-8")
    write_html(folder / "index.html", [table], lines)
    console.print(f"kept in {folder}")


def _plain(value: Any) -> Any:
    """Round numbers; JSON has no NaN."""
    if isinstance(value, float):
        return None if math.isnan(value) else round(value, 4)
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list) else value


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.load.bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=4, help="of each measurement (4)")
    parser.add_argument("--seconds", type=float, default=2.0, help="of each, each round (2)")
    parser.add_argument(
        "--connections", type=int, nargs="+", default=[1, 8, 32], help="side by side (1 8 32)"
    )
    parser.add_argument(
        "--litellm-python",
        default=sys.executable,
        metavar="PYTHON",
        help="a Python that has LiteLLM's proxy (default: this one)",
    )
    parser.add_argument("--profile", type=Path, metavar="FILE", help="cProfile of the gateway")
    parser.add_argument("--real", action="store_true", help="the running stack over raw vLLM")
    parser.add_argument("--repeats", type=int, default=2, help="of each prompt, with --real (2)")
    parser.add_argument("--out", type=Path, default=Path("reports/bench"), help="report folder")
    return parser


if __name__ == "__main__":
    sys.exit(main())

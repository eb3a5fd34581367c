"""The bench's tables and verdicts."""

import math
from collections.abc import Mapping

from rich.table import Table

from tests.load.bench.measure import Case, Tally, added
from tests.load.bench.real import AIM_SHARE, RAW, STACK, Side

AIM_ADDED_MS = 2.0
"""What the gateway may add to the median of a plain request at one connection."""
AIM_PER_CORE = 400.0
"""Plain requests a second, with sessions and one model call each, on one core."""
_BASE = "router"


def ms(value: float) -> str:
    """Return milliseconds for a table."""
    return "-" if math.isnan(value) else f"{value:.2f}"


def stages_table(tallies: Mapping[Case, Mapping[str, Tally]], chunks: int) -> Table:
    """Return what each stage does, and what it adds to the router below it."""
    table = Table(title="Over an instant model (ms; added and ratio: over the router)")
    table.add_column("case", no_wrap=True)
    table.add_column("through", no_wrap=True)
    names = ("requests", "failures", "p50", "p99", "added p50", "added p99", "first p50", "per s")
    for name in (*names, "chunks/s", "ratio", "CPU ms", "per core-s"):
        table.add_column(name, justify="right")
    for case, stages in tallies.items():
        for index, (stage, tally) in enumerate(stages.items()):
            more = ["-", "-", "-"]
            if stage not in {"fake", _BASE}:
                over = added(tally, stages[_BASE])
                more = [ms(over.p50_ms), ms(over.p99_ms), f"{over.rate_share:.3f}"]
            table.add_row(
                case.name if index == 0 else "",
                stage,
                str(len(tally.full_s)),
                str(tally.failures),
                ms(tally.p_ms(0.5)),
                ms(tally.p_ms(0.99)),
                *more[:2],
                ms(tally.first_ms(0.5)),
                f"{tally.per_s:.0f}",
                f"{tally.per_s * chunks:.0f}" if case.streamed else "-",
                more[2],
                ms(tally.cpu_ms) if tally.cpu_s else "-",
                f"{tally.per_core_s:.0f}" if tally.cpu_s else "-",
                style="bold red" if tally.failures else "",
            )
        table.add_section()
    return table


def stage_verdicts(tallies: Mapping[Case, Mapping[str, Tally]]) -> list[str]:
    """Return what the figures say of the aims, and of the generator."""
    lines = []
    one = Case(streamed=False, connections=1)
    if one in tallies:
        over = added(tallies[one]["gateway"], tallies[one][_BASE])
        lines.append(
            f"aim of ≤ {AIM_ADDED_MS:g} ms added to the median at one connection: "
            f"{_met(over.p50_ms <= AIM_ADDED_MS)}, {over.p50_ms:.2f} ms"
        )
    plain = [stages for case, stages in tallies.items() if not case.streamed]
    if plain:
        best = max(plain, key=lambda stages: stages["gateway"].per_s)["gateway"]
        lines.append(
            f"aim of ≥ {AIM_PER_CORE:g} plain requests/s on one core: "
            f"{_met(best.per_s >= AIM_PER_CORE)}, {best.per_s:.0f}/s "
            f"(by CPU time {best.per_core_s:.0f} per core-second)"
        )
        ceiling = max(stages["fake"].per_s for stages in plain)
        share = best.generator_s / best.elapsed_s if best.elapsed_s else 0.0
        lines.append(
            f"the generator's own ceiling, straight to the fake: {ceiling:.0f} plain requests/s; "
            f"while it measured the gateway it used {share:.0%} of a core"
        )
    for case, stages in tallies.items():
        for name, tally in stages.items():
            lines += [f"{case.name} {name}: {n} × {what}" for what, n in tally.wrong.items()]
    return lines


def real_table(results: Mapping[bool, Mapping[str, Side]]) -> Table:
    """Return tokens a second on both sides, and their ratio."""
    table = Table(title="Tokens a second, the same prompts, 8 at a time")
    for name in ("answers", "through"):
        table.add_column(name, no_wrap=True)
    for name in ("requests", "failures", "tokens", "tokens/s", "ratio"):
        table.add_column(name, justify="right")
    for streamed, sides in results.items():
        for name, side in sides.items():
            ratio = "" if name == RAW else f"{share(sides):.3f}"
            table.add_row(
                ("streamed" if streamed else "plain") if name == RAW else "",
                name,
                str(side.requests),
                str(sum(side.wrong.values())),
                str(side.tokens),
                f"{side.tokens_per_s:.1f}",
                ratio,
            )
    return table


def real_verdicts(results: Mapping[bool, Mapping[str, Side]]) -> list[str]:
    """Return what the ratios say of the aim."""
    lines = []
    for streamed, sides in results.items():
        kind = "streamed" if streamed else "plain"
        value = share(sides)
        lines.append(
            f"aim of ≥ {AIM_SHARE} of raw vLLM's tokens/s, {kind}: "
            f"{_met(value >= AIM_SHARE)}, {value:.3f}"
        )
        for name, side in sides.items():
            lines += [f"{kind} {name}: {n} × {what}" for what, n in side.wrong.items()]
    return lines


def share(sides: Mapping[str, Side]) -> float:
    """Return the whole stack's rate as a share of raw vLLM's."""
    raw = sides[RAW].tokens_per_s
    return sides[STACK].tokens_per_s / raw if raw else float("nan")


def _met(good: bool) -> str:
    return "met" if good else "missed"

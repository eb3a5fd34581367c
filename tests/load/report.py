"""Tables, JSON and HTML of a load run."""

import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.load.figures import Row, Times
from tests.load.resources import Usage

AIM_MEAN_S = 1.5
"""One user, no load, a question that needs a tool: the mean to aim at."""


def seconds(value: float | None) -> str:
    """Return a time for a table: three digits are as much as repeats agree on."""
    if value is None:
        return "-"
    return f"{value:.3f}" if value < 10 else f"{value:.1f}"


def figures_table(rows: Sequence[Row]) -> Table:
    """Return the table of all scenarios: time to first token and full time as rows of their own."""
    table = Table(title="Load on the gateway (times in seconds, of answered requests)")
    table.add_column("scenario", no_wrap=True)
    table.add_column("time", no_wrap=True)
    for name in ("requests", "failures", "429", "degraded", "with tool", "per s"):
        table.add_column(name, justify="right")
    for name in ("mean", "p50", "p95", "p99", "max"):
        table.add_column(name, justify="right")
    for row in rows:
        name = f"{row.scenario} {row.group}".strip()
        counts = [str(n) for n in (row.requests, row.failures, row.busy, row.degraded)]
        counts += [str(row.with_tool), f"{row.per_s:.2f}"]
        style = "bold red" if row.failures else ""
        table.add_row(name, "first token", *counts, *_cells(row.ttft), style=style)
        table.add_row("", "full", *counts, *_cells(row.full), style=style)
        if row.asked is not None:
            table.add_row("", "full, with retries", *counts, *_cells(row.asked), style=style)
        table.add_section()
    return table


def usage_table(usage: Mapping[str, Sequence[Usage]]) -> Table:
    """Return the table of what each service cost in each scenario."""
    table = Table(title="Cost of each service (CPU of one core; memory of the whole process tree)")
    for name in ("scenario", "service"):
        table.add_column(name, no_wrap=True)
    for name in ("CPU s", "CPU %", "peak RSS MiB", "processes"):
        table.add_column(name, justify="right")
    for scenario, services in usage.items():
        for index, one in enumerate(services):
            table.add_row(
                scenario if index == 0 else "",
                one.service,
                f"{one.cpu_s:.2f}",
                f"{one.cpu_percent:.1f}",
                f"{one.peak_rss_mib:.0f}",
                str(one.processes),
            )
        table.add_section()
    return table


def verdicts(rows: Sequence[Row]) -> list[str]:
    """Return the sentences under the tables: the budget, and the aims met or missed."""
    failures = sum(row.failures for row in rows if not row.group)
    lines = [f"budget of 0 failures: {'kept' if failures == 0 else f'missed, {failures} failed'}"]
    for row in rows:
        for reason, count in row.failed_for.items():
            if not row.group:
                lines.append(f"  {row.scenario}: {count} × {reason}")
    for row in rows:
        if row.scenario == "one-user" and row.group and row.full.mean_s is not None:
            met = "met" if row.full.mean_s <= AIM_MEAN_S else "missed"
            lines.append(
                f"aim of a mean ≤ {AIM_MEAN_S} s, one user, {row.group}: {met}, "
                f"{row.full.mean_s:.2f} s ({row.with_tool} of {row.requests} used a tool)"
            )
    return lines


def machine() -> dict[str, Any]:
    """Return what figures depend on."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "cores": cores,
        "python": platform.python_version(),
        "system": platform.platform(),
        "load_average_before": [round(value, 2) for value in os.getloadavg()],
    }


def write_json(
    path: Path, about: Mapping[str, Any], rows: Sequence[Row], usage: Mapping[str, Sequence[Usage]]
) -> None:
    """Write every figure, rounded to a tenth of a millisecond."""
    content = {
        **about,
        "rows": [row.as_json() for row in rows],
        "usage": {name: [asdict(one) for one in services] for name, services in usage.items()},
    }
    path.write_text(json.dumps(_rounded(content), indent=2, ensure_ascii=False) + "\n", "utf-8")


def write_html(path: Path, tables: Sequence[Table], lines: Sequence[str]) -> None:
    """Write the tables as a page."""
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        console = Console(record=True, width=150, file=nowhere)
        for table in tables:
            console.print(table)
        for line in lines:
            console.print(line, markup=False, highlight=False)
        console.save_html(str(path))


def _cells(times: Times) -> list[str]:
    values = (times.mean_s, times.p50_s, times.p95_s, times.p99_s, times.max_s)
    return [seconds(value) for value in values]


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, dict):
        return {key: _rounded(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(inner) for inner in value]
    return value

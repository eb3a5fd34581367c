"""`python -m tests.load`: load the running gateway, print the figures, keep a report.

Exits with 0 when nothing failed, 1 when a request did, 2 when the load could not be run.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests.load.swarm import Played, Swarm  # first: it makes sockets cooperative  # isort: skip
from rich.console import Console

from deploy.local.errors import LocalError
from tests.load.client import ask
from tests.load.figures import Row, groups, row
from tests.load.report import (
    figures_table,
    machine,
    usage_table,
    verdicts,
    write_html,
    write_json,
)
from tests.load.resources import Usage
from tests.load.scenarios import ONE_USER_EN, ONE_USER_ZH, Scenario, new_session, scenarios
from tests.load.target import Target, TargetError, find_target

REST_S = 2.0
"""Between scenarios: what one leaves behind should not weigh on the next."""
WARM_UP_S = 120.0
NAMES = [scenario.name for scenario in scenarios(None, 1)]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the load; returns the exit status."""
    options = _parser().parse_args(arguments)
    say = Console(soft_wrap=True, highlight=False, markup=False).print
    wanted = [
        scenario
        for scenario in scenarios(options.seconds, options.questions)
        if scenario.name in (options.only or NAMES)
    ]
    try:
        target = find_target(options.url, options.key, options.token)
        _warm_up(target)
    except (TargetError, LocalError) as exc:
        print(f"error: {exc}", file=sys.stderr)
        return 2
    about = {"url": target.url, "deadline_s": options.deadline, **machine()}
    say(f"{target.url}; {about['cores']} cores, load average {about['load_average_before']}")
    if target.state_file is None:
        say("The gateway is not this data folder's: services' CPU and memory are left out.")
    folder = options.out / time.strftime("%Y%m%d-%H%M%S")
    folder.mkdir(parents=True, exist_ok=True)
    swarm = Swarm(target, options.deadline, say)
    played = {scenario.name: _play(swarm, scenario, folder) for scenario in wanted}
    return _conclude(played, about, folder)


def _play(swarm: Swarm, scenario: Scenario, folder: Path) -> Played:
    played = swarm.play(scenario)
    (folder / f"{scenario.name}.html").write_text(played.html, "utf-8")
    time.sleep(REST_S)
    return played


def _conclude(played: dict[str, Played], about: dict[str, object], folder: Path) -> int:
    """Print and keep the figures; returns the exit status."""
    rows: list[Row] = []
    for name, one in played.items():
        rows += [row(name, one.samples, group) for group in groups(one.samples)]
        rows.append(row(name, one.samples))
    usage: dict[str, list[Usage]] = {name: one.usage for name, one in played.items()}
    lines = verdicts(rows)
    lines += [
        f"{name}: the load generator failed: {x}" for name, o in played.items() for x in o.faults
    ]
    lines += [f"{name}: cut off before its end" for name, one in played.items() if one.unfinished]
    lines += [f"{name}: no answers" for name, one in played.items() if not one.samples]
    tables = [figures_table(rows), usage_table(usage)]
    write_json(folder / "figures.json", about, rows, usage)
    write_html(folder / "index.html", tables, lines)
    # Wide enough for every column, whatever the terminal or the log takes.
    console = Console(width=150, highlight=False, markup=False)
    for table in tables:
        console.print(table)
    for line in lines:
        console.print(line)
    console.print(f"kept in {folder}: index.html, figures.json, and Locust's report per scenario")
    bad = any(one.faults or one.unfinished or not one.samples for one in played.values())
    return 1 if bad or any(one.failures for one in rows) else 0


def _warm_up(target: Target) -> None:
    """Ask one question in each language; the first ones after a start fill the prefix cache."""
    for question in (ONE_USER_ZH[0], ONE_USER_EN[0]):
        caller = target.caller(signed_in=True, deadline_s=WARM_UP_S)
        sample = ask(caller, question, new_session())
        if not sample.answered:
            raise TargetError(
                f"{target.url} does not answer ({sample.failure or f'HTTP {sample.status}'}). "
                "Is it running, and are key and token its own?"
            )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.load", description=__doc__)
    parser.add_argument("--url", help="the gateway (default: the local run's)")
    parser.add_argument("--key", help="a shop's key (default: the local run's demo shop)")
    parser.add_argument("--token", help="a customer's token (default: alice's of the local run)")
    parser.add_argument("--only", action="append", choices=NAMES, help="may be repeated")
    parser.add_argument("--seconds", type=_positive, help="of each loaded scenario (60; 45)")
    parser.add_argument("--questions", type=int, default=20, help="of the one user, a language")
    parser.add_argument("--deadline", type=_positive, default=30.0, help="seconds (30)")
    parser.add_argument("--out", type=Path, default=Path("reports/load"), help="folder of reports")
    return parser


def _positive(text: str) -> float:
    value = float(text)
    if value <= 0:
        raise argparse.ArgumentTypeError("must be above 0")
    return value


if __name__ == "__main__":
    sys.exit(main())

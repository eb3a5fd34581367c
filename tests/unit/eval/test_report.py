"""Figures, thresholds and the files that are kept."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from rich.console import Console

from tests.eval import report
from tests.eval.client import Conversation
from tests.eval.dialogues import Dialogue, ExpectedCall, Turn
from tests.eval.grader import Answered, Grade, MadeCall
from tests.eval.report import Graded
from tests.eval.settings import EvalSettings

SETTINGS = EvalSettings(key="sk-test", secret="s" * 32)
CALL = ExpectedCall("list_recent_orders", {})


def graded(name: str, run: int, *, calls: bool = True, states: bool = True, **extra: str) -> Graded:
    kind = extra.get("kind", "order_list")
    turn = Turn("我的订单", (CALL,) if kind == "order_list" else ())
    dialogue = Dialogue(name, kind, extra.get("language", "zh"), "alice", (turn,))
    answered = [Answered("您有两单。", (MadeCall("list_recent_orders", {}),))]
    talk = Conversation(dialogue, run, f"session-{name}-{run}", answered, [0.5])
    reasons = [] if calls and states else ["a reason"]
    return Graded(talk, Grade(calls=calls, states=states, reasons=reasons))


@pytest.mark.parametrize(
    ("right", "runs", "k", "chance"),
    [(4, 4, 4, 1.0), (3, 4, 4, 0.0), (3, 4, 1, 0.75), (6, 8, 4, 15 / 70), (0, 4, 1, 0.0)],
)
def test_pass_power(right: int, runs: int, k: int, chance: float) -> None:
    assert report.pass_power(right, runs, k) == pytest.approx(chance)


def test_figures_of_two_dialogues_over_four_runs() -> None:
    runs = [graded("a", run) for run in range(4)]
    runs += [graded("b", run, states=run != 0) for run in range(4)]
    got = report.figures(runs)
    assert (got.dialogues, got.conversations) == (2, 8)
    assert (got.calls, got.answers, got.both) == (1.0, 0.875, 0.875)
    assert (got.pass_1, got.pass_4) == (0.875, 0.5)


def test_pass_4_takes_four_runs() -> None:
    assert report.figures([graded("a", run) for run in range(3)]).pass_4 is None


def test_languages_and_kinds_are_kept_apart() -> None:
    found = report.groups(
        [graded("a", 0), graded("b", 0, kind="talk"), graded("c", 0, language="en", calls=False)]
    )
    assert {language: list(kinds) for language, kinds in found.items()} == {
        "zh": ["order_list", "talk", "all"],
        "en": ["order_list", "all"],
    }
    assert found["zh"]["talk"].calls_needed is None
    assert (found["zh"]["all"].calls, found["en"]["all"].calls) == (1.0, 0.0)


def test_thresholds_hold_for_each_language_and_where_calls_are_needed() -> None:
    runs = [graded("t", run, kind="talk") for run in range(99)] + [graded("a", 0, calls=False)]
    missed = report.shortfalls(report.groups(runs), SETTINGS)
    assert missed == ["zh: 0.0% right calls where one is needed, and 95% are asked for"]
    english = [graded("e", 0, language="en", states=False)]
    assert report.shortfalls(report.groups([*runs[:99], *english]), SETTINGS) == [
        "en: 0.0% right answers, and 90% are asked for"
    ]


def test_files_hold_every_transcript_and_list_the_failures(tmp_path: Path) -> None:
    settings = EvalSettings(key="sk-test", secret="s" * 32, out=tmp_path, runs=2)
    runs = [graded("a", 0), graded("a", 1, states=False)]
    results, failures = report.write(runs, settings, datetime(2026, 11, 2, 10, tzinfo=UTC))
    kept = json.loads(results.read_text("utf-8"))
    assert [one["reasons"] for one in kept["conversations"]] == [[], ["a reason"]]
    assert kept["conversations"][1]["turns"][0]["calls"] == [
        {"name": "list_recent_orders", "arguments": {}}
    ]
    assert "sk-test" not in results.read_text("utf-8")
    listing = failures.read_text("utf-8")
    assert "## a (1 of 2 runs wrong)" in listing
    assert "- a reason" in listing
    assert results.parent == tmp_path / "20261102T100000Z"


def test_the_table_prints_every_row() -> None:
    console = Console(width=200, record=True, quiet=False)
    with console.capture() as captured:
        console.print(report.table(report.groups([graded("a", run) for run in range(4)])))
    assert "order_list" in captured.get()
    assert "100.0%" in captured.get()

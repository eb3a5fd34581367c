"""Tables and verdicts say what the figures say; scenarios ask what they should."""

import io
import json
import random
from itertools import islice, pairwise
from pathlib import Path

import pytest
from rich.console import Console
from rich.table import Table

from tests.load.figures import Sample, row
from tests.load.report import (
    figures_table,
    seconds,
    usage_table,
    verdicts,
    write_html,
    write_json,
)
from tests.load.resources import SELF, Meter, Reading, Usage, tree
from tests.load.scenarios import HOT_QUESTION, ONE_USER_EN, ONE_USER_ZH, hot, mixed, scenarios
from tests.load.target import Target, read_state


def sample(group: str = "", full_s: float = 1.0, **changes: object) -> Sample:
    fields: dict[str, object] = {
        "group": group,
        "status": 200,
        "started_s": 0.0,
        "ttft_s": full_s / 2,
        "full_s": full_s,
        "asked_s": full_s,
        **changes,
    }
    return Sample(**fields)  # type: ignore[arg-type]


def shown(table: Table) -> str:
    console = Console(width=160, file=io.StringIO())
    console.print(table)
    text = console.file
    assert isinstance(text, io.StringIO)
    return text.getvalue()


@pytest.mark.parametrize(
    ("value", "text"), [(None, "-"), (0.01234, "0.012"), (9.9, "9.900"), (12.34, "12.3")]
)
def test_seconds_have_three_digits(value: float | None, text: str) -> None:
    assert seconds(value) == text


def test_first_token_and_full_time_are_rows_of_their_own() -> None:
    text = shown(figures_table([row("hot-50", [sample(full_s=2.0)])]))
    lines = [line for line in text.splitlines() if "│" in line]
    assert "hot-50" in lines[0]
    assert "first token" in lines[0]
    assert "1.000" in lines[0]
    assert "full" in lines[1]
    assert "2.000" in lines[1]


def test_waits_after_a_429_have_a_third_row() -> None:
    text = shown(figures_table([row("s", [sample(status=429), sample(asked_s=7.0)])]))
    assert "full, with retries" in text
    assert "7.000" in text


def test_the_budget_counts_each_failure_once() -> None:
    samples = [sample("zh", failure="broken stream"), sample("en")]
    lines = verdicts([row("x", samples, "zh"), row("x", samples, "en"), row("x", samples)])
    assert lines[:2] == ["budget of 0 failures: missed, 1 failed", "  x: 1 × broken stream"]


@pytest.mark.parametrize(("mean_s", "word"), [(1.5, "met"), (1.51, "missed")])
def test_the_aim_for_one_user_is_judged_by_language(mean_s: float, word: str) -> None:
    (_, line) = verdicts([row("one-user", [sample("zh", mean_s)], "zh")])
    assert f"zh: {word}" in line


def test_usage_is_listed_by_service() -> None:
    text = shown(usage_table({"hot-50": [Usage("gateway", 1.5, 25.0, 80.4, 2)]}))
    assert "gateway" in text
    assert "1.50" in text
    assert "25.0" in text


def test_json_and_html_hold_the_figures(tmp_path: Path) -> None:
    found = row("hot-50", [sample(full_s=1.23456789)])
    write_json(tmp_path / "f.json", {"url": "u"}, [found], {"hot-50": [Usage("a", 1, 2, 3, 4)]})
    content = json.loads((tmp_path / "f.json").read_text("utf-8"))
    assert content["rows"][0]["full"]["p99_s"] == 1.2346
    assert content["usage"]["hot-50"][0]["service"] == "a"
    write_html(tmp_path / "i.html", [figures_table([found])], ["budget kept"])
    page = (tmp_path / "i.html").read_text("utf-8")
    assert "hot-50" in page
    assert "budget kept" in page


def test_a_tree_is_the_process_and_all_below_it() -> None:
    everything = {
        pid: Reading(pid, parent, 0.0, 1.0, 10) for pid, parent in [(1, 0), (2, 1), (3, 2), (4, 0)]
    }
    assert sorted(one.pid for one in tree(everything, 1)) == [1, 2, 3]
    assert tree(everything, 99) == []


def test_a_meter_counts_from_its_making_and_keeps_what_the_dead_had_used() -> None:
    moments = [
        [Reading(10, 1, 0.0, 5.0, 1 << 20), Reading(11, 10, 0.0, 1.0, 1 << 20)],
        [Reading(10, 1, 0.0, 6.0, 4 << 20), Reading(12, 10, 7.0, 0.5, 1 << 20)],
        [Reading(10, 1, 0.0, 6.5, 2 << 20)],
    ]
    meter = Meter(lambda: {"node-1": 10}, lambda: moments.pop(0))
    meter.sample()
    (node, _) = meter.usage()
    assert node.service == "node-1"
    assert node.cpu_s == pytest.approx(1.5 + 0.5)
    assert node.peak_rss_mib == 5
    assert node.processes == 1


def test_the_load_generator_is_measured_as_well() -> None:
    usage = {one.service: one for one in Meter(dict).usage()}
    assert usage[SELF].peak_rss_mib > 1


def test_every_scenario_of_the_budget_is_there() -> None:
    found = {scenario.name: scenario for scenario in scenarios(None, 20)}
    assert list(found) == ["one-user", "mixed", "hot-50", "hot-one-session"]
    assert found["hot-50"].users == found["hot-one-session"].users == 50
    assert found["hot-50"].seconds == 60.0
    assert all(one.seconds == 5.0 for one in scenarios(5.0, 20)[1:])


def test_hot_users_have_a_session_each_or_one_for_all() -> None:
    named = {scenario.name: scenario for scenario in scenarios(None, 20)}
    rng = random.Random(1)

    def sessions(name: str) -> set[str]:
        steps = [islice(named[name].behaviour(rng), 2) for _ in range(3)]
        return {step.session for some in steps for step in some}

    assert len(sessions("hot-50")) == 3
    assert len(sessions("hot-one-session")) == 1
    assert next(hot(rng)).text == HOT_QUESTION


def test_one_user_asks_as_many_questions_in_each_language() -> None:
    steps = list(scenarios(None, 20)[0].behaviour(random.Random(1)))
    assert [step.group for step in steps] == ["zh"] * 20 + ["en"] * 20
    assert len({step.session for step in steps}) == 40
    assert len(set(ONE_USER_ZH)) == len(set(ONE_USER_EN)) == 20


def test_mixed_users_think_and_keep_to_their_session_in_a_follow_up() -> None:
    steps = list(islice(mixed(random.Random(7)), 200))
    assert all(2.0 <= step.pause_s <= 6.0 for step in steps[1:])
    pairs = pairwise(steps)
    assert any(one.session == two.session and one.text != two.text for one, two in pairs)
    assert {any("一" <= char <= "鿿" for char in step.text) for step in steps} == {True, False}


def test_state_of_nothing_running_is_empty(tmp_path: Path) -> None:
    assert read_state(tmp_path / "run.json") == {}
    (tmp_path / "run.json").write_text('{"processes": {"gateway": 7}}')
    target = Target(url="u", key="k", token="t", state_file=tmp_path / "run.json")
    assert target.processes() == {"gateway": 7}
    assert target.caller(signed_in=False, deadline_s=1.0).token is None
    assert target.caller(signed_in=True, deadline_s=1.0).token == "t"

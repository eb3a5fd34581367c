"""Each alert fires for its case and not for the one beside it, by promtool's own evaluation."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.observability.boards import PROMETHEUS, RULES, alerts
from tests.unit.observability.promtool import checked

CASES: list[dict[str, Any]] = yaml.safe_load(
    Path(__file__).with_name("alert_cases.yaml").read_text("utf-8")
)
ALERTS = alerts()


def test_every_alert_has_cases() -> None:
    assert {case["alert"] for case in CASES} == set(ALERTS)
    assert all(case.keys() == {"alert", "fires", "quiet"} for case in CASES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["alert"])
def test_it_fires(case: dict[str, Any], tmp_path: Path) -> None:
    rule, given = ALERTS[case["alert"]], case["fires"]
    labels = given.get("labels", {})
    promtool_runs(
        tmp_path,
        case["alert"],
        given,
        [
            {
                "exp_labels": {**rule["labels"], **labels},
                "exp_annotations": {
                    "summary": given["summary"],
                    "runbook": _with_labels(rule["annotations"]["runbook"], labels),
                },
            }
        ],
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["alert"])
def test_it_does_not_fire(case: dict[str, Any], tmp_path: Path) -> None:
    promtool_runs(tmp_path, case["alert"], case["quiet"], [])


def promtool_runs(
    folder: Path, alert: str, given: dict[str, Any], expected: list[dict[str, Any]]
) -> None:
    every = given.get("every", "1m")
    test = {
        "rule_files": [str(path) for path in RULES],
        "evaluation_interval": every,
        "tests": [
            {
                "interval": every,
                "input_series": [
                    {"series": series, "values": str(values)}
                    for series, values in given["series"].items()
                ],
                "alert_rule_test": [
                    {"eval_time": given["at"], "alertname": alert, "exp_alerts": expected}
                ],
            }
        ],
    }
    path = folder / "test.yaml"
    path.write_text(yaml.safe_dump(test, allow_unicode=True), "utf-8")
    checked("promtool", "test", "rules", path)


@pytest.mark.parametrize("rule", ALERTS.values(), ids=list(ALERTS))
def test_an_alert_says_how_bad_it_is_and_what_to_do(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in {"page", "ticket"}
    assert rule["annotations"].keys() == {"summary", "runbook"}
    assert rule["annotations"]["summary"].endswith(".")
    runbook = rule["annotations"]["runbook"]
    assert runbook.endswith(".")
    assert len(runbook.split()) >= 10


def test_windows_and_factors_are_the_workbooks() -> None:
    found = {
        tuple(re.findall(r"slo_burn:(\w+) > ([\d.]+)", rule["expr"]))
        for name, rule in ALERTS.items()
        if name.startswith("SloBurn")
    }
    assert found == {
        (("1h", "14.4"), ("5m", "14.4")),
        (("6h", "6"), ("30m", "6")),
        (("1d", "3"), ("2h", "3")),
        (("3d", "1"), ("6h", "1")),
    }


@pytest.mark.parametrize("rules", RULES, ids=lambda path: path.name)
def test_promtool_accepts_the_rules(rules: Path) -> None:
    assert "SUCCESS" in checked("promtool", "check", "rules", "--lint=all", "--lint-fatal", rules)


def test_promtool_accepts_the_configuration() -> None:
    assert "SUCCESS" in checked("promtool", "check", "config", PROMETHEUS / "prometheus.yaml")


def test_amtool_accepts_the_configuration() -> None:
    assert "SUCCESS" in checked("amtool", "check-config", PROMETHEUS / "alertmanager.yaml")


@pytest.mark.parametrize(("severity", "receiver"), [("page", "pages"), ("ticket", "tickets")])
def test_alerts_are_routed_by_severity(severity: str, receiver: str) -> None:
    file = f"--config.file={PROMETHEUS / 'alertmanager.yaml'}"
    routed = checked("amtool", "config", "routes", "test", file, f"severity={severity}")
    assert routed.split() == [receiver]


def _with_labels(text: str, labels: dict[str, str]) -> str:
    return re.sub(r"\{\{ \$labels\.(\w+) \}\}", lambda found: labels[found[1]], text)

"""Each query of each dashboard gives data that moves, from a real Prometheus and real services.

Real: gateway, tools, Redis, embedder, router with the flags of `make run`, Prometheus with our
rules. The model is scripted, and the nodes' metrics are recorded from a real vLLM (node.py).
"""

import pytest

from tests.integration.observability.conftest import Watched
from tests.unit.observability.awaited import AWAITED, AWAITED_JOBS
from tests.unit.observability.boards import Target, alerts, rules, targets
from tests.unit.observability.promql import metrics

# Four steps, as Grafana takes: more would smooth half of what happens here away.
TARGETS = targets(rate_interval="4s")
# All is well with these throughout; that they change is the alerts' tests' matter.
STEADY = {"xiaoer_gateway_dependency_up", "xiaoer_gateway_redis_persistence_ok"}


def test_every_service_is_scraped(watched: Watched) -> None:
    down = {name for name, health in watched.healthy.items() if health != "up"}
    assert {name.split()[0] for name in down} == set(AWAITED_JOBS), watched.healthy
    assert len(watched.healthy) == 6


def test_every_rule_is_evaluated(watched: Watched) -> None:
    found = watched.prometheus.rules()
    assert [rule for rule in found if rule["health"] != "ok"] == []
    assert len(found) == len(rules())


@pytest.mark.parametrize("target", TARGETS, ids=str)
def test_a_query_gives_data_that_moves(watched: Watched, target: Target) -> None:
    series = watched.series(target.expr)
    if missing := metrics(target.expr) & set(AWAITED):
        assert not any(series.values()), f"{missing}: there is data; take it out of awaited.py"
        pytest.xfail(f"no service exports {', '.join(sorted(missing))} yet")
    assert any(series.values()), "no data"
    assert watched.moves(target.expr) or metrics(target.expr) <= STEADY, series


@pytest.mark.parametrize("recorded", sorted({r["record"] for r in rules() if "record" in r}))
def test_a_recording_rule_gives_both_objectives(watched: Watched, recorded: str) -> None:
    series = watched.series(recorded)
    assert {name.rpartition('"slo": "')[2].rstrip('"}') for name in series} == {
        "availability",
        "latency",
    }


def test_failures_burn_the_budget_and_call_somebody(watched: Watched) -> None:
    for slo in ("availability", "latency"):
        (burn,) = watched.series(f'xiaoer:slo_burn:5m{{slo="{slo}"}}').values()
        assert burn[-1][1] > 1, (slo, burn)
    (failures,) = watched.series('xiaoer:slo_burn:5m{slo="availability"}').values()
    assert failures[0][1] == 0, failures
    firing = watched.series(
        'ALERTS{alertstate="firing", alertname="SloBurn1h", slo="availability"}'
    )
    assert len(firing) == 1, "failures of 4 of 50 requests are for somebody now"
    (rule,) = [r for r in watched.prometheus.rules() if r["name"] == "SloBurn1h"]
    (alert,) = [one for one in rule["alerts"] if one["labels"]["slo"] == "availability"]
    assert alert["labels"] == {
        "alertname": "SloBurn1h",
        "severity": alerts()["SloBurn1h"]["labels"]["severity"],
        "slo": "availability",
    }
    assert "$" not in alert["annotations"]["runbook"]

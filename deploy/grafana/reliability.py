"""The Reliability dashboard: the two objectives, how fast their budgets burn, and what fails.

The objectives are defined in deploy/prometheus/rules/slo.yaml.
"""

from grafana_foundation_sdk.models.dashboard import Dashboard

from deploy.grafana.panels import Panel, Query, board, figure, graph

_BURNS = [(1, "yellow"), (6, "orange"), (14.4, "red")]
_FAILED = 'rate(xiaoer_gateway_requests_total{outcome!~"ok|degraded"}[$__rate_interval])'


def reliability() -> Dashboard:
    """Return the dashboard."""
    return board(
        "xiaoer-reliability",
        "Xiaoer · Reliability",
        [
            ("Objectives, over 30 days", _objectives()),
            ("Burn", [_burn("availability"), _burn("latency")]),
            ("What fails", _failures()),
            ("What is away", _away()),
        ],
    )


def _objectives() -> list[Panel]:
    found: list[Panel] = []
    for slo, goal, unit_says in (
        ("availability", "99.9 %", "requests without a 5xx, a broken stream or a missed deadline"),
        ("latency", "95 %", "streamed answers that begin within 1.5 s"),
    ):
        which = f'{{slo="{slo}"}}'
        found += [
            figure(
                f"{slo.capitalize()} (goal {goal})",
                "percentunit",
                f"1 - xiaoer:slo_burn:30d{which} * xiaoer:slo_budget:ratio{which}",
                f"Share of {unit_says}.",
            ),
            figure(
                f"{slo.capitalize()} budget left",
                "percentunit",
                f"1 - xiaoer:slo_burn:30d{which}",
                "Below 0 the objective is missed.",
                limits=[(0, "yellow"), (0.25, "green")],
                below="red",
            ),
        ]
    return found


def _burn(slo: str) -> Panel:
    return graph(
        f"{slo.capitalize()} burn",
        "short",
        *(
            Query(f'xiaoer:slo_burn:{window}{{slo="{slo}"}}', window)
            for window in ("5m", "1h", "6h", "3d")
        ),
        says="How many times faster than allowed the budget goes. Somebody is called at 14.4 for "
        "an hour or 6 for six; 3 for a day and 1 for three days make a ticket.",
        limits=_BURNS,
    )


def _failures() -> list[Panel]:
    return [
        graph(
            "Requests that were not answered",
            "reqps",
            Query(f"sum by (outcome) ({_FAILED})", "{{outcome}}"),
            says="The clients' own mistakes too (invalid_request, client_gone and their like); the "
            "objective counts failures of ours alone.",
        ),
        graph(
            "Answers without something",
            "reqps",
            Query(
                "sum by (what) (rate(xiaoer_gateway_degraded_total[$__rate_interval]))", "{{what}}"
            ),
            Query(
                "sum(rate(xiaoer_gateway_takeovers_total[$__rate_interval]))",
                "nothing: another node went on",
            ),
            says="Given, though memory, tools or time were missing; and streams that outlived "
            "their node.",
        ),
        graph(
            "Tool calls at the tools service",
            "reqps",
            Query(
                "sum by (outcome) (rate(xiaoer_tools_requests_total[$__rate_interval]))",
                "{{outcome}}",
            ),
            says="order_not_found and its like are answers, not failures.",
        ),
    ]


def _away() -> list[Panel]:
    return [
        graph(
            "Scraped",
            "short",
            Query("min by (job, instance) (up)", "{{job}} {{instance}}"),
            says="1 while Prometheus reaches it.",
            top=1,
        ),
        graph(
            "Dependencies, as gateways see them",
            "short",
            Query("min by (dependency) (xiaoer_gateway_dependency_up)", "{{dependency}}"),
            Query("min(xiaoer_gateway_redis_persistence_ok)", "Redis writes to its disk"),
            says="1 while it answers.",
            top=1,
        ),
        graph(
            "Alerts",
            "short",
            Query('count by (alertname) (ALERTS{alertstate="firing"})', "{{alertname}}"),
            says="Firing now; what to do stands in the alert's `runbook`.",
        ),
    ]

"""The two kinds of panels our dashboards have, and the layout, over Grafana's own builders."""

from collections.abc import Sequence
from dataclasses import dataclass

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.models.common import (
    GraphThresholdsStyleMode,
    LegendDisplayMode,
    LegendPlacement,
    TooltipDisplayMode,
)
from grafana_foundation_sdk.models.dashboard import (
    Dashboard,
    DashboardCursorSync,
    DashboardLinkType,
    DataSourceRef,
    Threshold,
    ThresholdsMode,
    VariableRefresh,
)

SOURCE = DataSourceRef("prometheus", "prometheus")
"""By the uid that provisioning/datasources gives it."""
WIDTH = 24
"""Columns of Grafana's grid."""
STAT_HEIGHT, GRAPH_HEIGHT = 4, 8

Panel = stat.Panel | timeseries.Panel
Limits = Sequence[tuple[float, str]]
"""From which value on which colour; below the first, green unless `below` says otherwise."""


@dataclass(frozen=True, slots=True)
class Query:
    """A PromQL expression and what its series are called; `{{label}}` stands for a label."""

    expr: str
    legend: str


def figure(
    title: str, unit: str, query: str, says: str, *, limits: Limits = (), below: str = "green"
) -> stat.Panel:
    """Return a panel with one number: the newest."""
    panel = (
        stat.Panel()
        .title(title)
        .description(says)
        .datasource(SOURCE)
        .unit(unit)
        .height(STAT_HEIGHT)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .with_target(_target(Query(query, ""), "A"))
    )
    if limits:
        panel.thresholds(_thresholds(limits, below))
    return panel


def graph(
    title: str, unit: str, *queries: Query, says: str, limits: Limits = (), top: float | None = None
) -> timeseries.Panel:
    """Return a panel with lines over time. `limits` are drawn as lines; `top` fixes the axis."""
    panel = (
        timeseries.Panel()
        .title(title)
        .description(says)
        .datasource(SOURCE)
        .unit(unit)
        .min(0)
        .height(GRAPH_HEIGHT)
        .fill_opacity(8)
        .legend(
            common.VizLegendOptions()
            .show_legend(True)
            .display_mode(LegendDisplayMode.LIST)
            .placement(LegendPlacement.BOTTOM)
        )
        .tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI))
    )
    if top is not None:
        panel.max(top)
    if limits:
        panel.thresholds(_thresholds(limits, "green"))
        panel.thresholds_style(
            common.GraphThresholdsStyleConfig().mode(GraphThresholdsStyleMode.DASHED)
        )
    for number, query in enumerate(queries):
        panel.with_target(_target(query, chr(ord("A") + number)))
    return panel


def board(
    uid: str,
    title: str,
    rows: Sequence[tuple[str, Sequence[Panel]]],
    *,
    choices: Sequence[dashboard.QueryVariable] = (),
) -> Dashboard:
    """Return a dashboard; each row's panels share its width."""
    made = (
        dashboard.Dashboard(title)
        .uid(uid)
        .tags(["xiaoer"])
        .readonly()
        .refresh("30s")
        .time("now-6h", "now")
        .timezone("browser")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .link(
            dashboard.DashboardLink("Xiaoer")
            .type(DashboardLinkType.DASHBOARDS)
            .tags(["xiaoer"])
            .keep_time(True)
        )
    )
    for choice in choices:
        made.with_variable(choice)
    for name, panels in rows:
        made.with_row(dashboard.Row(name))
        for panel in panels:
            made.with_panel(panel.span(WIDTH // len(panels)))
    return made.build()


def choice(name: str, label: str, query: str) -> dashboard.QueryVariable:
    """Return a variable of a dashboard: one, several or all values of a label."""
    return (
        dashboard.QueryVariable(name)
        .label(label)
        .datasource(SOURCE)
        .query(query)
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .multi(True)
        .include_all(True)
        .all_value(".*")
    )


def _target(query: Query, ref: str) -> prometheus.Dataquery:
    return (
        prometheus.Dataquery()
        .expr(query.expr)
        .legend_format(query.legend)
        .datasource(SOURCE)
        .range()
        .ref_id(ref)
    )


def _thresholds(limits: Limits, below: str) -> dashboard.ThresholdsConfig:
    steps = [Threshold(None, below), *(Threshold(value, colour) for value, colour in limits)]
    return dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps)

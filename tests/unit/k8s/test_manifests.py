"""What kustomize makes of k8s/ is as our policies want it."""

from typing import Any

import pytest
import yaml

from deploy.manifests import policies, render
from deploy.manifests.faults import Exceptions
from deploy.manifests.policies import availability
from deploy.manifests.policies.references import documented_secrets
from deploy.manifests.render import Build
from tests.support.stack import ROOT
from tests.unit.k8s.changing import pick
from tests.unit.k8s.scripts import drain

NAMES = [" +".join((overlay, *chosen)) for overlay, chosen in render.extremes()]


@pytest.mark.parametrize("name", [*NAMES, *render.SEPARATE])
def test_every_overlay_keeps_the_policies(builds: dict[str, Build], name: str) -> None:
    assert Exceptions().sift(policies.check(builds[name])) == []


def test_on_the_edge_vllm_is_one_a_node_and_goes_node_by_node(edge: Build) -> None:
    spec = pick(edge, "DaemonSet/inference")["spec"]
    assert spec["updateStrategy"]["rollingUpdate"] == {"maxUnavailable": 1, "maxSurge": 0}
    pod = spec["template"]["spec"]
    assert pod["nodeSelector"] == {"xiaoer.io/gpu": "true"}
    assert pod["runtimeClassName"] == "nvidia"
    assert pod["terminationGracePeriodSeconds"] > 30
    fetch = pod["initContainers"][0]
    assert [*fetch["command"], *fetch["args"]][1:] == [
        *("-m", "services.inference", "fetch", "$(PROFILE)")
    ]
    assert pod["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == "1"


def test_the_namespace_is_restricted_where_no_host_path_is_needed(builds: dict[str, Build]) -> None:
    for name, wanted in (("edge", "privileged"), ("cluster", "restricted"), ("cpu", "restricted")):
        labels = pick(builds[name], "Namespace/xiaoer")["metadata"]["labels"]
        assert labels["pod-security.kubernetes.io/enforce"] == wanted


def test_the_cluster_scales_on_queue_time(builds: dict[str, Build]) -> None:
    spec = pick(builds["cluster"], "HorizontalPodAutoscaler/inference")["spec"]
    assert spec["metrics"][0]["pods"]["metric"]["name"] == "xiaoer_queue_seconds"
    config = (render.K8S / "addons/prometheus-adapter/config.yaml").read_text()
    assert (
        "vllm:request_queue_time_seconds_sum" in yaml.safe_load(config)["rules"][0]["seriesQuery"]
    )


def test_the_cpu_overlay_needs_no_card(builds: dict[str, Build]) -> None:
    assert "nvidia" not in str(builds["cpu"].documents)
    init = pick(builds["cpu"], "Deployment/inference")["spec"]["template"]["spec"]["initContainers"]
    assert init[0]["command"][-1] == "services.inference.demo"


def test_the_example_documents_each_secret_and_holds_none() -> None:
    folder = render.K8S / "secrets.example"
    assert {"xiaoer-service-token", "xiaoer-redis", "xiaoer-shops"} <= set(documented_secrets())
    for file in folder.glob("*.env"):
        for line in file.read_text().splitlines():
            value = line.partition("=")[2]
            assert not value or "REPLACE-ME" in value
    assert (folder / "shops.json").read_text().strip() == "{}"


def test_the_router_is_told_what_it_is_told_on_one_machine(edge: Build) -> None:
    """Its flags are those of deploy/local/units.py, but for how it finds and chooses nodes."""
    unit = (ROOT / "deploy/local/units.py").read_text()
    router = pick(edge, "Deployment/router")["spec"]["template"]["spec"]["containers"][0]
    for argument in router["args"]:
        flag, _, value = argument.partition("=")
        if flag.startswith(("--health-", "--cb-", "--retry-", "--request-")):
            assert f'"{flag}", "{value}"' in unit, argument


def test_scripts_and_policies_agree_on_how_long_a_drain_takes() -> None:
    assert drain.SETTLE_S + drain.LIMIT_S <= availability.DRAIN_S
    assert drain.LIMIT_S > availability.DEADLINE_S


def test_no_overlay_repeats_what_another_says() -> None:
    """Overlays choose components; workloads stand in base and components, once."""
    kinds: list[tuple[Any, Any]] = []
    for file in sorted(render.K8S.rglob("*.yaml")):
        if file.name == "kustomization.yaml" or "secrets" in str(file):
            continue
        for document in yaml.safe_load_all(file.read_text("utf-8")):
            if isinstance(document, dict) and document.get("kind") in ("Deployment", "StatefulSet"):
                kinds.append((document["kind"], document["metadata"]["name"]))
                assert "overlays" not in file.parts
    assert len(kinds) == len(set(kinds))

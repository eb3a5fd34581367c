"""Kinds that other software defines: no schema of them is here, so what we rely on is checked."""

from collections.abc import Iterator

import yaml

from deploy.manifests.faults import Fault
from deploy.manifests.policies.objects import name, selects
from deploy.manifests.render import K8S, Build, Document, label
from deploy.manifests.rules import rule_documents

_MONITOR = {"selector", "endpoints", "namespaceSelector", "jobLabel"}
_ENDPOINT = {"port", "path", "interval", "scrapeTimeout", "relabelings", "metricRelabelings"}
_RULE = {"alert", "record", "expr", "for", "keep_firing_for", "labels", "annotations"}
_CLUSTER = {"instances", "primaryUpdateStrategy", "bootstrap", "storage", "affinity"}
_CLUSTER |= {"priorityClassName", "resources", "imageName", "backup", "postgresql"}


def monitors(build: Build) -> Iterator[Fault]:
    """A ServiceMonitor finds Services, and each has the port that it asks for."""
    for monitor in build.of("ServiceMonitor"):
        spec, where = monitor["spec"], label(monitor)
        yield from _unknown(spec, _MONITOR, where)
        found = [
            service
            for service in build.of("Service")
            if selects(spec["selector"], service["metadata"].get("labels", {}))
        ]
        if not found:
            yield Fault("structure", where, "it selects no Service")
        for endpoint in spec["endpoints"]:
            yield from _unknown(endpoint, _ENDPOINT, where)
            for service in found:
                ports = [one.get("name") for one in service["spec"]["ports"]]
                if endpoint.get("port") not in ports:
                    fault = f"Service {name(service)} has no port named {endpoint.get('port')}"
                    yield Fault("structure", where, fault)


def rules(build: Build) -> Iterator[Fault]:
    """The rules are those of deploy/prometheus, and each is an alert or a record."""
    for document in build.of("PrometheusRule"):
        where = label(document)
        groups = document["spec"].get("groups") or []
        if groups != [group for made in rule_documents() for group in made["spec"]["groups"]]:
            fault = "not what deploy/prometheus/rules says: python -m deploy.manifests rules"
            yield Fault("structure", where, fault)
        for group in groups:
            for rule in group["rules"]:
                yield from _unknown(rule, _RULE, where)
                if ("alert" in rule) == ("record" in rule) or not rule.get("expr"):
                    yield Fault("structure", where, f"{group['name']}: {rule} is no rule")


def database(build: Build) -> Iterator[Fault]:
    """The database has a replica, on another node, and tools reads the secret it makes."""
    for cluster in build.of("Cluster"):
        spec, where = cluster["spec"], label(cluster)
        yield from _unknown(spec, _CLUSTER, where)
        if spec.get("instances", 1) < 2 or not spec.get("storage", {}).get("size"):
            yield Fault("structure", where, "it needs a replica and a size")
        if spec.get("affinity", {}).get("podAntiAffinityType") != "required":
            yield Fault("structure", where, "its replica may stand on the same node")
        if f"{name(cluster)}-app" not in str(build.of("Deployment")):
            yield Fault("structure", where, "nobody uses the secret that it makes")


def autoscaling(build: Build) -> Iterator[Fault]:
    """An autoscaler's target exists and has no number of its own; its metric has a rule."""
    deployments = {name(one): one for one in build.of("Deployment")}
    for scaler in build.of("HorizontalPodAutoscaler"):
        spec, where = scaler["spec"], label(scaler)
        target = deployments.get(spec["scaleTargetRef"]["name"])
        if target is None or "replicas" in target["spec"]:
            fault = "its target does not exist, or sets replicas itself"
            yield Fault("structure", where, fault)
        for metric in spec["metrics"]:
            wanted = metric.get("pods", {}).get("metric", {}).get("name")
            if wanted is not None and wanted not in _adapter_metrics():
                yield Fault("structure", where, f"prometheus-adapter has no rule for {wanted}")


def _adapter_metrics() -> set[str]:
    config = yaml.safe_load((K8S / "addons/prometheus-adapter/config.yaml").read_text("utf-8"))
    return {rule["name"]["as"] for rule in config["rules"]}


def _unknown(given: Document, known: set[str], where: str) -> Iterator[Fault]:
    for field in sorted(set(given) - known):
        yield Fault("structure", where, f"the field {field} is not one that we know of")

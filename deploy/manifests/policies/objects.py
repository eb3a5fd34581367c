"""Reading workloads, containers and selectors out of rendered objects."""

import re
from collections.abc import Iterator
from typing import Any

from deploy.manifests.render import Build, Document

WORKLOADS = ("Deployment", "DaemonSet", "StatefulSet")
Labels = dict[str, str]


def workloads(build: Build) -> list[Document]:
    """Return everything that runs pods."""
    return build.of(*WORKLOADS)


def name(document: Document) -> str:
    """Return an object's name."""
    return str(document["metadata"]["name"])


def pod(workload: Document) -> Document:
    """Return a workload's pod spec."""
    spec: Document = workload["spec"]["template"]["spec"]
    return spec


def pod_labels(workload: Document) -> Labels:
    """Return the labels that its pods have."""
    return dict(workload["spec"]["template"]["metadata"].get("labels", {}))


def containers(workload: Document, *, init: bool = True) -> Iterator[Document]:
    """Yield its containers, those that run first included."""
    yield from pod(workload)["containers"]
    if init:
        yield from pod(workload).get("initContainers", [])


def selects(selector: Document | None, labels: Labels) -> bool:
    """Tell whether a label selector matches; an empty one matches everything, None nothing."""
    if selector is None:
        return False
    for key, value in selector.get("matchLabels", {}).items():
        if labels.get(key) != value:
            return False
    return all(_expression(one, labels) for one in selector.get("matchExpressions", []))


def _expression(one: Document, labels: Labels) -> bool:
    value = labels.get(one["key"])
    if one["operator"] == "In":
        return value in list(one["values"])
    if one["operator"] == "NotIn":
        return value not in one["values"]
    return (value is not None) is (one["operator"] == "Exists")


def port_number(workload: Document, port: int | str) -> int | None:
    """Return the number of a container's port given by number or name."""
    if isinstance(port, int):
        return port
    for container in containers(workload):
        for declared in container.get("ports", []):
            if declared.get("name") == port:
                return int(declared["containerPort"])
    return None


def bytes_of(quantity: Any) -> float:
    """Return a Kubernetes quantity as a number."""
    match = re.fullmatch(r"([\d.]+)(m|k|M|G|Ki|Mi|Gi)?", str(quantity))
    if match is None:
        return 0.0
    factors = {None: 1, "m": 0.001, "k": 1e3, "M": 1e6, "G": 1e9}
    factors |= {"Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30}
    return float(match[1]) * factors[match[2]]

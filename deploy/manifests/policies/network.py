"""Who may talk to whom: nothing by default, and each call that a setting implies."""

import re
from collections.abc import Iterator

from deploy.manifests.faults import Fault
from deploy.manifests.policies.objects import (
    Labels,
    containers,
    name,
    pod_labels,
    port_number,
    selects,
    workloads,
)
from deploy.manifests.render import Build, Document, label

# A call of one of our own Services in a setting: http://router:8082/v1
_CALL = re.compile(r"^[a-z+]+://(?:[^@/]*@)?([a-z][a-z0-9-]*):(\d+)")
IMPLIED = {("gateway", "REDIS_URL"): ("redis", 6379)}
"""What a secret's value leads to; only where such a Service exists."""


def denied_by_default(build: Build) -> Iterator[Fault]:
    """One policy selects every pod and allows nothing."""
    for policy in build.of("NetworkPolicy"):
        spec = policy["spec"]
        both = set(spec.get("policyTypes", [])) == {"Ingress", "Egress"}
        if spec["podSelector"] == {} and both and not (_of(spec, "ingress") or _of(spec, "egress")):
            return
    if workloads(build):
        yield Fault("policy:network", "NetworkPolicy/default-deny", "nothing denies by default")


def services_are_reachable(build: Build) -> Iterator[Fault]:
    """Every Service has pods behind it, and a policy lets somebody reach them."""
    for service in build.of("Service"):
        behind = _behind(build, service)
        if not behind:
            yield Fault("policy:network", label(service), "it selects no pods")
        for workload in behind:
            for port in service["spec"]["ports"]:
                number = port_number(workload, port.get("targetPort", port["port"]))
                if number is None:
                    fault = f"{label(workload)} has no port {port.get('targetPort')}"
                    yield Fault("policy:network", label(service), fault)
                elif not _allows(build, "ingress", workload, None, number):
                    yield Fault("policy:network", label(service), f"nobody may reach port {number}")


def callers_may_call(build: Build) -> Iterator[Fault]:
    """Where a setting names a Service, the caller may go out to it and it lets the caller in."""
    services = {name(service): service for service in build.of("Service")}
    for caller in workloads(build):
        for variable, (host, port) in sorted(_calls(caller, services).items()):
            where = label(caller)
            if host not in services:
                yield Fault("policy:network", where, f"{variable} names no Service: {host}")
                continue
            ports = {one["port"]: one for one in services[host]["spec"]["ports"]}
            if port not in ports:
                yield Fault("policy:network", where, f"{variable}: {host} has no port {port}")
                continue
            for callee in _behind(build, services[host]):
                number = port_number(callee, ports[port].get("targetPort", port)) or port
                if not _allows(build, "egress", caller, pod_labels(callee), number):
                    fault = f"{variable}: no policy lets it go to {host}:{number}"
                    yield Fault("policy:network", where, fault)
                if not _allows(build, "ingress", callee, pod_labels(caller), number):
                    fault = f"{variable}: no policy of {host} lets it in on {number}"
                    yield Fault("policy:network", where, fault)


def _calls(caller: Document, services: dict[str, Document]) -> dict[str, tuple[str, int]]:
    found = {}
    for container in containers(caller):
        for entry in container.get("env", []):
            match = _CALL.match(entry.get("value") or "")
            implied = IMPLIED.get((name(caller), entry["name"]))
            if match:
                found[entry["name"]] = match[1], int(match[2])
            elif implied and implied[0] in services:
                found[entry["name"]] = implied
    return found


def _behind(build: Build, service: Document) -> list[Document]:
    selector = {"matchLabels": service["spec"].get("selector", {"none": "none"})}
    return [one for one in workloads(build) if selects(selector, pod_labels(one))]


def _allows(
    build: Build, direction: str, workload: Document, peer: Labels | None, port: int
) -> bool:
    """Tell whether a policy of `workload` allows `port` to or from `peer` (None: anybody)."""
    side = "from" if direction == "ingress" else "to"
    for policy in build.of("NetworkPolicy"):
        if not selects(policy["spec"]["podSelector"], pod_labels(workload)):
            continue
        for rule in _of(policy["spec"], direction).values():
            ports = [port_number(workload, one["port"]) for one in rule.get("ports", [])]
            if ports and port not in ports:
                continue
            if peer is None or side not in rule or any(_is(one, peer) for one in rule[side]):
                return True
    return False


def _of(spec: Document, direction: str) -> dict[int, Document]:
    return dict(enumerate(spec.get(direction) or []))


def _is(side: Document, labels: Labels) -> bool:
    """Tell whether a peer of a rule is a pod of our namespace with these labels."""
    return "namespaceSelector" not in side and selects(side.get("podSelector"), labels)

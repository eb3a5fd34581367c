"""What every pod and every container must be."""

from collections.abc import Iterator

from deploy.manifests.faults import Fault
from deploy.manifests.policies.objects import bytes_of, containers, pod, pod_labels, workloads
from deploy.manifests.render import Build, Document, label

OURS = "app.kubernetes.io/"


def hardened(build: Build) -> Iterator[Fault]:
    """Nobody is root, nobody may become it, and nothing of the image can be written to."""
    for workload in workloads(build):
        context, where = pod(workload).get("securityContext", {}), label(workload)
        if context.get("runAsNonRoot") is not True or not context.get("runAsUser"):
            yield Fault("policy:hardened", where, "the pod may run as root")
        if context.get("seccompProfile", {}).get("type") != "RuntimeDefault":
            yield Fault("policy:hardened", where, "the pod has no seccomp profile RuntimeDefault")
        for field in ("hostNetwork", "hostPID", "hostIPC"):
            if pod(workload).get(field):
                yield Fault("policy:hardened", where, f"{field} is set")
        for volume in pod(workload).get("volumes", []):
            if "hostPath" in volume:
                yield Fault("policy:host-path", where, f"{volume['name']} is the node's own disk")
        for container in containers(workload):
            yield from _container(container, where)


def _container(container: Document, where: str) -> Iterator[Fault]:
    context, name = container.get("securityContext", {}), container["name"]
    wanted = {"readOnlyRootFilesystem": True, "allowPrivilegeEscalation": False}
    for field, value in wanted.items():
        if context.get(field) is not value:
            yield Fault("policy:hardened", where, f"{name}: {field} is not {value}")
    if "ALL" not in context.get("capabilities", {}).get("drop", []):
        yield Fault("policy:hardened", where, f"{name}: capabilities are kept")
    if context.get("privileged") or context.get("capabilities", {}).get("add"):
        yield Fault("policy:hardened", where, f"{name}: has privileges")
    mounts = {mount["mountPath"] for mount in container.get("volumeMounts", [])}
    if "/tmp" not in mounts:  # noqa: S108 - a path in the container # nosec B108
        yield Fault("policy:hardened", where, f"{name}: the root is read-only and /tmp no volume")


def images(build: Build) -> Iterator[Fault]:
    """Every image says which version it is."""
    for workload in workloads(build):
        for container in containers(workload):
            image = container["image"]
            tag = image.partition("@")[0].rpartition("/")[2].partition(":")[2]
            if not tag or tag == "latest":
                yield Fault("policy:images", label(workload), f"{image} names no version")


def resources(build: Build) -> Iterator[Fault]:
    """Every container asks for what it needs and is held to a limit."""
    for workload in workloads(build):
        for container in containers(workload):
            asked = container.get("resources", {})
            for what in ("cpu", "memory"):
                least, most = (asked.get(part, {}).get(what) for part in ("requests", "limits"))
                if least is None or most is None:
                    fault = f"{container['name']}: {what} has no request or no limit"
                    yield Fault("policy:resources", label(workload), fault)
                elif bytes_of(least) > bytes_of(most):
                    fault = f"{container['name']}: {what} asks for more than its limit"
                    yield Fault("policy:resources", label(workload), fault)


def probes(build: Build) -> Iterator[Fault]:
    """Every container that stays says when it is ready, and when it is past help."""
    for workload in workloads(build):
        for container in containers(workload, init=False):
            for probe in ("readinessProbe", "livenessProbe"):
                if probe not in container:
                    fault = f"{container['name']} has no {probe}"
                    yield Fault("policy:probes", label(workload), fault)


def tokens(build: Build) -> Iterator[Fault]:
    """No pod gets a key to Kubernetes, nor variables of other services."""
    for workload in workloads(build):
        spec, where = pod(workload), label(workload)
        if spec.get("automountServiceAccountToken") is not False:
            yield Fault("policy:tokens", where, "the pod gets a token for the Kubernetes API")
        if spec.get("enableServiceLinks") is not False:
            fault = "variables such as TOOLS_PORT=tcp://… would be read as our settings"
            yield Fault("policy:tokens", where, fault)
        if not spec.get("serviceAccountName"):
            yield Fault("policy:tokens", where, "the pod has no service account of its own")
        if not spec.get("priorityClassName"):
            yield Fault("policy:tokens", where, "the pod has no priority class")


def labels(build: Build) -> Iterator[Fault]:
    """Kubernetes' recommended labels are on all, and a workload selects its own pods."""
    for workload in workloads(build):
        found = pod_labels(workload)
        for key in ("name", "component", "part-of"):
            if OURS + key not in found or OURS + key not in workload["metadata"].get("labels", {}):
                yield Fault("policy:labels", label(workload), f"the label {OURS}{key} is missing")
        selector = workload["spec"]["selector"].get("matchLabels", {})
        if not selector or not selector.items() <= found.items():
            yield Fault("policy:labels", label(workload), "it does not select its own pods")

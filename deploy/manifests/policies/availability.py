"""What keeps answers coming while pods and nodes go."""

from collections.abc import Iterator

from deploy.manifests.faults import Fault
from deploy.manifests.policies.objects import containers, name, pod, pod_labels, selects, workloads
from deploy.manifests.render import Build, Document, label

DEADLINE_S = 30
"""The gateway's DEADLINE_S where nothing else is set: the longest that an answer may take."""
STOP_MARGIN_S = 5
"""What the gateway's server adds to it (services/gateway/__main__.py)."""
DRAIN_S = 45
"""What drain.py takes at most; a test compares it with the script."""


def budgets(build: Build) -> Iterator[Fault]:
    """Whatever there is more than one of has a budget, and none forbids draining a node."""
    budgets = build.of("PodDisruptionBudget")
    for workload in workloads(build):
        mine = [one for one in budgets if selects(one["spec"]["selector"], pod_labels(workload))]
        if _copies(workload) > 1 and len(mine) != 1:
            fault = f"{len(mine)} disruption budgets where one is needed"
            yield Fault("policy:budgets", label(workload), fault)
        for budget in mine:
            least = budget["spec"].get("minAvailable")
            if budget["spec"].get("maxUnavailable") == 0 or (
                isinstance(least, int) and least >= _copies(workload)
            ):
                yield Fault("policy:budgets", label(workload), "no node could ever be drained")
            if workload["kind"] == "DaemonSet" and not isinstance(least, int):
                fault = "Kubernetes counts a DaemonSet's budget by a plain minAvailable only"
                yield Fault("policy:budgets", label(workload), fault)


def spread(build: Build) -> Iterator[Fault]:
    """Copies stand on different nodes, and a rollout finds room for them on two."""
    for workload in workloads(build):
        if workload["kind"] == "DaemonSet" or _copies(workload) < 2:
            continue
        where, spec = label(workload), pod(workload)
        hard = spec.get("affinity", {}).get("podAntiAffinity", {})
        apart = "requiredDuringSchedulingIgnoredDuringExecution" in hard
        over = [one["topologyKey"] for one in spec.get("topologySpreadConstraints", [])]
        if not apart and "kubernetes.io/hostname" not in over:
            yield Fault("policy:spread", where, "all its copies may stand on one node")
        rolling = workload["spec"].get("strategy", {}).get("rollingUpdate", {})
        if apart and workload["kind"] == "Deployment" and rolling.get("maxUnavailable") == 0:
            yield Fault("policy:spread", where, "on two nodes its rollout can never start")


def grace(build: Build) -> Iterator[Fault]:
    """A pod that stops may first finish the longest answer, its preStop hook included."""
    for workload in workloads(build):
        given = pod(workload).get("terminationGracePeriodSeconds", 30)
        for container in containers(workload, init=False):
            needed = _hook_s(container) + _finish_s(container)
            if given <= max(needed, DEADLINE_S):
                fault = f"{given} s to stop in, and {container['name']} may need {needed:g}"
                yield Fault("policy:grace", label(workload), fault)


def node_by_node(build: Build) -> Iterator[Fault]:
    """A rollout of vLLM takes one server at a time, and goes on when that one has answered."""
    for workload in workloads(build):
        if name(workload) != "inference":
            continue
        where, spec = label(workload), workload["spec"]
        kind = "DaemonSet" if build.name.startswith("edge") else "Deployment"
        if workload["kind"] != kind:
            yield Fault("policy:rollout", where, f"here it must be a {kind}")
        update = spec.get("updateStrategy", spec.get("strategy", {}))
        rolling = update.get("rollingUpdate", {})
        if (rolling.get("maxUnavailable"), rolling.get("maxSurge")) != (1, 0):
            yield Fault("policy:rollout", where, "maxUnavailable must be 1 and maxSurge 0")
        container = pod(workload)["containers"][0]
        started = container.get("startupProbe", {}).get("exec", {}).get("command", [""])
        if not started[-1].endswith("warmup.py"):
            yield Fault("policy:rollout", where, "nothing asks it a question before it counts")
        if "httpGet" not in container.get("readinessProbe", {}):
            yield Fault("policy:rollout", where, "readiness must be cheap: a plain GET")
        hook = container.get("lifecycle", {}).get("preStop", {}).get("exec", {})
        if not hook.get("command", [""])[-1].endswith("drain.py"):
            yield Fault("policy:rollout", where, "no preStop hook lets it drain")


def _copies(workload: Document) -> int:
    if workload["kind"] == "DaemonSet":
        return 2
    # Without a number an autoscaler decides, and ours starts at two.
    return int(workload["spec"].get("replicas", 2))


def _hook_s(container: Document) -> float:
    hook = container.get("lifecycle", {}).get("preStop", {})
    return float(hook.get("sleep", {}).get("seconds", DRAIN_S if "exec" in hook else 0))


def _finish_s(container: Document) -> float:
    """Seconds the server itself may go on after SIGTERM."""
    env = {entry["name"]: entry.get("value") for entry in container.get("env", [])}
    if container["name"] == "gateway":
        return float(env.get("DEADLINE_S") or DEADLINE_S) + STOP_MARGIN_S
    return float(env.get("INFERENCE_SHUTDOWN_S") or env.get("TOOLS_DEADLINE_S") or DEADLINE_S)

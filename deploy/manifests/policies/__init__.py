"""Our own policies. Each takes one build and yields its faults; `ALL` lists them."""

from collections.abc import Callable, Iterator

from deploy.manifests.faults import Fault
from deploy.manifests.policies import availability, custom, network, pods, references, settings
from deploy.manifests.render import Build

Policy = Callable[[Build], Iterator[Fault]]

ALL: tuple[Policy, ...] = (
    pods.hardened,
    pods.images,
    pods.resources,
    pods.probes,
    pods.tokens,
    pods.labels,
    availability.budgets,
    availability.spread,
    availability.grace,
    availability.node_by_node,
    network.denied_by_default,
    network.services_are_reachable,
    network.callers_may_call,
    references.secrets,
    references.others,
    settings.known,
    custom.monitors,
    custom.rules,
    custom.database,
    custom.autoscaling,
)


def check(build: Build) -> list[Fault]:
    """Return every fault of a build."""
    return [fault for policy in ALL for fault in policy(build)]

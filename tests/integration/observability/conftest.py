"""The stack of `make run` before recorded nodes, and a Prometheus that watched it at work."""

import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.integration.observability.load import Shoppers, a_day
from tests.integration.observability.node import Node
from tests.integration.observability.prometheus_server import STEP_S, Moments, Prometheus
from tests.integration.observability.router import running_router
from tests.support.fake_model import FakeModel, say
from tests.support.fast_model import ANSWER
from tests.support.gateway import ServerThread
from tests.support.stack import Stack, free_ports, running_stack
from tests.unit.observability.awaited import AWAITED_JOBS
from tests.unit.observability.promtool import program

READY_S = 180


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/integration/observability" in str(item.path):
            item.add_marker(pytest.mark.integration)
            item.add_marker(pytest.mark.timeout(600))  # the first one waits for everything


@dataclass(frozen=True)
class Watched:
    """What Prometheus saw between two moments."""

    prometheus: Prometheus
    healthy: dict[str, str]
    start: float
    end: float

    def series(self, expr: str) -> dict[str, Moments]:
        """Return the series of an expression over that time."""
        return self.prometheus.over(expr, self.start, self.end)

    def moves(self, expr: str) -> bool:
        """Tell whether a series of it changes, or comes or goes, in that time."""
        steps = int((self.end - self.start) / STEP_S) + 1
        return any(
            len(points) < steps or len({value for _, value in points}) > 1
            for points in self.series(expr).values()
            if points
        )


@pytest.fixture(scope="session")
def model() -> FakeModel:
    scripted = FakeModel()
    scripted.always(say(ANSWER))
    return scripted


@pytest.fixture(scope="session")
def nodes(model: FakeModel) -> Iterator[tuple[ServerThread, ServerThread]]:
    first = _two_ports()
    with (
        ServerThread(Node(model), port=first) as one,
        ServerThread(Node(model), port=first + 1) as other,
    ):
        yield one, other


@pytest.fixture(scope="session")
def watched(
    tmp_path_factory: pytest.TempPathFactory,
    model: FakeModel,
    nodes: tuple[ServerThread, ServerThread],
) -> Iterator[Watched]:
    """A stack at work for half a minute, with failures; all of it is over when this is there."""
    program("prometheus")  # skips before anything is started
    folder = tmp_path_factory.mktemp("observability")
    (folder / "prometheus").mkdir()
    port, metrics_port, embedder_port = free_ports(3)
    with (
        running_router(folder / "router", nodes[0].port, port, metrics_port) as router,
        running_stack(
            folder / "stack",
            READY_S,
            MODEL_URL=f"{router}/v1",
            EMBEDDER_PORT=str(embedder_port),
            TOOL_TIMEOUT_S="1",
        ) as stack,
        Prometheus(folder / "prometheus", _targets(stack, metrics_port, nodes)) as prometheus,
    ):
        shoppers = Shoppers(stack, model)
        healthy = _when_scraped(prometheus)
        start = time.time()
        a_day(shoppers, nodes[1])
        end = time.time()
        shoppers.close()
        yield Watched(prometheus, healthy, start, end)


def _targets(
    stack: Stack, router_metrics: int, nodes: tuple[ServerThread, ServerThread]
) -> list[dict[str, object]]:
    ports = {
        "gateway": stack.env["GATEWAY_PORT"],
        "tools": stack.env["TOOLS_PORT"],
        "router": router_metrics,
        "embedder": stack.env["EMBEDDER_PORT"],
    }
    found: list[dict[str, object]] = [
        {"targets": [f"127.0.0.1:{port}"], "labels": {"job": job}} for job, port in ports.items()
    ]
    for number, node in enumerate(nodes, 1):
        labels = {"job": "node", "node": f"node-{number}"}
        found.append({"targets": [f"127.0.0.1:{node.port}"], "labels": labels})
    return found


def _when_scraped(prometheus: Prometheus) -> dict[str, str]:
    """Wait until each target was scraped some times, at most a minute; return how they are."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        found = prometheus.targets()
        if found and {name.split()[0] for name in found if found[name] != "up"} == set(
            AWAITED_JOBS
        ):
            time.sleep(5)
            break
        time.sleep(0.2)
    return found


def _two_ports() -> int:
    """Return a free port whose next one is free too: nodes have consecutive ones."""
    for _ in range(100):
        (first,) = free_ports(1)
        with socket.socket() as probe:
            if first < 65535 and probe.connect_ex(("127.0.0.1", first + 1)) != 0:
                return first
    raise RuntimeError("no two free ports beside each other")

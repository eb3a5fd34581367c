"""Metrics and logs of the tools service. Neither holds arguments, results or customers' ids."""

import sys
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)

_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}
# A tool call is one or two indexed queries: a millisecond, or a database in trouble.
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class Metrics:
    """Counters of one application, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self.requests = Counter(
            "xiaoer_tools_requests",
            "Tool calls by tool and outcome.",
            ["tool", "outcome"],
            registry=self.registry,
        )
        self.duration = Histogram(
            "xiaoer_tools_request_duration_seconds",
            "Time from a tool call's arrival to its result.",
            ["tool"],
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self.index_build = Histogram(
            "xiaoer_tools_index_build_seconds",
            "Time to build a shop's product name index.",
            buckets=(0.01, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0),
            registry=self.registry,
        )

    def tool_called(self, tool: str, outcome: str, seconds: float) -> None:
        """Count one tool call."""
        self.requests.labels(tool, outcome).inc()
        self.duration.labels(tool).observe(seconds)


def make_logger(level: str, stream: TextIO | None = None) -> structlog.typing.FilteringBoundLogger:
    """Make a logger that writes one JSON object a line, with UTC times. No global state."""
    logger: structlog.typing.FilteringBoundLogger = structlog.wrap_logger(
        structlog.WriteLogger(stream or sys.stdout),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.dict_tracebacks,
            _without_locals,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        service="tools",
    )
    return logger


def _without_locals(
    _logger: Any, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Drop local variables from tracebacks: arguments and rows are among them."""
    for trace in event.get("exception") or ():
        for frame in trace.get("frames", ()):
            frame.pop("locals", None)
    return event

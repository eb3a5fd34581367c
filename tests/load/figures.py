"""What is made of measured requests: percentiles, rows, counts of failures.

A failure is a 5xx, a broken stream, a missed deadline, or any reply that a correct client should
not get. A 429 (the session's turn did not come) and a degraded answer are counted apart.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

BUSY = 429


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One request and its answer.

    Attributes:
        group: what it is reported under, such as a language; empty for none.
        status: HTTP status, 0 where no reply came.
        started_s: monotonic time at which it was sent.
        ttft_s: seconds to the first content, None where none came.
        full_s: seconds to the end of the answer.
        asked_s: seconds since the question was first sent; more than `full_s` after a 429.
        failure: why it counts as failed, or None.
        retry_after_s: how long a 429 asked to wait.
        degraded: what the answer had to do without.
        tools: the tools that were called for it.
        source: who answered: model, cache and so on.
        text: the answer.

    """

    group: str = ""
    status: int
    started_s: float
    ttft_s: float | None
    full_s: float
    asked_s: float
    failure: str | None = None
    retry_after_s: float = 0.0
    degraded: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()
    source: str = ""
    text: str = ""

    @property
    def busy(self) -> bool:
        """Whether it was told to come back later."""
        return self.status == BUSY

    @property
    def answered(self) -> bool:
        """Whether it got a complete answer in time."""
        return self.failure is None and not self.busy


@dataclass(frozen=True, slots=True)
class Times:
    """A distribution of seconds; all None where there is nothing to describe."""

    count: int
    mean_s: float | None
    p50_s: float | None
    p95_s: float | None
    p99_s: float | None
    max_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One scenario's figures, or one group's of it."""

    scenario: str
    group: str
    requests: int
    failures: int
    busy: int
    degraded: int
    with_tool: int
    per_s: float
    ttft: Times
    full: Times
    asked: Times | None
    """From the first sending of a question to its answer; only where some were sent again."""
    failed_for: dict[str, int]
    sources: dict[str, int]

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return asdict(self)


def percentile(ordered: Sequence[float], share: float) -> float:
    """Return the nearest-rank percentile: a value that was measured, none in between.

    Args:
        ordered: ascending, not empty.
        share: 0 < share <= 1.

    Raises:
        ValueError: there is nothing to choose from, or the share is no share.

    """
    if not ordered:
        raise ValueError("no values")
    if not 0 < share <= 1:
        raise ValueError(f"share must be above 0 and at most 1, not {share}")
    # 0.95 * 20 is 19.000000000000004 in binary, which would name the twentieth of twenty.
    rank = math.ceil(round(share * len(ordered), 9))
    return ordered[rank - 1]


def times(seconds: Sequence[float]) -> Times:
    """Describe a distribution."""
    if not seconds:
        return Times(0, None, None, None, None, None)
    ordered = sorted(seconds)
    return Times(
        len(ordered),
        sum(ordered) / len(ordered),
        *(percentile(ordered, share) for share in (0.50, 0.95, 0.99, 1.0)),
    )


def row(scenario: str, samples: Sequence[Sample], group: str | None = None) -> Row:
    """Describe a scenario's requests, or those of one group.

    Times are of answered requests. The rate counts every request that was answered, over the time
    from the first sending to the last end.
    """
    mine = [one for one in samples if group is None or one.group == group]
    answered = [one for one in mine if one.answered]
    busy = sum(one.busy for one in mine)
    return Row(
        scenario=scenario,
        group=group or "",
        requests=len(mine),
        failures=sum(one.failure is not None for one in mine),
        busy=busy,
        degraded=sum(bool(one.degraded) for one in mine),
        with_tool=sum(bool(one.tools) for one in answered),
        per_s=len(answered) / span_s(mine) if mine else 0.0,
        ttft=times([one.ttft_s for one in answered if one.ttft_s is not None]),
        full=times([one.full_s for one in answered]),
        asked=times([one.asked_s for one in answered]) if busy else None,
        failed_for=dict(Counter(one.failure for one in mine if one.failure is not None)),
        sources=dict(Counter(one.source for one in answered)),
    )


def span_s(samples: Sequence[Sample]) -> float:
    """Return the seconds from the first sending to the last end, never 0."""
    first = min(one.started_s for one in samples)
    last = max(one.started_s + one.full_s for one in samples)
    return max(last - first, 1e-9)


def groups(samples: Sequence[Sample]) -> list[str]:
    """Return the groups in the order they first appear; empty where there are none."""
    return [name for name in dict.fromkeys(one.group for one in samples) if name]

import heapq
import itertools
from contextlib import AbstractContextManager

import pytest

from services.gateway.limits.admission import LONGEST_SHARE, UNMEASURED, Admission

CAPACITY, ANSWER_S = 20, 1.0
"""The made-up model works on so many answers at once, for so long each; the others wait."""
DEADLINE_S = 5.0


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Outcome:
    """What came of questions that were offered at a rate."""

    def __init__(self) -> None:
        self.took_s: list[float] = []
        self.refused = 0
        self.short = 0


def offered(per_s: float, seconds: float) -> Outcome:
    """Offer questions evenly to an admission before the made-up model."""
    clock, found = Clock(), Outcome()
    admission = Admission(clock)
    free = [0.0] * CAPACITY
    ends: list[tuple[float, int, float, AbstractContextManager[None]]] = []
    for number in itertools.count():
        clock.now = arrival = number / per_s
        while ends and ends[0][0] <= arrival:
            finish(clock, found, heapq.heappop(ends))
        clock.now = arrival
        if arrival >= seconds:
            break
        pace = admission.pace(DEADLINE_S)
        found.short += pace == "short"
        if pace == "none":
            found.refused += 1
            continue
        begins = max(arrival, heapq.heappop(free))
        heapq.heappush(free, begins + ANSWER_S)
        answer = admission.answer()
        answer.__enter__()
        heapq.heappush(ends, (begins + ANSWER_S, number, arrival, answer))
    return found


def finish(
    clock: Clock, found: Outcome, end: tuple[float, int, float, AbstractContextManager[None]]
) -> None:
    clock.now, _, arrival, answer = end
    answer.__exit__(None, None, None)
    found.took_s.append(clock.now - arrival)


def test_what_can_be_done_in_time_is_not_refused() -> None:
    found = offered(0.8 * CAPACITY / ANSWER_S, 60)
    assert (found.refused, found.short) == (0, 0)


def test_at_three_times_the_capacity_the_rate_stays_and_no_answer_is_late() -> None:
    peak = len(offered(CAPACITY / ANSWER_S, 60).took_s)
    found = offered(3 * CAPACITY / ANSWER_S, 60)
    assert len(found.took_s) > 0.9 * peak
    assert max(found.took_s) < DEADLINE_S
    assert max(found.took_s) > 0.5 * LONGEST_SHARE * DEADLINE_S, "the queue is used"
    assert found.refused > 1.5 * len(found.took_s)
    assert found.short > 0


def test_few_answers_are_never_refused() -> None:
    clock = Clock()
    admission = Admission(clock)
    for _ in range(UNMEASURED):
        with admission.answer():
            clock.now += 100.0
    begun = [admission.answer() for _ in range(UNMEASURED)]
    for one in begun[:-1]:
        one.__enter__()
    assert admission.pace(0.001) == "full"
    begun[-1].__enter__()
    assert admission.pace(0.001) == "none"
    assert admission.retry_after_s(5.0) > 100


def test_a_failed_answer_is_no_measure() -> None:
    admission = Admission()
    with pytest.raises(ValueError, match="broken"), admission.answer():
        raise ValueError("broken")
    assert admission.under_way == 0
    assert admission.expected_s() == 0

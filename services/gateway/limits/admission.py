"""How much the model is given to do: no more than it gets done before the deadline.

By Little's law the answers under way, divided by the answers that are finished a second, are the
seconds that the next one takes. Both are watched in this process, so nothing needs to be set for
another model or card.
"""

import math
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

Pace = Literal["full", "short", "none"]
"""What a new answer may take: as long as it likes, few words only, or nothing of the model."""

LONGEST_SHARE = 0.8
"""Of a request's time: an answer expected to take more is not begun."""
SHORT_SHARE = 0.5
"""Of that: an answer expected to take more is kept short."""
UNMEASURED = 8
"""Answers under way that are never refused: so few say nothing about what is possible."""
LAST = 64
"""Finished answers that say how many are finished a second."""


class Admission:
    """Watches answers under way and says what the next one may take.

    Args:
        clock: tells seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.under_way = 0
        self._idle_s = 0.0
        """How long nothing was under way; it says nothing about what could be done."""
        self._idle_since = clock()
        self._finished: deque[float] = deque(maxlen=LAST)

    def expected_s(self) -> float:
        """Return the seconds that an answer begun now is expected to take; 0 if unknown."""
        if len(self._finished) < UNMEASURED:
            return 0.0
        per_s = (len(self._finished) - 1) / (self._busy_s() - self._finished[0] or math.inf)
        return (self.under_way + 1) / per_s if per_s else 0.0

    def pace(self, remaining_s: float) -> Pace:
        """Return what an answer may take that has `remaining_s` seconds left."""
        if self.under_way < UNMEASURED:
            return "full"
        share = self.expected_s() / (LONGEST_SHARE * remaining_s)
        return "full" if share <= SHORT_SHARE else "short" if share <= 1 else "none"

    def retry_after_s(self, remaining_s: float) -> int:
        """Return the seconds after which enough will be finished for another answer."""
        return max(1, round(self.expected_s() - LONGEST_SHARE * remaining_s))

    @contextmanager
    def answer(self) -> Iterator[None]:
        """Count an answer as under way. One that fails says nothing about how many are finished."""
        if not self.under_way:
            self._idle_s += self._clock() - self._idle_since
        self.under_way += 1
        try:
            yield
            self._finished.append(self._busy_s())
        finally:
            self.under_way -= 1
            if not self.under_way:
                self._idle_since = self._clock()

    def _busy_s(self) -> float:
        """Return the seconds so far in which something was under way."""
        return (self._clock() if self.under_way else self._idle_since) - self._idle_s

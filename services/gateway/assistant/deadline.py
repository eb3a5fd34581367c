"""The one deadline of a request, passed to everything that waits."""

import time


class Deadline:
    """A point in time by which a request ends.

    Args:
        seconds: from now.
    """

    __slots__ = ("at", "seconds", "started")

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.started = time.monotonic()
        self.at = self.started + seconds
        """On the clock of `time.monotonic`, which is also asyncio's."""

    def remaining_s(self) -> float:
        """Return the seconds left, at least one millisecond (a timeout of 0 means none)."""
        return max(self.at - time.monotonic(), 0.001)

    def elapsed_s(self) -> float:
        """Return the seconds since the request arrived."""
        return time.monotonic() - self.started

"""A small circuit breaker: after a failure, calls are skipped for a moment, not waited for."""

import time


class Circuit:
    """Opens on a failure; after `pause_s` lets one call try, and closes when it works.

    Args:
        pause_s: how long calls are skipped after a failure.
    """

    def __init__(self, pause_s: float) -> None:
        self._pause_s = pause_s
        self._open_until = 0.0

    @property
    def closed(self) -> bool:
        """Whether the last call worked."""
        return self._open_until == 0.0

    def allows(self) -> bool:
        """Tell whether a call may be tried now. While open, one caller per pause is let through."""
        if self._open_until == 0.0:
            return True
        now = time.monotonic()
        if now < self._open_until:
            return False
        self._open_until = now + self._pause_s
        return True

    def failed(self) -> None:
        """Note a failure."""
        self._open_until = time.monotonic() + self._pause_s

    def worked(self) -> None:
        """Note a success."""
        self._open_until = 0.0

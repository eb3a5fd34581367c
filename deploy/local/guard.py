"""Ends the services when the supervisor is gone, however it went.

A child of the supervisor in a session of its own, listening on a pipe whose other end only the
supervisor holds. The supervisor names the process groups it starts (`+123`) and those that have
ended (`-123`); when the pipe closes, be it by `kill -9`, what is still there is stopped. Process
groups reach vLLM's own children too, which a parent-death signal would not.
"""

import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterable

GRACE_S = 3.0


def alive(group: int) -> bool:
    """Whether any process of the group is left (a zombie counts until it is reaped)."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # exists, and is not ours
        return False
    return True


def signal_group(group: int, number: signal.Signals) -> None:
    """Send a signal to each process of the group; none left is fine."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def watch(lines: Iterable[str], grace_s: float = GRACE_S) -> list[int]:
    """Follow the supervisor's messages until they end, then end what is left.

    Returns:
        The groups that had to be ended.

    """
    groups: list[int] = []
    for line in lines:
        group = int(line[1:])
        if line.startswith("+"):
            groups.append(group)
        elif group in groups:
            groups.remove(group)
    for group in groups:
        signal_group(group, signal.SIGTERM)
    give_up = time.monotonic() + grace_s
    while any(alive(group) for group in groups) and time.monotonic() < give_up:
        time.sleep(0.05)
    for group in groups:
        signal_group(group, signal.SIGKILL)
    return groups


def main() -> None:
    """Watch standard input. Signals are for the supervisor: this process outlives them."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    watch(sys.stdin)


if __name__ == "__main__":
    main()

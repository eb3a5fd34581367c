"""What each service costs: CPU seconds and memory of its process tree, sampled."""

import os
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import psutil  # type: ignore[import-untyped]  # its stubs are a package of their own

SELF = "load generator"
_MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Usage:
    """One service's cost over a time.

    Attributes:
        service: its name.
        cpu_s: CPU seconds of all its processes.
        cpu_percent: of one core.
        peak_rss_mib: highest sum of resident memory; pages that processes share count in each.
        processes: how many it has.

    """

    service: str
    cpu_s: float
    cpu_percent: float
    peak_rss_mib: float
    processes: int


@dataclass(frozen=True, slots=True)
class Reading:
    """One process at one moment."""

    pid: int
    parent: int
    born_s: float
    cpu_s: float
    rss_bytes: int


class Meter:
    """Adds up what services cost from its making to each `usage()`.

    A process that ends keeps what it was last seen to have used; what it used after that is lost.

    Args:
        roots: gives service name -> process id of the root of its tree; asked at every sample,
            since a service may be restarted.
        read: gives all processes of the machine.

    """

    def __init__(
        self,
        roots: Callable[[], Mapping[str, int]],
        read: Callable[[], Iterable[Reading]] | None = None,
    ) -> None:
        self._roots = roots
        self._read = read or readings
        self._began = time.monotonic()
        self._first: dict[tuple[str, int, float], float] = {}
        self._last: dict[tuple[str, int, float], float] = {}
        self._peak: dict[str, int] = {}
        self._count: dict[str, int] = {}
        self.sample()
        # What a process had used before we began is not ours; one that is born later starts at 0.
        self._first = dict(self._last)

    def sample(self) -> None:
        """Look at every service once."""
        everything = {reading.pid: reading for reading in self._read()}
        for service, root in {**self._roots(), SELF: os.getpid()}.items():
            mine = tree(everything, root)
            for one in mine:
                self._last[service, one.pid, one.born_s] = one.cpu_s
            rss = sum(one.rss_bytes for one in mine)
            self._peak[service] = max(self._peak.get(service, 0), rss)
            self._count[service] = len(mine)

    def usage(self) -> list[Usage]:
        """Sample once more and return every service's cost."""
        self.sample()
        elapsed = max(time.monotonic() - self._began, 1e-9)
        spent: dict[str, float] = {}
        for key, cpu_s in self._last.items():
            spent[key[0]] = spent.get(key[0], 0.0) + cpu_s - self._first.get(key, 0.0)
        return [
            Usage(
                service,
                spent.get(service, 0.0),
                100 * spent.get(service, 0.0) / elapsed,
                peak / _MIB,
                self._count[service],
            )
            for service, peak in self._peak.items()
        ]


def tree(everything: Mapping[int, Reading], root: int) -> list[Reading]:
    """Return the process `root` and all below it."""
    below: dict[int, list[int]] = {}
    for one in everything.values():
        below.setdefault(one.parent, []).append(one.pid)
    found, todo = [], [root]
    while todo:
        pid = todo.pop()
        if pid in everything:
            found.append(everything[pid])
        todo.extend(below.get(pid, ()))
    return found


def readings() -> list[Reading]:
    """Return every process of the machine that may be looked at."""
    found = []
    for process in psutil.process_iter(["ppid", "create_time", "cpu_times", "memory_info"]):
        info = process.info
        if info["cpu_times"] is None or info["memory_info"] is None:
            continue  # not ours to look at, or gone
        found.append(
            Reading(
                process.pid,
                info["ppid"],
                info["create_time"],
                info["cpu_times"].user + info["cpu_times"].system,
                info["memory_info"].rss,
            )
        )
    return found

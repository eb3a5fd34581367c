"""Starting and ending one process with all its children, and the guard that ends the rest."""

import asyncio
import contextlib
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from deploy.local.guard import alive, signal_group
from deploy.local.units import ROOT, Unit

_LEFT_OVER_S = 2.0
# make's own variables would make a make below us believe it is part of this one. Modules are not
# compiled at set-up, so services must be allowed to keep what they compile.
_NOT_PASSED_ON = ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "MAKEOVERRIDES", "PYTHONDONTWRITEBYTECODE")


class Guard:
    """The child that outlives us by seconds, to end what we could not (`deploy.local.guard`)."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "deploy.local.guard"),
            cwd=ROOT,
            stdin=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
            await self._process.wait()

    def add(self, group: int) -> None:
        """Tell it that a process group has been started."""
        self._tell(f"+{group}\n")

    def remove(self, group: int) -> None:
        """Tell it that a process group has ended."""
        self._tell(f"-{group}\n")

    def _tell(self, line: str) -> None:
        if self._process is not None and self._process.stdin is not None:
            with contextlib.suppress(ConnectionError, RuntimeError):
                self._process.stdin.write(line.encode())


class Running:
    """One process of a unit, leader of a session and group of its own."""

    def __init__(self, unit: Unit, process: asyncio.subprocess.Process, guard: Guard) -> None:
        self.unit = unit
        self._process = process
        self._guard = guard
        self._ended = asyncio.create_task(process.wait())

    @property
    def pid(self) -> int:
        """Process id, which is also the group's."""
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """Exit status, negative for a signal, None while it runs."""
        return self._process.returncode

    async def ended(self, timeout_s: float | None = None) -> bool:
        """Wait for the end, at most `timeout_s`; whether it has come."""
        done, _ = await asyncio.wait({self._ended}, timeout=timeout_s)
        return bool(done)

    def kill(self) -> None:
        """End the whole group at once."""
        signal_group(self.pid, signal.SIGKILL)

    async def stop(self) -> None:
        """Ask the leader to stop, give it its grace, then end what is left of the group."""
        if self.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGTERM)
            await self.ended(self.unit.grace_s)
        await self.sweep()

    async def sweep(self) -> None:
        """End children that outlived the leader, then tell the guard that the group is gone."""
        for number, seconds in ((signal.SIGTERM, _LEFT_OVER_S), (signal.SIGKILL, _LEFT_OVER_S)):
            if not alive(self.pid):
                break
            signal_group(self.pid, number)
            await _gone(self.pid, seconds)
        if self.returncode is None:
            await self.ended(_LEFT_OVER_S)
        self._guard.remove(self.pid)


async def start(unit: Unit, environ: Mapping[str, str], log_file: Path, guard: Guard) -> Running:
    """Start a unit's process; what it prints is added to `log_file`."""
    env = {name: value for name, value in environ.items() if name not in _NOT_PASSED_ON}
    with log_file.open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *unit.argv,
            cwd=ROOT,
            env={**env, "PYTHONUNBUFFERED": "1", **unit.env},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
    guard.add(process.pid)
    return Running(unit, process, guard)


def how_it_ended(returncode: int | None) -> str:
    """`exit status 1`, or `signal SIGKILL`."""
    if returncode is not None and returncode < 0:
        try:
            return f"signal {signal.Signals(-returncode).name}"
        except ValueError:
            return f"signal {-returncode}"
    return f"exit status {returncode}"


def tail(log_file: Path, lines: int = 12, most_bytes: int = 16_384) -> list[str]:
    """Return the last lines of a log, as far as it can be read."""
    try:
        with log_file.open("rb") as log:
            log.seek(0, 2)
            log.seek(max(0, log.tell() - most_bytes))
            text = log.read().decode("utf-8", "replace")
    except OSError:
        return []
    # A progress bar rewrites its line: what counts is what it showed last.
    rows = [row.rstrip().rsplit("\r", 1)[-1] for row in text.split("\n")]
    return [row for row in rows if row.strip()][-lines:]


async def _gone(group: int, seconds: float) -> None:
    for _ in range(int(seconds / 0.05)):
        if not alive(group):
            return
        await asyncio.sleep(0.05)

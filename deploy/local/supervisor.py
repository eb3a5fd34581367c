"""Brings the units up in parallel, keeps them up, and takes them down in order.

Before everything is ready, a unit that dies or takes too long ends the start. Afterwards a
service that dies is started again, with a growing pause, while the rest keeps running.
"""

import asyncio
import json
import time
from collections.abc import Callable, Sequence

from deploy.local.board import Board
from deploy.local.errors import StartError
from deploy.local.processes import Guard, Running, how_it_ended, start, tail
from deploy.local.settings import LocalSettings
from deploy.local.units import Unit

POLL_S = 0.25
# A service that stays up this long has its pause between restarts reset.
_STABLE_S = 60.0
_LONGEST_PAUSE_S = 30.0
# How our services begin the one sentence with which they refuse to start.
_SENTENCES = ("error: ", "tools: ", "The gateway cannot start: ")


class Supervisor:
    """The running stack.

    Args:
        settings: data folder, environment.
        units: what to start.
        board: what the user sees.
        guard: told of every process group.
        changed: called with service name -> process id whenever that changes.

    """

    def __init__(
        self,
        settings: LocalSettings,
        units: Sequence[Unit],
        board: Board,
        guard: Guard,
        changed: Callable[[dict[str, int]], None] = lambda _: None,
    ) -> None:
        self._settings = settings
        self._units = units
        self._board = board
        self._guard = guard
        self._changed = changed
        self._running: dict[str, Running] = {}
        self._is_up = {unit.name: asyncio.Event() for unit in units}
        self._keepers: set[asyncio.Task[None]] = set()
        self._stopping = False

    async def start(self) -> None:
        """Return when every unit is ready.

        Raises:
            StartError: the first unit that failed.

        """
        try:
            async with asyncio.TaskGroup() as group:
                for unit in self._units:
                    group.create_task(self._bring_up(unit))
        except* StartError as failures:
            raise _first(failures) from None

    async def stop(self) -> None:
        """Take everything down: lowest `stop_rank` first, children and grandchildren too."""
        self._stopping = True
        for keeper in self._keepers:
            keeper.cancel()
        ranks = sorted({running.unit.stop_rank for running in self._running.values()})
        for rank in ranks:
            mine = [one for one in self._running.values() if one.unit.stop_rank == rank]
            await asyncio.gather(*(one.stop() for one in mine))
        self._running.clear()

    def kill(self) -> None:
        """End everything at once (a second Ctrl-C)."""
        self._stopping = True
        for running in self._running.values():
            running.kill()

    async def _bring_up(self, unit: Unit) -> None:
        for name in unit.after:
            await self._is_up[name].wait()
        self._board.starting(unit.name)
        try:
            running = await self._launch(unit)
            await self._until_ready(running)
        except StartError:
            self._board.failed(unit.name)
            raise
        if unit.probe is None:
            await running.sweep()
            del self._running[unit.name]
            if unit.mark is not None:
                unit.mark.touch()
        else:
            keeper = asyncio.create_task(self._keep(running))
            self._keepers.add(keeper)
            keeper.add_done_callback(self._keepers.discard)
        self._board.ready(unit.name, done=unit.probe is None)
        self._is_up[unit.name].set()

    async def _launch(self, unit: Unit) -> Running:
        log_file = self._settings.logs_dir / f"{unit.name.replace(' ', '-')}.log"
        try:
            running = await start(unit, self._settings.environ, log_file, self._guard)
        except OSError as exc:
            raise StartError(
                f"{unit.name} could not be started: {unit.argv[0]}: {exc.strerror}. {unit.remedy}"
            ) from exc
        self._running[unit.name] = running
        self._changed({name: one.pid for name, one in self._running.items()})
        return running

    async def _until_ready(self, running: Running) -> None:
        """Return when a service answers its probe, or a step has ended well."""
        unit = running.unit
        give_up = time.monotonic() + unit.limit_s
        while True:
            if not all(self._is_up[name].is_set() for name in unit.counted_after):
                give_up = time.monotonic() + unit.limit_s
            if await running.ended(POLL_S):
                if unit.probe is None and running.returncode == 0:
                    return
                raise self._failure(unit, how_it_ended(running.returncode))
            if unit.probe is not None and await unit.probe():
                return
            if time.monotonic() > give_up:
                raise self._failure(unit, None)
            self._board.waiting(unit.name, self._last_words(unit) if unit.probe is None else "")

    async def _keep(self, running: Running) -> None:
        """Start a service again whenever it dies, until the stack stops."""
        pause_s = 1.0
        while not self._stopping:
            began = time.monotonic()
            await running.ended()
            if self._stopping:
                return
            name = running.unit.name
            if time.monotonic() - began > _STABLE_S:
                pause_s = 1.0
            self._board.note(
                f"{name} has died ({how_it_ended(running.returncode)}); the rest keeps running, "
                f"it is started again in {pause_s:.0f} s (log: {self._log_name(running.unit)})"
            )
            await running.sweep()
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)
            try:
                running = await self._launch(running.unit)
                await self._until_ready(running)
            except StartError as exc:
                self._board.note(str(exc))
                running.kill()
            else:
                self._board.note(f"{name} is ready again")

    def _failure(self, unit: Unit, ending: str | None) -> StartError:
        lines = tail(self._settings.logs_dir / f"{unit.name.replace(' ', '-')}.log")
        stated = [line.partition(": ")[2] for line in lines if line.startswith(_SENTENCES)]
        kind = "finished" if unit.probe is None else "ready"
        if ending is None:
            what = f"{unit.name} was not {kind} within {unit.limit_s:.0f} s."
        else:
            what = f"{unit.name} failed before it was {kind} ({ending})."
        # A service of ours that knows the reason has said it in one sentence, remedy included.
        return StartError(
            f"{what} {stated[-1] if stated else unit.remedy}",
            "" if stated else f"{self._log_name(unit)}:\n" + "\n".join(lines),
        )

    def _last_words(self, unit: Unit) -> str:
        lines = tail(self._settings.logs_dir / f"{unit.name.replace(' ', '-')}.log", 1, 512)
        return lines[0].strip() if lines else ""

    def _log_name(self, unit: Unit) -> str:
        return str(self._settings.logs_dir / f"{unit.name.replace(' ', '-')}.log")


def write_state(settings: LocalSettings, processes: dict[str, int], pid: int) -> None:
    """Record what runs, for `make stop` and for those who measure it."""
    state = {
        "pid": pid,
        "gateway_url": settings.gateway_url,
        "tools_url": f"http://127.0.0.1:{settings.tools_port}",
        "router_url": settings.model_url or f"http://127.0.0.1:{settings.router_port}/v1",
        "node_urls": []
        if settings.model_url
        else [f"http://127.0.0.1:{settings.node_port + i}" for i in range(settings.nodes)],
        "processes": processes,
    }
    draft = settings.state_file.with_suffix(".part")
    draft.write_text(json.dumps(state, indent=2), "utf-8")
    draft.replace(settings.state_file)


def _first(failures: BaseExceptionGroup[StartError]) -> StartError:
    inner = failures.exceptions[0]
    while isinstance(inner, BaseExceptionGroup):
        inner = inner.exceptions[0]
    return inner

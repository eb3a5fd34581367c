"""The supervisor over small programs of its own, so that seconds suffice."""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from deploy.local.errors import StartError
from deploy.local.guard import alive
from deploy.local.processes import Guard
from deploy.local.settings import load_settings
from deploy.local.supervisor import Supervisor
from deploy.local.units import Probe, Unit
from tests.unit.deploy.test_guard import STUBBORN, running


class Recorder:
    """A board that remembers."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def starting(self, name: str) -> None:
        self.said.append(f"{name} starting")

    def waiting(self, name: str, detail: str) -> None:
        pass

    def ready(self, name: str, *, done: bool = False) -> None:
        self.said.append(f"{name} {'done' if done else 'ready'}")

    def failed(self, name: str) -> None:
        self.said.append(f"{name} failed")

    def note(self, text: str) -> None:
        self.said.append(text)

    def close(self) -> None:
        pass


class Fixture:
    """A supervisor in the making, with what it reports."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.settings = load_settings({**os.environ, "DATA_DIR": str(folder)})
        self.settings.logs_dir.mkdir()
        self.board = Recorder()
        self.pids: dict[str, int] = {}
        self._seen: dict[str, int] = {}

    @contextlib.asynccontextmanager
    async def supervise(self, *units: Unit) -> AsyncIterator[Supervisor]:
        async with Guard() as guard:
            made = Supervisor(
                self.settings, units, self.board, guard, lambda now: self._seen.update(now)
            )
            self.pids = self._seen
            try:
                yield made
            finally:
                await made.stop()


@pytest.fixture
def fixture(tmp_path: Path) -> Fixture:
    return Fixture(tmp_path)


def service(name: str, code: str, probe: Probe, **changes: object) -> Unit:
    unit = Unit(name=name, argv=(sys.executable, "-c", code), remedy="Mend it.", probe=probe)
    return replace(unit, **changes)  # type: ignore[arg-type]


def step(name: str, code: str, **changes: object) -> Unit:
    unit = Unit(name=name, argv=(sys.executable, "-c", code), remedy="Mend it.")
    return replace(unit, **changes)  # type: ignore[arg-type]


def exists(path: Path) -> Probe:
    async def probe() -> bool:
        return await asyncio.to_thread(path.exists)

    return probe


async def never() -> bool:
    return False


async def always() -> bool:
    return True


async def until(condition: Callable[[], bool], timeout_s: float = 20) -> None:
    async with asyncio.timeout(timeout_s):
        while not condition():  # noqa: ASYNC110 (the condition is another process)
            await asyncio.sleep(0.02)


async def test_units_wait_for_what_they_need(fixture: Fixture) -> None:
    made = fixture.folder / "made"
    units = [
        service("last", f"import time; open({str(made)!r}); time.sleep(60)", always, after=("a",)),
        step("a", f"import time; time.sleep(.3); open({str(made)!r}, 'w')"),
    ]
    async with fixture.supervise(*units) as supervisor:
        await supervisor.start()
        assert fixture.board.said == ["a starting", "a done", "last starting", "last ready"]


async def test_a_step_leaves_its_mark_only_when_it_succeeds(fixture: Fixture) -> None:
    good, bad = fixture.folder / "good", fixture.folder / "bad"
    async with fixture.supervise(step("good", "", mark=good)) as supervisor:
        await supervisor.start()
    async with fixture.supervise(step("bad", "raise SystemExit(3)", mark=bad)) as supervisor:
        with pytest.raises(StartError, match=r"bad failed before it was finished \(exit status 3"):
            await supervisor.start()
    assert (good.exists(), bad.exists()) == (True, False)


async def test_a_service_that_dies_is_named_with_its_log_and_remedy(fixture: Fixture) -> None:
    dies = service("node-1", "print('loading'); raise SystemExit(7)", never)
    stays = service("other", "import time; time.sleep(60)", always)
    async with fixture.supervise(stays, dies) as supervisor:
        with pytest.raises(StartError) as failure:
            await supervisor.start()
    assert str(failure.value).startswith("node-1 failed before it was ready (exit status 7).")
    assert str(failure.value).endswith("Mend it.")
    assert "loading" in failure.value.log_tail
    assert not alive(fixture.pids["other"])


async def test_a_reason_the_service_gave_is_the_reason_given(fixture: Fixture) -> None:
    dies = service("node-1", "raise SystemExit('error: no such model; fetch it.')", never)
    async with fixture.supervise(dies) as supervisor:
        with pytest.raises(StartError, match=r"no such model; fetch it\.$") as failure:
            await supervisor.start()
    assert failure.value.log_tail == ""


async def test_a_service_that_hangs_ends_the_start(fixture: Fixture) -> None:
    hangs = service("slow", "import time; time.sleep(60)", never, limit_s=0.5)
    began = time.monotonic()
    async with fixture.supervise(hangs) as supervisor:
        with pytest.raises(StartError, match=r"slow was not ready within 0 s|within 1 s"):
            await supervisor.start()
    assert time.monotonic() - began < 10
    assert not alive(fixture.pids["slow"])


async def test_a_wait_for_others_does_not_count(fixture: Fixture) -> None:
    door = fixture.folder / "door"
    slow = step("slow", f"import time; time.sleep(2); open({str(door)!r}, 'w')")
    waits = service(
        "waits",
        "import time; time.sleep(60)",
        exists(door),
        limit_s=1,
        counted_after=("slow",),
    )
    async with fixture.supervise(waits, slow) as supervisor:
        await supervisor.start()
    assert "waits ready" in fixture.board.said


async def test_a_program_that_is_not_there_is_named(fixture: Fixture) -> None:
    missing = replace(step("x", ""), argv=("/no/such/program",))
    async with fixture.supervise(missing) as supervisor:
        with pytest.raises(StartError, match=r"x could not be started: /no/such/program"):
            await supervisor.start()


async def test_a_service_that_dies_later_is_started_again(fixture: Fixture) -> None:
    up = fixture.folder / "up"
    code = f"import time; open({str(up)!r}, 'w'); time.sleep(60)"
    async with fixture.supervise(service("node-1", code, exists(up))) as supervisor:
        await supervisor.start()
        first = fixture.pids["node-1"]
        os.kill(first, signal.SIGKILL)
        await until(lambda: "node-1 is ready again" in fixture.board.said)
        assert fixture.pids["node-1"] != first
        assert any("node-1 has died (signal SIGKILL)" in line for line in fixture.board.said)
    assert not alive(fixture.pids["node-1"])


async def test_stop_goes_by_rank_and_takes_stubborn_grandchildren(fixture: Fixture) -> None:
    script = fixture.folder / "stubborn.py"
    script.write_text(STUBBORN)
    marks = fixture.folder / "marks"
    marks.mkdir()

    async def both_run() -> bool:
        return len(list(marks.iterdir())) == 2

    stubborn = Unit(
        name="stubborn",
        argv=(sys.executable, str(script), str(marks)),
        remedy="",
        probe=both_run,
        grace_s=0.2,
        stop_rank=2,
    )
    log = fixture.folder / "order"
    polite = (
        "import signal, sys, time\n"
        f"signal.signal(15, lambda *_: (open({str(log)!r}, 'w').write('first'), sys.exit(0)))\n"
        "print('up', flush=True)\n"
        "time.sleep(60)"
    )

    async def polite_is_up() -> bool:
        text = (fixture.settings.logs_dir / "polite.log").read_text()
        return "up" in text

    units = [stubborn, service("polite", polite, polite_is_up, stop_rank=0)]
    async with fixture.supervise(*units) as supervisor:
        await supervisor.start()
        assert len(running(fixture.folder)) == 2
        began = time.monotonic()
        await supervisor.stop()
        assert time.monotonic() - began < 8
    assert log.read_text() == "first"
    assert running(fixture.folder) == []


async def test_kill_ends_everything_at_once(fixture: Fixture) -> None:
    deaf = "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(60)"
    async with fixture.supervise(service("deaf", deaf, always, grace_s=30)) as supervisor:
        await supervisor.start()
        stopping = asyncio.create_task(supervisor.stop())
        await asyncio.sleep(0.1)
        began = time.monotonic()
        supervisor.kill()
        await stopping
        assert time.monotonic() - began < 5
    assert not alive(fixture.pids["deaf"])

"""Processes that the bench starts for itself, on free ports, each on the cores it is given.

The gateway, tools, Redis and router are started with the very commands of `make run`; the model
behind them is the fast fake.
"""

import asyncio
import contextlib
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from deploy.local import probes
from deploy.local.credentials import Credentials, load_credentials
from deploy.local.settings import LocalSettings, load_settings
from deploy.local.units import plan_units
from tests.support.stack import PORT_VARIABLES, free_ports

ROOT = Path(__file__).resolve().parents[3]
READY_S = 90.0
GRACE_S = 8.0
# What a process needs from whoever starts the bench; their proxies and settings it does not.
_KEPT = ("PATH", "HOME", "LANG", "TMPDIR", "LD_LIBRARY_PATH", "VIRTUAL_ENV", "SYSTEMROOT")
_PINNED = (
    "import os, sys\n"
    "cores = {int(core) for core in sys.argv[1].split(',')}\n"
    "os.sched_setaffinity(0, cores)\n"
    "os.execv(sys.argv[2], sys.argv[2:])\n"
)


class RigError(Exception):
    """A process did not get ready; the message says which, and holds the end of its log."""


@dataclass(frozen=True, slots=True)
class Cores:
    """Which cores the measured proxy has for itself, and which everything else shares.

    Both are empty where the system cannot pin.
    """

    proxy: frozenset[int]
    rest: frozenset[int]


def divide(available: set[int]) -> Cores:
    """Give the proxy one core, and the rest to everything else; share where there is only one."""
    first, *others = sorted(available)
    return Cores(frozenset({first}), frozenset(others or [first]))


def own_cores() -> Cores:
    """Return the division of the cores that we may use."""
    if not hasattr(os, "sched_setaffinity"):
        return Cores(frozenset(), frozenset())
    return divide(os.sched_getaffinity(0))


@dataclass(slots=True)
class Rig:
    """The running processes.

    Attributes:
        cores: the division.
        pids: process id by name.
        fake: address of the fake model.
        router: address of the router.
        gateway: address of the gateway.
        key: the shop's key.
        token: a customer's token.

    """

    folder: Path
    cores: Cores
    settings: LocalSettings
    credentials: Credentials = field(repr=False)
    pids: dict[str, int] = field(default_factory=dict)
    fake: tuple[str, int] = ("127.0.0.1", 0)
    _running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def router(self) -> tuple[str, int]:
        """Where the router listens."""
        return ("127.0.0.1", self.settings.router_port)

    @property
    def gateway(self) -> tuple[str, int]:
        """Where the gateway listens."""
        return ("127.0.0.1", self.settings.gateway_port)

    async def start(
        self,
        name: str,
        argv: tuple[str, ...],
        probe: Callable[[], Awaitable[bool]],
        cores: frozenset[int],
        env: Mapping[str, str] | None = None,
    ) -> None:
        """Start a process and wait until it answers.

        Raises:
            RigError: it ended, or does not answer in time.

        """
        process, log = self._spawn(name, argv, cores, env or {})
        give_up = time.monotonic() + READY_S
        while not await probe():
            if process.poll() is not None:
                raise RigError(f"{name} ended before it was ready:\n{_tail(log)}")
            if time.monotonic() > give_up:
                raise RigError(f"{name} was not ready within {READY_S:.0f} s:\n{_tail(log)}")
            await asyncio.sleep(0.1)

    def _spawn(
        self, name: str, argv: tuple[str, ...], cores: frozenset[int], env: Mapping[str, str]
    ) -> tuple[subprocess.Popen[bytes], Path]:
        if cores:
            argv = (sys.executable, "-c", _PINNED, ",".join(map(str, sorted(cores))), *argv)
        kept = {key: os.environ[key] for key in _KEPT if key in os.environ}
        log = self.folder / f"{name}.log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                argv,
                cwd=ROOT,
                env={**kept, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", **env},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._running.append(process)
        self.pids[name] = process.pid
        return process, log

    def stop(self) -> None:
        """End every process with its children, the last started first."""
        for process in reversed(self._running):
            if process.poll() is None:
                process.terminate()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(GRACE_S)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self._running.clear()


@asynccontextmanager
async def rig(
    folder: Path, say: Callable[[str], None], profile: Path | None = None
) -> AsyncIterator[Rig]:
    """Run fake, router, Redis, tools and gateway; the caller's own process is pinned as well.

    Args:
        folder: for their data and logs.
        say: shows a line of progress.
        profile: where the gateway writes its profile; None runs it as `make run` does.

    Raises:
        RigError: a process did not get ready.

    """
    (fake_port, *ports) = free_ports(1 + len(PORT_VARIABLES))
    environ = {
        **dict(zip(PORT_VARIABLES, map(str, ports), strict=True)),
        "NODE_PORT": str(fake_port),
        "DATA_DIR": str(folder / "data"),
    }
    settings = load_settings(environ)
    (settings.data_dir / "redis").mkdir(parents=True)
    made = Rig(folder, own_cores(), settings, load_credentials(settings.secrets_dir))
    made.fake = ("127.0.0.1", fake_port)
    before = os.sched_getaffinity(0) if made.cores.rest else set()
    if made.cores.rest:
        os.sched_setaffinity(0, made.cores.rest)
    units = {unit.name: unit for unit in plan_units(settings, made.credentials)}
    try:
        await made.start(
            "fake",
            (sys.executable, "-m", "tests.support.fast_model", "--port", str(fake_port)),
            lambda: probes.http_ok(f"http://127.0.0.1:{fake_port}/health"),
            made.cores.rest,
        )
        for name in ("redis", "router", "tools", "gateway"):
            unit = units[name]
            assert unit.probe is not None
            argv = unit.argv
            if name == "gateway" and profile is not None:
                argv = (sys.executable, "-m", "tests.load.bench.profiled", str(profile))
            cores = made.cores.proxy if name == "gateway" else made.cores.rest
            await made.start(name, argv, unit.probe, cores, unit.env)
            say(f"{name} is ready")
        yield made
    finally:
        made.stop()
        if before:
            os.sched_setaffinity(0, before)


async def add_litellm(made: Rig, python: str) -> tuple[tuple[str, int], str] | None:
    """Start LiteLLM's proxy in front of the same router, where `python` has it.

    Returns:
        Its address and key; None where it is not installed.

    Raises:
        RigError: it is installed and does not get ready.

    """
    if not has_litellm(python):
        return None
    (port,) = free_ports(1)
    key = f"sk-{secrets.token_urlsafe(24)}"
    config = made.folder / "litellm.yaml"
    config.write_text(litellm_config(f"http://127.0.0.1:{made.router[1]}/v1", key), "utf-8")
    await made.start(
        "litellm",
        (
            *(python, "-c", "from litellm import run_server; run_server()"),
            *("--config", str(config), "--host", "127.0.0.1", "--port", str(port)),
            *("--num_workers", "1", "--telemetry", "False"),
        ),
        lambda: probes.http_ok(f"http://127.0.0.1:{port}/health/liveliness"),
        made.cores.proxy,
        {"LITELLM_LOG": "ERROR", "LITELLM_LOCAL_MODEL_COST_MAP": "True"},
    )
    return ("127.0.0.1", port), key


def has_litellm(python: str) -> bool:
    """Tell whether this Python has LiteLLM."""
    look = "import importlib.util, sys; sys.exit(importlib.util.find_spec('litellm') is None)"
    return subprocess.run([python, "-c", look], check=False, timeout=60).returncode == 0


def litellm_config(model_url: str, key: str) -> str:
    """Return LiteLLM's configuration: one model, a key nobody knows."""
    return (
        "model_list:\n"
        "  - model_name: xiaoer\n"
        "    litellm_params:\n"
        "      model: openai/xiaoer\n"
        f"      api_base: {model_url}\n"
        "      api_key: none\n"
        "litellm_settings:\n"
        "  num_retries: 0\n"
        "general_settings:\n"
        f"  master_key: {key}\n"
    )


def _tail(log: Path, lines: int = 20) -> str:
    return "\n".join(log.read_text("utf-8", "replace").splitlines()[-lines:])

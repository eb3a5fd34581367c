"""The local stack as a user starts it: `python -m deploy.local run` in a process of its own.

What it starts is found again by the process groups it records, and by its `DATA_DIR` in their
environment, whoever their parent is by then. Either alone misses some: a process that sets its
title overwrites its environment.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Where `make run` keeps its models: assembled once, used by all.
SHARED_MODELS = ROOT / "data" / "models"
PORT_VARIABLES = (
    "GATEWAY_PORT",
    "TOOLS_PORT",
    "ROUTER_PORT",
    "ROUTER_METRICS_PORT",
    "NODE_PORT",
    "REDIS_PORT",
    "EMBEDDER_PORT",
)
# Settings of whoever runs the tests must not reach the stack under test.
_FOREIGN = (
    *("NODES", "PROFILE", "MODEL_URL", "MODEL_NAME", "MODEL_API_KEY", "REDIS_URL"),
    *("DATABASE_URL", "SHOPS_FILE", "SHOP_SECRETS_FILE", "TOOLS_URL", "SERVICE_TOKEN_SECRET"),
    *("GATEWAY_HOST", "TOOLS_HOST", "SESSION_TURNS", "SESSION_TTL_S", "START_LIMIT_S"),
    *("XIAOER_STARTED_S", "TOKEN_TTL_S", "LOG_LEVEL"),
)


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now; all are held until all are found, so none repeats."""
    with contextlib.ExitStack() as held:
        found = []
        for _ in range(count):
            probe = held.enter_context(socket.socket())
            probe.bind(("127.0.0.1", 0))
            found.append(int(probe.getsockname()[1]))
        return found


class Stack:
    """One `deploy.local run`, and the commands that go with its data folder."""

    def __init__(self, data_dir: Path, **variables: str) -> None:
        ports = dict(zip(PORT_VARIABLES, map(str, free_ports(len(PORT_VARIABLES))), strict=True))
        own = {name: value for name, value in os.environ.items() if name not in _FOREIGN}
        models = os.environ.get("MODEL_DIR") or str(SHARED_MODELS)
        self.data_dir = data_dir
        self.env = {**own, **ports, "DATA_DIR": str(data_dir), "MODEL_DIR": models, **variables}
        self.lines: list[str] = []
        self._groups: set[int] = set()
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None

    @property
    def url(self) -> str:
        """The gateway's address."""
        return f"http://127.0.0.1:{self.env['GATEWAY_PORT']}"

    @property
    def process(self) -> subprocess.Popen[str]:
        """The supervisor."""
        assert self._process is not None, "start() first"
        return self._process

    @property
    def output(self) -> str:
        """All that was printed so far, on both streams."""
        return "".join(self.lines)

    def start(self) -> None:
        """Start it; what it prints is collected."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "deploy.local", "run"],
            cwd=ROOT,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def wait_for(self, text: str, timeout_s: float) -> None:
        """Return when `text` was printed; fail when the stack ends or takes longer."""
        give_up = time.monotonic() + timeout_s
        while text not in self.output:
            assert self.process.poll() is None, f"ended before {text!r}:\n{self.output}"
            assert time.monotonic() < give_up, f"no {text!r} in {timeout_s} s:\n{self.output}"
            time.sleep(0.1)

    def ended(self, timeout_s: float) -> int:
        """Wait for the end; return the exit status."""
        status = self.process.wait(timeout_s)
        if self._reader is not None:
            self._reader.join(10)
        return status

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the supervisor alone."""
        self._note_groups()
        self.process.send_signal(number)

    def command(self, *arguments: str) -> str:
        """Run `python -m deploy.local ARGUMENTS` with this data folder; return what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", "deploy.local", *arguments],
            cwd=ROOT,
            env=self.env,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        return done.stdout.strip()

    def key(self) -> str:
        """The demo shop's key."""
        return self.command("key")

    def token(self, customer: str) -> str:
        """A customer's token."""
        return self.command("token", customer)

    def left_over(self, wait_s: float = 10.0) -> list[str]:
        """Processes of this stack that are still there after `wait_s`, as `pid command`."""
        give_up = time.monotonic() + wait_s
        while (found := list(self._processes())) and time.monotonic() < give_up:
            time.sleep(0.1)
        return found

    def processes(self) -> list[str]:
        """Processes of this stack now."""
        return list(self._processes())

    def close(self) -> None:
        """End whatever is left, for the end of a test that failed."""
        if self._process is not None and self._process.poll() is None:
            self.signal(signal.SIGINT)
            try:
                self.ended(60)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self.ended(10)
        if self._process is not None and self._process.stdout is not None:
            self._process.stdout.close()
        for line in self.left_over(10):
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(line.split()[0]), signal.SIGKILL)

    def _processes(self) -> Iterator[str]:
        self._note_groups()
        mark = f"DATA_DIR={self.data_dir}".encode()
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                marked = mark in (folder / "environ").read_bytes().split(b"\0")
                # After the command's name, in brackets: state, parent, process group.
                group = int((folder / "stat").read_text().rpartition(")")[2].split()[2])
                if not marked and group not in self._groups:
                    continue
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                if command:  # a zombie has none
                    yield f"{folder.name} {command.strip()}"

    def _note_groups(self) -> None:
        with contextlib.suppress(OSError):  # not written yet, or removed at the end
            state = json.loads((self.data_dir / "run.json").read_text())
            self._groups |= set(state["processes"].values())

    def _read(self) -> None:
        assert self.process.stdout is not None
        with contextlib.suppress(ValueError):  # closed
            self.lines.extend(iter(self.process.stdout.readline, ""))


@contextlib.contextmanager
def running_stack(data_dir: Path, ready_s: float, **variables: str) -> Iterator[Stack]:
    """Run a stack that is ready, and end it afterwards.

    Args:
        data_dir: a fresh folder.
        ready_s: how long it may take.
        variables: as one would give them to make.
    """
    stack = Stack(data_dir, **variables)
    try:
        stack.start()
        stack.wait_for("Ctrl-C stops everything.", ready_s)
        yield stack
    finally:
        stack.close()


@contextlib.contextmanager
def fast_model() -> Iterator[str]:
    """Run the fast fake model; yields its base URL, for stacks that need no real one."""
    (port,) = free_ports(1)
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.support.fast_model", "--port", str(port)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_until_open(port)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        server.terminate()
        server.wait(20)


def proxyless(env: Mapping[str, str]) -> dict[str, str]:
    """Copy `env` without proxy settings, for clients that talk to 127.0.0.1."""
    return {name: value for name, value in env.items() if not name.lower().endswith("_proxy")}


def _wait_until_open(port: int, timeout_s: float = 30) -> None:
    give_up = time.monotonic() + timeout_s
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        assert time.monotonic() < give_up, f"nothing listens on port {port}"
        time.sleep(0.1)

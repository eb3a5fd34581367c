"""The tools service as a process of its own, on a port that the system gives."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx

import services
from services.tools.settings import DatabaseSettings

ROOT = Path(services.__file__).parents[1]


def free_port() -> int:
    """A port that nobody has at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def start(
    database: DatabaseSettings, secret: str, port: int, **changes: str
) -> subprocess.Popen[str]:
    """Start it; its warnings are errors. `changes` are environment variables."""
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "services.tools"],
        cwd=ROOT,
        env={
            **os.environ,
            "DATABASE_URL": database.url.render_as_string(hide_password=False),
            "SERVICE_TOKEN_SECRET": secret,
            "TOOLS_PORT": str(port),
            **changes,
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait(port: int, *processes: subprocess.Popen[str]) -> None:
    """Wait until it is ready; fails if one of the processes has ended."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert all(process.poll() is None for process in processes), processes[0].communicate()
        try:
            if httpx.get(f"http://127.0.0.1:{port}/health/ready", timeout=2).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError("not ready in a minute")


@contextlib.contextmanager
def tools_server(
    database: DatabaseSettings, secret: str, log: Path, **changes: str
) -> Iterator[str]:
    """Run it on a migrated database; gives its URL. What it wrote is in `log` afterwards.

    It writes into a pipe that is read at the end: for hundreds of calls, set `LOG_LEVEL`.
    """
    port = free_port()
    process = start(database, secret, port, **changes)
    try:
        wait(port, process)
        yield f"http://127.0.0.1:{port}"
        process.send_signal(signal.SIGTERM)
        assert process.wait(15) == 0
    finally:
        process.kill()
        log.write_text("\n".join(process.communicate()), "utf-8")

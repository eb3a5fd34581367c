import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

import services
from services.tools.settings import DatabaseSettings
from tests.integration.tools.conftest import SECRET, token

pytestmark = pytest.mark.integration
ROOT = Path(services.__file__).parents[1]


def _start(database: DatabaseSettings, port: int, **changes: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "services.tools"],
        cwd=ROOT,
        env={
            **os.environ,
            "DATABASE_URL": database.url.render_as_string(hide_password=False),
            "SERVICE_TOKEN_SECRET": SECRET,
            "TOOLS_PORT": str(port),
            **changes,
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait(port: int, *processes: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert all(process.poll() is None for process in processes), processes[0].communicate()
        try:
            if httpx.get(f"http://127.0.0.1:{port}/health/ready", timeout=2).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError("not ready in a minute")


def test_two_replicas_start_on_an_empty_database_and_stop_when_told(
    empty_database: DatabaseSettings,
) -> None:
    ports = [_free_port(), _free_port()]
    processes = [_start(empty_database, port) for port in ports]
    try:
        for port in ports:
            _wait(port, *processes)
            answer = httpx.post(
                f"http://127.0.0.1:{port}/v1/tools/query_inventory",
                json={"product": "耳机"},
                headers={"authorization": token(None)},
            )
            assert answer.json() == {"error": "product_not_found"}
        for process, sign in zip(processes, (signal.SIGTERM, signal.SIGINT), strict=True):
            process.send_signal(sign)
            assert process.wait(15) == 0
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def test_a_taken_port_is_one_sentence(database: DatabaseSettings) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        process = _start(database, taken.getsockname()[1])
        _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "TOOLS_PORT" in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"SERVICE_TOKEN_SECRET": ""}, "SERVICE_TOKEN_SECRET must be set"),
        ({"DATABASE_URL": "postgresql://u:hunter2@127.0.0.1:1/shop"}, "DATABASE_URL"),
        ({"DATABASE_URL": "sqlite:////proc/none/shop.db"}, "DATABASE_URL"),
    ],
)
def test_a_start_that_cannot_work_is_one_sentence(
    database: DatabaseSettings, changes: dict[str, Any], words: str
) -> None:
    process = _start(database, _free_port(), **changes)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert words in said
    assert "Traceback" not in said
    assert "hunter2" not in said

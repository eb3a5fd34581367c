import signal
import socket
from typing import Any

import httpx
import pytest

from services.tools.settings import DatabaseSettings
from tests.integration.tools.conftest import SECRET, token
from tests.support.tools_process import free_port, start, wait

pytestmark = pytest.mark.integration


def test_two_replicas_start_on_an_empty_database_and_stop_when_told(
    empty_database: DatabaseSettings,
) -> None:
    ports = [free_port(), free_port()]
    processes = [start(empty_database, SECRET, port) for port in ports]
    try:
        for port in ports:
            wait(port, *processes)
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
        process = start(database, SECRET, taken.getsockname()[1])
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
    process = start(database, SECRET, free_port(), **changes)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert words in said
    assert "Traceback" not in said
    assert "hunter2" not in said

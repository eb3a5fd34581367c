"""The router with the flags of `make run`, before nodes that the test has started."""

import contextlib
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx

from deploy.local.credentials import load_credentials
from deploy.local.settings import load_settings
from deploy.local.units import plan_units


@contextlib.contextmanager
def running_router(folder: Path, node_port: int, port: int, metrics_port: int) -> Iterator[str]:
    """Run it before two nodes, the second on the port after `node_port`; yields its URL."""
    variables = {"NODES": 2, "NODE_PORT": node_port}
    variables |= {"ROUTER_PORT": port, "ROUTER_METRICS_PORT": metrics_port}
    settings = load_settings(
        {"DATA_DIR": str(folder), **{name: str(value) for name, value in variables.items()}}
    )
    units = plan_units(settings, load_credentials(settings.secrets_dir))
    (argv,) = [unit.argv for unit in units if unit.name == "router"]
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait(f"http://127.0.0.1:{port}/health", process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(url: str, process: subprocess.Popen[bytes], timeout_s: float = 60) -> None:
    until = time.monotonic() + timeout_s
    while time.monotonic() < until:
        assert process.poll() is None, "the router ended"
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(url, timeout=2, trust_env=False).status_code == 200:
                return
        time.sleep(0.1)
    raise AssertionError("the router is not ready")

"""A gateway over real HTTP for tests, and servers for its fakes, each in a thread.

The thread runs uvicorn; the process as users run it (granian) is started by `GatewayProcess`.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import httpx2
import jwt
import uvicorn

from services.gateway.app import create_app
from services.gateway.settings import Settings, load_settings
from tests.support.redis_server import free_port
from tests.support.shops import SHOP_KEYS, TOKEN_SECRETS, write_shop_files

SERVICE_SECRET = "service-token-secret-of-the-tests-0123456789"


def customer_token(customer: str = "alice", shop: str = "demo", **claims: Any) -> str:
    """Return a customer token as a shop signs it; `claims` replace or add."""
    payload = {"sub": customer, "shop": shop, "exp": int(time.time()) + 600, **claims}
    return jwt.encode(payload, TOKEN_SECRETS[shop], algorithm="HS256")


def request(method: str, url: str, **options: Any) -> httpx2.Response:
    """Send one request. Without certificates to load, which cost more than the request."""
    with httpx2.Client(verify=False, trust_env=False, timeout=30) as client:
        return client.request(method, url, **options)


def headers(
    shop: str = "demo", customer: str | None = None, session: str | None = None
) -> dict[str, str]:
    """Return the headers of a request."""
    found = {"authorization": f"Bearer {SHOP_KEYS[shop]}"}
    if customer is not None:
        found["x-customer-token"] = customer_token(customer, shop)
    if session is not None:
        found["x-session-id"] = session
    return found


def shop_files(folder: Path) -> dict[str, str]:
    """Write the shops' two files; return the settings that name them."""
    shops, secrets = write_shop_files(folder)
    return {
        "SERVICE_TOKEN_SECRET": SERVICE_SECRET,
        "SHOPS_FILE": str(shops),
        "SHOP_SECRETS_FILE": str(secrets),
        "LOG_LEVEL": "error",
    }


class ServerThread:
    """Serves an ASGI application over real HTTP from a thread, on a free port."""

    def __init__(self, app: Any, *, lifespan: bool = False, port: int | None = None) -> None:
        self.port = port or free_port()
        config = uvicorn.Config(
            app,
            host="127.0.0.1",
            port=self.port,
            lifespan="on" if lifespan else "off",
            log_config=None,
            access_log=False,
            ws="none",
            timeout_graceful_shutdown=2,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)

    @property
    def url(self) -> str:
        """The server's base URL."""
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        until = time.monotonic() + 10
        while not self._server.started:
            if time.monotonic() > until or not self._thread.is_alive():
                raise RuntimeError("the server did not start")
            time.sleep(0.01)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop serving; connections are closed."""
        self._server.should_exit = True
        self._thread.join(10)


def settings_for(env: dict[str, str], **changes: str) -> Settings:
    """Return settings as `load_settings` makes them from `env` and `changes`."""
    return load_settings({**env, **changes})


@contextlib.contextmanager
def gateway_server(env: dict[str, str], **changes: str) -> Iterator[ServerThread]:
    """Serve a gateway until the context is left."""
    app = create_app(settings_for(env, **changes))
    with ServerThread(app, lifespan=True) as server:
        yield server


class GatewayProcess:
    """`python -m services.gateway` in a process group of its own."""

    def __init__(self, env: dict[str, str], **changes: str) -> None:
        self.port = free_port()
        self._env = {**os.environ, **env, **changes, "GATEWAY_PORT": str(self.port)}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The gateway's base URL."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """Its process's id."""
        assert self._process is not None
        return self._process.pid

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "services.gateway"], env=self._env, start_new_session=True
        )
        until = time.monotonic() + 30
        while time.monotonic() < until:
            with contextlib.suppress(httpx2.HTTPError):
                if request("GET", f"{self.url}/health/live", timeout=1).status_code == 200:
                    return self
            time.sleep(0.05)
        self.kill()
        raise RuntimeError("the gateway did not start")

    def __exit__(self, *_: object) -> None:
        self.kill()

    def terminate(self, timeout_s: float = 20) -> int:
        """Ask it to stop, as a supervisor does; return its exit status."""
        assert self._process is not None
        self._process.terminate()
        return self._process.wait(timeout_s)

    def kill(self) -> None:
        """Kill the process and its workers at once."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

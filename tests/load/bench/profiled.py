"""`python -m tests.load.bench.profiled FILE`: the gateway under cProfile, in one process.

Served as `python -m services.gateway` serves it, but embedded, since a profile of granian's parent
process would show nothing. The clock is the loop thread's CPU time: what others do on the core does
not count. What it measures is slower than the real thing; what it shows is where the time goes.
"""

import asyncio
import cProfile
import signal
import sys
import time

import uvloop
from granian.constants import Interfaces
from granian.log import LogLevels
from granian.server.embed import Server

from services.gateway.app import create_app
from services.gateway.settings import load_settings


async def serve() -> None:
    """Serve until SIGTERM."""
    settings = load_settings()
    server = Server(
        create_app(settings),
        address=settings.gateway_host,
        port=settings.gateway_port,
        interface=Interfaces.ASGI,
        websockets=False,
        log_level=LogLevels.error,
    )
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, server.stop)
    await server.serve()


def main() -> None:
    """Profile a run and write it where the first argument says."""
    profile = cProfile.Profile(time.thread_time)
    try:
        profile.runcall(uvloop.run, serve())
    finally:
        profile.dump_stats(sys.argv[1])


if __name__ == "__main__":
    main()

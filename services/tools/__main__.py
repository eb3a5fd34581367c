"""`python -m services.tools`: migrate the database, then serve until told to stop."""

import asyncio
import signal
import sys

import asyncpg  # type: ignore[import-untyped]
import uvloop
from granian.constants import Interfaces
from granian.log import LogLevels
from granian.server.embed import Server
from sqlalchemy.exc import SQLAlchemyError

from services.tools.app import create_app
from services.tools.db.migrate import migrate
from services.tools.errors import ToolsError
from services.tools.settings import Settings
from services.tools.telemetry import make_logger


async def serve(settings: Settings) -> None:
    """Migrate, then serve; returns after SIGINT or SIGTERM, when requests in flight are done."""
    log = make_logger(settings.log_level)
    await migrate(settings.database)
    # One process: what Ctrl-C or a supervisor stops is the server itself and not its parent.
    server = Server(
        create_app(settings),
        address=settings.host,
        port=settings.port,
        interface=Interfaces.ASGI,
        websockets=False,
        log_level=LogLevels.error,
    )
    loop = asyncio.get_running_loop()
    for sign in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(sign, server.stop)
    log.info("serving", url=f"http://{settings.host}:{settings.port}")
    await server.serve()
    log.info("stopped")


def main() -> int:
    """Run the service; returns the exit code. A start that fails says why in one sentence."""
    try:
        settings = Settings.from_env()
        uvloop.run(serve(settings))
    except ToolsError as exc:
        print(f"tools: {exc}", file=sys.stderr)
    except (SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError) as exc:
        cause = getattr(exc, "orig", None) or exc
        print(f"tools: the database cannot be used ({cause}); see DATABASE_URL", file=sys.stderr)
    except (OSError, RuntimeError, TimeoutError) as exc:
        print(
            f"tools: cannot start on {settings.host}:{settings.port} ({exc}); "
            "see TOOLS_HOST, TOOLS_PORT and DATABASE_URL",
            file=sys.stderr,
        )
    else:
        return 0
    return 1


if __name__ == "__main__":
    sys.exit(main())

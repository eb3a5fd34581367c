"""`python -m services.gateway`: serve with granian on uvloop until SIGTERM or Ctrl-C.

A stop is graceful: the listening socket closes, and answers under way are finished, at most a
deadline long.
"""

import sys

from granian.constants import Interfaces, Loops
from granian.log import LogLevels
from granian.server import Server

from services.gateway.app import create_app
from services.gateway.errors import SettingsError
from services.gateway.settings import load_settings

STOP_MARGIN_S = 5


def main() -> int:
    """Serve. Returns 2 when a setting is missing or wrong, with one sentence that says which."""
    try:
        settings = load_settings()
        # Built once here as well, so that a wrong file stops the start, not each worker in turn.
        create_app(settings)
    except SettingsError as exc:
        sys.stderr.write(f"The gateway cannot start: {exc}\n")
        return 2
    Server(
        "services.gateway.app:create_app_from_environment",
        factory=True,
        address=settings.gateway_host,
        port=settings.gateway_port,
        interface=Interfaces.ASGI,
        loop=Loops.uvloop,
        workers=settings.gateway_workers,
        websockets=False,
        log_level=LogLevels.warning,
        log_access=False,
        workers_kill_timeout=int(settings.deadline_s) + STOP_MARGIN_S,
    ).serve()
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""`python -m deploy.chatwoot`: serve the adapter until SIGTERM or Ctrl-C, as one process."""

import logging
import sys

from granian.constants import Interfaces
from granian.server import Server

from deploy.chatwoot.settings import SettingsError, load_settings


def main() -> int:
    """Serve. Returns 2 when a setting is missing or wrong, with one sentence that says which."""
    try:
        settings = load_settings()
    except SettingsError as exc:
        sys.stderr.write(f"The Chatwoot adapter cannot start: {exc}\n")
        return 2
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    Server(
        "deploy.chatwoot.app:create_app_from_environment",
        factory=True,
        address=settings.adapter_host,
        port=settings.adapter_port,
        interface=Interfaces.ASGI,
        websockets=False,
        log_access=False,
    ).serve()
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""`python -m deploy.local run|stop|token|key|with`: the commands behind make's targets.

`with -- -m services.gateway.knowledge load DIR` runs a command with the environment that the
services of this data folder get.
"""

import argparse
import os
import sys
from collections.abc import Sequence

from deploy.local import run
from deploy.local.credentials import load_credentials
from deploy.local.errors import LocalError, StartError
from deploy.local.settings import LocalSettings, load_settings
from deploy.local.units import service_environment


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m deploy.local", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("run", help="start everything and keep it until Ctrl-C")
    commands.add_parser("stop", help="stop the stack that runs with this data folder")
    token = commands.add_parser("token", help="print a customer's token")
    token.add_argument("customer")
    commands.add_parser("key", help="print the demo shop's key")
    other = commands.add_parser("with", help="run a Python command as the services would")
    other.add_argument("arguments", nargs=argparse.REMAINDER)
    options = parser.parse_args(arguments)
    try:
        return _run(options, load_settings())
    except StartError as exc:
        if exc.log_tail:
            print(f"\n{exc.log_tail}", file=sys.stderr)
        print(f"\nerror: {exc}", file=sys.stderr)
    except LocalError as exc:
        print(f"error: {exc}", file=sys.stderr)
    return 1


def _run(options: argparse.Namespace, settings: LocalSettings) -> int:
    if options.command == "run":
        return run.run(settings)
    if options.command == "stop":
        run.stop(settings)
        print("Everything is stopped.")
        return 0
    if options.command == "with":
        command = [sys.executable, *(one for one in options.arguments if one != "--")]
        env = {**service_environment(settings), **settings.environ}
        os.execve(sys.executable, command, env)  # noqa: S606 - the purpose # nosec B606
    credentials = load_credentials(settings.secrets_dir)
    if options.command == "token":
        print(credentials.customer_token(options.customer, settings.token_ttl_s))
    else:
        print(credentials.shop_key)
    return 0


if __name__ == "__main__":
    sys.exit(main())

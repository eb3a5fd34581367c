"""`make lint`: every check, all of them even when one fails."""

import subprocess  # the checks are programs # nosec B404
import sys

from deploy.local import audit
from deploy.local.secrets_scan import ROOT

CHECKS = (
    ("ruff check", "-m", "ruff", "check", "."),
    ("ruff format --check", "-m", "ruff", "format", "--check", "."),
    ("mypy --strict", "-m", "mypy", "--strict"),
    # The package has a command and no module to run.
    ("lint-imports", "-c", "from importlinter.cli import lint_imports_command as run; run()"),
    (
        "bandit",
        # Without the warnings that a `nosec` covers several strings of one statement.
        *("-c", "import logging; logging.disable(30); from bandit.cli.main import main; main()"),
        *("--quiet", "--recursive", "services", "deploy"),
        *("--configfile", "pyproject.toml", "--baseline", "deploy/local/bandit-accepted.json"),
    ),
    ("secrets", "-m", "deploy.local.secrets_scan"),
)


def main() -> int:
    """Run the checks; returns 1 if any failed, having named it."""
    failed = []
    with audit.started() as running:  # it mostly waits for the network
        for name, *arguments in CHECKS:
            print(f"--- {name}", flush=True)
            command = [sys.executable, *arguments]
            done = subprocess.run(command, cwd=ROOT, check=False)  # noqa: S603 - ours # nosec B603
            if done.returncode != 0:
                failed.append(name)
        print("--- pip-audit", flush=True)
        if not audit.finish(running):
            failed.append("pip-audit")
    print(f"failed: {', '.join(failed)}" if failed else "all checks passed", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

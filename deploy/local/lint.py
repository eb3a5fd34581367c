"""`make lint`: every check, all of them even when one fails."""

import subprocess
import sys
from pathlib import Path

CHECKS = (
    ("ruff check", "-m", "ruff", "check", "."),
    ("ruff format --check", "-m", "ruff", "format", "--check", "."),
    ("mypy --strict", "-m", "mypy", "--strict"),
    # The package has a command and no module to run.
    ("lint-imports", "-c", "from importlinter.cli import lint_imports_command as run; run()"),
)
ROOT = Path(__file__).resolve().parents[2]


def main() -> int:
    """Run the checks; returns 1 if any failed, having named it."""
    failed = []
    for name, *arguments in CHECKS:
        print(f"--- {name}", flush=True)
        command = [sys.executable, *arguments]
        if subprocess.run(command, cwd=ROOT, check=False).returncode != 0:  # noqa: S603
            failed.append(name)
    print(f"failed: {', '.join(failed)}" if failed else "all checks passed", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

"""Runs Prometheus' and Alertmanager's own checkers; skips, and says so, where they are missing."""

import shutil
import subprocess
from typing import Any

import pytest

PACKAGES = {
    "promtool": "prometheus",
    "prometheus": "prometheus",
    "amtool": "prometheus-alertmanager",
}


def program(name: str) -> str:
    """Return where a program is; skips the test where it is not."""
    if (found := shutil.which(name)) is None:
        pytest.skip(
            f"NOT CHECKED: there is no {name} here; Debian: apt-get install {PACKAGES[name]}"
        )
    return found


def checked(name: str, *arguments: Any) -> str:
    """Run a checker; fails with what it printed unless it is content."""
    done = subprocess.run(
        [program(name), *map(str, arguments)], capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout

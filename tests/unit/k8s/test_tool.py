"""`python -m deploy.manifests`: that it can fail, and says what is wrong."""

import json
import shutil
from pathlib import Path

import pytest

from deploy.manifests import digests, render, rules, scan, schemas, tools
from deploy.manifests.__main__ import main
from deploy.manifests.errors import ManifestsError
from deploy.manifests.render import Build
from tests.unit.k8s.changing import changed, pick

DIGEST = "sha256:" + "0" * 64


@pytest.fixture
def ours(tmp_path: Path) -> Path:
    return Path(shutil.copytree(render.K8S, tmp_path / "k8s"))


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text("utf-8")
    assert old in text
    file.write_text(text.replace(old, new), "utf-8")


def test_a_good_tree_passes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--quick"]) == 0
    out = capsys.readouterr().out
    assert "0 faults" in out
    # What nobody checked is said.
    assert "ServiceMonitor (monitoring.coreos.com/v1)" in out
    assert "not run" in out


def test_a_broken_overlay_fails_and_is_named(
    ours: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edit(ours / "base/inference.yaml", "maxUnavailable: 1, maxSurge: 0", "maxUnavailable: 2")
    edit(ours / "base/gateway.yaml", "periodSeconds: 5", "periodSecond: 5")
    assert main(["--quick", "--k8s", str(ours)]) == 1
    out = capsys.readouterr().out
    assert "policy:rollout DaemonSet/inference" in out
    assert "schema 1.32 Deployment/gateway" in out
    assert "periodSecond" in out


def test_what_kustomize_refuses_stops_the_check(
    ours: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edit(ours / "base/kustomization.yaml", "- tools.yaml", "- tool.yaml")
    assert main(["--quick", "--k8s", str(ours)]) == 2
    assert "kustomize refuses" in capsys.readouterr().err


def test_the_hardening_component_stays_last(ours: Path, kubectl: str, tmp_path: Path) -> None:
    file = ours / "overlays/cpu/kustomization.yaml"
    edit(file, "  - ../../components/common\n", "")
    with pytest.raises(ManifestsError, match="must be common"):
        render.build_all(kubectl, ours, tmp_path / "scratch", [("cpu", ("ingress",))])


def test_every_combination_is_built_once() -> None:
    every = render.combinations()
    assert len(every) == len(set(every)) == sum(2 ** len(one) for one in render.OPTIONAL.values())
    assert set(render.extremes()) <= set(every)


def test_the_schemas_are_strict(edge: Build) -> None:
    folder = tools.environment("requirements")
    good = pick(edge, "Deployment/gateway")
    wrong = pick(
        changed(edge, "Deployment/gateway", lambda d: d["spec"].update(replicas="two", replica=2)),
        "Deployment/gateway",
    )
    for version in schemas.VERSIONS:
        assert schemas.validate(folder, [good], version) == ([], set())
        faults, _ = schemas.validate(folder, [wrong], version)
        assert [fault.where for fault in faults] == ["Deployment/gateway"]


def checkov(folder: Path, report: object) -> Path:
    """Make a `bin` whose python prints this report."""
    folder.mkdir()
    program = folder / "python"
    program.write_text(f"#!/bin/sh\ncat <<'END'\n{json.dumps(report)}\nEND\n")
    program.chmod(0o755)
    return folder


def test_what_checkov_says_is_taken_to_its_object(tmp_path: Path, edge: Build) -> None:
    gateway = pick(edge, "Deployment/gateway")
    name = f"deployment-gateway-{scan.digest(gateway)}.yaml"
    failed = {"file_path": f"/{name}", "check_id": "CKV_K8S_1", "check_name": "said"}
    report = {
        "summary": {"passed": 1, "parsing_errors": 0},
        "results": {"failed_checks": [failed]},
    }
    found = scan.scan(checkov(tmp_path / "bin", report), [gateway], tmp_path / "objects")
    (fault,) = found[scan.digest(gateway)]
    assert (fault.check, fault.where, fault.what) == ("CKV_K8S_1", "Deployment/gateway", "said")


@pytest.mark.parametrize(
    "report",
    [
        [],
        {"summary": {"passed": 0, "parsing_errors": 0}, "results": {"failed_checks": []}},
        {"summary": {"passed": 3, "parsing_errors": 1}, "results": {"failed_checks": []}},
    ],
)
def test_a_checkov_that_checked_nothing_does_not_pass(
    tmp_path: Path, edge: Build, report: object
) -> None:
    with pytest.raises(ManifestsError, match="no report"):
        scan.scan(checkov(tmp_path / "bin", report), edge.documents, tmp_path / "objects")


def test_without_a_kubectl_it_says_how_to_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(tools, "KUBECTL_SHA256", {})
    with pytest.raises(ManifestsError, match="Install kubectl"):
        tools.kubectl()


def test_another_file_than_the_checked_kubectl_is_not_run(
    kubectl: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert kubectl
    monkeypatch.setattr(tools, "KUBECTL_SHA256", dict.fromkeys(tools.KUBECTL_SHA256, "0"))
    with pytest.raises(ManifestsError, match="not the kubectl that was checked"):
        tools.kubectl()


def test_rules_become_one_object_with_all_groups(tmp_path: Path) -> None:
    (tmp_path / "b.yaml").write_text("groups: [{name: two, rules: []}]")
    (tmp_path / "a.yaml").write_text("groups: [{name: one, rules: []}]")
    (document,) = rules.rule_documents(tmp_path)
    assert [group["name"] for group in document["spec"]["groups"]] == ["one", "two"]


def test_digests_go_where_images_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, images = tmp_path / "digests.json", tmp_path / "kustomization.yaml"
    file.write_text(
        '{"redis:8.6.6": null, "python:3.11-slim": null, "haproxy:3.2.4-alpine": "old"}'
    )
    shutil.copy(digests.IMAGES, images)
    answers = {"redis:8.6.6": DIGEST, "python:3.11-slim": DIGEST}
    assert digests.pin(file, images, answers.get) == 0
    assert json.loads(file.read_text()) == {**answers, "haproxy:3.2.4-alpine": "old"}
    before, after = digests.IMAGES.read_text(), images.read_text()
    assert f"{{name: redis, newTag: 8.6.6, digest: {DIGEST}}}" in after
    assert len(before.splitlines()) == len(after.splitlines())
    assert f"--build-arg PYTHON_IMAGE=python:3.11-slim@{DIGEST}" in capsys.readouterr().out


def test_a_digest_that_is_not_to_be_had_is_said(tmp_path: Path) -> None:
    file, images = tmp_path / "digests.json", tmp_path / "kustomization.yaml"
    file.write_text('{"redis:8.6.6": null}')
    images.write_text("images: []\n")
    assert digests.pin(file, images, lambda _: None) == 1

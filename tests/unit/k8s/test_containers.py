"""The container files and compose.yaml, as far as they can be read without an engine."""

import itertools
import json
import re
from typing import Any

import pytest
import yaml

from deploy.manifests import digests
from deploy.manifests.digests import ARGUMENTS
from deploy.manifests.policies.settings import READERS, read_by
from tests.support.stack import ROOT

FOLDER = ROOT / "deploy" / "containers"
TEXT = (FOLDER / "Containerfile").read_text("utf-8").replace("\\\n", " ")
IMAGES = ("gateway", "tools", "embedder", "router", "inference", "inference-cpu")


def stages() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {"": []}
    name = ""
    for line in TEXT.splitlines():
        if line.startswith("FROM"):
            name = line.split()[-1]
            found[name] = []
        found[name].append(line)
    return found


@pytest.mark.parametrize("image", IMAGES)
def test_every_image_is_nobodys_and_says_whether_it_is_well(image: str) -> None:
    lines = stages()[image]
    assert "USER 10001:10001" in lines
    assert any(line.startswith("HEALTHCHECK") for line in lines)
    assert any(line.startswith("ENTRYPOINT [") for line in lines)
    last = max(i for i, line in enumerate(lines) if line.startswith(("RUN", "COPY")))
    assert last < lines.index("USER 10001:10001")


@pytest.mark.parametrize("stage", ["base", "inference"])
def test_images_are_labelled(stage: str) -> None:
    text = " ".join(stages()[stage])
    for label in ("title", "licenses", "version", "revision"):
        assert f"org.opencontainers.image.{label}=" in text
    assert "io.xiaoer.sbom=" in text


def test_bases_have_a_version_and_a_place_for_their_digest() -> None:
    known = json.loads((FOLDER / "digests.json").read_text())
    assert set(ARGUMENTS.values()) == set(re.findall(r"^ARG (\w+_IMAGE)=", TEXT, re.MULTILINE))
    for base in re.findall(r"^ARG \w+_IMAGE=(\S+)", TEXT, re.MULTILINE):
        assert base in known
    for line in digests.IMAGES.read_text("utf-8").splitlines():
        found = re.match(r"  - \{name: (\S+), newTag: ([^,}]+)", line)
        if found and not found[1].startswith("xiaoer/"):
            assert f"{found[1]}:{found[2]}" in known


def test_what_is_copied_exists_and_is_let_in() -> None:
    ignored = (FOLDER / "Containerfile.dockerignore").read_text().split()
    let_in = [line[1:] for line in ignored if line.startswith("!")]
    for line in TEXT.splitlines():
        if not line.startswith("COPY") or "--from" in line:
            continue
        for source in line.split()[1:-1]:
            assert (ROOT / source).exists(), source
            assert any(source == one or source.startswith(f"{one}/") for one in let_in), source


COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text("utf-8"))


def test_compose_runs_two_nodes_of_either_kind() -> None:
    services = COMPOSE["services"]
    for kind in ("cpu", "gpu"):
        nodes = [one for name, one in services.items() if name in (f"{kind}-a", f"{kind}-b")]
        aliases = [one["networks"]["default"]["aliases"] for one in nodes]
        assert aliases == [["node-a"], ["node-b"]]
        assert all(kind in one["profiles"] for one in nodes)
    assert "http://node-a:8101 http://node-b:8101" in services["router"]["command"]


@pytest.mark.parametrize("name", COMPOSE["services"])
def test_compose_services_are_held_tight(name: str) -> None:
    service = COMPOSE["services"][name]
    assert "latest" not in service["image"]
    assert ":" in service["image"]
    if name not in ("postgres", "volumes"):
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["user"].endswith("10001:10001}")
    target = service.get("build", {}).get("target")
    assert target is None or target in IMAGES


@pytest.mark.parametrize("name", [name for name in READERS if name in COMPOSE["services"]])
def test_compose_sets_what_services_read(name: str) -> None:
    assert set(COMPOSE["services"][name].get("environment", {})) <= read_by(name)
    for node in ("cpu-a", "cpu-b", "gpu-a", "gpu-b", "fetch"):
        assert set(COMPOSE["services"][node]["environment"]) <= read_by("inference")


def test_compose_knows_the_routers_flags() -> None:
    unit = (ROOT / "deploy/local/units.py").read_text()
    words = COMPOSE["services"]["router"]["command"].split()
    for flag, value in itertools.pairwise(words):
        if flag.startswith(("--health-", "--cb-", "--retry-", "--request-timeout")):
            assert f'"{flag}", "{value}"' in unit, flag


def test_configuration_that_compose_mounts_exists() -> None:
    for config in COMPOSE["configs"].values():
        assert (ROOT / "deploy" / config["file"]).exists()

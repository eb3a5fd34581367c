"""Runs kustomize: every overlay with every combination of the components that may join it."""

import itertools
import shutil
import subprocess  # to run kubectl # nosec B404
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from deploy.manifests.errors import ManifestsError
from deploy.manifests.tools import ROOT

Document = dict[str, Any]
Combination = tuple[str, tuple[str, ...]]
K8S = ROOT / "k8s"
LAST = "common"
"""The component that hardens; it comes after all others."""
OPTIONAL = {
    # No guard: its card would be the one that the answers need.
    "edge": ("monitoring", "postgres-operator", "ingress"),
    "cluster": ("postgres-operator", "guard", "ingress"),
    # No operator: it shows the shop's sample from a file.
    "cpu": ("monitoring", "ingress"),
}
"""For each overlay, the components that it can do without and may have."""
SEPARATE = ("addons/prometheus-adapter",)
"""Folders for other namespaces than ours."""


@dataclass(frozen=True, slots=True)
class Build:
    """What one `kubectl kustomize` gave.

    Attributes:
        name: the overlay, then the components added to it: `edge +ingress`.
        documents: the objects.

    """

    name: str
    documents: tuple[Document, ...]

    def of(self, *kinds: str) -> list[Document]:
        """Return the objects of these kinds."""
        return [document for document in self.documents if document["kind"] in kinds]


def label(document: Document) -> str:
    """Return `Kind/name`."""
    return f"{document['kind']}/{document['metadata']['name']}"


def combinations() -> list[Combination]:
    """List every overlay with every set of its optional components."""
    return [
        (overlay, chosen)
        for overlay, optional in OPTIONAL.items()
        for size in range(len(optional) + 1)
        for chosen in itertools.combinations(optional, size)
    ]


def extremes() -> list[Combination]:
    """List every overlay alone, and with all that it may have."""
    return [one for name, all_of_it in OPTIONAL.items() for one in ((name, ()), (name, all_of_it))]


def build_all(kubectl: str, k8s: Path, scratch: Path, chosen: Sequence[Combination]) -> list[Build]:
    """Render combinations, and what is for other namespaces.

    Args:
        kubectl: the program.
        k8s: the manifests.
        scratch: folder to combine in.
        chosen: overlays with components.

    Raises:
        ManifestsError: kustomize refuses a combination; names it.

    """
    copy = scratch / "k8s"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(k8s, copy)
    builds = [
        Build(" +".join((overlay, *added)), render(kubectl, _combined(copy, overlay, added)))
        for overlay, added in chosen
    ]
    return builds + [Build(name, render(kubectl, copy / name)) for name in SEPARATE]


def _combined(copy: Path, overlay: str, chosen: Sequence[str]) -> Path:
    """Add components to an overlay as its user would, in a folder beside it; return the folder."""
    source = copy / "overlays" / overlay
    if not chosen:
        return source
    folder = source.with_name("-".join((overlay, *chosen)))
    shutil.copytree(source, folder)
    file = folder / "kustomization.yaml"
    kustomization = yaml.safe_load(file.read_text("utf-8"))
    *components, last = kustomization["components"]
    if Path(last).name != LAST:
        raise ManifestsError(f"The last component of {source} must be {LAST}, not {last}.")
    added = [f"../../components/{name}" for name in chosen]
    kustomization["components"] = [*components, *added, last]
    file.write_text(yaml.safe_dump(kustomization), "utf-8")
    return folder


def render(kubectl: str, folder: Path) -> tuple[Document, ...]:
    """Render one folder.

    Raises:
        ManifestsError: kustomize refuses it.

    """
    done = subprocess.run(  # noqa: S603 - ours # nosec B603
        [kubectl, "kustomize", str(folder)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    if done.returncode != 0:
        raise ManifestsError(f"kustomize refuses {folder}: {done.stderr.strip()[-600:]}")
    return tuple(document for document in yaml.safe_load_all(done.stdout) if document)

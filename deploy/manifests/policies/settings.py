"""Every variable a container gets is one that its program reads."""

import ast
import re
from collections.abc import Iterator
from functools import cache

from deploy.manifests.faults import Fault
from deploy.manifests.policies.objects import containers, name, pod, workloads
from deploy.manifests.render import Build, Document, label
from deploy.manifests.tools import ROOT

READERS = {
    "gateway": ("services/gateway/settings.py",),
    "tools": ("services/tools/settings.py",),
    "embedder": ("services/inference/embedder/__main__.py",),
    "inference": ("services/inference/settings.py",),
    "guard": ("services/inference/settings.py",),
}
"""Where each service reads its environment."""
ANYWHERE = {"HOME"}
_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]+")


@cache
def read_by(service: str) -> frozenset[str]:
    """Return the names in capitals that stand as strings in a service's settings module."""
    found: set[str] = set()
    for file in READERS.get(service, ()):
        for node in ast.walk(ast.parse((ROOT / file).read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found |= {node.value} if _VARIABLE.fullmatch(node.value) else set()
    return frozenset(found)


def known(build: Build) -> Iterator[Fault]:
    """A misspelt or outdated variable is a setting that silently is not set."""
    maps = {name(document): document.get("data", {}) for document in build.of("ConfigMap")}
    for workload in workloads(build):
        scripts = "\n".join(_scripts(workload, maps))
        for container in containers(workload):
            words = " ".join([*container.get("command", []), *container.get("args", [])])
            for variable in sorted(_given(container, maps)):
                own = variable in read_by(name(workload)) | ANYWHERE
                used = f"$({variable})" in words or re.search(
                    rf"\b{re.escape(variable)}\b", words + scripts
                )
                if not own and not used:
                    fault = f"{container['name']}: nothing reads {variable}"
                    yield Fault("policy:settings", label(workload), fault)


def _given(container: Document, maps: dict[str, Document]) -> set[str]:
    found = {entry["name"] for entry in container.get("env", [])}
    for source in container.get("envFrom", []):
        found |= set(maps.get(source.get("configMapRef", {}).get("name", ""), {}))
    return found


def _scripts(workload: Document, maps: dict[str, Document]) -> Iterator[str]:
    for volume in pod(workload).get("volumes", []):
        for text in maps.get(volume.get("configMap", {}).get("name", ""), {}).values():
            yield str(text)

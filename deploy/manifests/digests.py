"""Digests of the images we build on or run as they are: asked of the registries, kept in a file.

No registry's address stands here: docker, podman or skopeo know where an image lives.
"""

import json
import re
import shutil
import subprocess  # to run the container tools # nosec B404
import sys
from collections.abc import Callable
from pathlib import Path

import yaml

from deploy.manifests.tools import ROOT

FILE = ROOT / "deploy" / "containers" / "digests.json"
IMAGES = ROOT / "k8s" / "components" / "common" / "kustomization.yaml"
ARGUMENTS = {"python": "PYTHON_IMAGE", "vllm/vllm-openai": "VLLM_IMAGE"}
"""The Containerfile's argument for each base."""
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_ASK = (
    ("skopeo", "inspect", "--no-tags", "--format", "{{.Digest}}", "docker://{image}"),
    ("docker", "buildx", "imagetools", "inspect", "--format", "{{.Manifest.Digest}}", "{image}"),
    ("crane", "digest", "{image}"),
)


def ask(image: str) -> str | None:
    """Return an image's digest as its registry says it, or None where nobody can tell."""
    for words in _ASK:
        program = shutil.which(words[0])
        if program is None:
            continue
        command = [program, *(word.replace("{image}", image) for word in words[1:])]
        done = subprocess.run(  # noqa: S603 - ours # nosec B603
            command, capture_output=True, text=True, check=False, timeout=60
        )
        match = _DIGEST.search(done.stdout) if done.returncode == 0 else None
        if match:
            return match[0]
    return None


def pin(file: Path = FILE, images: Path = IMAGES, asked: Callable[[str], str | None] = ask) -> int:
    """Fill in the digests; returns 1 when one could not be had. What was known is kept."""
    digests: dict[str, str | None] = json.loads(file.read_text("utf-8"))
    for image, known in digests.items():
        digests[image] = asked(image) or known
        print(f"{image:28} {digests[image] or 'not to be had: is a registry in reach?'}")
    file.write_text(json.dumps(digests, indent=2) + "\n", "utf-8")
    _into_manifests(digests, images)
    for image, digest in digests.items():
        argument = ARGUMENTS.get(image.partition(":")[0])
        if argument and digest:
            print(f"--build-arg {argument}={image}@{digest}")
    missing = [image for image, digest in digests.items() if digest is None]
    if missing:
        print("without a digest: " + ", ".join(missing), file=sys.stderr)
    return 1 if missing else 0


def _into_manifests(digests: dict[str, str | None], images: Path) -> None:
    """Add `digest:` to the images of the manifests, in their lines, comments untouched."""
    lines = []
    for line in images.read_text("utf-8").splitlines(keepends=True):
        entry = line.strip().removeprefix("- ")
        found = yaml.safe_load(entry) if entry.startswith("{name: ") and "newTag" in entry else None
        digest = digests.get(f"{found['name']}:{found['newTag']}") if found else None
        if found and digest:
            found["digest"] = digest
            words = ", ".join(f"{key}: {value}" for key, value in found.items())
            line = line.replace(entry, f"{{{words}}}")
        lines.append(line)
    images.write_text("".join(lines), "utf-8")

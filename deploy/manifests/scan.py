"""checkov over the rendered objects, in its own environment."""

import hashlib
import json
import os
import shutil
import subprocess  # to run checkov # nosec B404
from collections.abc import Sequence
from pathlib import Path

import yaml

from deploy.manifests.errors import ManifestsError
from deploy.manifests.faults import Fault
from deploy.manifests.render import Document, label


def digest(document: Document) -> str:
    """Return a short name for exactly this object."""
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()[:12]


def scan(bin_folder: Path, documents: Sequence[Document], folder: Path) -> dict[str, list[Fault]]:
    """Write the objects to `folder`, a file each, and return the faults by the object's digest.

    Raises:
        ManifestsError: checkov itself failed.

    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    by_file = {}
    for document in documents:
        name = f"{label(document).replace('/', '-')}-{digest(document)}.yaml".lower()
        (folder / name).write_text(yaml.safe_dump(document), "utf-8")
        by_file[name] = document
    options = ["-d", str(folder), "--framework", "kubernetes", "--output", "json", "--compact"]
    options += ["--quiet", "--skip-download", "--soft-fail"]
    done = subprocess.run(  # noqa: S603 - ours # nosec B603
        [str(bin_folder / "python"), str(bin_folder / "checkov"), *options],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
        env={**os.environ, "LOG_LEVEL": "ERROR"},
    )
    failed = _failed(done.stdout)
    if failed is None:
        raise ManifestsError(f"checkov gave no report: {done.stderr.strip()[-300:]}")
    found: dict[str, list[Fault]] = {}
    for check in failed:
        document = by_file[Path(check["file_path"]).name]
        fault = Fault(check["check_id"], label(document), check["check_name"])
        found.setdefault(digest(document), []).append(fault)
    return found


def _failed(output: str) -> list[Document] | None:
    """Return the failed checks of a report; None where it is none, or nothing was checked."""
    try:
        report = json.loads(output)
        failed: list[Document] = report["results"]["failed_checks"]
        summary = report["summary"]
        checked = summary["passed"] > 0 and not summary["parsing_errors"]
    except (ValueError, KeyError, TypeError):
        return None
    return failed if checked else None

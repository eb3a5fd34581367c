"""Kubernetes' own schemas, strictly, by kubernetes-validate in its own environment."""

import json
import subprocess  # to run the validator # nosec B404
from collections.abc import Sequence
from pathlib import Path

from deploy.manifests.errors import ManifestsError
from deploy.manifests.faults import Fault
from deploy.manifests.render import Document, label

VERSIONS = ("1.32", "1.37")
"""The oldest Kubernetes that our manifests are for, and the newest that there is a schema of."""

# Runs in the other environment, which has no package of ours.
_PROGRAM = """
import json, sys
import kubernetes_validate
found = []
version = sys.argv[1]
for number, document in enumerate(json.load(sys.stdin)):
    try:
        kubernetes_validate.validate(document, version, strict=True)
    except kubernetes_validate.SchemaNotFoundError:
        found.append([number, None])
    except kubernetes_validate.ValidationError as exc:
        found.append([number, f"{'.'.join(map(str, exc.path))}: {exc.message}"])
json.dump(found, sys.stdout)
"""


def validate(
    bin_folder: Path, documents: Sequence[Document], version: str
) -> tuple[list[Fault], set[str]]:
    """Return the faults, and the kinds of which there is no schema.

    Raises:
        ManifestsError: the validator itself failed.

    """
    done = subprocess.run(  # noqa: S603 - ours # nosec B603
        [str(bin_folder / "python"), "-c", _PROGRAM, version],
        input=json.dumps(documents),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    if done.returncode != 0:
        raise ManifestsError(f"kubernetes-validate failed: {done.stderr.strip()[-300:]}")
    faults, skipped = [], set()
    for number, message in json.loads(done.stdout):
        document = documents[number]
        if message is None:
            skipped.add(f"{document['kind']} ({document['apiVersion']})")
        else:
            faults.append(Fault(f"schema {version}", label(document), message[:400]))
    return faults, skipped

"""The scripts that pods run from a ConfigMap, as modules."""

import importlib.util
from pathlib import Path
from types import ModuleType

from deploy.manifests.render import K8S


def load(file: Path) -> ModuleType:
    """Load a file that is in no package."""
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


warmup = load(K8S / "base" / "scripts" / "warmup.py")
drain = load(K8S / "base" / "scripts" / "drain.py")

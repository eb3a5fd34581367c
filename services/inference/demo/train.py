"""Tunes SmolLM2-135M-Instruct on composed shop dialogues with LoRA, on two CPU cores.

Every step draws its shop and dialogues from a random source seeded by its number, so a run that
was stopped goes on exactly where its last checkpoint stands.
"""

from __future__ import annotations

import math
import random
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from peft.utils import SAFETENSORS_WEIGHTS_NAME as ADAPTER_FILE
from peft.utils import get_peft_model_state_dict, set_peft_model_state_dict
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerBase

from services.inference.demo.contract import CONTRACT
from services.inference.demo.dialogues import Composer
from services.inference.demo.errors import RecipeChangedError
from services.inference.demo.packing import (
    ATTENTION,
    NO_TARGET,
    SharedPrefixAttention,
    Step,
    cut_reply,
    encode,
    fill_blocks,
    pack,
    render,
)
from services.inference.demo.phrases import Phrases
from services.inference.demo.sample_names import sample_names
from services.inference.demo.world import Language, World

BASE_NAME = "SmolLM2-135M-Instruct"
_CHECKPOINT = "checkpoint.pt"


@dataclass(frozen=True)
class Recipe:
    """What was found to work; see the README's section on the demonstration model."""

    steps: int = 1150
    blocks: int = 4
    block_tokens: int = 640
    learning_rate: float = 2e-3
    warmup_steps: int = 20
    rank: int = 32
    alpha: int = 64
    # The base model knows less Chinese than English.
    zh_share: float = 0.65
    # Which call to make and which policy to quote is the hard part, copying the rest is not: most
    # dialogues are short and end with the last call, or soon after their last reply begins.
    decision_share: float = 0.65
    decision_tokens: int = 20
    seed: int = 7
    checkpoint_every: int = 50


class DialogueSource:
    """Gives the tensors of any step, by its number alone."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, recipe: Recipe) -> None:
        self._tokenizer = tokenizer
        self._recipe = recipe
        self._phrases: dict[Language, Phrases] = {}
        self._avoid = sample_names()

    def step(self, number: int) -> Step:
        """Compose step ``number``: one shop, as many dialogues as its blocks hold."""
        recipe = self._recipe
        rng = random.Random(f"{recipe.seed}:{number}")
        language: Language = "zh" if rng.random() < recipe.zh_share else "en"
        if language not in self._phrases:
            self._phrases[language] = Phrases(language, "train")
        composer = Composer(self._phrases[language], World(language, rng, self._avoid))
        shop = composer.shop()
        dialogues, total, head = [], 0, ""
        while total < recipe.blocks * recipe.block_tokens * 1.15:
            short = rng.random() < recipe.decision_share
            messages, cut = composer.decision(shop) if short else (composer.dialogue(shop), False)
            head, body = render(self._tokenizer, messages, CONTRACT["tools"])
            encoded = encode(self._tokenizer, body, messages)
            if cut:
                encoded = cut_reply(encoded, recipe.decision_tokens)
            if len(encoded.ids) <= recipe.block_tokens:
                dialogues.append(encoded)
                total += len(encoded.ids)
        prefix = list(self._tokenizer(head, add_special_tokens=False)["input_ids"])
        filled = fill_blocks(dialogues, recipe.blocks, recipe.block_tokens)
        pad_id = int(self._tokenizer.pad_token_id or 0)
        return pack(prefix, filled, recipe.block_tokens, pad_id)


def learning_rate(recipe: Recipe, step: int) -> float:
    """Warm up linearly, then follow a half cosine down to 2% of the peak."""
    if step < recipe.warmup_steps:
        return recipe.learning_rate * (step + 1) / recipe.warmup_steps
    done = (step - recipe.warmup_steps) / max(1, recipe.steps - recipe.warmup_steps)
    return recipe.learning_rate * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * done)))


def build_model(base: Path, recipe: Recipe) -> Any:
    """Load the base in bf16 and put fp32 adapters on every linear layer."""
    model = AutoModelForCausalLM.from_pretrained(
        base, dtype=torch.bfloat16, attn_implementation=ATTENTION
    )
    config = LoraConfig(
        r=recipe.rank, lora_alpha=recipe.alpha, target_modules="all-linear", task_type="CAUSAL_LM"
    )
    adapted = get_peft_model(model, config)
    # Of the base's name, not of where it lies on this machine.
    adapted.peft_config["default"].base_model_name_or_path = BASE_NAME
    for parameter in adapted.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()
    layers: Any = model.model.layers
    for layer in layers:
        # Fuses the small operations between matrix products: two thirds more tokens a second. All
        # layers share one compilation for each of the few shapes.
        layer.compile(dynamic=False)
    return adapted


def loss_of(model: Any, attention: SharedPrefixAttention, step: Step) -> torch.Tensor:
    """Cross-entropy over what the assistant said; logits are made for those positions only."""
    attention.step = step
    causal = model.base_model.model
    with torch.autocast("cpu", torch.bfloat16):
        hidden = causal.model(
            input_ids=step.ids,
            position_ids=step.position_ids,
            attention_mask=torch.zeros(1, 1, 1, 1),  # unused: the layout's own bias is applied
            use_cache=False,
        ).last_hidden_state
        logits = causal.lm_head(hidden[0, step.positions_of])
    return torch.nn.functional.cross_entropy(logits.float(), step.targets, ignore_index=NO_TARGET)


def save_adapter(model: PeftModel, folder: Path) -> None:
    """Write the adapter in bf16, as it is committed."""
    model.save_pretrained(str(folder))
    (folder / "README.md").unlink(missing_ok=True)  # a form to fill in that peft leaves
    file = folder / ADAPTER_FILE
    save_file({k: v.to(torch.bfloat16) for k, v in load_file(file).items()}, file, {"format": "pt"})


def _resume(
    checkpoint: Path, recipe: Recipe, model: PeftModel, optimizer: torch.optim.Optimizer
) -> int:
    """Load a checkpoint of the same recipe; return the step to go on with."""
    if not checkpoint.exists():
        return 0
    state = torch.load(checkpoint, weights_only=True)
    if state["recipe"] != asdict(recipe):
        raise RecipeChangedError(
            f"{checkpoint} belongs to another recipe; move {checkpoint.parent} away to begin anew."
        )
    set_peft_model_state_dict(model, state["adapter"])
    optimizer.load_state_dict(state["optimizer"])
    print(f"resuming at step {state['step']} of {recipe.steps}", flush=True)
    return int(state["step"])


def _save_checkpoint(
    checkpoint: Path,
    recipe: Recipe,
    model: PeftModel,
    optimizer: torch.optim.Optimizer,
    step: int,
) -> None:
    partial = checkpoint.with_suffix(".partial")
    torch.save(
        {
            "adapter": get_peft_model_state_dict(model),
            "optimizer": optimizer.state_dict(),
            "step": step,
            "recipe": asdict(recipe),
        },
        partial,
    )
    partial.replace(checkpoint)


def train(base: Path, work: Path, recipe: Recipe, adapter: Path, start: Path | None = None) -> None:
    """Run or resume the recipe; checkpoints in ``work``, the finished adapter in ``adapter``.

    Args:
        base: the dequantized base checkpoint, chat template included.
        work: folder for checkpoints and the loss log.
        recipe: sizes and rates.
        adapter: where the finished adapter goes.
        start: an adapter of the same rank to go on from; without it, a new one.

    Raises:
        RecipeChangedError: the checkpoint in ``work`` is another recipe's.
    """
    torch.manual_seed(recipe.seed)
    work.mkdir(parents=True, exist_ok=True)
    tokenizer = AutoTokenizer.from_pretrained(base)
    attention = SharedPrefixAttention()
    model = build_model(base, recipe)
    if start is not None:
        set_peft_model_state_dict(model, load_file(start / ADAPTER_FILE))
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=recipe.learning_rate, weight_decay=0.0, fused=True)
    source = DialogueSource(tokenizer, recipe)
    first = _resume(work / _CHECKPOINT, recipe, model, optimizer)
    started, tokens, smooth = time.monotonic(), 0, None
    for number in range(first, recipe.steps):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(recipe, number)
        step = source.step(number)
        loss = loss_of(model, attention, step)
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        tokens += step.ids.numel()
        value = float(loss.detach())
        smooth = value if smooth is None else 0.95 * smooth + 0.05 * value
        spent = time.monotonic() - started
        left = spent / (number - first + 1) * (recipe.steps - number - 1)
        line = (
            f"step {number + 1:4d}/{recipe.steps}  loss {value:.4f}  mean {smooth:.4f}  "
            f"{tokens / spent:5.0f} tokens/s  {left / 60:5.1f} min left"
        )
        print(line, flush=True)
        if (number + 1) % recipe.checkpoint_every == 0 or number + 1 == recipe.steps:
            _save_checkpoint(work / _CHECKPOINT, recipe, model, optimizer, number + 1)
            save_adapter(model, work / "adapter")
    save_adapter(model, adapter)

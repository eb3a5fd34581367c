"""Turns dialogues of one shop into one training step: the system prompt once, dialogues in blocks.

All dialogues of a step share their shop, hence their first several hundred tokens. The prefix is
computed once and every block attends to it, which is exact (gradients included) and halves the
work. A block holds several short dialogues that do not see each other.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import torch
from transformers import AttentionInterface, PreTrainedTokenizerBase

ATTENTION = "xiaoer_shared_prefix"
# Few distinct shapes: with free shapes the allocator's memory keeps growing, and the kernels are
# chosen anew for each.
SHAPE_MULTIPLE = 128
NO_TARGET = -100  # what torch's cross_entropy passes over

_ASSISTANT = re.compile(r"<\|im_start\|>assistant\n(.*?<\|im_end\|>)", re.DOTALL)


@dataclass(frozen=True)
class Encoded:
    """A dialogue behind its system prompt: token ids, and which of them the assistant said."""

    ids: list[int]
    said: list[bool]


@dataclass(frozen=True)
class Step:
    """Tensors of one training step; ``targets[i]`` follows position ``positions_of[i]``.

    Targets are padded with ``NO_TARGET``.
    """

    ids: torch.Tensor
    position_ids: torch.Tensor
    bias: torch.Tensor
    prefix_tokens: int
    positions_of: torch.Tensor
    targets: torch.Tensor


def render(
    tokenizer: PreTrainedTokenizerBase, messages: list[dict[str, Any]], tools: list[Any]
) -> tuple[str, str]:
    """Render by the chat template; return the system part and the rest."""
    text = str(tokenizer.apply_chat_template(messages, tools=tools, tokenize=False))
    end = text.index("<|im_end|>\n") + len("<|im_end|>\n")
    return text[:end], text[end:]


def encode(
    tokenizer: PreTrainedTokenizerBase, text: str, messages: list[dict[str, Any]]
) -> Encoded:
    """Tokenize a rendered dialogue and mark what the assistant said that is to be learnt."""
    learnt = [m.get("learn", True) for m in messages if m["role"] == "assistant"]
    found = _ASSISTANT.finditer(text)
    spans = [m.span(1) for m, learn in zip(found, learnt, strict=True) if learn]
    encoding = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    said = [
        any(start <= a and b <= end for start, end in spans) and b > a
        for a, b in encoding["offset_mapping"]
    ]
    return Encoded(list(encoding["input_ids"]), said)


def cut_reply(encoded: Encoded, tokens: int) -> Encoded:
    """Keep the first ``tokens`` of the last reply, where what to say was decided."""
    last = len(encoded.said) - 1
    while last > 0 and not encoded.said[last]:
        last -= 1
    first = last
    while first > 0 and encoded.said[first - 1]:
        first -= 1
    end = min(first + tokens, last + 1)
    return Encoded(encoded.ids[:end], encoded.said[:end])


def fill_blocks(dialogues: list[Encoded], blocks: int, block_tokens: int) -> list[list[Encoded]]:
    """Put dialogues into blocks, first fit; those that fit nowhere are left out."""
    filled: list[list[Encoded]] = [[] for _ in range(blocks)]
    room = [block_tokens] * blocks
    for dialogue in dialogues:
        for index in range(blocks):
            if len(dialogue.ids) <= room[index]:
                filled[index].append(dialogue)
                room[index] -= len(dialogue.ids)
                break
    return filled


def _rounded(length: int) -> int:
    return -(-length // SHAPE_MULTIPLE) * SHAPE_MULTIPLE


def pack(prefix: list[int], filled: list[list[Encoded]], block_tokens: int, pad_id: int) -> Step:
    """Lay out prefix and blocks in one row of tokens, with positions and attention bias."""
    prefix_tokens = _rounded(len(prefix))
    blocks = len(filled)
    ids = torch.full((prefix_tokens + blocks * block_tokens,), pad_id)
    positions = torch.zeros_like(ids)
    ids[: len(prefix)] = torch.tensor(prefix)
    positions[:prefix_tokens] = torch.arange(prefix_tokens)
    seen = torch.zeros(blocks, block_tokens, prefix_tokens + block_tokens, dtype=torch.bool)
    seen[:, :, : len(prefix)] = True
    sources, targets = [], []
    for index, block in enumerate(filled):
        at = 0
        for dialogue in block:
            length = len(dialogue.ids)
            start = prefix_tokens + index * block_tokens + at
            ids[start : start + length] = torch.tensor(dialogue.ids)
            positions[start : start + length] = len(prefix) + torch.arange(length)
            own = seen[index, at : at + length, prefix_tokens + at : prefix_tokens + at + length]
            own |= torch.ones(length, length, dtype=torch.bool).tril()
            for offset in range(1, length):
                if dialogue.said[offset]:
                    sources.append(start + offset - 1)
                    targets.append(dialogue.ids[offset])
            at += length
    padding = _rounded(len(targets)) - len(targets)
    sources += [0] * padding
    targets += [NO_TARGET] * padding
    bias = torch.zeros(seen.shape, dtype=torch.bfloat16).masked_fill_(~seen, float("-inf"))
    return Step(
        ids[None],
        positions[None],
        bias,
        prefix_tokens,
        torch.tensor(sources),
        torch.tensor(targets),
    )


class SharedPrefixAttention:
    """Attention over ``pack``'s layout; set ``step`` before each forward pass."""

    def __init__(self) -> None:
        self.step: Step | None = None
        AttentionInterface.register(ATTENTION, self)

    def __call__(
        self,
        module: torch.nn.Module,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        attention_mask: torch.Tensor | None,
        scaling: float | None = None,
        dropout: float = 0.0,
        **kwargs: Any,
    ) -> tuple[torch.Tensor, None]:
        """Attend causally in the prefix, and from each block to the prefix and itself."""
        del module, attention_mask, dropout, kwargs
        if self.step is None:
            raise RuntimeError("SharedPrefixAttention.step must be set before the forward pass")
        bias, cut = self.step.bias, self.step.prefix_tokens
        blocks, width = bias.shape[:2]
        heads, kv_heads, size = query.shape[1], key.shape[1], query.shape[3]
        group = heads // kv_heads
        scale = size**-0.5 if scaling is None else scaling
        head_key, head_value = key[:, :, :cut], value[:, :, :cut]
        ahead = torch.nn.functional.scaled_dot_product_attention(
            query[:, :, :cut],
            head_key.repeat_interleave(group, 1),
            head_value.repeat_interleave(group, 1),
            is_causal=True,
            scale=scale,
        )
        own_query = query[0, :, cut:].view(kv_heads, group, blocks, width, size)
        own_query = own_query.permute(2, 0, 1, 3, 4).reshape(blocks, kv_heads, group * width, size)
        own_key = key[0, :, cut:].view(kv_heads, blocks, width, size).transpose(0, 1)
        own_value = value[0, :, cut:].view(kv_heads, blocks, width, size).transpose(0, 1)
        keys = torch.cat([head_key.expand(blocks, -1, -1, -1), own_key], 2)
        values = torch.cat([head_value.expand(blocks, -1, -1, -1), own_value], 2)
        # Grouped queries share their key head, so one matrix product serves the group. Plain
        # matrix products beat the CPU's masked flash kernel about twofold at these sizes.
        scores = torch.matmul(own_query * scale, keys.transpose(-1, -2))
        scores = scores.view(blocks, kv_heads, group, width, -1) + bias[:, None, None]
        weights = torch.softmax(scores, -1).view(blocks, kv_heads, group * width, -1)
        mixed = torch.matmul(weights, values).view(blocks, kv_heads, group, width, size)
        behind = mixed.permute(1, 2, 0, 3, 4).reshape(1, heads, blocks * width, size)
        return torch.cat([ahead, behind], 2).transpose(1, 2).contiguous(), None

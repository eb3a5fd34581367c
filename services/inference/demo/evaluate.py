"""Measures the demonstration model on wordings and facts that training never showed.

Teacher-forced: every reply of a held-out dialogue is generated after the correct history, so that
one mistake counts once. The golden dialogues in ``tests/eval`` measure whole conversations.
"""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from services.inference.demo.contract import CONTRACT
from services.inference.demo.dialogues import Composer
from services.inference.demo.packing import render
from services.inference.demo.phrases import Phrases
from services.inference.demo.sample_names import sample_names
from services.inference.demo.world import Language, World

_REPLY = re.compile(r"<\|im_start\|>assistant\n(.*?)<\|im_end\|>", re.DOTALL)
_CALL = re.compile(r"<tool_call>\n(.*?)\n</tool_call>", re.DOTALL)


@dataclass(frozen=True)
class Case:
    """A reply to be generated: what comes before it, and what it should be."""

    language: Language
    kind: str
    prompt: str
    expected: str


def held_out_cases(tokenizer: Any, dialogues: int, seed: int = 99) -> list[Case]:
    """Compose held-out dialogues in both languages and cut them at every reply."""
    cases = []
    for language in ("zh", "en"):
        rng = random.Random(f"{seed}:{language}")
        composer = Composer(Phrases(language, "held_out"), World(language, rng, sample_names()))
        shop = composer.shop()
        for number in range(dialogues):
            shop = composer.shop() if number % 10 == 0 else shop
            messages = composer.dialogue(shop)
            head, body = render(tokenizer, messages, CONTRACT["tools"])
            learnt = [m.get("learn", True) for m in messages if m["role"] == "assistant"]
            for match, learn in zip(_REPLY.finditer(body), learnt, strict=True):
                if not learn:
                    continue
                before = body[: match.start(1)]
                called = "<tool_call>" in match.group(1)
                after_tool = before.rstrip().endswith(
                    "</tool_response><|im_end|>\n<|im_start|>assistant"
                )
                kind = "call" if called else "answer from a tool" if after_tool else "answer"
                cases.append(Case(language, kind, head + before, match.group(1)))
    return cases


def matches(expected: str, reply: str) -> bool:
    """Compare calls by name and arguments, answers letter by letter."""
    if "<tool_call>" not in expected:
        return expected.strip() == reply.strip()
    return _calls(expected) == _calls(reply)


def _calls(text: str) -> list[Any] | None:
    try:
        return sorted((json.loads(found) for found in _CALL.findall(text)), key=json.dumps)
    except json.JSONDecodeError:
        return None


def evaluate(model: Path, dialogues: int, out: Path) -> None:
    """Print a table of exact replies by language and kind; failures go to ``out`` as JSON lines."""
    from vllm import LLM, SamplingParams

    engine = LLM(
        str(model),
        dtype="bfloat16",
        max_model_len=4096,
        enforce_eager=True,
        # Of the machine's memory; vLLM's own 0.92 leaves nothing to whatever else runs there.
        gpu_memory_utilization=0.25,
        kv_cache_memory_bytes=1 << 30,
    )
    cases = held_out_cases(engine.get_tokenizer(), dialogues)
    sampling = SamplingParams(temperature=0, max_tokens=256, stop=["<|im_end|>"])
    outputs = engine.generate([case.prompt for case in cases], sampling)
    right: Counter[tuple[str, str]] = Counter()
    total: Counter[tuple[str, str]] = Counter()
    with out.open("w", encoding="utf-8") as file:
        for case, output in zip(cases, outputs, strict=True):
            key, reply = (case.language, case.kind), output.outputs[0].text
            total[key] += 1
            if matches(case.expected, reply):
                right[key] += 1
            else:
                failure = {
                    "kind": case.kind,
                    "prompt": case.prompt,
                    "expected": case.expected,
                    "reply": reply,
                }
                file.write(json.dumps(failure, ensure_ascii=False) + "\n")
    table = Table("language", "reply", "right", "of", "share", title="Held-out wordings and facts")
    for language, kind in sorted(total):
        share = right[language, kind] / total[language, kind]
        table.add_row(
            language, kind, str(right[language, kind]), str(total[language, kind]), f"{share:.1%}"
        )
    Console().print(table)

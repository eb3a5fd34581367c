"""The evaluation is apart from the training data: no golden line is in the phrase banks.

Here alone are the banks looked at, and only as text.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.eval import dialogues
from tests.eval.shop import Shop
from tests.eval.text import normal

BANKS = Path(__file__).resolve().parents[3] / "services" / "inference" / "demo" / "phrasings"
SLOT = re.compile(r"\{(\w+)\}")
ORDER_NUMBER = re.compile(r"(?:ord)?\d{6,}")
# What stands for a product and an order number on both sides; letters of no language.
PRODUCT, ORDER = "\ue000", "\ue001"
MARKS = {"order_id": ORDER, "product": PRODUCT, "product2": PRODUCT}
# Templates for whole sentences are no utterances.
SENTENCES = {"a", "b"}


def folded(text: str) -> str:
    return "".join(char for char in normal(text) if char.isalnum())


def strings(node: Any) -> Iterator[str]:
    if isinstance(node, str):
        yield node
    elif isinstance(node, dict):
        for value in node.values():
            yield from strings(value)
    elif isinstance(node, list):
        for value in node:
            yield from strings(value)


def product_names(language: str) -> re.Pattern[str]:
    """All products by all names that the golden dialogues use, longest first."""
    calls = [
        call
        for dialogue in dialogues.load(language)
        for turn in dialogue.turns
        for call in turn.calls + turn.may_call
    ]
    said = {text for call in calls for text in call.arguments.get("product", ())}
    said |= {name for product in Shop().products.values() for name in product.names}
    spellings = sorted(map(folded, said), key=len, reverse=True)
    return re.compile("|".join(map(re.escape, spellings)))


def marked(said: str, names: re.Pattern[str]) -> str:
    """A golden line, folded, with marks for its products and order numbers."""
    return ORDER_NUMBER.sub(ORDER, names.sub(PRODUCT, folded(said)))


def pattern(line: str) -> str | None:
    """A bank's line, folded, with marks and wildcards for slots; None for a template."""
    parts = SLOT.split(line)
    if SENTENCES & set(parts[1::2]):
        return None
    pieces = [
        MARKS.get(part, ".{1,12}") if index % 2 else re.escape(folded(part))
        for index, part in enumerate(parts)
    ]
    return "".join(pieces)


def bank(language: str) -> list[tuple[str, str]]:
    found = [
        (line, made)
        for file in sorted((BANKS / language).glob("**/*.yaml"))
        for line in strings(yaml.safe_load(file.read_text("utf-8")))
        if (made := pattern(line))
    ]
    assert len(found) > 500, f"{len(found)} lines in {BANKS / language}"
    return found


def collisions(lines: list[str], known: list[tuple[str, str]], names: re.Pattern[str]) -> list[str]:
    """The golden lines that a line of the bank can become, each with that line."""
    exact = {made: line for line, made in known if "." not in made}
    wild = [(line, re.compile(made)) for line, made in known if "." in made]
    found = []
    for said in lines:
        text = marked(said, names)
        if text in exact:
            found.append(f"{said!r} is {exact[text]!r}")
        found += [f"{said!r} is {line!r}" for line, made in wild if made.fullmatch(text)]
    return found


@pytest.mark.parametrize("language", ["zh", "en"])
def test_no_golden_line_is_in_the_training_phrases(language: str) -> None:
    lines = [turn.user for dialogue in dialogues.load(language) for turn in dialogue.turns]
    found = collisions(lines, bank(language), product_names(language))
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("said", "line"),
    [
        ("ORD20241201001 到哪了？", "{order_id}到哪了"),
        ("WHERE is ord-2024-1201-001", "where is {order_id}?"),
        ("K87多少钱!", "{product}，多少钱"),
        ("In  stock?", "in stock"),
        ("要3个 K87", "要{n}个{product}"),
    ],
)
def test_folding_and_slots_do_not_hide_a_collision(said: str, line: str) -> None:
    made = pattern(line)
    assert made is not None
    assert collisions([said], [(line, made)], re.compile("k87")) == [f"{said!r} is {line!r}"]


def test_another_wording_is_no_collision() -> None:
    made = pattern("{order_id}到哪了")
    assert made is not None
    assert collisions(["ORD20241201001 到了吗"], [("", made)], re.compile("k87")) == []
    assert pattern("{a}，另外{b}") is None

"""The hand-written phrases that the classifiers learn from, and ordinary questions beside them.

`phrases/{language}/{family}.yaml` has one phrase a line under each kind; `[a|b]` stands for either.
"""

import itertools
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
BANKS = HERE / "phrases"
ORDINARY = HERE.parents[1] / "inference" / "demo" / "phrasings"
"""Questions to a shop, written for the demonstration model."""

MOST = 12
"""Texts made from one line."""

_SLOT = re.compile(r"\[[^\]]*\]|[^\[]+")
_PRODUCT, _OTHER = re.compile(r"\{product\w*\}"), re.compile(r"\{\w+\}")
_ORDER, _ORDERS = re.compile(r"\{order_id\}"), "ORD20250102003"
_PRODUCTS = {"zh": "耳机", "en": "the kettle"}
_ANSWERS = frozenset({"statements", "text", "title", "a"})
_DOUBTFUL = frozenset({"greeting", "complaint"})
"""Sections in which some do ask for a person, or are angry."""


@dataclass(frozen=True, slots=True)
class Phrase:
    """One text to learn from.

    Args:
        text: as a customer might write it.
        line: what it was made from; all of a line stays on one side of a split.
        kind: its family and its kind in there, such as `person.match`.
        language: `zh` or `en`.
    """

    text: str
    line: str
    kind: str
    language: str


def number(text: str) -> int:
    """Return a number for a text that is the same everywhere."""
    return zlib.crc32(text.encode())


def phrases() -> list[Phrase]:
    """Read all banks."""
    return [*_banks(), *_ordinary()]


def _banks() -> Iterator[Phrase]:
    for file in sorted(BANKS.glob("*/*.yaml")):
        kinds: dict[str, str] = yaml.safe_load(file.read_text("utf-8"))
        for kind, block in kinds.items():
            for line in filter(None, map(str.strip, block.splitlines())):
                for text in made_from(line):
                    yield Phrase(text, line, f"{file.stem}.{kind}", file.parent.name)


def made_from(line: str) -> list[str]:
    """Return texts that a line stands for, `MOST` at most, the same ones each time."""
    slots = [
        part[1:-1].split("|") if part.startswith("[") else [part] for part in _SLOT.findall(line)
    ]
    every = itertools.islice(itertools.product(*slots), MOST + 1)
    texts = {"".join(chosen).strip() for chosen in every}
    if len(texts) > MOST:
        draws = range(4 * MOST)
        drawn = (
            "".join(slot[number(f"{line}{draw}{at}") % len(slot)] for at, slot in enumerate(slots))
            for draw in draws
        )
        texts = set(itertools.islice(dict.fromkeys(map(str.strip, drawn)), MOST))
    return sorted(texts)


def _ordinary() -> Iterator[Phrase]:
    for file in sorted(ORDINARY.glob("*/**/*.yaml")):
        if file.stem == "headings":
            continue  # of documents, which nobody asks
        language = file.relative_to(ORDINARY).parts[0]
        for line in _questions(yaml.safe_load(file.read_text("utf-8"))):
            text = _ORDER.sub(_ORDERS, _PRODUCT.sub(_PRODUCTS[language], line))
            text = _OTHER.sub("3", text)
            yield Phrase(text, line, "ordinary.pass", language)


def _questions(node: Any) -> Iterator[str]:
    if isinstance(node, str):
        yield node
        return
    below = node if isinstance(node, list) else [
        value for key, value in node.items() if key not in _ANSWERS | _DOUBTFUL
    ]  # fmt: skip
    for one in below:
        yield from _questions(one)

"""The phrase banks: what customers say, split into training and held-out wordings."""

from __future__ import annotations

import random
import re
import string
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from services.inference.demo.world import Language

Split = Literal["train", "held_out"]

_HELD_OUT_ONE_IN = 14
_SLOT = re.compile(r"(\{\w+\})")
_HAN = re.compile(r"[\u4e00-\u9fff]")
_HERE = Path(__file__).with_name("phrasings")


def is_held_out(line: str) -> bool:
    """Tell by its hash whether a wording is kept for evaluation only."""
    return zlib.crc32(line.encode()) % _HELD_OUT_ONE_IN == 0


@dataclass(frozen=True)
class Topic:
    """A shop policy: ways to state it and ways to ask for it."""

    statements: list[str]
    questions: list[str]


@dataclass(frozen=True)
class Combined:
    """Ways to state two topics in one sentence."""

    topics: frozenset[str]
    statements: list[str]


@dataclass(frozen=True)
class Passage:
    """A piece of a shop's document with questions it does and does not answer."""

    title: str
    text: str
    qa: list[tuple[str, str]]
    unanswerable: list[str]


class Phrases:
    """One language's wordings of one split."""

    def __init__(self, language: Language, split: Split) -> None:
        self.language = language
        self._split = split
        self._lines: dict[str, list[str]] = {}
        for bank in ("orders", "products", "talk"):
            for intent, lines in _load(language, bank).items():
                self._lines[intent] = self._keep(lines)
        self.topics = {
            key: Topic(self._keep(value["statements"]), self._keep(value["questions"]))
            for key, value in _load_topics(language).items()
        }
        self.headings: dict[str, list[str]] = _load(language, "headings")
        self.combined = [
            Combined(frozenset(item["topics"]), self._keep(item["statements"]))
            for item in _load(language, "combined")
        ]
        self.passages = [
            Passage(
                item["title"],
                item["text"].strip(),
                [(pair["q"], pair["a"]) for pair in item["qa"]],
                item["unanswerable"],
            )
            for item in _load(language, "passages")
            if is_held_out(item["title"]) == (split == "held_out")
        ]

    def _keep(self, lines: list[str]) -> list[str]:
        wanted = self._split == "held_out"
        kept = [line for line in lines if is_held_out(line) == wanted]
        # A small bank may have no held-out line; a training line then stands in for none.
        return kept or lines[:1]

    def lines(self) -> dict[str, list[str]]:
        """Return this split's wordings by intent, questions on policies included."""
        return self._lines | {key: topic.questions for key, topic in self.topics.items()}

    def pick(self, intent: str, rng: random.Random) -> str:
        """Draw a wording of ``intent``; an unknown intent is a KeyError."""
        return rng.choice(self._lines[intent])


def _load(language: Language, bank: str) -> Any:
    return yaml.safe_load((_HERE / language / f"{bank}.yaml").read_text(encoding="utf-8"))


def _load_topics(language: Language) -> dict[str, dict[str, list[str]]]:
    topics: dict[str, dict[str, list[str]]] = {}
    for file in sorted((_HERE / language / "policy").glob("*.yaml")):
        topics |= yaml.safe_load(file.read_text(encoding="utf-8"))
    return topics


def roughen(template: str, language: Language, rng: random.Random) -> str:
    """Type as people do: lost punctuation, wrong case, slips of the finger; slots stay whole."""
    text = template
    if rng.random() < 0.3:
        text = text.rstrip("。？！?.!~～ ")
    if language == "zh":
        if rng.random() < 0.12:
            text = text.replace("，", rng.choice(("", " ", ",")))
        return text
    if rng.random() < 0.4:
        text = "".join(p if _SLOT.fullmatch(p) else p.lower() for p in _SLOT.split(text))
    if rng.random() < 0.1:
        text = text.replace("'", "")
    if rng.random() < 0.15:
        text = "".join(p if _SLOT.fullmatch(p) else _slip(p, rng) for p in _SLOT.split(text))
    return text


def mistype(name: str, rng: random.Random) -> str:
    """Slip once inside a name of five letters or more."""
    return _slip(name, rng) if len(name) >= 5 else name


def _slip(text: str, rng: random.Random) -> str:
    spots = [
        i
        for i in range(1, len(text) - 1)
        if text[i] in string.ascii_letters and text[i + 1] in string.ascii_letters
    ]
    if not spots:
        return text
    i = rng.choice(spots)
    kind = rng.randrange(3)
    if kind == 0:
        return text[:i] + text[i + 1] + text[i] + text[i + 2 :]
    if kind == 1:
        return text[:i] + text[i + 1 :]
    return text[:i] + text[i] + text[i:]


def has_han(text: str) -> bool:
    """Tell whether any Chinese character is in the text."""
    return bool(_HAN.search(text))

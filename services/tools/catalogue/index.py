"""Index of one shop's product names: from what a customer wrote to the product that is meant.

Built once per catalogue version and kept in memory; it holds names only. Prices and stock are
read from the database each time.
"""

import math
from array import array
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from rapidfuzz import fuzz

from services.tools.catalogue.coverage import (
    Coverage,
    Vocabulary,
    complete,
    cover,
    joints,
    names_of,
    slip,
)
from services.tools.catalogue.sounds import sounds
from services.tools.catalogue.words import Words, cut, is_filler, stem
from services.tools.text import identifier_key, name_key

MAX_CANDIDATES = 5
_MAX_QUESTION = 200  # characters; a longer "name" is not one
_EXAMINED = 64  # products looked at closely for one question
_POSTINGS = 50_000  # index entries visited for one question; the rarest words come first
_REMEMBERED = 4096  # answers kept per catalogue version

_SUGGESTED_SHARE = 0.8  # of what was said, to be offered as a candidate
_SUGGESTED_SHARE_SAME_THING = 0.4  # likewise, where at least the thing itself is the same


class Entry(NamedTuple):
    """A product's SKU and names; a name is empty where there is none."""

    sku: str
    name_zh: str
    name_en: str

    @property
    def names(self) -> tuple[str, ...]:
        """The names there are."""
        return tuple(name for name in (self.name_zh, self.name_en) if name)


@dataclass(frozen=True, slots=True)
class Found:
    """Exactly one product is meant."""

    entry: Entry


@dataclass(frozen=True, slots=True)
class Unclear:
    """These products may be meant, likeliest first; it takes a question to know."""

    entries: tuple[Entry, ...]


Match = Found | Unclear | None


class NameIndex:
    """Look-up by SKU, then exact name, then the words of the names (coverage.py)."""

    def __init__(self, version: int, entries: Iterable[Entry]) -> None:
        self.version = version
        self.entries = tuple(entries)
        self._skus: dict[str, list[int]] = {}
        self._names: dict[str, list[int]] = {}
        self._postings: dict[str, array[int]] = {}
        self._spellings: dict[str, list[str]] = {}
        for number, entry in enumerate(self.entries):
            self._add(number, entry)
        self._skus_exact = {entry.sku: number for number, entry in enumerate(self.entries)}
        self.find = lru_cache(maxsize=_REMEMBERED)(self._find)

    def _add(self, number: int, entry: Entry) -> None:
        self._skus.setdefault(identifier_key(entry.sku), []).append(number)
        features: set[str] = set()
        for name in entry.names:
            numbers = self._names.setdefault(name_key(name), [])
            if number not in numbers[-1:]:
                numbers.append(number)
            features.update(_features(cut(name)))
        for feature in features:
            posting = self._postings.get(feature)
            if posting is None:
                posting = self._postings[feature] = array("I")
                if feature[0] == "w" and feature[2:].isalpha():
                    self._spellings.setdefault(feature[2:3], []).append(feature[2:])
            posting.append(number)

    def _find(self, question: str) -> Match:
        question = question.strip()
        if not question or len(question) > _MAX_QUESTION:
            return None
        return self._exactly(question) or self._by_words(cut(question, question=True), question)

    def _exactly(self, question: str) -> Match:
        if (number := self._skus_exact.get(question)) is not None:
            return Found(self.entries[number])
        for table, key in (
            (self._skus, identifier_key(question)),
            (self._names, name_key(question)),
        ):
            if key and (numbers := table.get(key)):
                return self._of(numbers)
        words = question.split()
        # A SKU among other words: "the KB-087-003 please".
        mentioned = {
            number
            for word in words[:40]
            if any(char.isdigit() for char in word)
            for number in self._skus.get(identifier_key(word.strip("，。,.?!？！:：()（）")), ())
        }
        return self._of(sorted(mentioned)) if mentioned else None

    def _of(self, numbers: list[int]) -> Match:
        if len(numbers) == 1:
            return Found(self.entries[numbers[0]])
        return Unclear(tuple(self.entries[number] for number in numbers[:MAX_CANDIDATES]))

    def _by_words(self, question: Words, written: str) -> Match:
        examined: list[tuple[Coverage, Entry]] = []
        for number in self._nearest(question):
            entry = self.entries[number]
            examined.append((cover(question, Vocabulary.of(names_of(*entry.names))), entry))
        full = [(coverage, entry) for coverage, entry in examined if coverage.full]
        if full:
            return _decide(full, question, written)
        near = [
            entry
            for coverage, entry in examined
            if coverage.share >= _SUGGESTED_SHARE
            # Half a sentence with a typo in it is too little to go by.
            or (
                coverage.by_head
                and not coverage.typos
                and coverage.share >= _SUGGESTED_SHARE_SAME_THING
            )
        ]
        return Unclear(_ranked(near, written)) if near else None

    def _nearest(self, question: Words) -> list[int]:
        """Products that share most with the question, rare words weighing more."""
        wanted = sorted(
            {feature for raw in _features(question, question=True) for feature in self._known(raw)},
            key=lambda feature: len(self._postings[feature]),
        )
        weights: Counter[int] = Counter()
        visited = 0
        for feature in wanted:
            posting = self._postings[feature]
            if visited and visited + len(posting) > _POSTINGS:
                break
            visited += len(posting)
            weight = max(1, round(8 * math.log(1 + len(self.entries) / len(posting))))
            for number in posting:
                weights[number] += weight
        return [number for number, _ in weights.most_common(_EXAMINED)]

    def _known(self, feature: str) -> list[str]:
        """Give the feature itself, or for a word that no product has, those it may be a typo of."""
        if feature in self._postings:
            return [feature]
        word = feature[2:]
        if feature[0] != "w" or not word.isalpha() or is_filler(word):
            return []
        near = (
            known for known in self._spellings.get(word[:1], ()) if slip(word, known, alone=False)
        )
        return [f"w:{known}" for known, _ in zip(near, range(8), strict=False)]


def _features(words: Words, *, question: bool = False) -> set[str]:
    """List what a text is found by: words, neighbouring words as one, numbers, pairs of sounds."""
    features = {f"w:{stem(word)}" for word in words.latin}
    features.update(f"w:{joint}" for joint, _ in joints(words))
    for word in words.latin:
        digits = "".join(char for char in word if char.isdigit() or char == ".")
        if digits:
            features.add(f"d:{digits}")
    for run in words.han:
        spoken = [sounds(char)[0] for char in run]
        features.update(f"s:{one} {two}" for one, two in pairwise(spoken))
        if len(run) == 1 or not question:
            features.update(f"c:{char}" for char in run)
    return features


def _decide(full: list[tuple[Coverage, Entry]], question: Words, written: str) -> Match:
    """One of the products that account for everything said, or all of them.

    Found letter by letter beats found despite a typo, and a name that the customer wrote in full
    beats one that goes on (空气净化器 and 空气净化器Pro).
    """
    clean = [(coverage, entry) for coverage, entry in full if not coverage.typos]
    if clean:
        fewest = min(coverage.skipped for coverage, _ in clean)
        full = [(coverage, entry) for coverage, entry in clean if coverage.skipped == fewest]
    whole = [
        (coverage, entry)
        for coverage, entry in full
        if any(complete(name, question) for name in names_of(*entry.names))
    ]
    if len(whole) == 1:
        return Found(whole[0][1])
    if len(full) == 1 and full[0][0].telling:
        return Found(full[0][1])
    return Unclear(_ranked([entry for _, entry in full], written))


def _ranked(entries: list[Entry], written: str) -> tuple[Entry, ...]:
    """Pick the likeliest five, best first; by name where they are equally likely."""
    return tuple(
        sorted(
            entries,
            key=lambda entry: (
                -max(fuzz.WRatio(written.lower(), name.lower()) for name in entry.names),
                entry.sku,
            ),
        )[:MAX_CANDIDATES]
    )

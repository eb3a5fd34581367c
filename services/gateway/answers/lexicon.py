"""The lexicon of questions: which words mean which concept, which mean nothing, and the rules.

The words are data, `lexicon.yaml`; what stands there is described there.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from services.gateway.answers.atoms import phrase_of
from services.gateway.identity.shops import Language

NEUTRAL = ""
"""The concept of words that mean nothing here."""
_LEAST_CORRECTED = 6
"""Shorter words are not taken for misspelt ones: too many others are one letter away."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Where all of `needs` are there and none of `without`, `drops` go and `adds` come."""

    needs: tuple[frozenset[str], ...]
    """Of each set at least one."""
    without: frozenset[str]
    drops: frozenset[str]
    adds: frozenset[str]


@dataclass(frozen=True, slots=True)
class Lexicon:
    """One language's words.

    Attributes:
        concepts: phrase to concepts; none for words that mean nothing.
        most: most atoms of a phrase beginning with an atom.
        rules: in order.
        soft: concepts that are dropped at the end: they only mattered to rules.
        about_products: concepts that ask about some product; without one they ask about nothing.
        about_shop: concepts that are about the shop, so that "it" may be anything ordered.
        asking: concepts that make a question of words such as "I want".
    """

    concepts: Mapping[str, tuple[str, ...]]
    most: Mapping[str, int]
    misspelt: Mapping[str, str]
    rules: tuple[Rule, ...]
    soft: frozenset[str]
    about_products: frozenset[str]
    about_shop: frozenset[str]
    asking: frozenset[str]

    def corrected(self, word: str) -> str | None:
        """Return the known word that a word of six letters or more is one slip away from."""
        if len(word) < _LEAST_CORRECTED or not word.isalpha():
            return None
        found = {self.misspelt.get(form) for form in _slips(word)} - {None}
        return found.pop() if len(found) == 1 else None


@cache
def lexicon(language: Language) -> Lexicon:
    """Return a language's lexicon; read once."""
    raw = yaml.safe_load(Path(__file__).with_name("lexicon.yaml").read_text("utf-8"))
    concepts: dict[str, tuple[str, ...]] = {}
    for concept, words in raw["concepts"].items():
        for phrase in _phrases(words.get(language, "")):
            concepts[phrase] = tuple(concept.split("+"))
    for phrase in _phrases(raw["neutral"][language]):
        concepts.setdefault(phrase, ())
    most: dict[str, int] = {}
    for phrase in concepts:
        atoms = _length(phrase)
        first = phrase.split(" ")[0]
        first = first[0] if "\u3400" <= first[0] <= "\u9fff" else first
        most[first] = max(most.get(first, 0), atoms)
    return Lexicon(
        concepts,
        most,
        _misspelt(concepts) if language == "en" else {},
        tuple(_rule(rule) for rule in raw["rules"] if rule.get("language", language) == language),
        *(frozenset(raw[name]) for name in ("soft", "about_products", "about_shop", "asking")),
    )


@cache
def known_words() -> frozenset[str]:
    """Return every phrase with a meaning, of both languages: no product's name can claim one."""
    return frozenset(lexicon("zh").concepts) | frozenset(lexicon("en").concepts)


def _phrases(words: str) -> list[str]:
    return [phrase for word in words.split("|") if (phrase := phrase_of(word.strip()))]


def _length(phrase: str) -> int:
    return sum(
        sum("\u3400" <= char <= "\u9fff" for char in part) or 1 for part in phrase.split(" ")
    ) + sum(
        1
        for part in phrase.split(" ")
        if any("\u3400" <= char <= "\u9fff" for char in part)
        and any(char.isascii() for char in part)
    )


def _rule(rule: Mapping[str, Any]) -> Rule:
    return Rule(
        tuple(frozenset(str(one).split("|")) for one in rule["all"]),
        frozenset(rule.get("none", ())),
        frozenset(rule.get("drop", ())),
        frozenset(rule.get("add", ())),
    )


def _misspelt(concepts: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    """Return the word of each form that a slip may leave, unless two words share the form."""
    forms: dict[str, str] = {}
    shared: set[str] = set()
    words = {word for phrase in concepts for word in phrase.split(" ") if word.isalpha()}
    for word in words:
        if len(word) >= _LEAST_CORRECTED:
            for form in _slips(word):
                if forms.setdefault(form, word) != word:
                    shared.add(form)
    return {form: word for form, word in forms.items() if form not in shared}


def _slips(word: str) -> set[str]:
    """Return a word and what is left of it without one letter; its first letter is never wrong."""
    return {word} | {word[:at] + word[at + 1 :] for at in range(1, len(word))}

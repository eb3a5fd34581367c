"""The words by which texts are searched: English stems, single Chinese characters, numbers.

The loader writes them beside each chunk and the question is cut the same way, so that both always
meet. Single characters found more than the words of a dictionary do (README, "Hot questions and
documents"): customers shorten and misspell words, and half a word still counts.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

from services.gateway.identity.shops import Language
from services.gateway.safety.folding import folded

MOST_WORDS = 40
"""Of one question; more would only make the search slow."""
_WORD = re.compile(r"[a-z]+|[0-9]+|[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
_ENDINGS = ("ations", "ation", "ingly", "ing", "edly", "ed", "ies", "es", "s", "ly", "e", "y")
"""Longest first. Roughly is enough: question and document lose the same ones."""
_LEAST_STEM = 3


def words_of(text: str) -> list[str]:
    """Return the telling words of a text in their order, as often as they stand there."""
    return _words(folded(text))


def asked_words(question: str, language: Language, *, synonyms: bool = True) -> list[str]:
    """Return the words to look for: the question's, then what shops call the same things.

    Each once, at most `MOST_WORDS`.
    """
    plain = folded(question)
    known = _lists().synonyms[language] if synonyms else ()
    said = [called for pattern, called in known if pattern.search(plain)]
    return list(dict.fromkeys([*_words(plain), *_words(" ".join(said))]))[:MOST_WORDS]


def _words(plain: str) -> list[str]:
    stop = _lists().stop
    return [_stem(found) for found in _WORD.findall(plain) if found not in stop]


def _stem(word: str) -> str:
    """Return an English word without its ending, roughly; other words as they are."""
    if len(word) > _LEAST_STEM + 1 and word.isascii() and word.isalpha():
        for ending in _ENDINGS:
            if word.endswith(ending) and len(word) - len(ending) >= _LEAST_STEM:
                return word[: -len(ending)]
    return word


@dataclass(frozen=True, slots=True)
class _Lists:
    """`words.yaml`, read.

    Attributes:
        stop: words that say nothing.
        synonyms: what customers say, as a pattern, with what documents call it.
    """

    stop: frozenset[str]
    synonyms: dict[Language, tuple[tuple[re.Pattern[str], str], ...]]


@cache
def _lists() -> _Lists:
    read = yaml.safe_load(Path(__file__).with_name("words.yaml").read_text("utf-8"))
    edges: dict[Language, str] = {"zh": "", "en": r"\b"}
    return _Lists(
        stop=frozenset([*read["stop"]["zh"], *read["stop"]["en"].split()]),
        synonyms={
            language: tuple(
                (re.compile(f"{edge}{_either(said)}{edge}"), called)
                for called, said in read["synonyms"][language].items()
            )
            for language, edge in edges.items()
        },
    )


def _either(said: Iterable[str]) -> str:
    return "(?:" + "|".join(re.escape(one) for one in said) + ")"

"""The shop's texts: what each sentence is about, and whether a unit quotes it.

A sentence of the shop is read once and kept; a unit of an answer is read and forgotten.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

from rapidfuzz import fuzz

from services.gateway.assistant.grounding import claims
from services.gateway.assistant.grounding.claims import Claim, lexicon

QUOTED = 85.0
"""Least likeness (rapidfuzz's partial ratio, of 100) of a unit and its place in a shop's text for
it to count as a quotation: the same words in the same order, give or take a comma."""
RELATED = 0.5
"""Share of a unit's words that make a shop's text one on the same matter, where no topic tells."""

_HAN = re.compile(r"[\u3400-\u9fff]")
_MARKS = re.compile(r"[\W_]+")
_WORD = re.compile(r"[a-z]+(?:['-][a-z]+)*")
_SENTENCE = re.compile(r"[^。！？!?;；\n]+?(?:[。！？!?;；\n]|\.(?=\s|$)|$)")
_STOP = frozenset({
    "a", "an", "the", "is", "are", "was", "be", "been", "it", "its", "this", "that", "of",
    "to", "in", "on", "at", "for", "from", "with", "by", "and", "or", "we", "you", "your",
    "our", "us", "i", "can", "will", "would", "do", "does", "have", "has", "as", "if",
    "so", "than", "then", "there", "any", "all",
    # With their numbers left out, units tell nothing of the matter.
    "minute", "minutes", "hour", "hours", "day", "days", "week", "weeks", "month", "months",
    "year", "years", "yuan", "rmb", "within",
})  # fmt: skip
_DIGIT = re.compile(r"\d")


@dataclass(frozen=True, slots=True)
class Line:
    """A sentence or clause of the shop's texts, read once."""

    text: str
    words: frozenset[str]
    digits: tuple[str, ...]
    matters: frozenset[str]
    topics: frozenset[str]
    claims: tuple[Claim, ...]
    denies: bool
    of_all: bool
    negations: frozenset[str]


def read(text: str) -> Line:
    """Read a text; nothing of it is kept."""
    return Line(
        text=text,
        words=_words(text),
        digits=tuple(re.findall(r"\d+", text)),
        matters=frozenset(claims.matters(text)),
        topics=frozenset(claims.topics(text)),
        claims=tuple(claims.numeric_claims(text)),
        denies=claims.denies(text),
        of_all=bool(lexicon().universal.search(text)),
        negations=_negations(text),
    )


@lru_cache(maxsize=4096)
def line_of(text: str) -> Line:
    """Read a shop's sentence; never a customer's or an answer's, which must not be kept."""
    return read(text)


@lru_cache(maxsize=4096)
def sentences(text: str) -> tuple[str, ...]:
    """Cut a shop's text into sentences."""
    return tuple(found[0] for found in _SENTENCE.finditer(text))


def states(claim: Claim, line: Line) -> bool:
    """Tell whether a shop's sentence says the same number, time or day."""
    if claim.kind == "relative_day":
        return claim.what in line.text
    same_kind = [other for other in line.claims if other.kind == claim.kind]
    held = {n for other in same_kind if other.what == claim.what for n in other.numbers}
    if claim.kind in {"clock", "date"}:
        return any(other.what == claim.what for other in same_kind)
    return bool(claim.numbers) and set(claim.numbers) <= held


def _in_order(some: tuple[str, ...], of: tuple[str, ...]) -> bool:
    """Tell whether some numbers stand among others in the same order."""
    rest = iter(of)
    return all(number in rest for number in some)


def share(said: Line, line: Line) -> float:
    """Return which share of a unit's words a line holds."""
    return len(said.words & line.words) / len(said.words) if said.words else 0.0


def quotes(said: Line, line: Line) -> bool:
    """Tell whether a unit is words of a shop's sentence, in their order, its numbers included."""
    return (
        bool(said.words)
        and share(said, line) == 1.0
        and len(said.text) <= len(line.text)
        and fuzz.partial_ratio(said.text, line.text) >= QUOTED
        and _in_order(said.digits, line.digits)
        and said.negations <= line.negations
        and said.of_all <= line.of_all
    )


def related(said: Line, line: Line) -> bool:
    """Tell whether a shop's sentence is on the matter of a unit."""
    if said.topics:
        return bool(said.topics & line.topics)
    return share(said, line) >= RELATED


def _words(text: str) -> frozenset[str]:
    """Return what a text is compared by: words, and pairs of Chinese characters; no numbers."""
    if not _HAN.search(text):
        return frozenset(word for word in _WORD.findall(text) if word not in _STOP)
    runs = _MARKS.sub("", text)
    pairs = (runs[i : i + 2] for i in range(len(runs) - 1))
    return frozenset(pair for pair in pairs if not _DIGIT.search(pair))


def _negations(text: str) -> frozenset[str]:
    return frozenset(lexicon().negation.findall(text))

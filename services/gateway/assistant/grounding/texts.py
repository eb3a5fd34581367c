"""The shop's texts: what each sentence is about, and whether a unit quotes it.

A sentence of the shop is read once and kept; a unit of an answer is read and forgotten.
"""

import re
from dataclasses import dataclass, replace
from functools import lru_cache

from rapidfuzz import fuzz

from services.gateway.assistant.grounding import claims, rules, weekdays
from services.gateway.assistant.grounding.claims import Claim
from services.gateway.assistant.grounding.lexicon import lexicon
from services.gateway.assistant.grounding.vocabulary import vocabulary

QUOTED = 92.0
"""Least likeness (rapidfuzz's ratio, of 100) of a unit and a clause of a shop's text for it to
count as a quotation: the same words in the same order, give or take a comma."""
RELATED = 0.5
"""Share of a unit's words that make a shop's text one on the same matter, where no topic tells."""

_HAN = re.compile(r"[\u3400-\u9fff]")
_MARKS = re.compile(r"[\W_]+")
_WORD = re.compile(r"[a-z]+(?:['-][a-z]+)*")
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
    wholes: tuple[tuple[str, tuple[str, ...]], ...]
    """The sentence and its clauses, each with its numbers."""
    topics: frozenset[str]
    loaded: frozenset[str]
    claims: tuple[Claim, ...]
    of_all: bool
    negations: frozenset[str]
    events: frozenset[str]
    """Which of sending and arriving it names."""


def read(text: str) -> Line:
    """Read a text; nothing of it is kept."""
    names = rules.clause_of(text, {}).names
    return Line(
        text=text,
        words=_words(text),
        wholes=tuple((whole, _digits(whole)) for whole in map(_bare, (text, *rules.pieces(text)))),
        digits=_digits(text),
        topics=frozenset(claims.topics(text)),
        loaded=names - (vocabulary().light - {"human"}),
        claims=tuple(claims.numeric_claims(text)),
        of_all=bool(lexicon().universal.search(text)),
        negations=_negations(text),
        events=names & {"ship", "deliver"},
    )


@lru_cache(maxsize=4096)
def line_of(text: str) -> Line:
    """Read a shop's sentence; never a customer's or an answer's, which must not be kept."""
    return read(text)


@lru_cache(maxsize=4096)
def sentences(text: str) -> tuple[str, ...]:
    """Cut a shop's text into sentences."""
    return tuple(found[0] for found in rules.SENTENCE.finditer(text))


def states(claim: Claim, text: str, line: Line) -> bool:
    """Tell whether a shop's sentence says the same number, time or day, in the same sense."""
    if claim.kind == "relative_day":
        ours = weekdays.read(claim.what)
        if not ours:
            return claim.what in line.text
        theirs = weekdays.read(line.text)
        denied, denies = (bool(lexicon().negation.search(t)) for t in (text, line.text))
        return bool(theirs) and (ours <= theirs if denied == denies else not ours & theirs)
    if claim.kind == "carrier":
        return bool(lexicon().carriers[claim.what].search(line.text))
    # "From 1500 on": the currency may be left out.
    alike = (
        {claim.kind, "money"} if claim.kind == "number" and min(claim.numbers) > 9 else {claim.kind}
    )
    same_kind = [other for other in line.claims if other.kind in alike]
    same_kind = [o for o in same_kind if o.what == claim.what or claim.kind == "number"]
    if claim.kind in {"clock", "date"}:
        return bool(same_kind)
    same_kind = [other for other in same_kind if _same_sense(claim, text, other, line.text)]
    held = {n for other in same_kind for n in other.numbers}
    return bool(claim.numbers) and set(claim.numbers) <= held


def _same_sense(claim: Claim, text: str, other: Claim, line: str) -> bool:
    paid = replace(claim, kind="money") if claim.kind == "number" else claim
    if other.kind == "money" and rules.role(text, paid) != rules.role(line, other):
        return False
    if claim.kind != "period":
        return True
    ours, theirs = rules.relation(text, claim), rules.relation(line, other)
    since, held = rules.anchors(text), rules.anchors(line)
    return not (ours and theirs and ours != theirs) and not (since and held and not since & held)


def _bare(text: str) -> str:
    return text.strip(" .,;:!~。、")


def _digits(text: str) -> tuple[str, ...]:
    return tuple(re.findall(r"\d+", text))


def share(said: Line, line: Line) -> float:
    """Return which share of a unit's words a line holds."""
    return len(said.words & line.words) / len(said.words) if said.words else 0.0


def quotes(text: str, line: Line) -> bool:
    """Tell whether a unit is a sentence or a whole clause of the shop's."""
    for whole, digits in line.wholes:
        if fuzz.ratio(text, whole, score_cutoff=QUOTED) and _digits(text) == digits:
            said = read(text)
            return (
                share(said, line) == 1.0
                and said.negations <= line.negations
                and said.of_all <= line.of_all
            )
    return False


def related(said: Line, line: Line, before: frozenset[str] = frozenset()) -> bool:
    """Tell whether a shop's sentence is on the matter of a unit, or of the unit before it."""
    if (said.loaded | before) & line.loaded:
        return True
    if any(len(name) > 1 and not name.isascii() and name in line.text for name in said.loaded):
        return True
    if said.loaded:
        return False
    if said.topics:
        return bool(said.topics & line.topics)
    return bool(said.events & line.events) or share(said, line) >= RELATED


def _words(text: str) -> frozenset[str]:
    """Return what a text is compared by: words, and pairs of Chinese characters; no numbers."""
    if not _HAN.search(text):
        return frozenset(word for word in _WORD.findall(text) if word not in _STOP)
    runs = _MARKS.sub("", text)
    pairs = (runs[i : i + 2] for i in range(len(runs) - 1))
    return frozenset(pair for pair in pairs if not _DIGIT.search(pair))


def _negations(text: str) -> frozenset[str]:
    return frozenset(lexicon().negation.findall(text))

"""Checks each unit of an answer against the evidence before it leaves.

What is said of an order or a product must be what its tool result says; what is said of the shop's
rules must be in its texts, with the same numbers and the same sign. When in doubt, it is a fault.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal

from services.gateway.assistant.grounding import claims, texts
from services.gateway.assistant.grounding.claims import Claim, lexicon
from services.gateway.assistant.grounding.evidence import Evidence, Subject
from services.gateway.assistant.grounding.facts import ABOUT, CHECKS, squeezed
from services.gateway.assistant.grounding.numerals import fold
from services.gateway.assistant.grounding.texts import Line

_IN_TEXTS = frozenset(
    {"money", "percent", "period", "clock", "date", "relative_day", "quantity", "number"}
)


@dataclass(frozen=True, slots=True)
class Fault:
    """What a unit states that nothing supports."""

    kind: str
    text: str
    """The words at fault, folded; for the model, not for logs."""


class Grounding:
    """Checks an answer unit by unit; remembers what the answer is about.

    Args:
        evidence: grows while tools are called.
    """

    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence
        self._focus: list[Subject] = []

    def check(self, unit: str) -> Fault | None:
        """Return the first fault of a unit, or None."""
        text = fold(unit).strip()
        if not self._evidence.subjects and not claims.telling().search(text):
            return None  # most of small talk ends here
        if self._quotes(text):
            return None
        named, blanked = self._named(text)
        scope = _Scope(named, self._focus, self._evidence.subjects)
        found = list(claims.numeric_claims(blanked))
        if not claims.declines(text) and not text.endswith("?"):
            found += claims.worded_claims(_blank(blanked, found))
        for claim in found:
            if not self._supported(claim, scope, text):
                return Fault(claim.kind, claim.text)
        fault = self._policy_fault(_blank(blanked, found), text)
        if fault is None and named:
            self._focus = [subject for _, subjects in named for subject in subjects]
        return fault

    def _named(self, text: str) -> tuple[list[tuple[int, list[Subject]]], str]:
        """Return which orders and products a text names, and the text without their names."""
        names: dict[str, list[Subject]] = {}
        for subject in self._evidence.subjects:
            for name in subject.names:
                names.setdefault(name, []).append(subject)
            for name in subject.values("items.name"):
                names.setdefault(name, self._known_as(name))
        for name in self._evidence.names:
            names.setdefault(name, [])
        found: list[tuple[int, list[Subject]]] = []
        for name in sorted(names, key=len, reverse=True):
            if len(name) < 2:
                continue
            for at in _occurrences(text, name):
                if names[name]:
                    found.append((at, names[name]))
                text = text[:at] + "\0" * len(name) + text[at + len(name) :]
        return sorted(found, key=lambda item: item[0]), text

    def _known_as(self, item: str) -> list[Subject]:
        """Return the products that an order line names, in whatever language."""
        return [
            subject
            for subject in self._evidence.subjects
            if subject.kind == "product" and any(name in item for name in subject.names)
        ]

    def _supported(self, claim: Claim, scope: "_Scope", text: str) -> bool:
        by_subject = CHECKS[claim.kind]
        kind = ABOUT.get(claim.kind)
        # Order lines stand beside the product's name, which is no order: any order's will do.
        about = self._evidence.subjects if claim.kind == "quantity" else scope.of(claim.at, kind)
        if any(by_subject(claim, subject) for subject in about):
            return True
        if claim.kind == "quantity" and claim.numbers == (Decimal(1),):
            return True  # 一个, "an item": an article more often than a count.
        if claim.kind in {"identifier", "quantity"} and self._asked(claim):
            return True
        if claim.kind in {"number", "quantity"} and self._counted(claim, text):
            return True
        return claim.kind in _IN_TEXTS and self._in_texts(claim, text)

    def _asked(self, claim: Claim) -> bool:
        """Tell whether the customer's own words hold the identifier or quantity."""
        asked = self._evidence.asked
        if claim.kind == "identifier":
            return squeezed(claim.text) in squeezed(asked)
        return all(re.search(rf"(?<![\d.]){n}(?![\d.])", asked) for n in claim.numbers)

    def _counted(self, claim: Claim, text: str) -> bool:
        """Tell whether a number counts what was listed, or numbers a list's entries."""
        if all(number in self._evidence.listed for number in claim.numbers):
            return True
        return claim.at == 0 and bool(re.match(r"\d{1,2}[.)、:]", text))

    def _in_texts(self, claim: Claim, text: str) -> bool:
        """Tell whether one of the shop's texts on the same matter says the same number or day."""
        said = texts.read(text)
        return any(
            texts.related(said, line) and texts.states(claim, line) for line in self._lines()
        )

    def _policy_fault(self, text: str, whole: str) -> Fault | None:
        """Check what is said of the shop's rules without a number."""
        about = claims.matters(text)
        if not about or claims.declines(whole) or whole.endswith("?"):
            return None
        lines = [line for line in self._lines() if line.matters & about]
        if uncovered := about - {name for line in lines for name in line.matters}:
            return Fault("policy", min(uncovered))
        clauses = [texts.line_of(clause) for line in lines for clause in line.text.split(",")]
        said = texts.read(whole)
        best = max(clauses, key=lambda clause: texts.share(said, clause))
        of_all = lexicon().universal.search(text)
        if of_all and not best.of_all:
            return Fault("policy", of_all[0])
        told = {clause.denies for clause in clauses if clause.matters & about}
        if texts.share(said, best) >= texts.RELATED:
            told = {best.denies}
        return None if said.denies in told else Fault("policy", "not")

    def _quotes(self, text: str) -> bool:
        """Tell whether a unit is words of one of the shop's texts."""
        said = texts.read(text.rstrip(" .,;:!~。、"))
        return any(texts.quotes(said, line) for line in self._lines())

    def _lines(self) -> Iterator[Line]:
        for text in self._evidence.texts:
            for sentence in texts.sentences(text):
                yield texts.line_of(sentence)


class _Scope:
    """Whom a claim is about: the nearest named before it, else after it, else who was spoken of."""

    def __init__(
        self, named: list[tuple[int, list[Subject]]], focus: list[Subject], known: list[Subject]
    ) -> None:
        self._named = named
        self._focus = focus
        self._known = known

    def of(self, at: int, kind: str | None) -> list[Subject]:
        """Return the subjects that a claim at this place may be about."""
        named = [
            (spot, [s for s in group if kind in (None, s.kind)]) for spot, group in self._named
        ]
        named = [(spot, group) for spot, group in named if group]
        before = [group for spot, group in named if spot <= at]
        if before:
            return before[-1]
        if named:
            return named[0][1]
        focus = [subject for subject in self._focus if kind in (None, subject.kind)]
        return focus or [subject for subject in self._known if kind in (None, subject.kind)]


def _occurrences(text: str, name: str) -> Iterator[int]:
    """Give the places of a name, from the last, where it is no part of a longer word."""
    at = text.rfind(name)
    while at >= 0:
        before, after = text[at - 1 : at], text[at + len(name) : at + len(name) + 1]
        inside = (_latin(before) and _latin(name[0])) or (_latin(after) and _latin(name[-1]))
        if not inside:
            yield at
        at = text.rfind(name, 0, at)


def _latin(char: str) -> bool:
    return char.isascii() and char.isalnum()


def _blank(text: str, found: Iterable[Claim]) -> str:
    for claim in found:
        text = text[: claim.at] + "\0" * len(claim.text) + text[claim.at + len(claim.text) :]
    return text

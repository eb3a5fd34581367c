"""Checks each unit of an answer against the evidence before it leaves.

What is said of an order or a product must be what its tool result says; what is said of the shop's
rules must be in its texts, with the same numbers and the same sign. When in doubt, it is a fault.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import lru_cache

from pypinyin import lazy_pinyin

from services.gateway.assistant.grounding import claims
from services.gateway.assistant.grounding.claims import Claim, lexicon
from services.gateway.assistant.grounding.evidence import Evidence, Subject
from services.gateway.assistant.grounding.numerals import fold

QUOTED = 0.8
"""Share of a unit's words that a shop's text must hold for the unit to count as a quotation."""
RELATED = 0.34
"""Share of a unit's words that make a shop's text one on the same matter."""

_HAN = re.compile(r"[\u3400-\u9fff]")
_MARKS = re.compile(r"[\W_]+")
_WORD = re.compile(r"[a-z0-9]+(?:[.'-][a-z0-9]+)*")
_SENTENCE = re.compile(r"[^。！？!?;；\n]+?(?:[。！？!?;；\n]|\.(?=\s|$)|$)")
_STOP = frozenset({
    "a", "an", "the", "is", "are", "was", "be", "been", "it", "its", "this", "that", "of",
    "to", "in", "on", "at", "for", "from", "with", "by", "and", "or", "we", "you", "your",
    "our", "us", "i", "can", "will", "would", "do", "does", "have", "has", "as", "if",
    "so", "than", "then", "there", "any", "all",
})  # fmt: skip
_ISO = re.compile(r"(\d{4})-(\d{2})-(\d{2})(?:[t ](\d{2}:\d{2}))?")


@dataclass(frozen=True, slots=True)
class Fault:
    """What a unit states that nothing supports."""

    kind: str
    text: str
    """The words at fault, folded; for the model, not for logs."""


@dataclass(frozen=True, slots=True)
class _Line:
    """A sentence or clause of the shop's texts, read once."""

    text: str
    words: frozenset[str]
    digits: frozenset[str]
    matters: frozenset[str]
    claims: tuple[Claim, ...]
    denies: bool
    of_all: bool
    negations: frozenset[str]


def _read(text: str) -> _Line:
    return _Line(
        text=text,
        words=_words(text),
        digits=frozenset(re.findall(r"\d+", text)),
        matters=frozenset(claims.matters(text)),
        claims=tuple(claims.numeric_claims(text)),
        denies=claims.denies(text),
        of_all=bool(lexicon().universal.search(text)),
        negations=_negations(text),
    )


@lru_cache(maxsize=4096)
def _line(text: str) -> _Line:
    """Read a shop's sentence; never a customer's or an answer's, which must not be kept."""
    return _read(text)


@lru_cache(maxsize=4096)
def _sentences(text: str) -> tuple[str, ...]:
    return tuple(found[0] for found in _SENTENCE.finditer(text))


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
        by_subject = _CHECKS[claim.kind]
        kind = _ABOUT.get(claim.kind)
        # Order lines stand beside the product's name, which is no order: any order's will do.
        about = self._evidence.subjects if claim.kind == "quantity" else scope.of(claim.at, kind)
        if any(by_subject(claim, subject) for subject in about):
            return True
        if claim.kind == "quantity" and claim.numbers == (Decimal(1),):
            return True  # 一个, "an item": an article more often than a count.
        if claim.kind in {"identifier", "quantity", "number"} and self._asked(claim):
            return True
        if claim.kind in {"number", "quantity"} and self._counted(claim, text):
            return True
        return claim.kind in _IN_TEXTS and self._in_texts(claim, text)

    def _asked(self, claim: Claim) -> bool:
        """Tell whether the customer's own words hold the identifier or quantity."""
        asked = self._evidence.asked
        if claim.kind == "identifier":
            return _squeezed(claim.text) in _squeezed(asked)
        return all(re.search(rf"(?<![\d.]){n}(?![\d.])", asked) for n in claim.numbers)

    def _counted(self, claim: Claim, text: str) -> bool:
        """Tell whether a number counts what was listed, or numbers a list's entries."""
        if all(number in self._evidence.listed for number in claim.numbers):
            return True
        return claim.at == 0 and bool(re.match(r"\d{1,2}[.)、:]", text))

    def _in_texts(self, claim: Claim, text: str) -> bool:
        """Tell whether one of the shop's texts on the same matter says the same number or day."""
        said = _read(text)
        return any(
            _stated(claim, line)
            for line in self._lines()
            if said.matters & line.matters or _share(said, line) >= RELATED
        )

    def _policy_fault(self, text: str, whole: str) -> Fault | None:
        """Check what is said of the shop's rules without a number."""
        about = claims.matters(text)
        if not about or claims.declines(whole) or whole.endswith("?"):
            return None
        lines = [line for line in self._lines() if line.matters & about]
        if uncovered := about - {name for line in lines for name in line.matters}:
            return Fault("policy", min(uncovered))
        clauses = [_line(clause) for line in lines for clause in line.text.split(",")]
        said = _read(whole)
        best = max(clauses, key=lambda clause: _share(said, clause))
        of_all = lexicon().universal.search(text)
        if of_all and not best.of_all:
            return Fault("policy", of_all[0])
        told = {clause.denies for clause in clauses if clause.matters & about}
        if _share(said, best) >= RELATED:
            told = {best.denies}
        return None if said.denies in told else Fault("policy", "not")

    def _quotes(self, text: str) -> bool:
        """Tell whether a unit is words of one of the shop's texts, its numbers included."""
        said = _read(text)
        return bool(said.words) and any(
            _share(said, line) >= QUOTED
            and said.digits <= line.digits
            and said.negations <= line.negations
            and said.of_all <= line.of_all
            for line in self._lines()
        )

    def _lines(self) -> Iterator[_Line]:
        for text in self._evidence.texts:
            for sentence in _sentences(text):
                yield _line(sentence)


def _stated(claim: Claim, line: _Line) -> bool:
    if claim.kind == "relative_day":
        return claim.what in line.text
    same_kind = [other for other in line.claims if other.kind == claim.kind]
    held = {n for other in same_kind if other.what == claim.what for n in other.numbers}
    same_text = any(other.text == claim.text for other in same_kind)
    return same_text or (bool(claim.numbers) and set(claim.numbers) <= held)


def _share(said: _Line, line: _Line) -> float:
    """Return which share of a unit's words a line holds."""
    return len(said.words & line.words) / len(said.words) if said.words else 0.0


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


def _decimals(values: Iterable[str]) -> set[Decimal]:
    found = set()
    for value in values:
        try:
            found.add(Decimal(value))
        except InvalidOperation:
            continue
    return found


def _money(claim: Claim, subject: Subject) -> bool:
    stated = _decimals(subject.values("price", "total", "unit_price", "amount"))
    held = {code.upper() for code in subject.values("currency")}
    return set(claim.numbers) <= stated and (not held or claim.what in held)


_MONTHS_OF = {"month": 1, "year": 12, "quarter": 3}


def _warranty(claim: Claim, subject: Subject) -> bool:
    factor = _MONTHS_OF.get(claim.what)
    if factor is None:
        return False
    held = _decimals(subject.values("warranty_months"))
    return {number * factor for number in claim.numbers} <= held


def _date(claim: Claim, subject: Subject) -> bool:
    for values in subject.facts.values():
        for value in values:
            for year, month, day, _ in _ISO.findall(value):
                if claim.what in (f"{month}-{day}", f"{year}-{month}-{day}"):
                    return True
    return False


def _clock(claim: Claim, subject: Subject) -> bool:
    times = {
        found[3] for values in subject.facts.values() for v in values for found in _ISO.findall(v)
    }
    return claim.text[:5].zfill(5) in times


def _stock_count(claim: Claim, subject: Subject) -> bool:
    return set(claim.numbers) <= _decimals(subject.values("stock"))


def _quantity(claim: Claim, subject: Subject) -> bool:
    return set(claim.numbers) <= _decimals(subject.values("items.quantity", "stock", "quantity"))


def _identifier(claim: Claim, subject: Subject) -> bool:
    return any(_squeezed(claim.text) == _squeezed(v) for vs in subject.facts.values() for v in vs)


def _number(claim: Claim, subject: Subject) -> bool:
    values = [value for values in subject.facts.values() for value in values]
    # A year stands alone where a comma ended the clause before it: "December 3, 2024".
    years = {Decimal(found[0]) for value in values for found in _ISO.findall(value)}
    return set(claim.numbers) <= _decimals(values) | years


def _state(claim: Claim, subject: Subject) -> bool:
    true_when = lexicon().true_when[claim.what]
    return any((status in true_when) != claim.negated for status in subject.values("status"))


def _stock(claim: Claim, subject: Subject) -> bool:
    there = claim.what == "there"
    return any((number > 0) == there for number in _decimals(subject.values("stock")))


def _ships_from(claim: Claim, subject: Subject) -> bool:
    said = _spelt(claim.what)
    return any(
        said in _spelt(place) or _spelt(place) in said for place in subject.values("ships_from")
    )


def _carrier(claim: Claim, subject: Subject) -> bool:
    pattern = lexicon().carriers[claim.what]
    return any(pattern.search(value) for value in subject.values("carrier"))


def _never(claim: Claim, subject: Subject) -> bool:
    del claim, subject
    return False


_CHECKS: dict[str, Callable[[Claim, Subject], bool]] = {
    "money": _money, "percent": _never, "period": _warranty, "date": _date, "clock": _clock,
    "relative_day": _never, "stock_count": _stock_count, "quantity": _quantity,
    "identifier": _identifier, "number": _number, "state": _state, "stock": _stock,
    "ships_from": _ships_from, "carrier": _carrier,
}  # fmt: skip
_ABOUT = {
    "period": "product", "stock_count": "product", "stock": "product", "ships_from": "product",
    "state": "order", "carrier": "order", "date": "order", "clock": "order",
}  # fmt: skip
_IN_TEXTS = frozenset(
    {"money", "percent", "period", "clock", "date", "relative_day", "quantity", "number"}
)


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


def _words(text: str) -> frozenset[str]:
    """Return what a text is compared by: words, and pairs of Chinese characters."""
    if not _HAN.search(text):
        return frozenset(word for word in _WORD.findall(text) if word not in _STOP)
    run = _MARKS.sub("", text)
    return frozenset(run[i : i + 2] for i in range(len(run) - 1))


def _negations(text: str) -> frozenset[str]:
    return frozenset(lexicon().negation.findall(text))


def _squeezed(text: str) -> str:
    return re.sub(r"[\s-]+", "", text)


def _spelt(place: str) -> str:
    """Return a place's name in Latin letters: 杭州 and Hangzhou are one."""
    return "".join(lazy_pinyin(place)).replace(" ", "").casefold()

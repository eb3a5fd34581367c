"""When a rule holds, by what a statement says: on which days, from how much or how many on."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal

from services.gateway.assistant.grounding import basis, weekdays
from services.gateway.assistant.grounding.roles import role
from services.gateway.assistant.grounding.rules import Clause, Rule, core, only_one
from services.gateway.assistant.grounding.vocabulary import words

_LIST = 60
"""Most characters from the first to the last entry of a list in a rule."""
_LISTED = re.compile(r"[、,/]|[和及与或]|属于|\bor\b|\band\b")
_REQUIRED = re.compile(r"\b(?:must|needs? to|have to|has to|should)\b|必须|需要?|得|务必|要(?!是)")
_DONE = frozenset({"return", "exchange", "refund", "cancel", "postage", "free", "charge"})
"""Matters of which a statement with them says more than that."""
_MOST_OF_A_WEEK = 4
"""Days from which on a statement tells all that there are: "on weekdays", not "on Monday too"."""
_FROM_BEFORE = re.compile(r"(?:满|至少|达到?|超过|at least|minimum of|from)\s*$")
_FROM_BEHIND = re.compile(r"\s*(?:及|或)?\s*(?:以上|起|or more|and (?:up|above|over))")


def on_days(said: Clause, rule: Rule) -> bool:
    """Tell whether a statement names days on which a rule holds; in a denial, no such day."""
    ours, theirs = weekdays.read(said.text), weekdays.read(rule.text)
    if not (ours and theirs) or {c.good for c in rule.clauses} != {True}:
        return True
    if said.good and len(ours) >= _MOST_OF_A_WEEK:
        return ours == theirs
    return ours <= theirs if said.good else not ours & theirs


def limited_to_one(said: Clause, rule: Rule) -> bool:
    """Tell whether a statement lets there be one of what a rule lets there be one of."""
    if not only_one(said.text) or not core(said.loaded) <= rule.names:
        return False
    return any(
        only_one(clause.text) and basis.same(said.text, clause.text) for clause in rule.clauses
    )


def required(said: Clause, rule: Rule) -> bool:
    """Tell whether a statement only says that a condition of a rule has to be met."""
    if not _REQUIRED.search(said.text) or not said.conditions or said.names & _DONE:
        return False
    return any(c.good and said.conditions.items() <= c.conditions.items() for c in rule.clauses)


def on_other_days(said: Clause, rule: Rule) -> bool:
    """Tell whether a statement denies for some days what a rule says of others alone."""
    ours, theirs = weekdays.read(said.text), weekdays.read(rule.text)
    only_days = {clause.good for clause in rule.clauses} == {True}
    return bool(ours and theirs) and not (said.good or ours & theirs) and only_days


def on_the_days(said: Clause, clauses: Sequence[Clause]) -> Sequence[Clause]:
    """Return the clauses on the days that a statement names, where some are."""
    ours = weekdays.read(said.text)
    if not ours:
        return clauses
    return [c for c in clauses if ours <= weekdays.read(c.text)] or clauses


def with_amount(said: Clause, rule: Rule) -> Mapping[str, bool]:
    """Return the conditions of a statement, with whether its price reaches the rule's bound."""
    if "bound" in said.conditions:
        return said.conditions
    least = {n for c in rule.clauses for n in _least_pieces(c)}
    if len(least) == 1 and said.counts:
        return {**said.conditions, "bound": max(said.counts) >= min(least)}
    if said.amount is None:
        return said.conditions
    bounds = [
        number
        for clause in rule.clauses
        for claim in clause.numbers
        if role(clause.text, claim) == "bound"
        for number in claim.numbers
    ]
    if len(set(bounds)) != 1:
        return said.conditions
    return {**said.conditions, "bound": said.amount >= bounds[0]}


def reached(said: Clause, clauses: Iterable[Clause]) -> bool:
    """Tell whether a statement speaks of as many pieces as a rule asks for, or more."""
    least = [n for clause in clauses for n in _least_pieces(clause)]
    return bool(least and said.counts) and min(said.counts) >= min(least)


def _least_pieces(clause: Clause) -> Iterator[Decimal]:
    """Give from how many pieces on a clause holds."""
    for claim in clause.numbers:
        end = claim.at + len(claim.text)
        if claim.kind in {"quantity", "number"} and (
            _FROM_BEFORE.search(clause.text[: claim.at]) or _FROM_BEHIND.match(clause.text, end)
        ):
            yield from claim.numbers


def in_one_list(text: str, said: str, others: Iterable[str]) -> bool:
    """Tell whether what is said stands in one list with all that is left out: "A, B or C"."""
    ours = _place(text, said)
    if ours < 0:
        return False
    for other in others:
        theirs = _place(text, other)
        between = text[min(ours, theirs) : max(ours, theirs)]
        if theirs < 0 or len(between) > _LIST or not _LISTED.search(between):
            return False
    return True


def _place(text: str, name: str) -> int:
    """Return where a clause has a word, or what stands for it."""
    if name in text:
        return text.index(name)
    return next((text.find(w.text) for w in words(text) if name in w.names), -1)

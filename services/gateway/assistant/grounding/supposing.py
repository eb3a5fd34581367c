"""What a number is about, and whether it states less than it seems to, or more."""

import re
from collections.abc import Iterator
from dataclasses import replace

from services.gateway.assistant.grounding import basis
from services.gateway.assistant.grounding.claims import Claim, numeric_claims
from services.gateway.assistant.grounding.evidence import Subject
from services.gateway.assistant.grounding.roles import role
from services.gateway.assistant.grounding.rules import is_condition
from services.gateway.assistant.grounding.statement import Statement
from services.gateway.assistant.grounding.texts import Line

OF_ITEMS = frozenset({"quantity", "number"})
_ON = re.compile(r" (?:on|for|with) (?:the |your )?\0")
_HAVING = re.compile(r"有货|库存|还剩|剩下|in stock|\bleft\b|available|remaining|订单里|包裹里")
_WOULD = re.compile(r"\b(?:would|you'd|they'd|it'd)\b|^for [^,]*,$|的话")


def of_one_only(claim: Claim, said: Statement, line: Line) -> bool:
    """Tell whether an amount is what a rule asks for each, and a unit says it of several."""
    several = any(c.kind in OF_ITEMS and max(c.numbers) > 1 for c in said.numbers)
    if claim.kind != "money" or not several or basis.of(said.text):
        return False
    return basis.of(line.text) == {"piece"} and role(line.text, claim) != "bound"


def supposed(text: str) -> bool:
    """Tell whether a unit speaks of so many pieces as if: nobody says that there are."""
    return not _HAVING.search(text) and bool(is_condition(text) or _WOULD.search(text))


def of_earlier(said: Statement) -> Iterator[Claim]:
    """Give the numbers of the units before, in the same sentence."""
    for unit in said.earlier:
        yield from unit.numbers


def dated(claim: Claim, said: Line, line: Line) -> bool:
    """Tell whether a day may be one of a shop's sentence: nothing else is said to be then."""
    return claim.kind == "date" and said.events <= line.events and said.loaded <= line.loaded


def spelt_out(claim: Claim, said: Statement) -> Claim:
    """Return "the frame 5" as 5 years, where years were counted before it."""
    if claim.kind != "number":
        return claim
    before = said.earlier[-1].numbers if said.earlier else ()
    periods = [c for c in before if c.kind == "period"]
    periods += [c for c in said.numbers if c.kind == "period" and c.at < claim.at]
    if not periods:
        return claim
    unit = re.sub(r"[\d.,\s-]+", "", periods[-1].text)
    (whole, *_) = numeric_claims(f"{claim.text} {unit}")
    return replace(whole, at=claim.at, text=claim.text)


def about(claim: Claim, said: Statement, kind: str | None) -> list[Subject]:
    """Return what a claim of a unit is about, of some kind of subject."""
    scope, end = said.scope, claim.at + len(claim.text)
    if claim.kind == "stock_count" and "\0" in claim.text:  # "6 of the lamps in stock"
        return scope.of(end, kind)
    on_it = kind == "product" and _ON.match(said.text, end)  # "2 years on the kettle"
    if claim.kind in OF_ITEMS or on_it:
        return scope.counted(claim, said.text)
    return scope.of(claim.at, kind)

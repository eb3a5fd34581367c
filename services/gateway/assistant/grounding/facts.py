"""What an order or a product says to each kind of claim."""

import re
from collections.abc import Callable, Iterable
from decimal import Decimal, InvalidOperation

from pypinyin import lazy_pinyin

from services.gateway.assistant.grounding.claims import Claim, lexicon
from services.gateway.assistant.grounding.evidence import Subject

_ISO = re.compile(r"(\d{4})-(\d{2})-(\d{2})(?:[t ](\d{2}:\d{2}))?")


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
    return claim.what in times


def _stock_count(claim: Claim, subject: Subject) -> bool:
    return set(claim.numbers) <= _decimals(subject.values("stock"))


def _quantity(claim: Claim, subject: Subject) -> bool:
    return set(claim.numbers) <= _decimals(subject.values("items.quantity", "stock", "quantity"))


def _identifier(claim: Claim, subject: Subject) -> bool:
    return any(squeezed(claim.text) == squeezed(v) for vs in subject.facts.values() for v in vs)


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


CHECKS: dict[str, Callable[[Claim, Subject], bool]] = {
    "money": _money, "percent": _never, "period": _warranty, "date": _date, "clock": _clock,
    "relative_day": _never, "stock_count": _stock_count, "quantity": _quantity,
    "identifier": _identifier, "number": _number, "state": _state, "stock": _stock,
    "ships_from": _ships_from, "carrier": _carrier,
}  # fmt: skip
"""By kind of claim: whether a subject bears it out."""
ABOUT = {
    "period": "product", "stock_count": "product", "stock": "product", "ships_from": "product",
    "state": "order", "carrier": "order", "date": "order", "clock": "order",
}  # fmt: skip
"""By kind of claim: which kind of subject it is about, where only one can be."""


def squeezed(text: str) -> str:
    """Return an identifier without spaces and hyphens."""
    return re.sub(r"[\s-]+", "", text)


def _spelt(place: str) -> str:
    """Return a place's name in Latin letters: 杭州 and Hangzhou are one."""
    return "".join(lazy_pinyin(place)).replace(" ", "").casefold()

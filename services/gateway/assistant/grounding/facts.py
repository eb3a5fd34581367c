"""What an order or a product says to each kind of claim."""

import re
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal, InvalidOperation
from functools import lru_cache

from pypinyin import lazy_pinyin

from services.gateway.assistant.grounding.claims import Claim
from services.gateway.assistant.grounding.evidence import Subject
from services.gateway.assistant.grounding.lexicon import lexicon

_ISO = re.compile(
    r"\d{4}-\d{2}-\d{2}(?:[t ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:z|[+-]\d{2}:?\d{2})?)?"
)
_PACK = re.compile(r"(\d+)[- ]?(?:pack|piece|pcs|ct\b|count|[只瓶袋支片包]装)")
_MANY = 20
"""From how many pieces on "plenty" is true, and up to how many "not many left"."""
_BEIJING = timezone(timedelta(hours=8))
_WEEKDAYS = (
    ("周一", "星期一", "monday"), ("周二", "星期二", "tuesday"), ("周三", "星期三", "wednesday"),
    ("周四", "星期四", "thursday"), ("周五", "星期五", "friday"), ("周六", "星期六", "saturday"),
    ("周日", "星期日", "星期天", "周天", "sunday"),
)  # fmt: skip


def decimals(values: Iterable[str]) -> set[Decimal]:
    """Return those of some values that are numbers."""
    found = set()
    for value in values:
        try:
            found.add(Decimal(value))
        except InvalidOperation:
            continue
    return found


def _money(claim: Claim, subject: Subject) -> bool:
    stated = decimals(subject.values("price", "total", "unit_price", "amount"))
    held = {code.upper() for code in subject.values("currency")}
    return set(claim.numbers) <= stated and (not held or claim.what in held)


def _warranty(claim: Claim, subject: Subject) -> bool:
    held = decimals(subject.values("warranty_months"))
    return claim.what == "month" and set(claim.numbers) <= held


def _moments(subject: Subject) -> Iterator[datetime | date]:
    """Give the dates and times in a subject's facts: in their own zone, UTC and Beijing's."""
    for values in subject.facts.values():
        for value in values:
            for found in _ISO.findall(value):
                try:
                    if len(found) == len("2024-12-03"):
                        yield date.fromisoformat(found)
                        continue
                    moment = datetime.fromisoformat(found.upper())
                except ValueError:
                    continue
                yield moment
                if moment.tzinfo is not None:
                    yield moment.astimezone(UTC)
                    yield moment.astimezone(_BEIJING)


def _date(claim: Claim, subject: Subject) -> bool:
    return any(
        claim.what in (f"{moment:%m-%d}", f"{moment:%Y-%m-%d}")
        # 3/12/2024 may be either.
        or ("/" in claim.text and claim.what == f"{moment:%Y-%d-%m}")
        for moment in _moments(subject)
    )


def _clock(claim: Claim, subject: Subject) -> bool:
    return any(
        claim.what == f"{moment:%H:%M}"
        for moment in _moments(subject)
        if isinstance(moment, datetime)
    )


def _weekday(claim: Claim, subject: Subject) -> bool:
    """Tell whether a weekday is that of a date in the subject: of what was, not of what will be."""
    return any(claim.what in _WEEKDAYS[moment.weekday()] for moment in _moments(subject))


def _stock_count(claim: Claim, subject: Subject) -> bool:
    return set(claim.numbers) <= decimals(subject.values("stock"))


def _quantity(claim: Claim, subject: Subject) -> bool:
    return set(claim.numbers) <= decimals(subject.values("quantity", "stock"))


def _identifier(claim: Claim, subject: Subject) -> bool:
    return any(squeezed(claim.text) == squeezed(v) for vs in subject.facts.values() for v in vs)


def _number(claim: Claim, subject: Subject) -> bool:
    values = [value for values in subject.facts.values() for value in values]
    # A year stands alone where a comma ended the clause before it: "December 3, 2024".
    years = {Decimal(moment.year) for moment in _moments(subject)}
    packs = {Decimal(n) for name in subject.names for n in _PACK.findall(name)}
    return set(claim.numbers) <= decimals(values) | years | packs


def _state(claim: Claim, subject: Subject) -> bool:
    true_when = lexicon().true_when[claim.what]
    return any((status in true_when) != claim.negated for status in subject.values("status"))


def _stock(claim: Claim, subject: Subject) -> bool:
    held = decimals(subject.values("stock"))
    if claim.what in {"plenty", "few"}:
        return any(
            number >= _MANY if claim.what == "plenty" else 0 < number <= _MANY for number in held
        )
    return any((number > 0) == (claim.what == "there") for number in held)


def _ships_from(claim: Claim, subject: Subject) -> bool:
    said = spelt(claim.what)
    return any(
        said in spelt(place) or spelt(place) in said for place in subject.values("ships_from")
    )


def _carrier(claim: Claim, subject: Subject) -> bool:
    pattern = lexicon().carriers[claim.what]
    return any(pattern.search(value) for value in subject.values("carrier"))


def _measure(claim: Claim, subject: Subject) -> bool:
    said = squeezed(claim.text)
    return any(said in squeezed(value) for values in subject.facts.values() for value in values)


def _never(claim: Claim, subject: Subject) -> bool:
    del claim, subject
    return False


CHECKS: dict[str, Callable[[Claim, Subject], bool]] = {
    "money": _money, "percent": _never, "period": _warranty, "date": _date, "clock": _clock,
    "relative_day": _weekday, "stock_count": _stock_count, "quantity": _quantity,
    "identifier": _identifier, "number": _number, "state": _state, "stock": _stock,
    "ships_from": _ships_from, "carrier": _carrier, "action": _never,
    "measure": _measure,
}  # fmt: skip
"""By kind of claim: whether a subject bears it out."""
ABOUT = {
    "period": "product", "stock_count": "product", "stock": "product", "ships_from": "product",
    "state": "order", "carrier": "order", "date": "order", "clock": "order",
    "relative_day": "order",
}  # fmt: skip
"""By kind of claim: which kind of subject it is about, where only one can be."""


KNOWN_BY = {
    "money": ("price", "total", "unit_price", "amount"), "period": ("warranty_months",),
    "stock_count": ("stock",), "quantity": ("quantity", "stock"),
    "date": ("updated_at", "placed_at"), "clock": ("updated_at", "placed_at"),
    "identifier": ("order_id", "tracking_no"),
    "number": ("price", "stock", "warranty_months", "quantity"),
}  # fmt: skip
"""By kind of claim: the facts without which it can be neither affirmed nor denied."""


def squeezed(text: str) -> str:
    """Return an identifier without spaces and hyphens."""
    return re.sub(r"[\s-]+", "", text)


@lru_cache(maxsize=4096)
def spelt(place: str) -> str:
    """Return a place's name in Latin letters: 杭州 and Hangzhou are one."""
    return "".join(lazy_pinyin(place)).replace(" ", "").casefold()

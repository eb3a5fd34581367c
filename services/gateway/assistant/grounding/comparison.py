"""What an answer compares: prices, stock, warranties, dates of what tools found."""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation

from services.gateway.assistant.grounding.claims import Claim
from services.gateway.assistant.grounding.evidence import Subject
from services.gateway.assistant.grounding.lexicon import lexicon
from services.gateway.assistant.grounding.names import Mention

_FIELDS = {
    "price": ("product", ("price",)), "stock": ("product", ("stock",)),
    "warranty": ("product", ("warranty_months",)), "date": ("order", ("placed_at", "updated_at")),
}  # fmt: skip
_TWO = 2
_SAME_OF = (
    ("price", ("价", "钱", "pric", "cost", "¥", "yuan")),
    ("warranty", ("保", "warrant", "guarantee")), ("stock", ("库存", "stock")),
)  # fmt: skip


def wrong(
    text: str, mentions: Sequence[Mention], focus: Sequence[Subject], known: Sequence[Subject]
) -> str:
    """Return the words of a comparison that the evidence does not bear out, or nothing.

    Args:
        text: folded, with names blanked out.
        mentions: what it names.
        focus: what was spoken of before.
        known: all there is.
    """
    for name, pattern in lexicon().comparisons.items():
        found = pattern.search(text)
        if found is None:
            continue
        if name == "same":
            if not _same(text, mentions, focus, known):
                return found[0]
            continue
        field, direction = name.split("_")
        sides = _sides(text, found.start(), found.end(), mentions, focus, known, field)
        less = direction == "less"
        if _turned(text, found.start()):
            less = not less
        if not any(_holds(one, other, field, less=less) for one, other in sides):
            return found[0]
    return ""


_RATIO = re.compile(
    r"(?P<twice>\btwice\b|\bdouble\b|(?:2|两|双)倍|翻倍)|(?P<half>\bhalf\b|[一1]半)"
    r"|(?P<n>\d+)\s*(?:倍|times\b)"
)
_OF_FIELD = (
    ("price", re.compile(r"价|贵|便宜|钱|\bpric|\bcost|\bexpensive|\bdear|\bcheap")),
    ("warranty", re.compile(r"保|warrant|guarant|\bcover|\blong\b")),
    ("stock", re.compile(r"库存|存货|\bstock|\bmany\b|\bunits\b")),
)


def is_ratio(text: str, claim: Claim) -> bool:
    """Tell whether a number says how many times as much one product has as another."""
    ratio = _RATIO.search(text, max(0, claim.at - 1))
    return ratio is not None and ratio.start() == claim.at and _field_of(text) is not None


def wrong_ratio(text: str, mentions: Sequence[Mention], focus: Sequence[Subject]) -> str:
    """Return how many times as much of something a product is wrongly said to have."""
    found = _RATIO.search(text)
    field = _field_of(text) if found else None
    if found is None or field is None:
        return ""
    named = [m.subjects for m in mentions] or [(one,) for one in focus]
    groups = [[s for s in some if s.kind == "product"] for some in named]
    groups = [group for group in groups if group]
    if len(groups) != _TWO:
        return ""
    one, other = (_value(group[0], field) for group in groups)
    if one is None or other is None:
        return found[0]
    factor = Decimal(found["n"] or 2)
    fits = one * factor == other if found["half"] else one == factor * other
    return "" if fits else found[0]


def _field_of(text: str) -> str | None:
    return next((name for name, pattern in _OF_FIELD if pattern.search(text)), None)


def _sides(
    text: str, start: int, end: int, mentions: Sequence[Mention], focus: Sequence[Subject],
    known: Sequence[Subject], field: str,
) -> Iterator[tuple[Subject, list[Subject]]]:  # fmt: skip
    """Give what is compared: each subject it may be, and with what."""
    kind = _FIELDS[field][0]
    named = [(m, [s for s in m.subjects if s.kind == kind]) for m in mentions]
    named = [(m, group) for m, group in named if group]
    everything = [s for s in known if s.kind == kind]
    than = max(text.rfind("比", 0, end), text.rfind("没有", 0, end))
    if than >= 0 and any(m.at > than and m.at < end for m, _ in named):
        other = next(group for m, group in named if than < m.at < end)
        first = [group for m, group in named if m.at < than]
        later = [group for m, group in named if m.at >= end or (m.at > than and group is not other)]
        subject = (first or later or [[s for s in focus if s.kind == kind]])[-1]
    else:
        before = [group for m, group in named if m.at < start]
        behind = [group for m, group in named if m.at >= start]
        subject = before[-1] if before else behind.pop(0) if behind else []
        subject = subject or [s for s in focus if s.kind == kind]
        other = behind[0] if behind else []
    for one in subject:
        rest = [s for s in other or everything if s is not one and s.names != one.names]
        if rest:
            yield one, rest


def _turned(text: str, start: int) -> bool:
    before = text[max(0, start - 16) : start + 2]
    return bool(lexicon().negation.search(before)) and "不同" not in before


def _value(subject: Subject, field: str) -> Decimal | None:
    for value in subject.values(*_FIELDS[field][1]):
        try:
            if field == "date":
                return Decimal(datetime.fromisoformat(value.upper()).timestamp())
            return Decimal(value)
        except (InvalidOperation, ValueError):
            continue
    return None


def _holds(one: Subject, others: Sequence[Subject], field: str, *, less: bool) -> bool:
    value = _value(one, field)
    rest = [_value(other, field) for other in others]
    if value is None or not rest:
        return False
    return all(r is not None and (value < r if less else value > r) for r in rest)


def _same(
    text: str, mentions: Sequence[Mention], focus: Sequence[Subject], known: Sequence[Subject]
) -> bool:
    field = next((f for f, words in _SAME_OF if any(w in text for w in words)), None)
    if field is None:
        return True
    named = [s for m in mentions for s in m.subjects if s.kind == "product"]
    some = named if len(named) > 1 else focus if len(focus) > 1 else known
    values = {_value(s, field) for s in some if s.kind == "product"}
    alike = len(values) == 1 and None not in values
    return alike != bool(lexicon().negation.search(text))

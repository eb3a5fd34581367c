"""Finds what a unit of an answer claims: typed, with its place in the text.

Works on folded text in which the names of products and orders have been blanked out, so that the
87 of a "Keyboard K87" is no number.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, Literal

import yaml

Kind = Literal[
    "money", "percent", "period", "date", "clock", "relative_day", "stock_count", "quantity",
    "identifier", "number", "state", "stock", "ships_from", "carrier",
]  # fmt: skip

_NUMBER = r"\d+(?:,\d{3})*(?:\.\d+)?"
_CURRENCY_BEFORE = r"(?:[¥$€£]|rmb|cny|usd|eur|gbp)"
_CURRENCY_AFTER = (
    r"(?:元|块钱?|圆|人民币|美元|欧元|英镑|rmb\b|cny\b|yuan\b|usd\b|dollars?\b|bucks\b|euros?\b"
    r"|pounds?\b|gbp\b|eur\b)"
)
_TO = r"\s*(?:-|–|—|~|至|到|to|and|或|or)\s*"
_PERIOD_UNIT = (
    r"(?:个?(?:工作日|自然日|小时|钟头|星期|礼拜|季度)|个月|天|日|周|分钟|年|月"
    r"|(?:business|working|calendar)\s+days?|days?|hours?|hrs?|weeks?|months?|years?|minutes?|mins?)"
)
_COUNT_UNIT = (
    r"(?:件|个|台|只|双|套|盒|瓶|包|把|张|条|种|款|项|units?|pieces?|pcs|items?|colou?rs|sizes|options"
    r"|kinds|versions)"
)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = rf"(?P<mn>{'|'.join(_MONTHS)})[a-z]*\.?"
_DAY = r"(?P<d>\d{1,2})(?:st|nd|rd|th)?"
_N, _N2 = rf"(?P<n>{_NUMBER})", rf"(?P<n2>{_NUMBER})"
_STOCK_WORD = (
    r"(?:(?:库存|剩余?|还剩|仅剩|stock)(?:\s*(?:为|是|有|还有|is|of|:))*"
    r"|(?:我们|店里|仓库|现|还|尚)有|\bwe(?:\s+still)?\s+have|\bwe've\s+got)"
)
_NO_ORDERS = r"(?!\d*\s*(?:个|笔|单)?\s*(?:recent\s+)?(?:订单|orders?))"
_IN_STOCK = r"(?:in stock|left|available|remaining|on hand|的?(?:库存|现货|存货))"

# In this order: what an earlier pattern took, a later one does not see.
_SOURCES: tuple[tuple[Kind, str], ...] = (
    ("date", r"(?P<y>\d{4})[-/.年](?P<m>\d{1,2})[-/.月](?P<d>\d{1,2})(?!\d)[日号]?"),
    ("date", r"(?<!\d)(?P<m>\d{1,2})月(?P<d>\d{1,2})[日号]"),
    ("date", rf"\b{_MONTH}\s+{_DAY}\b(?:,?\s+(?P<y>\d{{4}}))?"),
    ("date", rf"\b{_DAY}\s+(?:of\s+)?{_MONTH}(?:,?\s+(?P<y>\d{{4}}))?"),
    ("clock", r"(?<!\d)(?P<h>\d{1,2})(?::(?P<min>\d{2}))?\s*(?:(?P<pm>p)|a)\.?m\b\.?"),
    ("clock", r"(?P<pm>下午|晚上|晚|傍晚)?\s*(?<!\d)(?P<h>\d{1,2})点(?:(?P<min>\d{1,2})分)?(?!\d)"),
    ("clock", r"(?P<pm>下午|晚上|晚|傍晚)?\s*(?<!\d)(?P<h>\d{1,2}):(?P<min>\d{2})(?::\d{2})?"),
    ("identifier", r"(?<![a-z0-9])(?=[a-z0-9-]*\d{5})[a-z0-9]+(?:-[a-z0-9]+)*"),
    ("money", rf"{_CURRENCY_BEFORE}\s*{_N}(?:{_TO}{_CURRENCY_BEFORE}?\s*{_N2})?"),
    ("money", rf"{_N}(?:{_TO}{_N2})?\s*{_CURRENCY_AFTER}"),
    ("percent", rf"{_N}\s*(?:%|percent|per cent|折)"),
    ("period", rf"{_N}(?:{_TO}{_N2})?[\s-]*(?P<unit>{_PERIOD_UNIT})"),
    ("quantity", rf"(?:×|\bx)\s*{_N}\b|{_N2}\s*(?:×|x\b)"),
    ("stock_count", rf"{_N}\s*{_COUNT_UNIT}?\s*{_IN_STOCK}"),
    ("stock_count", rf"{_STOCK_WORD}\s*{_N}{_NO_ORDERS}"),
    ("quantity", rf"{_N}\s*{_COUNT_UNIT}"),
    ("number", _N),
)
# ASCII: between a Han character and a Latin letter there is a word's boundary.
_PATTERNS = tuple((kind, re.compile(source, re.ASCII)) for kind, source in _SOURCES)


@dataclass(frozen=True, slots=True)
class Claim:
    """One claim: what kind, where, the words, and its numbers or the state it asserts."""

    kind: Kind
    at: int
    text: str
    numbers: tuple[Decimal, ...] = ()
    what: str = ""
    """A period's unit, a currency, a date as `[YYYY-]MM-DD`, a time as HH:MM, a state, a place."""
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Lexicon:
    """The word lists, compiled."""

    states: dict[str, re.Pattern[str]]
    denied: dict[str, re.Pattern[str]]
    true_when: dict[str, frozenset[str]]
    there: re.Pattern[str]
    gone: re.Pattern[str]
    ships_from: tuple[re.Pattern[str], ...]
    carriers: dict[str, re.Pattern[str]]
    policies: dict[str, re.Pattern[str]]
    topics: dict[str, re.Pattern[str]]
    negation: re.Pattern[str]
    denial: re.Pattern[str]
    condition_before: re.Pattern[str]
    condition_behind: re.Pattern[str]
    future: re.Pattern[str]
    declining: re.Pattern[str]
    relative_days: re.Pattern[str]
    universal: re.Pattern[str]
    promised: re.Pattern[str]
    periods: dict[str, re.Pattern[str]]
    currencies: dict[str, re.Pattern[str]]


@cache
def telling() -> re.Pattern[str]:
    """Return a pattern that finds something in every text which states a fact."""
    words = lexicon()
    patterns = [*words.states.values(), *words.denied.values(), *words.carriers.values()]
    patterns += [*words.ships_from, *words.policies.values()]
    patterns += [words.there, words.gone, words.relative_days]
    # Group names may repeat between alternatives, which one pattern must not have.
    sources = (re.sub(r"\(\?P<\w+>", "(?:", pattern.pattern) for pattern in patterns)
    return re.compile(r"\d|" + "|".join(sources), re.ASCII)


@cache
def lexicon() -> Lexicon:
    """Read the word lists, once."""
    data: dict[str, Any] = yaml.safe_load(
        Path(__file__).with_name("lexicon.yaml").read_text("utf-8")
    )
    return Lexicon(
        states={name: _any(state["said"]) for name, state in data["states"].items()},
        denied={n: _any(s["denied"]) for n, s in data["states"].items() if "denied" in s},
        true_when={name: frozenset(s["true_when"]) for name, s in data["states"].items()},
        there=_any(data["stock"]["there"]),
        gone=_any(data["stock"]["gone"]),
        ships_from=tuple(re.compile(pattern, re.ASCII) for pattern in data["ships_from"]),
        carriers={name: _any(words) for name, words in data["carriers"].items()},
        policies={name: _any(words) for name, words in data["policies"].items()},
        topics={name: _any(words) for name, words in data["topics"].items()},
        negation=_any(data["negation"]),
        denial=_any(data["denial"]),
        condition_before=_any(data["condition_before"]),
        condition_behind=_any(data["condition_behind"]),
        future=_any(data["future"]),
        declining=_any(data["declining"]),
        relative_days=_any(data["relative_days"]),
        universal=_any(data["universal"]),
        promised=_any(data["promised"]),
        currencies={name: _any(words) for name, words in data["currencies"].items()},
        periods={name: _any(words) for name, words in data["periods"].items()},
    )


def load() -> None:
    """Read and compile what checking needs, before the first customer waits for it."""
    lexicon()
    telling()


def _any(words: list[str]) -> re.Pattern[str]:
    # Longest first, so that 已发货 is found before 发货.
    return re.compile("|".join(sorted(words, key=len, reverse=True)), re.ASCII)


def numeric_claims(text: str) -> Iterator[Claim]:
    """Give the claims that hold digits; each digit belongs to one."""
    for kind, pattern in _PATTERNS:
        for found in list(pattern.finditer(text)):
            if not found[0].strip() or "\0" in found[0]:
                continue
            yield _numeric(kind, found)
            text = text[: found.start()] + "\0" * len(found[0]) + text[found.end() :]


def _numeric(kind: Kind, found: re.Match[str]) -> Claim:
    groups = found.groupdict()
    numbers = tuple(
        Decimal(groups[name].replace(",", "")) for name in ("n", "n2") if groups.get(name)
    )
    what = groups.get("unit") or ""
    if kind == "date":
        month = groups.get("m") or str(_MONTHS.index((groups.get("mn") or "jan")[:3]) + 1)
        what = f"{int(month):02d}-{int(groups['d'] or 0):02d}"
        what = f"{groups['y']}-{what}" if groups.get("y") else what
    elif kind == "period":
        what = _period(what)
    elif kind == "money":
        what = currency(found[0])
    elif kind == "clock":
        hour = int(groups["h"])
        hour += 12 if groups["pm"] and hour < 12 else 0
        what = f"{hour:02d}:{groups['min'] or '00':0>2}"
    return Claim(kind, found.start(), found[0].strip(), numbers, what)


def _period(unit: str) -> str:
    return next(
        name for name, pattern in lexicon().periods.items() if pattern.fullmatch(unit.strip())
    )


def worded_claims(text: str) -> Iterator[Claim]:
    """Give the claims that are made in words: states, stock, places, carriers, days."""
    words = lexicon()
    if words.promised.search(text):
        for found in words.relative_days.finditer(text):
            yield Claim("relative_day", found.start(), found[0], what=found[0])
    yield from _states(text, words)
    gone = list(words.gone.finditer(text))
    for found in gone:
        yield Claim("stock", found.start(), found[0], what="gone")
    for found in words.there.finditer(text):
        if not any(other.start() <= found.start() < other.end() for other in gone):
            negated = _negated(text, found.start(), words)
            yield Claim("stock", found.start(), found[0], what="gone" if negated else "there")
    for pattern in words.ships_from:
        for found in pattern.finditer(text):
            yield Claim("ships_from", found.start(), found[0], what=found["place"].strip())
    for name, pattern in words.carriers.items():
        for found in pattern.finditer(text):
            yield Claim("carrier", found.start(), found[0], what=name)


def _states(text: str, words: Lexicon) -> Iterator[Claim]:
    taken = [False] * len(text)
    patterns = [(name, pattern, False) for name, pattern in words.states.items()]
    patterns += [(name, pattern, True) for name, pattern in words.denied.items()]
    spots = sorted(
        (
            (found.start(), -len(found[0]), name, only_denied)
            for name, pattern, only_denied in patterns
            for found in pattern.finditer(text)
        ),
    )
    for start, length, name, only_denied in spots:
        negated = _negated(text, start, words)
        if taken[start] or (only_denied and not negated):
            continue
        taken[start : start - length] = [True] * -length
        before = _clause_before(text, start, 40)
        conditional = words.condition_before.search(before) or words.condition_behind.match(
            text, start - length
        )
        if not conditional and not words.future.search(before):
            yield Claim("state", start, text[start : start - length], what=name, negated=negated)


def _negated(text: str, start: int, words: Lexicon) -> bool:
    """Tell whether a negation stands shortly before, in the same clause."""
    return bool(words.negation.search(_clause_before(text, start, 24)))


def _clause_before(text: str, start: int, most: int) -> str:
    """Return what stands before a place in its clause, at most so many characters."""
    before = text[max(0, start - most) : start]
    return before[max(before.rfind(mark) for mark in ",.;。、:!?") + 1 :]


def states_something(text: str) -> bool:
    """Tell whether a text makes a claim in words, or is about a shop rule."""
    return next(worded_claims(text), None) is not None or bool(matters(text))


def matters(text: str) -> set[str]:
    """Return the shop rules that a text is about."""
    return {name for name, pattern in lexicon().policies.items() if pattern.search(text)}


def topics(text: str) -> set[str]:
    """Return what a number in a text may be about: shop rules, delivery, dispatch, warranty."""
    found = {name for name, pattern in lexicon().topics.items() if pattern.search(text)}
    return found | matters(text)


def denies(text: str) -> bool:
    """Tell whether a text denies a rule: an odd number of denials."""
    return len(lexicon().denial.findall(text)) % 2 == 1


def currency(text: str) -> str:
    """Return the ISO code of the currency that a text names first, or nothing."""
    for code, pattern in lexicon().currencies.items():
        if pattern.search(text):
            return code
    return ""


def declines(text: str) -> bool:
    """Tell whether a text says that something is not known."""
    return bool(lexicon().declining.search(text))

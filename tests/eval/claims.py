"""Reads what an answer claims: identifiers, products, sums, periods, dates, counts, words.

A scanner takes claims one kind after the other and blanks what it took, so that the 4 of "4K", the
99 of "¥99" and the 21 of "21:00" are each read once, as what they are.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

from tests.eval import lexicon
from tests.eval.text import EN_NUMERAL, ZH_NUMERAL, bounded, normal, number, order_key

NUM = r"(?<![\d.])\d+(?:\.\d+)?"
ANY = rf"(?:{NUM}|{ZH_NUMERAL}|(?<![a-z]){EN_NUMERAL})"
_EDGE = r"(?<![a-z0-9])"
_END = r"(?![a-z0-9])"
_JANUARY_TO_DECEMBER = "jan feb mar apr may jun jul aug sep oct nov dec"
_MONTHS = {name: index for index, name in enumerate(_JANUARY_TO_DECEMBER.split(), start=1)}
_MONTH = r"(?:jan|feb|mar|apr|may|june?|july?|aug|sept?|oct|nov|dec)[a-z]*\.?"
# unit -> (what it is counted in, how many of these)
_UNITS: tuple[tuple[str, str, int], ...] = (
    (r"个?工作日|(?:business|working)[ -]days?", "workday", 1),
    (r"天|日(?!期|常)|days?", "hour", 24),
    (r"个?小时|hours?|hrs?|h(?![a-z])", "hour", 1),
    (r"个?(?:星期|礼拜)|周|weeks?", "hour", 168),
    (r"个月|months?", "month", 1),
    (r"年|years?|yrs?", "month", 12),
    (r"分钟|minutes?|mins?", "minute", 1),
)
_UNIT = "(?:" + "|".join(f"(?P<u{i}>{pattern})" for i, (pattern, _, _) in enumerate(_UNITS)) + ")"


# There are more patterns than the re module remembers.
_compiled = lru_cache(maxsize=2048)(re.compile)


@dataclass(frozen=True, slots=True)
class Claim:
    """Something an answer says.

    Attributes:
        kind: which set of facts it must be in.
        value: comparable with the facts of that kind.
        text: as written.
        start: where, in the normal text.
    """

    kind: str
    value: object
    text: str
    start: int


class Scanner:
    """Takes the claims of one text.

    Args:
        text: as written.
        products: spelling in normal form -> what it names.
    """

    def __init__(self, text: str, products: dict[str, str]) -> None:
        self.text = normal(text)
        self._rest = self.text
        self.claims: list[Claim] = []
        self._take(
            r"(?:^|\n|[:;。] ?)\d{1,2}[.)、](?!\d)", lambda _: [("conditional", "list mark")]
        )
        self._identifiers()
        self._products(products)
        self._times()
        self._dates()
        self._shares()
        self._money()
        self._periods()
        self._models()
        self._counts()
        self._take(NUM, lambda m: [("number", number(m.group()))])
        self._words()
        self.claims.sort(key=lambda claim: claim.start)

    def _take(
        self,
        pattern: str | re.Pattern[str],
        read: Callable[[re.Match[str]], list[tuple[str, object]]],
    ) -> None:
        """Make claims of each match and blank it; a match that gives none stays."""
        for match in list(_compiled(pattern).finditer(self._rest)):
            found = read(match)
            if found:
                self.claims += [
                    Claim(kind, value, match.group().strip(), match.start())
                    for kind, value in found
                ]
                self._rest = (
                    self._rest[: match.start()]
                    + "\x00" * (match.end() - match.start())
                    + self._rest[match.end() :]
                )

    def _identifiers(self) -> None:
        def read(match: re.Match[str]) -> list[tuple[str, object]]:
            return [("identifier", order_key(match.group()))]

        self._take(rf"{_EDGE}ord[ -]*\d{{4}}[ -]?\d{{4}}[ -]*\d{{1,4}}{_END}", read)
        self._take(rf"{_EDGE}[a-z]{{2}}-[a-z0-9]{{2,3}}-\d{{3}}{_END}", read)
        self._take(rf"{_EDGE}[a-z]{{0,4}}-?\d{{7,}}[a-z]{{0,3}}{_END}", read)

    def _products(self, products: dict[str, str]) -> None:
        present = [spelling for spelling in products if spelling in self._rest]
        for spelling in sorted(present, key=len, reverse=True):
            pattern = bounded(spelling).replace("(?![a-z])", "s?(?![a-z])")
            self._take(pattern, lambda _, key=products[spelling]: [("product", key)])  # type: ignore[misc]

    def _times(self) -> None:
        self._take(
            rf"{_EDGE}\d{{1,2}}:\d{{2}}(?::\d{{2}})?z?(?: ?[ap]\.?m\b\.?)?",
            lambda m: [("time", _clock(m.group()))],
        )
        self._take(
            rf"(?:凌晨|早上|上午|中午|下午|晚上?)?(?:\d{{1,2}}|[三四五六七八九十]+)点(?!击|\d)"
            rf"|{_EDGE}\d{{1,2}} ?[ap]\.?m\b\.?",
            lambda m: [("time", _clock(m.group()))],
        )

    def _dates(self) -> None:
        day = r"\d{1,2}(?:st|nd|rd|th)?"
        for pattern in (
            r"(?P<y>(?:19|20)\d{2}) ?[-/.年] ?(?P<m>\d{1,2}) ?[-/.月] ?(?P<d>\d{1,2})"
            r"[日号]?(?:t(?=\d|\x00))?",
            r"(?P<y>(?:19|20)\d{2}) ?[-/年] ?(?P<m>\d{1,2})月",
            r"(?P<m>\d{1,2})月(?P<d>\d{1,2})[日号]?",
            r"(?<!\d)(?P<m>\d{1,2})月(?:份|底|初)?",
            rf"\b(?P<mn>{_MONTH}) (?P<d>{day})(?:,? (?P<y>(?:19|20)\d{{2}}))?{_END}",
            rf"\b(?P<d>{day})(?: of)? (?P<mn>{_MONTH})(?:,? (?P<y>(?:19|20)\d{{2}}))?{_END}",
            rf"\b(?P<mn>{_MONTH}),? (?P<y>(?:19|20)\d{{2}}){_END}",
            r"\b(?:in|by|early|late|mid|until) (?P<mn>january|february|march|april|june|july|august"
            r"|september|october|november|december)\b",
            r"(?P<y>(?:19|20)\d{2})年",
            rf"{_EDGE}(?P<d>\d{{1,2}})(?:号(?!店|线|楼)|th{_END}|st{_END}|nd{_END}|rd{_END})",
        ):
            self._take(pattern, lambda m: [("date", _date(m))])

    def _shares(self) -> None:
        self._take(
            rf"{NUM} ?(?:%|percent)|百分之{ZH_NUMERAL}|(?:\d+(?:\.\d+)?|{ZH_NUMERAL})折",
            lambda m: [("share", m.group())],
        )

    def _money(self) -> None:
        self._take(rf"(?:\$|us\$|€|£) ?{NUM}|{NUM} ?(?:usd|dollars?|美元|欧元)", _foreign)
        self._take(rf"(?:¥|(?:rmb|cny)) ?(?P<n>{NUM})(?: ?(?:元|yuan|rmb|cny))?", _sum)
        self._take(
            rf"(?P<n>{NUM}|(?!一块){ZH_NUMERAL}) ?(?:元|块钱|块(?!儿)|人民币|rmb|cny|yuan)", _sum
        )
        self._take(
            r"(?:(?:价格|售价|单价|价钱|现价|卖)(?:是|为|:)?"
            rf"|\b(?:price|priced|costs?)(?: is| at| of|:)? )(?P<n>{NUM})"
            rf"(?! ?{_UNIT})",
            _sum,
        )

    def _periods(self) -> None:
        self._take(
            rf"(?P<a>{ANY}) ?(?:{_UNIT.replace('?P<u', '?P<v')})? ?(?:至|到|-|~|–|—|to|and|or) ?"
            rf"(?P<b>{ANY})[ -]?{_UNIT}",
            _span,
        )
        self._take(r"半年|half a year", lambda _: [("period", ("month", Decimal(6)))])
        self._take(
            rf"(?P<a>{ANY})年半",
            lambda m: [("period", ("month", number(m["a"]) * 12 + 6))],
        )
        self._take(rf"(?P<a>{ANY})[ -]?{_UNIT}", _period)

    def _models(self) -> None:
        self._take(rf"{_EDGE}[x×] ?(?P<n>{NUM})|(?P<m>{NUM}) ?[x×](?![a-z])", _times)
        self._take(
            rf"(?P<n>{NUM})[ -]?(?P<u>英寸|寸|瓦|毫安时?|升|毫升|mah{_END}|inch(?:es)?{_END})",
            lambda m: [
                ("model", m["n"] + ("寸" if m["u"][:4] in {"英寸", "寸", "inch"} else m["u"][0]))
            ],
        )
        self._take(
            rf"{_EDGE}(?=[a-z0-9]*[a-z])(?=[a-z0-9]*\d)[a-z0-9]+{_END}",
            lambda m: [("model", m.group())],
        )

    def _counts(self) -> None:
        self._take(
            r"(?:库存|现货|还剩|还有|剩余|仅剩|剩下|剩|\bstock|\bonly|\bquantity)"
            rf"(?:量|数量)?(?:为|是|有|还有|还剩|:| of| is)? ?(?P<n>{NUM})",
            lambda m: [("count", number(m["n"]))],
        )
        self._take(
            rf"(?P<n>{NUM}) ?(?:件|台|个|副|只|条|把|套|根|支|部|盏|笔|单|款"
            r"|units?|pieces?|pcs|items?|orders?|left|in stock|available|remaining)",
            lambda m: [("count", number(m["n"]))],
        )

    def _words(self) -> None:
        for pattern, statuses in lexicon.STATUS:
            self._take(pattern, lambda m, value=statuses: self._stated("status", value, m))  # type: ignore[misc]
        for pattern, which in lexicon.STOCK:
            self._take(pattern, lambda m, value=which: self._stated("stock", value, m))  # type: ignore[misc]
        for kind, table in (
            ("carrier", lexicon.CARRIERS),
            ("city", lexicon.CITIES),
            ("payment", lexicon.PAYMENTS),
        ):
            for name, spellings in table.items():
                pattern_ = "|".join(map(bounded, spellings))
                self._take(pattern_, lambda _, kind=kind, name=name: [(kind, name)])  # type: ignore[misc]
        self._take(lexicon.RELATIVE_DAY, lambda m: [("day", m.group())])

    def _stated(self, kind: str, value: object, match: re.Match[str]) -> list[tuple[str, object]]:
        """The claim, unless the words before make it a condition; it is blanked either way."""
        conditional = lexicon.CONDITION.search(self._rest[: match.start()][-40:])
        return [("conditional" if conditional else kind, value)]


def claims_of(text: str, products: dict[str, str]) -> list[Claim]:
    """The claims in `text`, in order."""
    return [claim for claim in Scanner(text, products).claims if claim.kind != "conditional"]


def clauses(text: str) -> list[tuple[int, int]]:
    """Where the clauses of a normal text begin and end."""
    cuts = [
        match.end() for match in re.finditer(r"[,;。!?\n]|\.(?=\s|$)|\bwhile\b|\bbut\b|而", text)
    ]
    starts = [0, *cuts]
    return list(zip(starts, [*cuts, len(text)], strict=True))


def spelling_table(entries: Iterable[tuple[str, str]]) -> dict[str, str]:
    """(spelling, key) pairs as the scanner wants them; the first of two equal spellings wins."""
    table: dict[str, str] = {}
    for spelling, key in entries:
        table.setdefault(normal(spelling), key)
    return table


def _clock(text: str) -> tuple[int, int]:
    """Hour and minute of a clock time in digits or words."""
    digits = re.match(r"(\d{1,2}):(\d{2})", text)
    if digits:
        hour, minute = int(digits[1]), int(digits[2])
    else:
        found = re.search(rf"\d{{1,2}}|{ZH_NUMERAL}", text)
        hour, minute = int(number(found.group())) if found else 0, 0
    late = re.search(r"p\.?m|下午|晚", text)
    return (hour + 12 if late and hour < 12 else hour), minute


def _date(match: re.Match[str]) -> tuple[int | None, int | None, int | None]:
    parts = match.groupdict()
    month = parts.get("m")
    name = parts.get("mn")
    number_of = _MONTHS[name[:3]] if name else (int(month) if month else None)
    day = re.match(r"\d+", parts.get("d") or "")
    year = parts.get("y")
    return (int(year) if year else None, number_of, int(day.group()) if day else None)


def _foreign(match: re.Match[str]) -> list[tuple[str, object]]:
    return [("currency", match.group())]


def _sum(match: re.Match[str]) -> list[tuple[str, object]]:
    return [("money", number(match["n"]))]


def _times(match: re.Match[str]) -> list[tuple[str, object]]:
    return [("count", number(match["n"] or match["m"]))]


def _unit(match: re.Match[str]) -> tuple[str, int]:
    for index, (_, base, factor) in enumerate(_UNITS):
        if match[f"u{index}"]:
            return base, factor
    raise ValueError(match.group())


def _period(match: re.Match[str]) -> list[tuple[str, object]]:
    base, factor = _unit(match)
    return [("period", (base, number(match["a"]) * factor))]


def _span(match: re.Match[str]) -> list[tuple[str, object]]:
    base, factor = _unit(match)
    return [("span", (base, number(match["a"]) * factor, number(match["b"]) * factor))]

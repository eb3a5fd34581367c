"""Finds what a unit of an answer claims: typed, with its place in the text.

Works on folded text in which the names of products and orders have been blanked out, so that the
87 of a "Keyboard K87" is no number.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from services.gateway.assistant.grounding import weekdays
from services.gateway.assistant.grounding.lexicon import Lexicon, lexicon
from services.gateway.assistant.grounding.vocabulary import vocabulary

Kind = Literal[
    "money", "percent", "period", "date", "clock", "relative_day", "stock_count", "quantity",
    "identifier", "number", "state", "stock", "ships_from", "carrier",
    "action", "measure",
]  # fmt: skip

_NUMBER = r"\d+(?:,\d{3})*(?:\.\d+)?"
_CURRENCY_BEFORE = r"(?:[¥$€£]|rmb|cny|usd|eur|gbp)"
_CURRENCY_AFTER = (
    r"(?:元|块钱|块(?!\0)|圆|人民币|美元|欧元|英镑|rmb\b|cny\b|yuan\b|usd\b|dollars?\b|bucks\b|euros?\b"
    r"|pounds?\b|gbp\b|eur\b|美金|澳元|加元|港币|港元|日元|aud\b|cad\b|hkd\b|jpy\b|yen\b"
    r"|(?:us|australian|canadian|hong kong)\s+dollars?\b)"
)
_TO = r"\s*(?:-|–|—|~|至|到|to|and|或|or)\s*"
_PERIOD_UNIT = (
    r"(?:(?:个?(?:工作日|自然日|小时|钟头|星期|礼拜|季度)|个月|天|日|周|分钟|年|月"
    r"|(?:business|working|calendar)\s+days?|days?|hours?|hrs?|weeks?|months?|years?|minutes?|mins?)(?![a-z]))"
)
_COUNT_UNIT = (
    r"(?:(?:盏|辆|架|扇|面|幅|束|株|棵|串|捆|卷|桶|筒|壶|碗|筐|篮|提|听|管|枝|块|座|期|件|个|台|只|双|套|盒|瓶|包|把|张|条|种|款|项|支|副|部|份|箱|袋|位|枚|本|根|顶|床|组|档|级|倍|次|单|笔|片|罐|杯|颗|粒|人"
    r"|units?|pieces?|pcs|items?|colou?rs|sizes|options|kinds|versions|packs?|boxes|sets?|pairs?"
    r"|copies|bottles?|bags?|times)(?![a-z]))"
)
_MEASURE = (
    r"(?:千克|公斤|毫克|克|斤|平方米|厘米|毫米|公里|千米|米|毫升|升|千瓦|瓦|伏|毫安(?:时)?|英寸|寸|摄氏度|度|分贝|赫兹|流明"
    r"|(?:kilograms?|kgs?|grams?|grammes?|mg|g|lbs?|ounces?|oz|centimet(?:er|re)s?|cm|millimet(?:er|re)s?|mm"
    r"|kilomet(?:er|re)s?|km|met(?:er|re)s?|m|inch(?:es)?|feet|ft|millilit(?:er|re)s?|ml|lit(?:er|re)s?|l|kw|watts?|w"
    r"|volts?|v|mah|wh|hz|db|degrees?|°c|gb|tb|mb|lumens?|lm)(?![a-z\d]))"
)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = (
    r"(?P<mn>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?"
    r"|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\b\.?"
)
_DAY = r"(?P<d>\d{1,2})(?:st|nd|rd|th)?"
_N, _N2 = rf"(?P<n>{_NUMBER})", rf"(?P<n2>{_NUMBER})"
_STOCK_WORD = (
    r"(?:(?:库存|剩余?|还剩|仅剩|stock)(?:\s*(?:为|是|有|还有|is|of|:))*"
    r"|(?:我们|店里|仓库|现|还|尚)有|\bwe(?:\s+still)?\s+have|\bwe've\s+got)"
)
_NO_ORDERS = r"(?!\d*\s*[笔单](?!元))(?!\d*\s*(?:个|笔|单)?\s*(?:recent\s+)?(?:订单|orders?))"
_IN_STOCK = r"(?:in stock|left|available|remaining|on hand|的?(?:库存|现货|存货))"

_HALF = r"(?:(?P<pm>下午|晚上|晚|傍晚|夜里)|上午|早上|凌晨|中午)"

_MONTHLY = ("月",)
_MERIDIEM = ("am", "pm", "a.m", "p.m")
_MONEY_BEFORE = ("¥", "$", "€", "£", "rmb", "cny", "usd", "eur", "gbp")
_MONEY_BEHIND = (
    "元", "块", "圆", "币", "磅", "金", "rmb", "cny", "yuan", "usd", "dollar", "bucks", "euro",
    "pound", "gbp", "eur", "aud", "cad", "hkd", "jpy", "yen",
)  # fmt: skip
_REMAINING = ("剩", "最后")
_HAVE = ("库存", "剩", "stock", "有", "have", "got")

# In this order: what an earlier pattern took, a later one does not see. With each, what a text
# must hold one of: most sentences need few of the patterns.
_SOURCES: tuple[tuple[Kind, tuple[str, ...], str], ...] = (
    (
        "date",
        ("-", "/", ".", "年"),
        r"(?P<y>\d{4})[-/.年](?P<m>\d{1,2})[-/.月](?P<d>\d{1,2})(?!\d)[日号]?",
    ),
    ("date", _MONTHLY, r"(?<!\d)(?P<m>\d{1,2})月(?P<d>\d{1,2})[日号]"),
    ("date", ("/",), r"(?<![\d/.])(?P<m>\d{1,2})/(?P<d>\d{1,2})/(?P<y>\d{4})(?!\d)"),
    ("date", _MONTHLY, r"每个?月的?\s*(?P<d>\d{1,2})[日号]"),
    ("date", _MONTHS, rf"\b{_MONTH}\s+{_DAY}\b(?:,?\s+(?P<y>\d{{4}}))?"),
    ("date", _MONTHS, rf"\b{_DAY}\s+(?:of\s+)?{_MONTH}(?:,?\s+(?P<y>\d{{4}}))?"),
    (
        "clock",
        _MERIDIEM,
        r"(?<!\d)(?P<h>\d{1,2})(?:[:.](?P<min>\d{2}))?\s*(?:(?P<pm>p)|a)\.?m\b\.?",
    ),
    (
        "clock",
        ("in the ",),
        r"(?<!\d)(?P<h>\d{1,2})(?::(?P<min>\d{2}))?\s+in the (?:(?P<pm>afternoon|evening)|morning)",
    ),
    (
        "clock",
        ("点", "时"),
        rf"{_HALF}?\s*(?<!\d)(?P<h>\d{{1,2}})[点时](?:(?P<min>\d{{1,2}})分?|(?P<half>半)|整)?(?!\d)",
    ),
    ("clock", (":",), rf"{_HALF}?\s*(?<!\d)(?P<h>\d{{1,2}}):(?P<min>\d{{2}})(?::\d{{2}})?"),
    ("identifier", (), r"(?<![a-z0-9])(?=[a-z0-9-]*\d{5})[a-z0-9]+(?:-[a-z0-9]+)*"),
    # GH0099, R-2201: short ones have letters.
    (
        "identifier",
        (),
        r"(?<![a-z0-9])(?!(?:usd|cny|rmb|eur|gbp)\d)[a-z]{1,4}-?\d{3,}(?:-[a-z0-9]+)*(?![a-z0-9]|\s*(?:元|块|yuan|rmb|usd|cny))",
    ),
    ("money", _MONEY_BEFORE, rf"{_CURRENCY_BEFORE}\s*{_N}(?:{_TO}{_CURRENCY_BEFORE}?\s*{_N2})?"),
    ("money", _MONEY_BEHIND, rf"{_N}(?:{_TO}{_N2})?\s*{_CURRENCY_AFTER}"),
    ("percent", ("价", "折", "half"), r"(?P<half>半价|对折|\bhalf[- ]pric(?:e|ed)\b|\bhalf off\b)"),
    ("percent", ("%", "percent", "per cent", "折"), rf"{_N}\s*(?:%|percent|per cent|(?P<rest>折))"),
    ("period", (), rf"{_N}(?:{_TO}{_N2})?[\s-]*(?P<unit>{_PERIOD_UNIT})"),
    ("measure", (), rf"{_N}(?:{_TO}{_N2})?\s*-?(?P<measure>{_MEASURE})"),
    ("quantity", ("×", "x"), rf"(?:×|\bx)\s*{_N}\b|{_N2}\s*(?:×|x\b)"),
    ("stock_count", (), rf"{_N}\s*{_COUNT_UNIT}?\s*(?:(?:of (?:the|these) )?\0+s?\s+)?{_IN_STOCK}"),
    (
        "stock_count",
        _REMAINING,
        rf"(?:只剩|仅剩|就剩|剩下?|最后)(?:下|了|最后|这)*\s*{_N}\s*{_COUNT_UNIT}(?<!次)(?<!步)(?!订单|券)",
    ),
    (
        "stock_count",
        ("last",),
        r"\b(?P<last>(?:the|our) (?:very )?last (?:one\b|unit\b|piece\b|pair\b|\0))",
    ),
    ("stock_count", _HAVE, rf"{_STOCK_WORD}\s*{_N}{_NO_ORDERS}"),
    ("quantity", (), rf"{_N}\s*{_COUNT_UNIT}"),
    ("number", (), _N),
)
# ASCII: between a Han character and a Latin letter there is a word's boundary.
_PATTERNS = tuple((kind, needs, re.compile(source, re.ASCII)) for kind, needs, source in _SOURCES)


@dataclass(frozen=True, slots=True)
class Claim:
    """One claim: what kind, where, the words, and its numbers or the state it asserts."""

    kind: Kind
    at: int
    text: str
    numbers: tuple[Decimal, ...] = ()
    what: str = ""
    """What a period is counted in, a currency, a date as `[YYYY-]MM-DD`, a time as HH:MM, a state,
    a place."""
    negated: bool = False
    """The text says that it is not so."""


def load() -> None:
    """Read and compile what checking needs, before the first customer waits for it."""
    lexicon()
    vocabulary()


_HINT = re.compile(r"\d|半价|对折|\bhalf\b|\blast\b", re.ASCII)


def may_have_numbers(text: str) -> bool:
    """Tell, at little cost, whether a text may hold numeric claims."""
    return bool(_HINT.search(text))


def _has_one(text: str, some: tuple[str, ...]) -> bool:
    for word in some:  # noqa: SIM110 - half the cost of any() over a generator
        if word in text:
            return True
    return False


def numeric_claims(text: str) -> Iterator[Claim]:
    """Give the claims that hold digits; each digit belongs to one."""
    if not may_have_numbers(text):
        return
    for kind, needs, pattern in _PATTERNS:
        if needs and not _has_one(text, needs):
            continue
        claims = [_numeric(kind, found) for found in pattern.finditer(text) if found[0].strip()]
        if claims:
            yield from claims
            text = pattern.sub(lambda found: "\0" * len(found[0]), text)


def _numeric(kind: Kind, found: re.Match[str]) -> Claim:
    groups = found.groupdict()
    numbers = tuple(
        Decimal(groups[name].replace(",", "")) for name in ("n", "n2") if groups.get(name)
    )
    what = ""
    if kind == "date":
        what = _date(groups)
    elif kind == "clock":
        what = _clock(groups)
    elif kind == "period":
        what, factor = _PERIODS[_period(groups["unit"])]
        numbers = tuple(number * factor for number in numbers)
    elif kind == "money":
        what = currency(found[0])
    elif kind == "measure":
        what = next(
            (n for n, p in lexicon().measures.items() if p.fullmatch(groups["measure"] or "")), ""
        )
    elif groups.get("half") and kind == "percent":
        numbers = (Decimal(50),)
    elif groups.get("last"):
        numbers = (Decimal(1),)
    elif groups.get("rest"):  # 九折 is 10 % off, and so is 90折.
        numbers = tuple(100 - (n * 10 if n < 10 else n) for n in numbers)
    denied = bool(_DENIED.search(found.string, max(0, found.start() - 24), found.start()))
    return Claim(kind, found.start(), found[0].strip(), numbers, what, denied)


_DENIED = re.compile(
    r"(?:(?:并不|不|并)是|并非|而非"
    r"|(?:\bnot|n't|rather than|instead of)(?: be| cost)?(?: at| a| the| for)?)\s*[¥$]?$",
    re.ASCII,
)
_PERIODS = {
    "minute": ("minute", 1), "hour": ("minute", 60), "day": ("minute", 1440),
    "week": ("minute", 10_080), "month": ("month", 1), "quarter": ("month", 3),
    "year": ("month", 12), "working_day": ("working_day", 1),
}  # fmt: skip
"""By unit: what it is counted in, so that a day and 24 hours are the same period."""


def _date(groups: dict[str, str | None]) -> str:
    month = groups.get("m") or str(_MONTHS.index((groups.get("mn") or "jan")[:3]) + 1)
    day = f"{int(month):02d}-{int(groups['d'] or 0):02d}"
    return f"{groups['y']}-{day}" if groups.get("y") else day


def _clock(groups: dict[str, str | None]) -> str:
    hour = int(groups["h"] or 0)
    hour += 12 if groups["pm"] and hour < 12 else 0
    minute = "30" if groups.get("half") else groups["min"] or "00"
    return f"{hour:02d}:{minute:0>2}"


def _period(unit: str | None) -> str:
    return next(
        name
        for name, pattern in lexicon().periods.items()
        if pattern.fullmatch((unit or "").strip())
    )


def worded_claims(text: str) -> Iterator[Claim]:
    """Give the claims that are made in words: deeds, days, places, states, stock, carriers."""
    words = lexicon()
    if done := words.actions.search(text):
        yield Claim("action", done.start(), done[0])
    for found in words.relative_days.finditer(text):
        yield Claim("relative_day", found.start(), found[0], what=found[0])
    places = list(_places(text, words))
    yield from places
    # A product that "is shipped from" somewhere is no parcel.
    yield from _states(text if _ORDER.search(text) else blank(text, places), words)
    yield from _stock(text, words)
    if not words.any_carrier.search(text):
        return
    for name, pattern in words.carriers.items():
        for found in pattern.finditer(text):
            yield Claim("carrier", found.start(), found[0], what=name)


def _places(text: str, words: Lexicon) -> Iterator[Claim]:
    for pattern in words.ships_from:
        for found in pattern.finditer(text):
            yield Claim("ships_from", found.start(), found[0], what=found["place"].strip())


def _stock(text: str, words: Lexicon) -> Iterator[Claim]:
    gone = list(words.stock["gone"].finditer(text))
    for found in gone:
        what = "there" if _negated(text, found.start(), words) else "gone"
        silent = _NO_GOODS.search(text, max(0, found.start() - 40), found.start())
        if not (silent or words.condition_before.search(_clause_before(text, found.start(), 40))):
            yield Claim("stock", found.start(), found[0], what=what)
    for what in ("plenty", "few"):
        for found in words.stock[what].finditer(text):
            if not _negated(text, found.start(), words):
                yield Claim("stock", found.start(), found[0], what=what)
    for found in words.stock["there"].finditer(text):
        start = found.start()
        within = any(other.start() <= start < other.end() for other in gone)
        silent = (
            _NO_GOODS.search(text, max(0, start - 40), start)
            or words.condition_before.search(_clause_before(text, start, 40))
            or _KIND_OF_GOODS.match(text, start)
        )
        if not within and not silent:
            what = "gone" if _negated(text, start, words) else "there"
            yield Claim("stock", start, found[0], what=what)


_KIND_OF_GOODS = re.compile(
    r"(?:现货|有货|有库存)(?:的?(?:商品|产品|款|订单|一般|通常|情况)|的话|的,|付款|下单|在?付|拍下)"
)
"""现货商品付款后…: which goods a rule is about."""
_ORDER = re.compile(r"订单|包裹|这单|快递|\border|\bparcel|\bpackage|\byour\b|您的")


def _states(text: str, words: Lexicon) -> Iterator[Claim]:
    if not words.any_state.search(text):
        return
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
        day = _clause_before(text, start, 12)
        if negated and (weekdays.read(day) or _HOLIDAY.search(day)):
            continue  # "Nothing is sent on Sundays."
        taken[start : start - length] = [True] * -length
        before = _clause_before(text, start, 40)
        conditional = words.condition_before.search(before) or words.condition_behind.match(
            text, start - length
        )
        if not conditional and not words.future.search(before):
            yield Claim("state", start, text[start : start - length], what=name, negated=negated)


_HOLIDAY = re.compile(r"假日|假期|春节|国庆|\bholidays?\b")
_NAME = re.compile("\0+")


def _negated(text: str, start: int, words: Lexicon) -> bool:
    """Tell whether a negation stands shortly before, in the same clause."""
    head = _NAME.sub("\0", text[:start])
    before = _clause_before(head, len(head), 24)
    # Chinese negations stand close: 因未付款已被取消 says that it was cancelled.
    close = before if before.isascii() else before[-2 if text[start] in "已被" else -7 :]
    for since in _SINCE.finditer(close):
        close = " " * since.end() + close[since.end() :]
    return bool(words.negation.search(close))


_NO_GOODS = re.compile(
    r"\b(?:pick-?up|collection|workshops?|numbers?|info|information|details?|agents?|support|team|staff|service|updates?|assembly"
    r"|installation|returns?|refunds?|exchanges?|invoices?|delivery|shipping|data|discounts?)\b[^.,;\0]*$",
    re.ASCII,
)
_SINCE = re.compile(r"已经?|被|\bso\b|\bbut\b|\band\b|\bbecause\b", re.ASCII)


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


def currency(text: str) -> str:
    """Return the ISO code of the currency that a text names first, or nothing."""
    for code, pattern in lexicon().currencies.items():
        if pattern.search(text):
            return code
    return ""


def blank(text: str, found: Iterable[Claim]) -> str:
    """Return a text with some claims blanked out."""
    pieces, at = [], 0
    for claim in sorted(found, key=lambda one: one.at):
        end = claim.at + len(claim.text)
        if end > at:
            pieces += [text[at : claim.at], "\0" * (end - max(at, claim.at))]
            at = end
    return "".join([*pieces, text[at:]])

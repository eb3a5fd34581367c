"""On which days of the week something is done, by a text: Monday to Friday, weekends, every day."""

import re

_ENGLISH = ("mon(?:day)?", "tue(?:sday|s)?", "wed(?:nesday)?", "thu(?:rsday|rs)?", "fri(?:day)?",
            "sat(?:urday)?", "sun(?:day)?")  # fmt: skip
_DAY = "|".join(f"(?P<d{at}>{name})s?" for at, name in enumerate(_ENGLISH))
_HAN = "一二三四五六日天"
_TO = re.compile(r"\s*(?:to|through|until|till|-|–|到|至|~)\s*$")
_LATIN_DAY = re.compile(rf"\b(?:{_DAY})\b", re.ASCII)
_HAN_DAY = re.compile(rf"(?:周|星期|礼拜|(?<=[到至、和,-]))(?P<day>[{_HAN}])(?![个件天年月日])")
_WORKING = re.compile(
    r"(?<![\d个])工作日|\bweekdays?\b|(?<!\d )(?<!\d-)\b(?:working|business) days\b"
)
_WEEKEND = re.compile(r"周末|双休日|\bweekends?\b")
_EVERY = re.compile(
    r"每[天日]|天天|全年无休|\bevery ?day\b|\bdaily\b|(?:7|七)天|\b7 days a week\b|24/7"
)
_HINT = re.compile(r"[周末]|星期|礼拜|工作日|每[天日]|天天|无休|day|daily|week|24/7")


def read(text: str) -> frozenset[int]:
    """Return the days that a folded text names, Monday being 0."""
    if not _HINT.search(text):
        return frozenset()
    days: set[int] = set(range(7)) if _EVERY.search(text) else set()
    days |= set(range(5)) if _WORKING.search(text) else set()
    days |= {5, 6} if _WEEKEND.search(text) else set()
    last, end = -1, -1
    for start, stop, day in sorted(_named(text)):
        if last >= 0 and _TO.match(text[end:start]):
            days |= {(last + step) % 7 for step in range((day - last) % 7)}
        days.add(day)
        last, end = day, stop
    return frozenset(days)


def _named(text: str) -> list[tuple[int, int, int]]:
    found = [
        (one.start(), one.end(), min(_HAN.index(one["day"]), 6)) for one in _HAN_DAY.finditer(text)
    ]
    if found or text.isascii():
        found += [
            (one.start(), one.end(), int((one.lastgroup or "d0")[1:]))
            for one in _LATIN_DAY.finditer(text)
        ]
    return found

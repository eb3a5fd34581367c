"""For what an amount is asked: each item, each order, each person, each day."""

import re

_BASES = {
    "order": re.compile(
        r"每[一1]?(?:单|笔|个?订单|次下单)|(?<!第)[一1]单(?=.{0,4}\d)|/[单笔]"
        r"|\b(?:per|each|every|an?|the(?: whole| entire)?) order\b"
    ),
    "piece": re.compile(
        r"每[一1]?(?:件|个|台|只|条|双|套|盒|瓶|张|把|样|份|款)|/[件个台只]"
        r"|\b(?:per|each|every|an?) (?:item|piece|pair|unit|product|article)\b"
        r"|\bapiece\b|\beach(?: (?:of them|1))?(?=[ ,.;]|$)"
        r"(?! (?:order|person|day|week|month|year|floor|way))"
        r"|\b(?:per|each|every) (?!orders?\b|person|head|customer|member|account|household|day|week"
        r"|month|year|hour|floor|storey|flight|level|kilo|kg|pound|lb|cent\b|time\b|way\b)[a-z\0]"
    ),
    "person": re.compile(
        r"每[一1]?(?:人|位|名|个(?:人|账号|用户|会员|客户))|人均"
        r"|\b(?:per|each|every|a) (?:person|head|customer|member|account|household)\b"
    ),
    "day": re.compile(r"每[一1]?[天日]|按[天日]|\b(?:per|each|every|a) day\b|\bdaily\b"),
    "month": re.compile(r"每个?[一1]?个?月|按月|\b(?:per|each|every|a) month\b|\bmonthly\b"),
    "year": re.compile(r"每[一1]?年|按年|\b(?:per|each|every|a) year\b|\b(?:yearly|annual\w*)\b"),
    "floor": re.compile(r"每[一1]?层|按层|\b(?:per|each|every|a) (?:floor|storey|flight|level)\b"),
    "kilo": re.compile(
        r"每[一1]?(?:公斤|千克|斤)|\b(?:per|each|every|a) (?:kilo|kg|kilogram|pound|lb)\b"
    ),
}


def of(text: str) -> frozenset[str]:
    """Return for what a text says that its amounts are asked, each."""
    return frozenset(name for name, pattern in _BASES.items() if pattern.search(text))


def same(said: str, rule: str) -> bool:
    """Tell whether a statement's amounts may be for what those of a rule are."""
    ours, theirs = of(said), of(rule)
    return not ours or bool(ours & theirs)

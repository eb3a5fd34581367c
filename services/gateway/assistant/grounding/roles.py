"""What a number in a rule, or in an answer, is for: a bound or a price, a limit or a wait."""

import re

from services.gateway.assistant.grounding.claims import Claim
from services.gateway.assistant.grounding.lexicon import lexicon

_BOUND_BEFORE = re.compile(
    r"(?:满|才到|达到?|超过|低于|不足|不够|不到|没到|以上|over|above|below|under|at least"
    r"|orders? of|reach\w*"
    r"|exceed\w*|less than|more than|from|hits?|spend\w*|total\w*)[\s¥$€£a-z]{0,5}$"
)
_BOUND_BEHIND = re.compile(
    r"\s*(?:及|或)?\s*(?:以上|以下|or more|or above|or over|and (?:up|above|over)|起)"
)


def role(text: str, claim: Claim) -> str:
    """Tell what an amount of money is: the bound from which a rule holds, or what is paid."""
    if claim.kind != "money":
        return ""
    before = text[max(0, claim.at - 16) : claim.at]
    bound = _BOUND_BEFORE.search(before) or _BOUND_BEHIND.match(text, claim.at + len(claim.text))
    return "bound" if bound else "amount"


_WITHIN_BEHIND = re.compile(r"\s*(?:之|以)?内")
_LIMIT_BEHIND = re.compile(
    r".{0,2}.{0,8}?(?:期限|时限|窗口|[保货]期|\bwindow|\blimit|\bperiod|\bdeadline|\bmark\b)"
)
"""Past a limit of so many days: they are what it is good for, not what comes after."""
_LATER_BEHIND = re.compile(r"\s*(?:之后|以后|后(?!内)|以上)(?!\d)")
_WITHIN_BEFORE = re.compile(
    r"(?:within|up to|no more than|in under|less than|at most|最多|不超过|最长|in)"
    r"\s*(?:the first )?$"
)
_LATER_BEFORE = re.compile(r"(?:\bafter|\bover|more than|at least|至少|超过)\s*$")


def relation(text: str, claim: Claim) -> str:
    """Tell how a period is meant: within it, or only after it; nothing where it does not say."""
    before, end = text[max(0, claim.at - 16) : claim.at], claim.at + len(claim.text)
    if _WITHIN_BEHIND.match(text, end) or _WITHIN_BEFORE.search(before):
        # Not paid within a day: it holds later.
        return "" if lexicon().negation.search(text) else "within"
    if _LIMIT_BEHIND.match(text, end):
        return ""
    return "later" if _LATER_BEHIND.match(text, end) or _LATER_BEFORE.search(before) else ""


def anchors(text: str) -> frozenset[str]:
    """Return from which events a text counts its periods."""
    found = {name for name, pattern in lexicon().anchors.items() if pattern.search(text)}
    return frozenset(found - {"deliver"} if "sent_back" in found else found)

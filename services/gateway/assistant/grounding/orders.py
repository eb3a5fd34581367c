"""How many orders there are: their number, or that there are none."""

import re
from collections import Counter
from collections.abc import Iterable
from decimal import Decimal

from services.gateway.assistant.grounding.claims import Claim
from services.gateway.assistant.grounding.evidence import Evidence, Subject
from services.gateway.assistant.grounding.lexicon import lexicon
from services.gateway.assistant.grounding.statement import Statement

_ORDERS = re.compile(r"\s*(?:\w+ )?orders?\b|个?订单|单|笔")


def are_counted(claim: Claim, said: Statement) -> bool:
    """Tell whether a number counts orders."""
    behind = said.text[claim.at + len(claim.text) :]
    return bool(_ORDERS.search(claim.text) or _ORDERS.match(behind))


def counted(claim: Claim, said: Statement, subjects: Iterable[Subject]) -> bool:
    """Tell whether there are so many orders, or so many of one status."""
    status = {min(s.names): s.values("status") for s in subjects if s.kind == "order"}
    words, before = lexicon().orders, said.text[: claim.at]
    if words["some"].search(before):
        return max(claim.numbers) <= len(status)
    of_each = Counter(status.values()).values()
    if words["there_are"].search(before) and not said.scope.mentions:
        stated = any(c.kind == "state" for c in said.worded)
        return set(claim.numbers) <= {Decimal(n) for n in (of_each if stated else [len(status)])}
    return set(claim.numbers) <= {Decimal(n) for n in (1, len(status), *of_each)}


def denied(said: Statement, evidence: Evidence) -> str:
    """Return words that say that the customer has ordered nothing, where no list is empty."""
    words = lexicon().orders
    found = words["none"].search(said.text)
    if found is None or said.text.endswith("?") or words["unseen"].search(said.text):
        return ""
    none = 0 in evidence.listed and not any(s.kind == "order" for s in evidence.subjects)
    return "" if none else found[0]

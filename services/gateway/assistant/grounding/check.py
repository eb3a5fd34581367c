"""Checks each unit of an answer against the evidence before it leaves.

What is said of an order or a product must be what its tool result says; what is said of the shop's
rules must be in its texts, with the same numbers and the same outcome. A word that neither says
and that is not neutral is a fault. When in doubt, it is a fault.
"""

import re
from collections.abc import Sequence
from dataclasses import replace

from services.gateway.assistant.grounding import comparison, policy, statement, texts
from services.gateway.assistant.grounding.evidence import Evidence, Subject
from services.gateway.assistant.grounding.fault import Fault
from services.gateway.assistant.grounding.known import Known
from services.gateway.assistant.grounding.lexicon import lexicon
from services.gateway.assistant.grounding.names import Mention
from services.gateway.assistant.grounding.numerals import fold
from services.gateway.assistant.grounding.rules import (
    Clause,
    clause_of,
    conditions_under,
    states_nothing,
)
from services.gateway.assistant.grounding.statement import Statement
from services.gateway.assistant.grounding.support import Support
from services.gateway.assistant.grounding.wording import Wording

__all__ = ["Fault", "Grounding"]

_MOST_NUMBERS = 100
"""In one unit; each is compared with the others, and no clause of an answer has so many."""
_TOPIC = re.compile(
    r"(?:关于|至于|对于|说到|您(?:说|提到|问)的).{1,24}[,:]$"
    r"|(?:as for|regarding|concerning|about|as to|when it comes to)\b.{1,60}[,:]$"
)
_CUT = re.compile(r"[;、]|,|而|\band\b|\bwhile\b|\bbut\b", re.ASCII)
"""What may part two orders in one unit."""
_SENTENCE_END = re.compile(r"[.。!！?？\n]\s*$")


class Grounding:
    """Checks an answer unit by unit; remembers what the answer is about.

    Args:
        evidence: grows while tools are called.
    """

    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence
        self._known = Known(evidence)
        self._support = Support(evidence, self._known)
        self._wording = Wording(self._known, self._support)
        self._focus: list[Subject] = []
        self._conditions: dict[str, bool] = {}
        self._before: Clause | None = None
        self._untold: Fault | None = None
        """What a topic named without support: only "I don't know" may follow it."""

    def check(self, unit: str) -> Fault | None:
        """Return the first fault of a unit, or None."""
        text = fold(unit).strip()
        said = statement.read(text, self._known.names(), self._focus, self._evidence.subjects)
        fault = None if self._quotes(text) else self._fault(said)
        if self._untold and said.stated.strip("\0 .,!。") and not fault:
            fault = self._untold
        self._untold = fault if fault and _TOPIC.match(text) and not said.numbers else None
        if self._untold is fault:
            fault = None
        if fault is None:
            self._remember(said)
        return fault

    def _remember(self, said: Statement) -> None:
        """Keep what the next unit may leave unsaid: whom it is about, and when it holds."""
        if said.scope.mentions:
            self._focus = [s for mention in said.scope.mentions for s in mention.subjects]
        if _SENTENCE_END.search(said.text):
            self._conditions = {}
            self._before = None
        else:
            self._conditions = conditions_under(said.text, self._conditions)
            amount = self._wording.amount(said, self._before)
            clause = replace(clause_of(said.text, {}), amount=amount)
            before = policy.naming(clause, said.named)
            leading = states_nothing(said.text, before.names)
            self._before = policy.without_outcome(before) if leading else before

    def _fault(self, said: Statement) -> Fault | None:
        if lexicon().affirming.search(said.text) and (affirmed := self._support.affirmed()):
            return Fault(affirmed.kind, affirmed.text)
        if len(said.numbers) > _MOST_NUMBERS:
            return Fault("number", said.numbers[0].text)
        for claim in (*said.numbers, *said.worded):
            if not self._support.of(claim, said, self._before):
                return Fault(claim.kind, claim.text)
        scope = said.scope
        compared = comparison.wrong(said.stated, scope.mentions, self._focus, scope.known)
        if compared:
            return Fault("comparison", compared)
        if wrong_order := _other_order(said):
            return Fault("identifier", wrong_order)
        return self._wording.fault(said, self._conditions, self._before)

    def _quotes(self, text: str) -> bool:
        """Tell whether a unit is a sentence of one of the shop's texts, or a clause of one."""
        bare = text.rstrip(" .,;:!~。、")
        return any(texts.quotes(bare, line) for line in self._known.lines())


def _other_order(said: Statement) -> str:
    """Return an order of which a unit says that it has what is in another."""
    cuts = [cut.start() for cut in _CUT.finditer(said.text)]
    for start, end in zip([0, *cuts], [*cuts, len(said.text)], strict=True):
        mentions = [m for m in said.scope.mentions if start <= m.at < end]
        if wrong := _wrong_order(mentions):
            return wrong
    return _wrong_order(said.scope.mentions)


def _wrong_order(mentions: Sequence[Mention]) -> str:
    """Return the one order that is named, where none of the things named are in it."""
    orders = [m.subjects[0] for m in mentions if {s.kind for s in m.subjects} == {"order"}]
    lines = [m.subjects for m in mentions if any(s.kind == "item" for s in m.subjects)]
    if len(orders) != 1 or not lines:
        return ""
    inside = any(s is orders[0] for subjects in lines for s in subjects)
    return "" if inside else min(orders[0].names)

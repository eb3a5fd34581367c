"""Checks each unit of an answer against the evidence before it leaves.

What is said of an order or a product must be what its tool result says; what is said of the shop's
rules must be in its texts, with the same numbers and the same outcome. A word that neither says
and that is not neutral is a fault. When in doubt, it is a fault.
"""

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal

from services.gateway.assistant.grounding import (
    choices,
    comparison,
    foretelling,
    orders,
    statement,
)
from services.gateway.assistant.grounding.deal import Deal
from services.gateway.assistant.grounding.evidence import Evidence, Subject
from services.gateway.assistant.grounding.fault import Fault
from services.gateway.assistant.grounding.known import Known
from services.gateway.assistant.grounding.lexicon import lexicon
from services.gateway.assistant.grounding.names import Mention
from services.gateway.assistant.grounding.numerals import fold
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
_SILENT = "\0 .,!。"
"""What is left of a unit that states nothing."""
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
        self._deal = Deal(self._known)
        self._wording = Wording(self._known, self._support, self._deal)
        self._focus: list[Subject] = []
        self._earlier: tuple[Statement, ...] = ()
        """The units before the next one, in its sentence."""
        self._amount: Decimal | None = None
        """The price that they speak of."""
        self._untold: Fault | None = None
        """What a topic named without support: only "I don't know" may follow it."""

    def check(self, unit: str) -> Fault | None:
        """Return the first fault of a unit, or None."""
        text = fold(unit).strip()
        said = statement.read(
            text, self._known.names(), self._focus, self._evidence.subjects, self._earlier
        )
        amount = self._wording.amount(said, self._amount)
        fault = None if self._known.texts.quoted_by(text) else self._fault(said, amount)
        if self._untold and said.stated.strip(_SILENT) and not fault:
            fault = self._untold
        self._untold = fault if fault and _TOPIC.match(text) and not said.numbers else None
        if self._untold is fault:
            fault = None
        if fault is None:
            self._remember(said, amount)
        return fault

    def _remember(self, said: Statement, amount: Decimal | None) -> None:
        """Keep what the next unit may leave unsaid: whom it is about, and when it holds."""
        if said.scope.mentions:
            self._focus = [s for mention in said.scope.mentions for s in mention.subjects]
        ended = bool(_SENTENCE_END.search(said.text))
        self._earlier = () if ended else (*said.earlier, said)
        self._amount = None if ended else amount
        if any(claim.kind == "money" for claim in said.numbers):
            self._deal.spoken = amount

    def _fault(self, said: Statement, amount: Decimal | None) -> Fault | None:
        if lexicon().affirming.search(said.text) and (affirmed := self._support.affirmed()):
            return Fault(affirmed.kind, affirmed.text)
        if len(said.numbers) > _MOST_NUMBERS:
            return Fault("number", said.numbers[0].text)
        for claim in (*said.numbers, *said.worded):
            if not self._support.of(claim, said):
                return Fault(claim.kind, claim.text)
        for kind, words in self._wrongs(said, amount):
            if words:
                return Fault(kind, words)
        return self._wording.fault(said, amount)

    def _wrongs(self, said: Statement, amount: Decimal | None) -> Iterator[tuple[str, str]]:
        """Give what is wrong with a unit as a whole, by kind: the words, or nothing."""
        scope = said.scope
        yield "comparison", comparison.wrong(said.stated, scope.mentions, self._focus, scope.known)
        yield "comparison", comparison.wrong_ratio(said.stated, scope.mentions, self._focus)
        yield "comparison", choices.falsely_only(said.whole, self._evidence.candidates)
        yield "identifier", _other_order(said)
        yield "quantity", orders.denied(said, self._evidence)
        if not said.stated.strip(_SILENT):
            return
        yield "comparison", self._deal.wrong(said, amount)
        yield "unsupported", foretelling.wrong(said, self._known.texts.lines)


def _other_order(said: Statement) -> str:
    """Return an order of which a unit says that it has what is in another."""
    if not said.scope.mentions:
        return ""
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

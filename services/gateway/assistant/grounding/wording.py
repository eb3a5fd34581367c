"""Whether the words of a unit that are neither neutral nor part of a claim stand in the evidence.

A statement of more than facts must be one of the shop's rules; else it is invented.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

from services.gateway.assistant.grounding import claims, foretelling, policy
from services.gateway.assistant.grounding.claims import Claim
from services.gateway.assistant.grounding.deal import Deal
from services.gateway.assistant.grounding.facts import decimals
from services.gateway.assistant.grounding.fault import Fault
from services.gateway.assistant.grounding.known import Known
from services.gateway.assistant.grounding.lexicon import lexicon
from services.gateway.assistant.grounding.roles import role
from services.gateway.assistant.grounding.rules import (
    CONDITION_NAMES,
    MONEY_OFF,
    Clause,
    clause_of,
    conditions_of,
    core,
    is_condition,
    leads,
    states_nothing,
)
from services.gateway.assistant.grounding.statement import Statement
from services.gateway.assistant.grounding.support import Support
from services.gateway.assistant.grounding.supposing import OF_ITEMS
from services.gateway.assistant.grounding.texts import line_of
from services.gateway.assistant.grounding.vocabulary import TELLING, Word, vocabulary, words

_STARTS = re.compile(r"[算起]|开始|生效|\b(?:start|begin|run|count)")
_BEGINNING = frozenset({"warranty", "deliver", "ship"})
_EVEN = re.compile(r"即使|即便|就算|无论|不论|不管|\beven\b|\bregardless\b")
_GIVEN = re.compile(
    r"(?:[买购拍]|下单)[^,。;]{1,12}[赠送](?!达|到|货|上|回|出|往|去|来|完)|附?赠|[加白]送"
)
_FOR_ALL = re.compile(
    r"(?:所有|全部|任何|每个|每位|不管|无论)(?:的)?(?:人|顾客|客户|用户|商品|产品|订单"
    r"|地区|会员)|人人|大家都"
    r"|\b(?:all|any|every) (?:customers?|items?|orders?|products?|regions?)\b"
    r"|\b(?:everyone|everybody|anyone)\b"
)
_OWN = re.compile(r"(?:\b(?:your|the|this|that|those|these|my)|[您这那该此]的?|这款|这个|那个)\s*$")
_ASCRIBED = re.compile(
    r"(?:\b(?:is|are|has|have|with|supports?|includes?|comes?)(?: \w+)?"
    r"|[是有带能含配]|可以|支持|具备|具有)\s*$"
)
"""What makes the word behind it a statement on the one before it."""


class Wording:
    """Checks the words of units."""

    def __init__(self, known: Known, support: Support, deal: Deal) -> None:
        self._known = known
        self._deal = deal
        self._support = support

    def fault(self, said: Statement, amount: Decimal | None) -> Fault | None:
        """Return the first word of a unit that nothing accounts for.

        Args:
            said: the unit.
            amount: the price that it speaks of, or the one before it did.
        """
        found = self._loaded(said) + self._terms(said)
        if not found:
            foretold = foretelling.empty(said, self._known.texts.lines)
            if foretold:
                return Fault("unsupported", foretold)
            return self._for_all(said) or self._misdated(said) or _invented_reason(said)
        if self._left_out(said, found):
            return None
        clause = self._clause(said, amount)
        verdict = policy.judge(clause, found, self._known.question, self._known.texts.rules)
        if not verdict.fault or (not verdict.known and all(self._own(w, said) for w in found)):
            return _invented_reason(said)
        return Fault("policy" if verdict.known else "unsupported", verdict.fault)

    def _for_all(self, said: Statement) -> Fault | None:
        """Find that a rule told before is said to hold for all, where no rule says so."""
        wide = _FOR_ALL.search(said.stated)
        if wide is None or said.before is None or not core(said.before.loaded):
            return None
        if any(line.of_all for line in self._known.texts.lines):
            return None
        return Fault("policy", wide[0])

    def _left_out(self, said: Statement, found: list[Word]) -> bool:
        """Tell whether a unit says no to what was asked, after an "only" that leaves it out.

        "Collection is only offered in Hamburg, so Munich isn't an option."
        """
        before = said.before
        if before is None or said.numbers or not lexicon().only.search(before.text):
            return False
        theirs = self._known.question.names
        return said.telling.clause.good is False and all(
            w.names & before.names or (not w.known and w.names & theirs) for w in found
        )

    def _loaded(self, said: Statement) -> list[Word]:
        """Return the words that need support."""
        rest = vocabulary().idioms.sub(lambda found: "\0" * len(found[0]), said.rest)
        found = [word for word in words(rest, self._known.has) if not word.light]
        leading = is_condition(said.text) and not _EVEN.search(said.text)
        if leads(said.text):
            found = [word for word in found if not word.names & CONDITION_NAMES]
        if leading or lexicon().feeling.search(said.stated):
            found = [word for word in found if word.known]
        found = [w for w in found if w.names & TELLING or not self._known.has(w.text)]
        return [w for w in found if w.known or not self._known.in_a_name(w.text)]

    def _clause(self, said: Statement, amount: Decimal | None) -> Clause:
        """Read a unit as a clause of a rule."""
        numbers = said.numbers
        facts = [c for c in numbers if not self._support.in_texts(c, said)]
        bare = claims.blank(said.stated, [c for c in facts if c.kind != "period"])
        inherited = {**self._known.question.conditions, **said.conditions}
        clause = _main(bare, inherited).naming(said.named)
        clause = replace(
            clause,
            amount=self._deal.worth(said, amount),
            numbers=tuple(c for c in clause.numbers if not self._support.elapsed(c, said)),
            facts=frozenset([*facts, *(c for c in numbers if self._support.is_fact(c, said))]),
            counts=frozenset(n for c in numbers if c.kind in OF_ITEMS for n in c.numbers),
        )
        if states_nothing(said.stated, clause.names) or self._only_sums(said):
            return clause.without_outcome()
        return policy.following(clause, said.before) if said.before else clause

    def _only_sums(self, said: Statement) -> bool:
        """Tell whether a unit adds a charge to a price: the sum is checked, and no outcome."""
        outcome = lexicon().outcome
        if outcome["free"].search(said.stated) or outcome["denial"].search(said.stated):
            return False
        several = any(c.kind in OF_ITEMS and max(c.numbers) > 1 for c in said.numbers)
        return (several or bool(lexicon().total.search(said.stated))) and any(
            self._support.calculated(c, said) and not self._support.is_fact(c, said)
            for c in said.numbers
            if c.kind == "money"
        )

    def amount(self, said: Statement, before: Decimal | None) -> Decimal | None:
        """Return the price that a unit, or else the one before it, speaks of."""
        stated = [
            number
            for claim in said.numbers
            if claim.kind == "money"
            and (self._support.is_fact(claim, said) or self._support.calculated(claim, said))
            for number in claim.numbers
        ]
        if stated:
            return stated[0] if len(set(stated)) == 1 else None
        return self._price(said) if before is None else before

    def _price(self, said: Statement) -> Decimal | None:
        """Return the price of the one product that a unit names, where it speaks of one piece."""
        named = [s for m in said.scope.mentions for s in m.subjects if s.kind == "product"]
        prices = {price for s in named for price in decimals(s.values("price"))}
        if len(prices) != 1:
            return None  # The customer's question need not be read for it.
        ours, theirs = said.numbers, self._known.question.numbers
        numbers = ours if any(c.kind in OF_ITEMS for c in ours) else theirs
        counts = {n for c in numbers if c.kind in OF_ITEMS for n in c.numbers}
        return min(prices) if counts <= {Decimal(1)} else None

    def _misdated(self, said: Statement) -> Fault | None:
        """Find a wrong event from which something counts, where no other word tells the rule."""
        if not _STARTS.search(said.stated) or not (since := said.telling.anchors):
            return None
        clause = said.telling.clause
        rules = [r for r in self._known.texts.rules if r.names & clause.names & _BEGINNING]
        dated = [rule for rule in rules if line_of(rule.text).anchors]
        for rule in dated:
            same_day = all(
                clause.conditions.get("next_day", value) == value
                for one in rule.clauses
                for name, value in one.conditions.items()
                if name == "next_day"
            )
            if line_of(rule.text).anchors & since and same_day:
                return None
        return Fault("policy", min(since)) if dated else None

    def _terms(self, said: Statement) -> list[Word]:
        """Return the discounts and charges in a unit, as words that a rule must have."""
        given = _GIVEN.search(said.stated)
        found = [Word(given[0], frozenset({"gift"}), known=True)] if given else []
        for claim in said.numbers:
            if claim.kind == "percent":
                found.append(Word(claim.text, frozenset({"discount"}), known=True))
            elif self._charged(claim, said) and not any(w.names & MONEY_OFF for w in said.words):
                found.append(Word(claim.text, frozenset({"charge"}), known=True))
        return found

    def _charged(self, claim: Claim, said: Statement) -> bool:
        return (
            claim.kind == "money"
            and role(said.text, claim) == "amount"
            and not self._support.is_fact(claim, said)
            and self._support.in_texts(claim, said)
        )

    def _own(self, word: Word, said: Statement) -> bool:
        """Tell whether a word names the customer's own thing, as they called it."""
        at = said.rest.find(word.text)
        in_front = said.rest[max(0, at - 16) : at]
        if word.known or word.text not in self._known.question.text or _ASCRIBED.search(in_front):
            return False
        if any(word.text in rule.text for rule in self._known.texts.rules):
            return False  # What the shop has rules on is no name for something else.
        # "Mugs are ¥45": what the claim is made of.
        claimed = [claim.at for claim in (*said.numbers, *said.worded)]
        return any(at < other for other in claimed) or bool(_OWN.search(in_front))


def _main(text: str, inherited: Mapping[str, bool]) -> Clause:
    """Read a unit; with an exception in it, what it says of all else."""
    for pattern in lexicon().exceptions:
        found = pattern.search(text)
        but = conditions_of(next(g for g in found.groups() if g)) if found else {}
        if found and but and not text.rstrip().endswith(","):
            main = f"{text[: found.start()]} {text[found.end() :]}"
            contrary = {name: not value for name, value in but.items()}
            return clause_of(main, {**inherited, **contrary})
    return clause_of(text, inherited)


def _invented_reason(said: Statement) -> Fault | None:
    """Find a reason that is no fact: tools tell what is so, never why."""
    reason = lexicon().reason.search(said.stated)
    if reason is None or lexicon().feeling.search(said.stated):
        return None
    known = any(claim.at >= reason.start() for claim in (*said.numbers, *said.worded))
    on_rules = any(not word.light for word in words(said.rest[reason.end() :]))
    return None if known or on_rules else Fault("unsupported", reason[0])

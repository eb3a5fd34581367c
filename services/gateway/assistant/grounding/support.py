"""Whether a number, a state, a place or a day that a unit claims is a fact, or follows from some.

A fact of what it is said of; else what the customer asked for, a count, a sum or a difference; else
a number of the shop's rules.
"""

import re
from dataclasses import replace
from decimal import Decimal

from services.gateway.assistant.grounding import (
    arithmetic,
    basis,
    choices,
    comparison,
    orders,
    supposing,
    texts,
)
from services.gateway.assistant.grounding.claims import Claim
from services.gateway.assistant.grounding.evidence import Evidence
from services.gateway.assistant.grounding.facts import ABOUT, CHECKS, KNOWN_BY, decimals, squeezed
from services.gateway.assistant.grounding.known import Known
from services.gateway.assistant.grounding.lexicon import lexicon
from services.gateway.assistant.grounding.roles import role
from services.gateway.assistant.grounding.rules import core, leads
from services.gateway.assistant.grounding.statement import Statement
from services.gateway.assistant.grounding.supposing import OF_ITEMS
from services.gateway.assistant.grounding.vocabulary import vocabulary, words

_IN_TEXTS = frozenset(
    {
        "measure",
        "money",
        "percent",
        "period",
        "clock",
        "date",
        "relative_day",
        "quantity",
        "number",
        "carrier",
    }
)
_COUNTED = frozenset({"money", "stock_count", "quantity", "number", "period"})
_COUNTED_BY_RULES = frozenset({"points", "coupon", "instalments"})
_BY_CLAUSE = frozenset({"period", "clock"})
_TAKEN_OFF = frozenset({"coupon", "gift_card", "points"})
"""What a sentence on these names is no charge to be added to a price."""
_BOUND_AND_CUT = 2
_KINDS = re.compile(r"[款种者]|kinds|options|versions|orders?")
_SINGLE = re.compile(
    r"\b(?:only|just) (?:one|1|a single)\b|(?:只|仅|限)[^,。;]{0,6}[一1][张个次件]"
)
_PASSED = re.compile(
    r"超过|超出|已?过了|过期|错过|太晚|来不及|没赶上|\b(?:over|past|passed|closed|expired"
    r"|beyond|missed|too late"
    r"|ended|run out|longer than|more than|after)\b"
)
_PAST = re.compile(r"\bago\b|第|\bafter\b|\bbeen\b|\bday \d|\bfor\b|前|了|\bsince\b|\balready\b")


class Support:
    """What some evidence bears out."""

    def __init__(self, evidence: Evidence, known: Known) -> None:
        self._evidence = evidence
        self._known = known

    def of(self, claim: Claim, said: Statement) -> bool:
        """Tell whether a claim of a unit is borne out."""
        if claim.negated and claim.kind in KNOWN_BY:
            return self._rightly_denied(claim, said)
        if claim.kind in OF_ITEMS and (told := self._of_a_rule(claim, said)) is not None:
            return told
        claim = supposing.spelt_out(claim, said)
        scope, kind = said.scope, ABOUT.get(claim.kind)
        if kind == "order" and self._of_unknown_order(said):
            return False
        if lexicon().respectively.search(said.text) and len(scope.mentions) > 1:
            return self._respectively(claim, said)
        if claim.kind == "stock_count" and self._line(claim, said):
            claim = replace(claim, kind="quantity")  # "There is also 1 mat" in an order.
        if claim.kind in OF_ITEMS and orders.are_counted(claim, said):
            return self._counts(claim, said)
        about = supposing.about(claim, said, kind)
        if kind and lexicon().every.search(said.text):
            about = scope.all_of(kind)
            borne_out = bool(about) and all(CHECKS[claim.kind](claim, s) for s in about)
        else:
            borne_out = any(CHECKS[claim.kind](claim, subject) for subject in about)
        return borne_out or self._otherwise(claim, said)

    def _of_a_rule(self, claim: Claim, said: Statement) -> bool | None:
        """Tell whether a count of points or vouchers is a rule's; nothing for other counts."""
        end = claim.at + len(claim.text)
        behind = said.text[end : end + 16].split("\0")[0]
        of = next((w for w in words(behind) if w.names & _COUNTED_BY_RULES), None)
        if of is None or behind.find(of.text) > 1 or claim.numbers == (Decimal(1),):
            return None
        for line in self._known.texts.lines:
            counts = {n for c in line.claims if c.kind in OF_ITEMS for n in c.numbers}
            counts |= {Decimal(1)} if _SINGLE.search(line.text) else set()
            if not of.names & line.loaded or not counts:
                continue
            more = lexicon().negation.search(said.text) and min(claim.numbers) > max(counts)
            if more or set(claim.numbers) <= counts:
                return True
            if any(c.kind == "money" for c in said.numbers) and min(claim.numbers) > 1:
                return True  # "500 points are 5 yuan": the amount is checked.
        return False

    def _respectively(self, claim: Claim, said: Statement) -> bool:
        """Check a claim of a list against the name at the same place of another list."""
        alike = [other for other in (*said.numbers, *said.worded) if other.kind == claim.kind]
        at = alike.index(claim)
        if at >= len(said.scope.mentions):
            return False
        about = said.scope.mentions[at].subjects
        return any(CHECKS[claim.kind](claim, subject) for subject in about)

    def _rightly_denied(self, claim: Claim, said: Statement) -> bool:
        about = said.scope.of(claim.at, ABOUT.get(claim.kind))
        known = [s for s in about if s.values(*KNOWN_BY[claim.kind])]
        return bool(known) and not any(CHECKS[claim.kind](claim, s) for s in known)

    def _otherwise(self, claim: Claim, said: Statement) -> bool:
        """Tell whether a claim that is not a fact of what it is about follows from others."""
        kind = claim.kind
        if kind == "quantity" and claim.numbers == (Decimal(1),):
            return True  # 一个, "an item": an article more often than a count.
        if kind in OF_ITEMS and supposing.supposed(said.text):
            return True
        return (
            (kind == "identifier" and self._asked(claim))
            or (kind == "period" and self.elapsed(claim, said))
            or (kind == "clock" and self._late(claim, said))
            or (kind == "money" and self._within_budget(claim, said))
            or (kind == "stock_count" and self._kinds(claim, said))
            or (kind == "measure" and choices.measured(claim, self._evidence.candidates))
            or (kind in {"quantity", "number"} and self._of_choices(claim, said))
            or (kind == "quantity" and comparison.is_ratio(said.stated, claim))
            or (kind in OF_ITEMS and (self._may_repeat(claim, said) or self._counts(claim, said)))
            or (kind in _COUNTED and self.calculated(claim, said))
            or (kind in _IN_TEXTS and self.in_texts(claim, said))
        )

    def _kinds(self, claim: Claim, said: Statement) -> bool:
        """Tell whether "we have 2 stoves" counts the products that go by a name."""
        if not said.scope.unnamed("product") and self._of_choices(claim, said):
            return True
        mention = said.scope.follows(claim, said.text)
        found = {min(s.names) for s in mention.subjects if s.kind == "product"} if mention else ()
        return len(found) > 1 and claim.numbers == (Decimal(len(found)),)

    def _of_choices(self, claim: Claim, said: Statement) -> bool:
        """Tell whether a number counts the names that a tool gave to choose from."""
        return choices.counts(claim, said.whole, self._evidence.candidates)

    def _of_unknown_order(self, said: Statement) -> bool:
        """Tell whether a unit names an order that no tool found."""
        named = any(s.kind == "order" for m in said.scope.mentions for s in m.subjects)
        numbers = [claim for claim in said.numbers if claim.kind == "identifier"]
        return not named and any(not self.is_fact(claim, said) for claim in numbers)

    def _line(self, claim: Claim, said: Statement) -> bool:
        """Tell whether a number stands before the name of an order's line."""
        mention = said.scope.follows(claim, said.text)
        return mention is not None and any(s.kind == "item" for s in mention.subjects)

    def _may_repeat(self, claim: Claim, said: Statement) -> bool:
        """Tell whether a number is the customer's, and said of nothing but what they ask for."""
        if self._line(claim, said) or not self._asked(claim):
            return False
        silent = said.stated[claim.at : claim.at + 1] == "\0"
        words = lexicon()
        spoken = words.negation.search(said.text) or words.enough.search(said.text)
        return claim.kind == "quantity" or silent or bool(spoken)

    def elapsed(self, claim: Claim, said: Statement) -> bool:
        """Tell whether a period is how long ago the customer says it was, and rightly judged."""
        if claim.kind != "period":
            return False
        asked = self._known.question
        gone_by = any(c.kind == "period" and c.numbers == claim.numbers for c in asked.numbers)
        if not gone_by or not _PAST.search(asked.text):
            return False
        clause = said.telling.clause
        bounds = [
            max(other.numbers)
            for line in self._known.texts.lines
            for other in line.claims
            if other.kind == "period" and other.what == claim.what
        ]
        over = any(max(claim.numbers) > bound for bound in bounds)
        within = any(max(claim.numbers) <= bound for bound in bounds)
        if passed := _PASSED.search(said.stated):
            return over and not lexicon().negation.search(said.stated[: passed.start()])
        return within if clause.good and clause.loaded else over or not clause.loaded

    def _late(self, claim: Claim, said: Statement) -> bool:
        """Tell whether a time is the customer's, and rightly said to be past that of a rule."""
        asked = self._known.question.numbers
        bounds = [
            o.what for line in self._known.texts.lines for o in line.claims if o.kind == "clock"
        ]
        named = any(c.kind == "clock" and c.what == claim.what for c in asked)
        passed = _PASSED.search(said.stated) and not lexicon().negation.search(said.stated)
        if not passed or not bounds:
            return False
        return claim.what > min(bounds) if named else claim.what in bounds

    def _within_budget(self, claim: Claim, said: Statement) -> bool:
        """Tell whether a price is the customer's own limit, and something is below it."""
        asked = self._known.question.numbers
        named = any(set(claim.numbers) <= set(other.numbers) for other in asked)
        if not named or not lexicon().budget.search(said.text):
            return False
        prices = [p for s in said.scope.all_of("product") for p in decimals(s.values("price"))]
        return bool(prices) and min(prices) <= max(claim.numbers)

    def _asked(self, claim: Claim) -> bool:
        """Tell whether the customer's own words hold the identifier or quantity."""
        asked = self._evidence.asked
        if claim.kind == "identifier":
            return squeezed(claim.text) in squeezed(asked)
        return all(re.search(rf"(?<![\d.]){n}(?![\d.])", asked) for n in claim.numbers)

    def _counts(self, claim: Claim, said: Statement) -> bool:
        """Tell whether a number counts what was listed or named, or numbers a list's entries."""
        if claim.at == 0 and re.match(r"\d{1,2}[.)、:]", said.text):
            return True
        prices = decimals(v for s in said.scope.known for v in s.values("price"))
        prices |= {
            n
            for line in self._known.texts.lines
            if line.of_each
            for c in line.claims
            if c.kind == "money"
            for n in c.numbers
        }
        totals = {price * n for price in prices for n in claim.numbers}
        if any(totals & set(c.numbers) for c in said.numbers if c.kind == "money"):
            return True  # "Three of them are ¥777": the total is checked apart.
        if orders.are_counted(claim, said):
            return orders.counted(claim, said, self._evidence.subjects)
        if said.scope.follows(claim, said.text) and not _KINDS.search(claim.text):
            return False
        counts = {Decimal(n) for n in self._evidence.listed}
        for kind in ("order", "product"):
            for some in (said.scope.all_of(kind), self._evidence.subjects):
                counts.add(Decimal(len({min(s.names) for s in some if s.kind == kind})))
        return set(claim.numbers) <= counts - {Decimal(0)}

    def calculated(self, claim: Claim, said: Statement) -> bool:
        """Tell whether a number is a total or a difference of what tools found."""
        lines, asked = self._known.texts.lines, self._known.question
        numbers = (*said.numbers, *asked.numbers, *supposing.of_earlier(said))
        counts = {n for c in numbers if c.kind in OF_ITEMS for n in c.numbers}
        counts = {n for n in counts if 1 < n < 100 and n == n.to_integral_value()}
        counts |= {Decimal(2)} if re.search(r"\bpair\b|一对|一双", said.text) else set()
        offs = {n for line in lines for c in line.claims if c.kind == "percent" for n in c.numbers}
        kind = "period" if claim.kind == "period" else "money"
        fees = {
            n
            for line in lines
            if not line.names & _TAKEN_OFF
            for c in line.claims
            if c.kind == kind and (kind == "money" or c.what == claim.what)
            for n in c.numbers
        }
        if claim.kind == "money" and self._by_rate(claim, counts, said):
            return True
        cuts = self._cuts(said) if claim.kind == "money" else []
        for about in (said.scope.all_of("product"), self._evidence.subjects):
            products = [s for s in about if s.kind == "product"]
            sums = arithmetic.Sums(products, sorted(counts), fees, offs, cuts)
            before = "".join(unit.text for unit in said.earlier)
            if sums.give(claim, before + said.text + asked.text):
                return True
        return False

    def _cuts(self, said: Statement) -> list[tuple[Decimal, Decimal]]:
        """Return the amounts off that the shop gives, each with the price from which on."""
        found = []
        given = [r for r in self._known.texts.rules if r.names & {"discount", "coupon"}]
        if not given:
            return []
        ours = words(f"{said.text} {said.named}")
        spoken = self._known.question.names | {name for word in ours for name in word.names}
        for rule in given:
            matter = core(rule.names) - vocabulary().light - {"discount", "coupon"}
            if matter and not matter & spoken:
                continue
            money = [c for c in texts.line_of(rule.text).claims if c.kind in {"money", "number"}]
            if 1 <= len(money) <= _BOUND_AND_CUT:
                *bounds, cut = (max(c.numbers) for c in money)
                bound = bounds[0] if bounds else cut
                found += [(bound, cut)] if bound >= cut else []
        return found

    def _by_rate(self, claim: Claim, counts: set[Decimal], said: Statement) -> bool:
        """Tell whether an amount is so many times what a rule says of one, or of so many."""
        spoken = (*said.numbers, *supposing.of_earlier(said))
        ours = counts | {n for c in spoken if c.kind in OF_ITEMS for n in c.numbers}
        if not ours:
            return False
        matter = said.before.loaded if said.before else frozenset()
        for line in self._known.texts.lines:
            if not texts.related(said.line, line, matter):
                continue
            of = {n for c in line.claims if c.kind in OF_ITEMS for n in c.numbers}
            of |= {Decimal(1)} if line.of_each and basis.same(said.text, line.text) else set()
            paid = {n for c in line.claims if c.kind == "money" for n in c.numbers}
            if any(
                number * one == amount * many
                for number in claim.numbers
                for one in of
                for amount in paid
                for many in ours
            ):
                return True
        return False

    def in_texts(self, claim: Claim, said: Statement) -> bool:
        """Tell whether one of the shop's texts on the same matter says the same number or day."""
        ours, leading, kind = said.line, leads(said.text), claim.kind
        if role(said.text, claim) == "bound" and any(
            other.numbers == claim.numbers and role(line.text, other) == "bound"
            for line in self._known.texts.lines
            for other in line.claims
        ):
            return True  # From when a rule holds; which one is told by the words.
        weak = vocabulary().light - {"human"}
        matter = said.before.names - weak if said.before else frozenset()
        if not (ours.loaded or ours.topics):
            matter |= self._known.question.clause.names - weak
        return any(
            texts.states(claim, ours, line)
            and not supposing.of_one_only(claim, said, line)
            and (
                leading
                or texts.related(ours, line, matter)
                or texts.measured(claim, ours, line)
                or supposing.dated(claim, ours, line)
            )
            and (kind not in _BY_CLAUSE or said.earlier or texts.in_its_clause(claim, ours, line))
            and self._known.texts.nearest(ours, claim, line)
            for line in self._known.texts.lines
        )

    def is_fact(self, claim: Claim, said: Statement) -> bool:
        """Tell whether anything that tools found has a claim's number."""
        return any(CHECKS[claim.kind](claim, subject) for subject in said.scope.known)

    def affirmed(self) -> Claim | None:
        """Return a number in the customer's question that a "yes" would wrongly confirm."""
        asked = self._known.question
        for claim in asked.numbers:
            if claim.kind not in {"money", "percent", "period", "number"}:
                continue
            if claim.kind == "number" and max(claim.numbers) < 10:
                continue
            if any(CHECKS[claim.kind](claim, subject) for subject in self._evidence.subjects):
                continue
            if not self._held_by_texts(claim, asked.text):
                return claim
        return None

    def _held_by_texts(self, claim: Claim, asked: str) -> bool:
        """Tell whether the shop's texts have a number, or a longer period than one gone by."""
        gone_by = claim.kind == "period" and bool(_PAST.search(asked))
        for line in self._known.texts.lines:
            for other in line.claims:
                if other.what != claim.what or other.kind not in {claim.kind, "money"}:
                    continue
                if set(claim.numbers) <= set(other.numbers):
                    return True
                if gone_by and max(claim.numbers) <= max(other.numbers):
                    return True
        return False

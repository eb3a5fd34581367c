"""Of what the customer may buy: whether there is enough of it, and what sending it costs."""

import re
from collections.abc import Iterable
from decimal import Decimal

from services.gateway.assistant.grounding import arithmetic
from services.gateway.assistant.grounding.evidence import Subject
from services.gateway.assistant.grounding.facts import decimals
from services.gateway.assistant.grounding.known import Known
from services.gateway.assistant.grounding.lexicon import lexicon
from services.gateway.assistant.grounding.roles import role
from services.gateway.assistant.grounding.statement import Statement
from services.gateway.assistant.grounding.supposing import OF_ITEMS
from services.gateway.assistant.grounding.texts import line_of
from services.gateway.assistant.grounding.vocabulary import vocabulary

_MANY = 20
"""From how many pieces on there is enough for whom did not say how many they want."""
_NOT = re.compile(r"(?:不|没有?|未|\bnot|n't|\bnever|\bhardly)\W*(?:\w+ ){0,2}$")
_ON_SHIPPING = re.compile(
    r"包邮|免邮|运费|邮费|门槛|标准|\b(?:shipping|delivery|threshold|minimum)\b"
)
_ON_DISCOUNT = re.compile(r"满减|减免|折扣|优惠|\bdiscount|\boffer\b")
_MISSING = re.compile(
    r"[还就只]差.{0,8}(?:才|就|到|够|满|可)|才(?:能)?[够到满]|\bshort of\b|\bshy of\b"
)
_WITHIN_BUDGET = re.compile(
    r"(?<!超)(?<!超出)预算(?:之|以)?内|(?<!不)在.{0,4}预算(?!外)|没超.{0,2}预算"
    r"|\b(?:under|within|below|inside|fits?(?: in| into)?) (?:your |the |that )?budget"
)
_OVER_BUDGET = re.compile(
    r"(?<!没)(?<!不)超(?:出|过)?(?:了)?.{0,2}预算"
    r"|\b(?:over|above|beyond|exceeds?) (?:your |the |that )?budget"
)
_TOGETHER = re.compile(
    r"一起|加起来|[一总合]共|合计|两[个件样款]|\b(?:together|both|combined|in total|the pair)\b"
)
_AND_MORE = re.compile(
    r"\s*,?\s*(?:plus|\+|and(?: then)?|另?加|另[外付收]|再加|with an? (?:extra|additional))"
)


class Deal:
    """Compares what is said of a purchase with stock and with the shop's charge for sending."""

    def __init__(self, known: Known) -> None:
        self._known = known
        self.spoken: Decimal | None = None
        """The price that the answer spoke of last."""

    def worth(self, said: Statement, amount: Decimal | None) -> Decimal | None:
        """Return what the purchase that a unit is on costs: what it says, or is known."""
        if amount is not None or not self._is_this(said):
            return amount
        return self._asked_for() if self.spoken is None else self.spoken

    def _asked_for(self) -> Decimal | None:
        """Return what the customer asks to buy costs, where that is one product."""
        asked = self._known.question
        about = asked.products or _products(self._known.subjects)
        products = {min(s.names): s for s in about}
        if not products:
            spoken = {n for c in asked.numbers if c.kind == "money" for n in c.numbers}
            return spoken.pop() if len(spoken) == 1 else None
        if len(products) > 1:
            return None
        prices = {p for s in products.values() for p in decimals(s.values("price"))}
        counts = asked.wanted or {Decimal(1)}
        return prices.pop() * min(counts) if len(prices) == len(counts) == 1 else None

    def _is_this(self, said: Statement) -> bool:
        """Tell whether a unit is on the purchase, and not on a rule for all."""
        words = lexicon().purchase
        named = any(s.kind == "product" for m in said.scope.mentions for s in m.subjects)
        if named:
            return True
        if words["any"].search(said.text):
            return False
        return bool(words["this"].search(said.text)) or not any(
            role(said.text, claim) == "bound" for claim in said.numbers
        )

    def wrong(self, said: Statement, amount: Decimal | None) -> str:
        """Return words on a purchase that are wrong.

        Args:
            said: the unit.
            amount: the price that it speaks of.
        """
        return (
            self._not_enough(said)
            or self._misjudged(said, amount)
            or self._without_charge(said)
            or self._misfit(said)
        )

    def _misfit(self, said: Statement) -> str:
        """Find that something is wrongly said to be within what the customer would spend."""
        within, over = _WITHIN_BUDGET.search(said.stated), _OVER_BUDGET.search(said.stated)
        if not (within or over):
            return ""
        asked = self._known.question
        money = [c for c in asked.numbers if c.kind in {"money", "number"}]
        limits = {n for c in money for n in c.numbers if n > _MANY}
        if len(limits) != 1:
            return ""
        named = [s for m in said.scope.mentions for s in m.subjects]
        products = _products(named) or asked.products or _products(said.scope.known)
        prices = {min(s.names): p for s in products for p in decimals(s.values("price"))}
        if not prices:
            return ""
        together = _TOGETHER.search(said.stated) and len(prices) > 1
        cost = sum(prices.values()) if together else max(prices.values())
        fits = cost <= min(limits)
        if over:
            return "" if not fits or bool(_NOT.search(said.stated[: over.start()])) else over[0]
        return "" if fits or within is None else within[0]

    def _not_enough(self, said: Statement) -> str:
        found = lexicon().enough.search(said.stated)
        surely = lexicon().purchase["surely"].search(said.stated)
        if not (found or surely):
            return ""
        named = [s for m in said.scope.mentions for s in m.subjects]
        asked = self._known.question
        products = _products(named or said.scope.focus) or asked.products or said.scope.known
        stocks = decimals(v for s in products for v in s.values("stock"))
        if not stocks:
            return ""
        ours = [n for c in said.numbers if c.kind in OF_ITEMS for n in c.numbers]
        theirs = [
            n for c in asked.numbers if c.kind in {*OF_ITEMS, "stock_count"} for n in c.numbers
        ]
        wanted = max(theirs or ours, default=Decimal(0))
        if found:
            enough = min(stocks) >= (wanted or _MANY)
            denied = bool(_NOT.search(said.stated[: found.start()]))
            return found[0] if enough == denied else ""
        if surely is None or any(c.kind == "money" for c in said.numbers):
            return ""
        spoken = set(ours) & set(theirs) if ours else set(theirs)
        return surely[0] if spoken and max(spoken) > max(stocks) else ""

    def _misjudged(self, said: Statement, amount: Decimal | None) -> str:
        """Find that a purchase is wrongly said to reach a bound, or not to."""
        holds, fails = vocabulary().conditions["bound"]
        below = bool(fails.search(said.text) or _MISSING.search(said.text))
        if not (below or holds.search(said.text)) or not self._is_this(said):
            return ""
        spoken = [c for c in said.numbers if role(said.text, c) == "bound"]
        bounds = {n for c in spoken for n in c.numbers}
        shipping = self._known.texts.shipping
        if not bounds and shipping and _ON_SHIPPING.search(said.text):
            bounds = {shipping[0]}
        elif not bounds and _ON_DISCOUNT.search(said.text):
            bounds = self._discount_bounds()
        worth = self.worth(said, amount)
        if worth is None or len(bounds) != 1 or (worth < min(bounds)) == below:
            return ""
        return spoken[0].text if spoken else "shipping"

    def _discount_bounds(self) -> set[Decimal]:
        """Return from which price on the shop takes something off."""
        return {
            number
            for rule in self._known.texts.rules
            if "discount" in rule.names
            for claim in line_of(rule.text).claims
            if role(rule.text, claim) == "bound"
            for number in claim.numbers
        }

    def _without_charge(self, said: Statement) -> str:
        """Find a total "with shipping" that is one without, or with a charge that is not due."""
        shipping = self._known.texts.shipping
        if shipping is None:
            return ""
        paid = [
            c
            for c in said.numbers
            if c.kind == "money"
            and role(said.text, c) != "bound"
            and not _AND_MORE.match(said.text, c.at + len(c.text))
        ]
        if not paid:
            return ""
        words = lexicon().purchase
        if not any(words["with_shipping"].search(unit.stated) for unit in (*said.earlier, said)):
            asked = words["asked_with_shipping"].search(self._known.question.text)
            if not asked or not words["in_total"].search(said.stated):
                return ""
        total = max(paid, key=lambda claim: max(claim.numbers))
        (bound, fee), number = shipping, max(total.numbers)
        goods = self._goods(said)
        if number - fee in goods and number - fee < bound:
            return ""
        wrong = (number in goods and number < bound) or (number - fee in goods)
        return total.text if wrong else ""

    def _goods(self, said: Statement) -> set[Decimal]:
        numbers = (*said.numbers, *self._known.question.numbers)
        counts = {n for c in numbers if c.kind in OF_ITEMS for n in c.numbers if n > 1}
        return arithmetic.Sums(_products(said.scope.known), sorted(counts), (), ()).goods()


def _products(subjects: Iterable[Subject]) -> list[Subject]:
    return [s for s in subjects if s.kind == "product"]

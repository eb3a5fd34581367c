"""What follows by counting: totals and differences of what tools found."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import combinations, product

from services.gateway.assistant.grounding.claims import Claim
from services.gateway.assistant.grounding.evidence import Subject
from services.gateway.assistant.grounding.facts import decimals
from services.gateway.assistant.grounding.lexicon import lexicon

_MOST_SUBJECTS = 6
_MOST_COUNTS = 3
_OF_AN_ORDER = re.compile(r"订单|这单|此单|该单|这笔|(?:your|the|this) order\b|order total")
_FIELDS = {"money": "price", "stock_count": "stock", "period": "warranty_months"}


_EACH = re.compile(
    r"算下来|平均|均价|每|合|[一1][只个瓶支包袋片粒颗罐盒条枚块斤](?!共|起)"
    r"|\b(?:each|apiece|per|an?) ?|\bworks? out\b"
)
_SHORT = re.compile(r"[还就只]?差|\bshort of\b|\banother\b|\baway from\b")
_IN_A_NAME = re.compile(r"\d+(?:\.\d+)?")
"""How many pieces, or how much, a pack of that name has."""


def _is_of_each(number: Decimal, product: Subject) -> bool:
    """Tell whether an amount is what one of the pieces in a pack costs."""
    sizes = decimals(n for name in product.values("product") for n in _IN_A_NAME.findall(name))
    prices = decimals(product.values("price"))
    return any(size > 1 and round(price / size, 2) == number for price in prices for size in sizes)


@dataclass(frozen=True, slots=True)
class Sums:
    """What may be counted together."""

    products: Sequence[Subject]
    counts: Sequence[Decimal]
    """How many of a product the text or the customer speaks of."""
    fees: Collection[Decimal]
    """Amounts in the shop's texts, to be added to a price or compared with it."""
    offs: Collection[Decimal]
    """Percentages off in the shop's texts."""
    cuts: Collection[tuple[Decimal, Decimal]] = ()
    """Amounts off in the shop's texts, each with the price from which on it is given."""

    def give(self, claim: Claim, text: str) -> bool:
        """Tell whether a number is a total or a difference that its text may speak of.

        Args:
            claim: the number.
            text: folded, and the customer's question; say in words what was counted.
        """
        field = _FIELDS.get(claim.kind, "stock")
        if len(claim.numbers) != 1 or (claim.kind == "period" and claim.what != "month"):
            return False
        number, money = claim.numbers[0], claim.kind == "money"
        products = self.products[:_MOST_SUBJECTS]
        if money and _EACH.search(text) and any(_is_of_each(number, s) for s in products):
            return True
        values = [value for s in products for value in sorted(decimals(s.values(field)))[:1]]
        if lexicon().difference.search(text) and number in self._gaps(values, money=money) - {0}:
            return True
        if money and _SHORT.search(text):
            totals = self._totals(values)
            return number in {fee - total for fee in self.fees for total in totals}
        if field == "warranty_months":
            return (
                bool(lexicon().total.search(text)) and number - values[0] in self.fees
                if values
                else False
            )
        if _OF_AN_ORDER.search(text):
            return False
        found = self._totals(values) if money else _sums(values, [Decimal(1)])
        return number in found and bool(self.counts or lexicon().total.search(text))

    def goods(self) -> set[Decimal]:
        """Return what some of the products may cost."""
        values = [v for s in self.products[:_MOST_SUBJECTS] for v in decimals(s.values("price"))]
        return {*values, *self._totals(values)}

    def _gaps(self, values: Sequence[Decimal], *, money: bool) -> set[Decimal]:
        gaps = {abs(one - other) for one, other in combinations(values, 2)}
        return gaps | {fee - value for fee in self.fees for value in values} if money else gaps

    def _totals(self, values: Sequence[Decimal]) -> set[Decimal]:
        counts = self.counts[:_MOST_COUNTS]
        found = {value * count for value in values for count in counts}
        found |= _sums(values, [Decimal(1), *counts])
        reduced = {
            total - cut for total in [*found, *values] for bound, cut in self.cuts if total >= bound
        }
        reduced |= {t * (100 - off) / 100 for t in [*found, *values] for off in self.offs}
        return found | reduced | {total + fee for total in [*found, *values] for fee in self.fees}


def _sums(values: Sequence[Decimal], counts: Sequence[Decimal]) -> set[Decimal]:
    found = {
        one * n + other * m
        for one, other in combinations(values, 2)
        for n, m in product(counts, counts)
    }
    return found | {sum(values, Decimal(0))} if len(values) > 2 else found

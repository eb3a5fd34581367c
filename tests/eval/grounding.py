"""Whether an answer states nothing but what it may: facts of the calls made, policies, identifiers.

Beside membership, a claim is tied to the product or order it is said of: the price of one product
on another, or one order's status on another, is found even where both were asked about.
"""

import re
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import lru_cache

from tests.eval import lexicon
from tests.eval.claims import Claim, claims_of, clauses, spelling_table
from tests.eval.shop import Order, Product, Result, Shop, local_and_utc
from tests.eval.text import normal, order_key

# A model's mark within a name by which people call it: K87, M3, S2, AX3000.
_MARK = re.compile(r"(?<![a-z0-9])(?=[a-z]*\d)[a-z]{1,3}\d+(?![a-z0-9])")


@dataclass(slots=True)
class Facts:
    """What may be stated, by kind of claim, and which product or order it belongs to."""

    by_kind: dict[str, set[object]] = field(default_factory=dict)
    of: dict[str, dict[str, set[object]]] = field(default_factory=dict)
    dates: set[tuple[int, int, int]] = field(default_factory=set)
    prices: dict[str, Decimal] = field(default_factory=dict)

    def add(self, kind: str, value: object, owner: str | None = None) -> None:
        """Note a fact, and whose it is."""
        self.by_kind.setdefault(kind, set()).add(value)
        if owner is not None:
            self.of.setdefault(owner, {}).setdefault(kind, set()).add(value)

    def has(self, kind: str, value: object) -> bool:
        """Whether the fact was noted."""
        return value in self.by_kind.get(kind, ())

    def add_moment(self, moment: datetime) -> None:
        """Note a time stamp's date and time, in UTC and by the shop's clock."""
        for one in local_and_utc(moment):
            self.dates.add((one.year, one.month, one.day))
            self.add("time", (one.hour, one.minute))


class Grounding:
    """Checks answers about the sample shop."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self._names = [
            (spelling, product.sku)
            for product in shop.products.values()
            for spelling in (*product.names, *_marks(product))
        ]
        self._policies = Facts()
        for policy in shop.policies:
            for claim in claims_of(policy, {}):
                self._add_policy(claim)

    def unsupported(
        self,
        answer: str,
        results: list[Result],
        said: list[str],
        aliases: dict[str, str],
        offered: list[str] | None = None,
    ) -> list[str]:
        """What `answer` states without support, one sentence each.

        Args:
            answer: as the customer got it.
            results: of the tool calls made so far in the conversation.
            said: the customer's own messages so far.
            aliases: spelling -> SKU, names in use in this conversation.
            offered: words that the expected answer holds; products among them may be named.
        """
        table = spelling_table([*aliases.items(), *self._names])
        facts = self._facts(results)
        own = [claim for text in said for claim in claims_of(text, table)]
        for claim in own:
            if claim.kind in {"identifier", "product", "model"}:
                facts.add(claim.kind, claim.value)
        for text in offered or []:
            for claim in claims_of(text, table):
                if claim.kind in {"product", "model"}:
                    facts.add(claim.kind, claim.value)
        claims = claims_of(answer, table)
        refuses = bool(lexicon.CANT_CONFIRM.search(normal(answer)))
        text = normal(answer)
        problems = [
            f"states {claim.text!r} ({claim.kind}), which nothing supports"
            for claim in claims
            if not self._supported(claim, facts)
            and not _echo(claim, own, refuses, text[: claim.start])
        ]
        return problems or self._misplaced(text, claims, facts)

    def _supported(self, claim: Claim, facts: Facts) -> bool:
        value = claim.value
        match claim.kind:
            case "date" if isinstance(value, tuple):
                return any(
                    all(part in (None, known) for part, known in zip(value, date, strict=True))
                    for date in facts.dates
                )
            case "status" if isinstance(value, frozenset):
                return any(known in value for known in facts.by_kind.get("status", ()))
            case "number":
                return any(self._has(facts, kind, value) for kind in ("number", "money", "count"))
            case "money" | "count" | "stock" | "product" | "identifier" | "model" | "period":
                return self._has(facts, claim.kind, value)
            case "span" | "time" | "payment" | "carrier" | "city":
                return self._has(facts, claim.kind, value)
        return False

    def _has(self, facts: Facts, kind: str, value: object) -> bool:
        return facts.has(kind, value) or self._policies.has(kind, value)

    def _add_policy(self, claim: Claim) -> None:
        kind, value = claim.kind, claim.value
        if kind in {"money", "period", "span", "time", "payment", "number"}:
            self._policies.add(kind, value)
        if kind == "span" and isinstance(value, tuple):
            # The longest it takes holds by itself; the shortest does not.
            self._policies.add("period", (value[0], value[2]))
        for digits in re.findall(r"\d+", claim.text):
            self._policies.add("number", Decimal(digits))

    def _facts(self, results: list[Result]) -> Facts:
        facts = Facts()
        for result in results:
            if result.product:
                self._add_product(facts, result.product)
            if result.order:
                self._add_order(facts, result.order)
                for name in ("carrier", "tracking_no"):
                    _add_shipping(facts, result.order, name)
                facts.add_moment(result.order.updated_at)
            for order in result.listed:
                self._add_order(facts, order)
                facts.add_moment(order.placed_at)
            if result.listed:
                facts.add("count", Decimal(len(result.listed)))
            for product in result.candidates:
                facts.add("product", product.sku)
                _add_models(facts, product)
        return facts

    def _add_product(self, facts: Facts, product: Product) -> None:
        sku = product.sku
        facts.add("product", sku)
        facts.add("identifier", order_key(sku), sku)
        facts.add("money", product.price.normalize(), sku)
        facts.prices[sku] = product.price
        facts.add("count", Decimal(product.stock), sku)
        facts.add("stock", "in" if product.stock else "out", sku)
        facts.add("city", product.ships_from, sku)
        _add_models(facts, product)
        if product.warranty_months:
            facts.add("period", ("month", Decimal(product.warranty_months)), sku)
            facts.add("number", Decimal(product.warranty_months))

    def _add_order(self, facts: Facts, order: Order) -> None:
        owner = order_key(order.order_id)
        facts.add("identifier", owner)
        facts.add("status", order.status, owner)
        facts.add("count", Decimal(len(order.items)))
        facts.add("count", Decimal(sum(quantity for _, quantity in order.items)))
        for sku, quantity in order.items:
            product = self._shop.products[sku]
            facts.add("product", sku, owner)
            facts.add("count", Decimal(quantity))
            _add_models(facts, product)

    def _misplaced(self, text: str, claims: list[Claim], facts: Facts) -> list[str]:
        products = [claim for claim in claims if claim.kind == "product"]
        orders = [
            claim for claim in claims if claim.kind == "identifier" and claim.value in facts.of
        ]
        problems = []
        for kind, owners in (
            ("money", products),
            ("stock", products),
            ("period", products),
            ("city", products),
            ("status", orders),
            ("carrier", orders),
        ):
            said = [claim for claim in claims if claim.kind == kind]
            for claim in said:
                names = _owners_of(claim, owners, said, text)
                if names and not any(self._belongs(claim, name, facts) for name in names):
                    problems.append(f"says {claim.text!r} of {' / '.join(names)}, which is wrong")
        return problems or _wrong_comparison(text, claims, facts)

    def _belongs(self, claim: Claim, owner: str, facts: Facts) -> bool:
        if claim.kind in {"money", "period"} and self._policies.has(claim.kind, claim.value):
            return True
        known = facts.of.get(owner, {}).get(claim.kind)
        if known is None:
            # Nothing of this kind is known of it: a product of an order, say. Prices need one.
            return claim.kind not in {"money", "carrier"}
        if isinstance(claim.value, frozenset):
            return any(one in claim.value for one in known)
        return claim.value in known


def _marks(product: Product) -> set[str]:
    return set(_MARK.findall(normal(product.name_en)))


def _add_models(facts: Facts, product: Product) -> None:
    for model in _models(product.names):
        facts.add("model", model)


@lru_cache(maxsize=256)
def _models(names: tuple[str, ...]) -> frozenset[object]:
    """The sizes and marks in a product's names, as the scanner reads them: 65瓦, 4k, k87."""
    return frozenset(
        claim.value for name in names for claim in claims_of(name, {}) if claim.kind == "model"
    )


def _add_shipping(facts: Facts, order: Order, name: str) -> None:
    owner = order_key(order.order_id)
    value = getattr(order, name)
    if not value:
        return
    if name == "carrier":
        facts.add("carrier", value, owner)
    else:
        facts.add("identifier", order_key(value))


def _echo(claim: Claim, own: list[Claim], refuses: bool, before: str) -> bool:
    """Whether the customer's own word is repeated to refuse or deny it, which states nothing."""
    if claim.kind not in {"carrier", "city", "payment", "day", "share", "date"}:
        return False
    if not any(one.kind == claim.kind and one.value == claim.value for one in own):
        return False
    return refuses or bool(
        re.search(r"(?:不是|不支持|不走|并非|没有|not |n't |rather than )\W*\w{0,6}$", before)
    )


def _owners_of(claim: Claim, owners: list[Claim], said: list[Claim], text: str) -> list[str]:
    """The products or orders that `claim` can be meant of; none where the text does not tell."""
    start, end = next((a, b) for a, b in clauses(text) if a <= claim.start < b)
    inside = [owner for owner in owners if start <= owner.start < end]
    before = [owner for owner in owners if owner.start < claim.start]
    if inside and all(owner.start > claim.start for owner in inside):
        return [str(inside[0].value)]
    if not before:
        return []
    # Neighbours with no such claim between share what follows: "A and B cost 1 and 2".
    earlier = [other.start for other in said if other.start < before[-1].start]
    group = [owner for owner in before if not earlier or owner.start > earlier[-1]]
    names = [str(owner.value) for owner in group]
    after = [owner for owner in inside if owner.start > claim.start]
    if after and re.search(r"\bfor\b|的是", text[claim.start : after[0].start]):
        names.append(str(after[0].value))
    return names


_CHEAPER = re.compile(r"(?:更|比较|要|较|最)?便宜|更?省钱|\bcheaper\b|\bless expensive\b")
_DEARER = re.compile(
    r"(?:更|比较|要|较|最)贵|贵(?:一些|一点|了)|\bmore expensive\b|\bpric(?:i|e)er\b"
)


def _wrong_comparison(text: str, claims: list[Claim], facts: Facts) -> list[str]:
    """Which of two products is said to be cheaper, against their prices."""
    products = [
        claim for claim in claims if claim.kind == "product" and claim.value in facts.prices
    ]
    prices = {facts.prices[str(claim.value)] for claim in products}
    if len(prices) < 2:
        return []
    problems = []
    for start, end in clauses(text):
        inside = [claim for claim in products if start <= claim.start < end]
        if not inside or re.search(r"哪|没有|不比|which|\bnot\b|n't", text[start:end]):
            continue
        price = facts.prices[str(inside[0].value)]
        low, high = _CHEAPER.search(text[start:end]), _DEARER.search(text[start:end])
        if (low and price != min(prices)) or (high and price != max(prices)):
            problems.append(f"compares wrongly: {text[start:end].strip()!r}")
    return problems

"""Invented shops: a name, a tone, and the policies that their documents state."""

from __future__ import annotations

import random
from dataclasses import dataclass

from services.inference.demo.contract import CONTRACT
from services.inference.demo.phrases import Phrases, Topic
from services.inference.demo.world import Language, World

# A question on one of these may be answered by a statement on another, so it is not "unknown".
NEAR_TOPICS: tuple[frozenset[str], ...] = (
    frozenset({"free_shipping", "shipping_fee", "remote_areas"}),
    frozenset({"returns_window", "exchange", "opened_items", "return_shipping_fee"}),
    frozenset({"refund_time", "refund_method"}),
    frozenset({"dispatch_time", "delivery_time", "presale_deposit"}),
    frozenset({"invoice", "company_invoice"}),
    frozenset({"payment_methods", "cash_on_delivery", "instalments"}),
    frozenset({"coupon_use", "coupon_stacking"}),
    frozenset({"member_discount", "points", "student_discount", "bulk_purchase"}),
    frozenset({"warranty_service", "repair", "damaged_on_arrival", "missing_parts"}),
    frozenset({"service_hours", "contact_phone"}),
    frozenset({"order_cancel_rule", "change_address_rule"}),
    frozenset({"packaging", "gift_wrap"}),
    frozenset({"couriers", "self_pickup"}),
)

# What nearly every shop states, and most customers ask.
_COMMON_TOPICS = frozenset({
    "returns_window", "return_shipping_fee", "refund_time", "free_shipping", "shipping_fee",
    "dispatch_time", "delivery_time", "invoice", "payment_methods", "service_hours",
})  # fmt: skip
_COMMON_WEIGHT = 3.0


@dataclass(frozen=True)
class Shop:
    """A shop: its system prompt, what its documents state, and what they are silent about."""

    language: Language
    name: str
    system: str
    stated: dict[str, str]
    silent: dict[str, Topic]


def draw_shop(phrases: Phrases, world: World) -> Shop:
    """Draw a shop with four to eleven stated policies."""
    rng = world.rng
    keys = list(phrases.topics)
    # Weighted drawing without replacement (Efraimidis and Spirakis): the largest of u ** (1 / w).
    weights = {key: _COMMON_WEIGHT if key in _COMMON_TOPICS else 1.0 for key in keys}
    drawn = sorted(keys, key=lambda key: rng.random() ** (1 / weights[key]), reverse=True)
    stated_keys = drawn[: rng.randint(4, 11)]
    stated = {
        key: fill(rng.choice(phrases.topics[key].statements), numbers(rng)) for key in stated_keys
    }
    for both in phrases.combined:
        if both.topics & stated.keys() and rng.random() < 0.25:
            line = fill(rng.choice(both.statements), numbers(rng))
            stated |= dict.fromkeys(sorted(both.topics), line)
    name = rng.choice(world.words.shops)
    system = CONTRACT["system"].format(
        name=name,
        tone=rng.choice(world.words.tones),
    )
    near = {key for group in NEAR_TOPICS if group & stated.keys() for key in group}
    silent = {
        key: topic for key, topic in phrases.topics.items() if key not in stated and key not in near
    }
    return Shop(phrases.language, name, system, stated, silent)


def numbers(rng: random.Random) -> dict[str, str]:
    """Draw a value for each slot that a policy or a passage may have."""
    return {
        "n": str(rng.choice((rng.randint(1, 10), rng.randint(2, 36)))),
        "days": str(rng.choice((1, 2, 3, 5, 7, 10, 14, 15, 20, 30, 45, 60, rng.randint(1, 90)))),
        "amount": str(
            rng.choice((5, 8, 10, 20, 49, 59, 79, 88, 99, 129, 199, 299, rng.randint(1, 999)))
        ),
        "time": f"{rng.randint(6, 23)}:{rng.choice(('00', '30'))}",
    }


def fill(template: str, slots: dict[str, str]) -> str:
    """Put values into a wording's slots; unlike ``str.format``, other braces stay."""
    for key, value in slots.items():
        template = template.replace("{" + key + "}", value)
    return template

"""Invented shops, products and orders: the facts that training dialogues are about.

Every name and number is drawn anew, so that the only way to answer right is to copy.
What customers say about these facts lives in ``dialogues.py``.
"""

from __future__ import annotations

import random
import re
import string
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import yaml

Language = Literal["zh", "en"]

_HAN = re.compile(r"[\u4e00-\u9fff]")
STATUSES = ("awaiting_payment", "processing", "shipped", "delivered", "cancelled", "returned")
_STATUS_WEIGHTS = (18, 16, 32, 18, 8, 8)
_WITH_PARCEL = {"shipped", "delivered", "returned"}


# What product names are measured in: unit, smallest and largest number.
_MEASURES: dict[Language, tuple[tuple[str, int, int], ...]] = {
    "zh": (
        ("寸", 5, 80), ("瓦", 5, 2000), ("毫安", 1000, 40000), ("毫升", 100, 2000), ("升", 1, 60),
        ("米", 1, 20), ("GB", 8, 512), ("TB", 1, 16), ("W", 5, 200), ("K", 1, 8),
    ),
    "en": (
        ("-inch", 5, 80), ("W", 5, 2000), ("mAh", 1000, 40000), ("ml", 100, 2000), ("L", 1, 60),
        ("m", 1, 20), ("GB", 8, 512), ("TB", 1, 16), ("-piece", 2, 50), ("K", 1, 8),
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Words:
    """Vocabulary of one language (``words.yaml``)."""

    modifiers: list[str]
    nouns: list[str]
    suffixes: list[str]
    shops: list[str]
    tones: list[str]
    carriers: list[str]
    cities: list[str]


def load_words(language: Language) -> Words:
    """Read one language's vocabulary."""
    data = yaml.safe_load(Path(__file__).with_name("words.yaml").read_text(encoding="utf-8"))
    return Words(**data[language])


@dataclass(frozen=True)
class Product:
    """A product as ``query_inventory`` answers it; ``price`` is a decimal string."""

    name: str
    shorter: tuple[str, ...]  # without its edition, its first word, or down to its kind
    sku: str
    price: str
    currency: str
    stock: int
    ships_from: str
    warranty_months: int | None

    def result(self) -> dict[str, Any]:
        """Return the tool's result, absent facts left out, keys in the contract's order."""
        facts: dict[str, Any] = {
            "product": self.name,
            "sku": self.sku,
            "price": self.price,
            "currency": self.currency,
            "stock": self.stock,
            "ships_from": self.ships_from,
        }
        if self.warranty_months is not None:
            facts["warranty_months"] = self.warranty_months
        return facts


@dataclass(frozen=True)
class Order:
    """An order as the order tools answer it."""

    order_id: str
    status: str
    carrier: str | None
    tracking_no: str | None
    placed_at: str
    updated_at: str
    items: list[dict[str, Any]] = field(default_factory=list)

    def result(self) -> dict[str, Any]:
        """Return ``query_order_status``'s result."""
        facts: dict[str, Any] = {"order_id": self.order_id, "status": self.status}
        if self.carrier:
            facts["carrier"] = self.carrier
        if self.tracking_no:
            facts["tracking_no"] = self.tracking_no
        return facts | {"updated_at": self.updated_at, "items": self.items}

    def entry(self) -> dict[str, Any]:
        """Return this order's entry in ``list_recent_orders``'s result."""
        return {
            "order_id": self.order_id,
            "status": self.status,
            "placed_at": self.placed_at,
            "items": self.items,
        }


class World:
    """Draws facts in one language from a random source of its own."""

    def __init__(self, language: Language, rng: random.Random, avoid: frozenset[str]) -> None:
        """``avoid`` holds casefolded names that must not be drawn (the sample shop's)."""
        self.language = language
        self.rng = rng
        self.words = load_words(language)
        self._avoid = avoid
        self._characters = sorted(set(_HAN.findall("".join(self.words.nouns))))

    def product_name(self) -> str:
        """Draw a name such as 便携蓝牙音箱X2 or ``Slim Leather Wallet Pro``."""
        return self._named()[0]

    def _named(self) -> tuple[str, tuple[str, ...]]:
        """Draw a name, and the shorter forms of it that people say."""
        rng, words = self.rng, self.words
        gap = " " if self.language == "en" else ""
        while True:
            count = rng.choices((0, 1, 2), (12, 55, 33))[0]
            # A word that nobody has seen can only be copied, letter by letter.
            noun = self._coined() if rng.random() < 0.15 else rng.choice(words.nouns)
            parts = [*rng.sample(words.modifiers, count), noun]
            suffix = self._suffix() if rng.random() < 0.5 or count == 0 else ""
            if rng.random() < 0.15:
                parts.insert(0, self._measure())
            if self.language == "zh" and rng.random() < 0.06:
                parts.insert(0, self.brand())
            full = [*parts, suffix] if suffix else parts
            shorter = [gap.join(parts)] if suffix else []
            if len(parts) > 1:
                shorter.append(gap.join(full[1:]))
                shorter.append(noun if self.language == "zh" or noun.endswith("s") else f"{noun}s")
            name = gap.join(full)
            if name.casefold() not in self._avoid:
                return name, tuple(shorter)

    def _suffix(self) -> str:
        rng = self.rng
        if rng.random() < 0.6:
            return rng.choice(self.words.suffixes)
        return rng.choice(string.ascii_uppercase) + "".join(
            rng.choices(string.digits, k=rng.randint(1, 4))
        )

    def sibling(self, name: str) -> str:
        """Draw another edition of a product."""
        gap = "" if self.language == "zh" else " "
        return name + gap + self.rng.choice(self.words.suffixes)

    def _measure(self) -> str:
        rng = self.rng
        unit, low, high = rng.choice(_MEASURES[self.language])
        number = rng.randint(low, high)
        return f"{number // 1000 * 1000 if number > 3000 else number}{unit}"

    def _coined(self) -> str:
        """Make up a noun."""
        if self.language == "en":
            return self.brand()
        return "".join(self.rng.choices(self._characters, k=self.rng.randint(2, 4)))

    def brand(self) -> str:
        """Draw a made-up Latin brand name."""
        vowels, consonants = "aeiou", "bcdfghklmnprstvz"
        syllables = (
            self.rng.choice(consonants) + self.rng.choice(vowels)
            for _ in range(self.rng.randint(2, 3))
        )
        return "".join(syllables).capitalize()

    def sku(self) -> str:
        """Draw a stock-keeping code such as ``KB-204`` or ``MNT-PRO-008``."""
        rng = self.rng
        letters = "".join(rng.choices(string.ascii_uppercase, k=rng.randint(2, 4)))
        digits = "".join(rng.choices(string.digits, k=rng.randint(2, 5)))
        middle = rng.choice(("", "-PRO", "-S", "-MAX", "-A1", "-BT"))
        return rng.choice((f"{letters}{middle}-{digits}", f"{letters}-{digits}", letters + digits))

    def price(self) -> str:
        """Draw a price: a decimal string with two places, spread over magnitudes."""
        rng = self.rng
        whole = rng.choice(
            (
                rng.randint(1, 99),
                rng.randint(100, 999),
                rng.randint(100, 999),
                rng.randint(1000, 9999),
            )
        )
        if rng.random() < 0.3:
            whole = whole // 10 * 10 + 9
        cents = rng.choices(("00", f"{rng.randint(0, 99):02d}", "90", "50"), (55, 25, 12, 8))[0]
        return f"{whole}.{cents}"

    def product(self, name: str | None = None) -> Product:
        """Draw a product, of the given name if there is one."""
        rng = self.rng
        named = (name, ()) if name else self._named()
        currency = "CNY"
        if self.language == "en" and rng.random() < 0.3:
            currency = rng.choice(("USD", "EUR", "GBP"))
        stock = rng.choice((rng.randint(1, 40), rng.randint(1, 400), rng.randint(20, 3000)))
        return Product(
            name=named[0],
            shorter=named[1],
            sku=self.sku(),
            price=self.price(),
            currency=currency,
            stock=0 if rng.random() < 0.22 else stock,
            ships_from=rng.choice(self.words.cities),
            warranty_months=None
            if rng.random() < 0.12
            else rng.choice((3, 6, 12, 12, 18, 24, 24, 36, 60, rng.randint(1, 72))),
        )

    def order_id(self) -> str:
        """Draw an order number."""
        return self._numbered(self._time(), self._numbering())

    def _numbering(self) -> int:
        return self.rng.choices(range(5), (44, 18, 12, 8, 18))[0]

    def _numbered(self, placed: datetime, numbering: int) -> str:
        """Draw the number of an order placed then; shops number in many ways."""
        rng = self.rng
        day = placed.strftime("%Y%m%d")
        digits = "".join(rng.choices(string.digits, k=rng.randint(5, 14)))
        letters = "".join(rng.choices(string.ascii_uppercase, k=rng.randint(1, 4)))
        return (
            f"ORD{day}{rng.randint(0, 999):03d}",
            f"{letters}{digits}",
            f"{digits}{rng.randint(100, 999)}",
            f"{letters}-{day}-{rng.randint(1, 9999):04d}",
            f"{letters}{day}{rng.randint(0, 999):03d}",
        )[numbering]

    def tracking_no(self) -> str:
        """Draw a parcel number."""
        rng = self.rng
        prefix = rng.choice(("SF", "YT", "ZT", "JD", "JT", "STO", "1Z", "EA", "LX", ""))
        suffix = rng.choice(("CN", "", "", "GB"))
        return prefix + "".join(rng.choices(string.digits, k=rng.randint(9, 13))) + suffix

    def _time(self) -> datetime:
        return datetime(2023, 1, 1, tzinfo=UTC) + timedelta(
            minutes=self.rng.randrange(60 * 24 * 365 * 4)
        )

    def items(self) -> list[dict[str, Any]]:
        """Draw one to three order lines."""
        count = self.rng.choices((1, 2, 3), (68, 25, 7))[0]
        return [
            {"name": self.product_name(), "quantity": self.rng.choice((1, 1, 1, 1, 2, 3, 5))}
            for _ in range(count)
        ]

    def order(self) -> Order:
        """Draw an order."""
        return self._placed(self._time(), self._numbering())

    def _placed(self, placed: datetime, numbering: int) -> Order:
        """Draw an order placed then; a parcel's facts are there only when there is a parcel."""
        rng = self.rng
        status = rng.choices(STATUSES, _STATUS_WEIGHTS)[0]
        parcel = status in _WITH_PARCEL and rng.random() < 0.96
        return Order(
            order_id=self._numbered(placed, numbering),
            status=status,
            carrier=rng.choice(self.words.carriers) if parcel else None,
            tracking_no=self.tracking_no() if parcel else None,
            placed_at=_stamp(placed),
            updated_at=_stamp(placed + timedelta(minutes=rng.randrange(60 * 24 * 9))),
            items=self.items(),
        )

    def orders(self) -> list[Order]:
        """Draw a customer's recent orders, newest first, at most five, numbered by one shop."""
        newest, numbering = self._time(), self._numbering()
        count = self.rng.choices((0, 1, 2, 3, 4, 5), (4, 16, 18, 18, 20, 24))[0]
        # Orders of one day have nearly one number, and are told apart by its end alone.
        days = self.rng.choice((1, 5, 30, 30, 90, 90))
        drawn = (
            self._placed(newest - timedelta(minutes=self.rng.randrange(60 * 24 * days)), numbering)
            for _ in range(count)
        )
        return sorted(drawn, key=lambda order: order.placed_at, reverse=True)


def _stamp(when: datetime) -> str:
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")

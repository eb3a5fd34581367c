"""How a customer types: wordings dressed up, names shortened, numbers in many shapes."""

from __future__ import annotations

import re

from services.inference.demo.phrases import Phrases, Topic, mistype, roughen
from services.inference.demo.shops import fill
from services.inference.demo.world import Product, World

_FULL_WIDTH = {code: code + 0xFEE0 for code in range(0x21, 0x7F)}
_LATIN_TAIL = re.compile(r"([\u4e00-\u9fff])([A-Za-z0-9]+)$")


class Customer:
    """Words what is asked, in one language and split."""

    def __init__(self, phrases: Phrases, world: World) -> None:
        self.phrases = phrases
        self.rng = world.rng
        self.language = phrases.language

    def line(self, intent: str, **slots: str) -> str:
        """Word ``intent`` with its slots filled."""
        template = roughen(self.phrases.pick(intent, self.rng), self.language, self.rng)
        return fill(template, slots)

    def ask(self, intent: str, **slots: str) -> str:
        """Word ``intent``, with or without talk around it."""
        return self.dress(self.line(intent, **slots))

    def dress(self, text: str) -> str:
        """Put small talk and back-story around a question, as people do."""
        rng = self.rng
        if rng.random() < 0.16:
            text = self._before(self.line("preamble")) + text
        if rng.random() < 0.16:
            text = self._before(self.line("opener")) + text
        if rng.random() < 0.12:
            text = self._before(text) + self.line("closer")
        return text

    def _before(self, text: str) -> str:
        """End a piece so that another can follow; people forget the stop but leave some gap."""
        text = text.rstrip()
        if self.language == "en":
            return text + (self.rng.choice((" ", ". ", ", ")) if text[-1].isalnum() else " ")
        return text + (self.rng.choice(("，", "，", " ", "。")) if text[-1].isalnum() else "")

    def mention(self, product: Product) -> str:
        """Name a product as a customer would; the call's argument is the same characters."""
        if self.rng.random() < 0.07:
            return product.sku if self.rng.random() < 0.7 else product.sku.lower()
        return self.name(product)

    def name(self, product: Product) -> str:
        """Name a product by words."""
        rng, name = self.rng, product.name
        if product.shorter and rng.random() < 0.2:
            name = rng.choice(product.shorter)
        if self.language == "en":
            if rng.random() < 0.45:
                name = name.lower()
            return mistype(name, rng) if rng.random() < 0.07 else name
        if rng.random() < 0.12:
            name = name.lower()
        if rng.random() < 0.08:
            name = _LATIN_TAIL.sub(r"\1 \2", name)
        return name

    def part(self, name: str, among: list[str]) -> str:
        """Name what was bought by a part of its name, if that tells it from the other orders."""
        rng = self.rng
        pieces = name.split() if self.language == "en" else list(name)
        first, size = rng.randrange(len(pieces)), rng.randint(1, 2) * (2 - (self.language == "en"))
        part = ("" if self.language == "zh" else " ").join(pieces[first : first + size])
        if len(part) < 2 or sum(part in items for items in among) != 1 or rng.random() < 0.4:
            part = name
        return part.lower() if rng.random() < 0.5 else part

    def number(self, order_id: str) -> str:
        """Type an order number as a customer would."""
        rng, draw = self.rng, self.rng.random()
        if draw < 0.14:
            return order_id.lower()
        if draw < 0.2 and order_id[:3].isalpha():
            return f"{order_id[:3]} {order_id[3:]}"
        if draw < 0.24 and len(order_id) > 10:
            cut = rng.randint(4, len(order_id) - 4)
            return f"{order_id[:cut]}{rng.choice((' ', '-'))}{order_id[cut:]}"
        if draw < 0.255:
            return order_id.translate(_FULL_WIDTH)
        return order_id

    def question(self, topic: Topic) -> str:
        """Ask for a policy."""
        return roughen(self.rng.choice(topic.questions), self.language, self.rng)

    def ask_policy(self, topic: Topic) -> str:
        """Ask for a policy, with or without talk around it."""
        return self.dress(self.question(topic))

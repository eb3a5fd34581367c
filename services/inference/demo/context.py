"""Passages beside a question, as the gateway's retrieval hands them over: some fit, some do not."""

from __future__ import annotations

import random
from collections.abc import Iterable

from services.inference.demo.phrases import Phrases
from services.inference.demo.shops import NEAR_TOPICS, Shop

_SETTINGS = {"zh": "店铺政策", "en": "Shop policies"}
"""The title of what a shop's settings state, where it has no documents."""


class Retrieval:
    """Draws passages of a shop for a question."""

    def __init__(self, phrases: Phrases, rng: random.Random) -> None:
        self._phrases = phrases
        self._rng = rng

    def relevant(self, shop: Shop, keys: Iterable[str]) -> list[str]:
        """Return passages among which those stand that state ``keys``."""
        rng, wanted = self._rng, list(dict.fromkeys(keys))
        if rng.random() < 0.08:
            return self._all(shop)
        found = [self._passage(shop, key, without=frozenset()) for key in wanted]
        others = self._others(shop, frozenset(wanted), rng.choice((0, 1, 2, 2, 3)))
        if rng.random() < 0.6:
            return found + others
        mixed = found + others
        rng.shuffle(mixed)
        return mixed

    def irrelevant(self, shop: Shop, near: str = "") -> list[str]:
        """Return up to three passages that do not answer; those near a topic come first."""
        if self._rng.random() < 0.08:
            return self._all(shop)
        avoid = frozenset({near} if near else ())
        return self._others(shop, avoid, self._rng.choice((0, 1, 1, 2, 3)))

    def _others(self, shop: Shop, avoid: frozenset[str], count: int) -> list[str]:
        rng = self._rng
        near = {key for group in NEAR_TOPICS if group & avoid for key in group}
        keys = [key for key in shop.stated if key not in avoid]
        # What a search by meaning returns beside the right passage is mostly about its neighbours.
        keys.sort(key=lambda key: (key not in near) + rng.random())
        texts = {shop.stated[key] for key in avoid if key in shop.stated}
        keys = [key for key in keys if shop.stated[key] not in texts]
        return [self._passage(shop, key, without=avoid) for key in keys[:count]]

    def _passage(self, shop: Shop, key: str, without: frozenset[str]) -> str:
        """Return a section that states ``key``, alone or with its neighbours."""
        rng, lines = self._rng, [shop.stated[key]]
        texts = {shop.stated[other] for other in without if other in shop.stated}
        for group in NEAR_TOPICS:
            if key in group:
                lines += [
                    shop.stated[other]
                    for other in sorted(group)
                    if other in shop.stated and rng.random() < 0.5
                ]
        if rng.random() < 0.15:
            lines.append(shop.stated[rng.choice(list(shop.stated))])
        lines = [line for line in dict.fromkeys(lines) if line not in texts][:4]
        rng.shuffle(lines)
        joined = ("" if shop.language == "zh" else " ").join(lines)
        return f"[{rng.choice(self._phrases.headings[key])}] {joined}"

    def _all(self, shop: Shop) -> list[str]:
        """Return all that is stated, a line each: what is handed over when nothing can be found."""
        return [
            f"[{_SETTINGS[shop.language]}] {line}" for line in dict.fromkeys(shop.stated.values())
        ]


def with_context(passages: list[str], question: str) -> str:
    """Return a user's message with passages before it, as the gateway writes it."""
    if not passages:
        return question
    return "<context>\n" + "\n".join(passages) + f"\n</context>\n{question}"

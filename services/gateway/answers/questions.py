"""A question as the cache knows it: what it means, and its folded text; hot ones are remembered."""

import hashlib
from collections import OrderedDict
from dataclasses import dataclass

from services.gateway.answers.signature import read
from services.gateway.answers.vocabulary import ProductWords
from services.gateway.identity.shops import Language

REMEMBERED = 2000
"""Of each shop."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is compared of a question.

    Attributes:
        said: names the question in just these words (fillers, case, width and signs aside).
        meant: names it in whatever words.
    """

    said: str
    meant: str


@dataclass(slots=True)
class _Shop:
    words: ProductWords
    known: OrderedDict[tuple[Language, str, str], Question | None]


class Questions:
    """Reads questions; hot ones are read once for each catalogue."""

    def __init__(self) -> None:
        self._shops: dict[str, _Shop] = {}

    def read(
        self, shop: str, language: Language, profile: str, text: str, words: ProductWords
    ) -> Question | None:
        """Return what is compared of a question; None where it does not stand on its own."""
        held = self._shops.get(shop)
        if held is None or held.words is not words:
            held = self._shops[shop] = _Shop(words, OrderedDict())
        asked = (language, profile, text)
        if asked in held.known:
            held.known.move_to_end(asked)
            return held.known[asked]
        found = read(text, language, words)
        question = None
        if found is not None:
            meant = f"{language}\n{profile}\n{found.signature.hash}"
            question = Question(_hash(f"{meant}\n{found.folded}"), _hash(meant))
        held.known[asked] = question
        if len(held.known) > REMEMBERED:
            held.known.popitem(last=False)
        return question


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]

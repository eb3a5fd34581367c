"""What the customer asked last: read once, and only as far as an answer's check needs it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property

from services.gateway.assistant.grounding.claims import Claim, numeric_claims
from services.gateway.assistant.grounding.evidence import Subject
from services.gateway.assistant.grounding.names import Mention, Names
from services.gateway.assistant.grounding.rules import (
    OF_ONE_CLAUSE,
    Clause,
    clause_of,
    conditions_of,
)
from services.gateway.assistant.grounding.vocabulary import Word
from services.gateway.assistant.grounding.vocabulary import words as read_words

_NAMED = re.compile(r"\s*(?:of (?:the |these |those )?|\w+ )?\0")
_READ_CHARS = 2000
"""How much of it, from the end, is searched for names and numbers."""


@dataclass(frozen=True)
class Question:
    """The customer's words, folded."""

    text: str
    known: Names

    @cached_property
    def words(self) -> tuple[Word, ...]:
        """Those that are not neutral."""
        return tuple(read_words(self.text))

    @cached_property
    def names(self) -> frozenset[str]:
        """The matters that they may stand for."""
        return frozenset(name for word in self.words for name in word.names)

    @cached_property
    def clause(self) -> Clause:
        """What they say of a rule."""
        return clause_of(self.text, {})

    @cached_property
    def numbers(self) -> tuple[Claim, ...]:
        """The numbers in them that are no part of a name."""
        return tuple(numeric_claims(self._without_names))

    @cached_property
    def conditions(self) -> Mapping[str, bool]:
        """The conditions that they name, and that hold for an answer."""
        found = conditions_of(self._without_names)
        return {name: value for name, value in found.items() if name not in OF_ONE_CLAUSE}

    @cached_property
    def wanted(self) -> frozenset[Decimal]:
        """How many pieces they ask for."""
        text = self._without_names
        counted = (
            c
            for c in self.numbers
            if c.kind == "quantity"
            or (c.kind == "number" and _NAMED.match(text, c.at + len(c.text)))
        )
        return frozenset(n for claim in counted for n in claim.numbers)

    @property
    def products(self) -> list[Subject]:
        """Which of the products that tools found they name."""
        mentions, _ = self._found
        return [s for mention in mentions for s in mention.subjects if s.kind == "product"]

    @property
    def _without_names(self) -> str:
        return self._found[1]

    @cached_property
    def _found(self) -> tuple[list[Mention], str]:
        return self.known.find(self.text[-_READ_CHARS:])

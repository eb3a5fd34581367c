"""A shop's policies from its settings, searched as its documents are, but in this process."""

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np

from services.gateway.embedder import EmbedderAwayError
from services.gateway.identity.shops import Language
from services.gateway.knowledge.loader import Vectors
from services.gateway.knowledge.search import Candidate
from services.gateway.knowledge.words import asked_words, words_of

SETTINGS = "settings"
"""What stands for a document's path in passages made of policies."""
_TITLE: dict[Language, str] = {"zh": "店铺政策", "en": "Shop policies"}
"""As the demonstration model has learnt it."""
_TIMEOUT_S = 2.0
_K1, _B = 1.2, 0.75
"""BM25's usual constants; the search module has the same."""


class Policies:
    """Scores sentences; their vectors are kept per model and list of sentences.

    Args:
        embedder: gives vectors; None: there are none.
    """

    def __init__(self, embedder: Vectors | None) -> None:
        self._embedder = embedder
        self._vectors: dict[tuple[str, ...], list[bytes]] = {}

    async def candidates(
        self,
        language: Language,
        question: str,
        vector: bytes | None,
        policies: tuple[str, ...],
    ) -> list[Candidate] | None:
        """Return all policies with their scores for a question; None where there are no vectors.

        Args:
            language: of question and policies.
            question: its text.
            vector: of the question; None: there is none.
            policies: complete sentences.
        """
        known = None if vector is None else await self._known(policies)
        if vector is None or known is None:
            return None
        found = candidates_of(language, policies)
        numbers = np.frombuffer(vector, "<f4")
        scores = _by_words(language, question, policies)
        for one, score, row in zip(found, scores, known, strict=True):
            one.words, one.meaning = score, float(np.frombuffer(row, "<f4") @ numbers)
        return found

    async def _known(self, policies: tuple[str, ...]) -> list[bytes] | None:
        """Return the sentences' vectors; None while the embedder is away."""
        if not policies:
            return []
        if policies not in self._vectors and self._embedder is not None:
            try:
                self._vectors[policies] = await self._embedder.embed(policies, _TIMEOUT_S)
            except EmbedderAwayError:
                return None
        return self._vectors.get(policies)


def candidates_of(language: Language, policies: Sequence[str]) -> list[Candidate]:
    """Return policies as sections of one page."""
    return [
        Candidate(f"{SETTINGS}:{place}", SETTINGS, _TITLE[language], "", text, len(policies))
        for place, text in enumerate(policies)
    ]


def _by_words(language: Language, question: str, policies: Sequence[str]) -> list[float]:
    counts = [Counter(words_of(text)) for text in policies]
    usual = sum(sum(count.values()) for count in counts) / max(len(counts), 1)
    scores = [0.0] * len(counts)
    for word in asked_words(question, language):
        holders = sum(word in count for count in counts)
        weight = math.log(1 + (len(counts) - holders + 0.5) / (holders + 0.5))
        for place, count in enumerate(counts):
            if often := count[word]:
                length = 1 - _B + _B * sum(count.values()) / usual
                scores[place] += weight * often * (_K1 + 1) / (often + _K1 * length)
    return scores

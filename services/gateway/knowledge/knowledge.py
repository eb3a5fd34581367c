"""What a shop's documents and policies say to a question: the port of this room.

Never raises over Redis or the embedder: without documents there are policies, and where nothing
can be searched, all of the policies.
"""

import asyncio
from collections.abc import Callable
from datetime import date

import msgspec
import redis.asyncio as aioredis
from redis.exceptions import RedisError

from services.gateway.identity.shops import Language
from services.gateway.knowledge.index import Version, pointer_key
from services.gateway.knowledge.loader import Vectors
from services.gateway.knowledge.policies import SETTINGS, Policies, candidates_of
from services.gateway.knowledge.ranking import (
    BUDGET_CHARS,
    Scored,
    best,
    passages,
    scale_of,
    wide_page,
    widened,
)
from services.gateway.knowledge.search import Candidate, candidates, index_of, neighbours
from services.gateway.knowledge.types import Passage
from services.gateway.knowledge.words import asked_words
from services.gateway.sessions.circuit import Circuit

TIMEOUT_S = 1.0
"""A search takes milliseconds; an answer goes on without documents rather than wait longer."""
_PAUSE_S = 2.0
_LEAST_SECTION_CHARS = 40
"""Sections are hardly shorter: so many fit a budget at most."""


class Knowledge:
    """Finds passages.

    Args:
        client: of Redis.
        embedder: whose model made the questions' vectors; None: there is none.
        warn: called with an event name and fields when documents cannot be searched.
        synonyms: whether what shops call things is looked for too; off to measure without.
    """

    def __init__(
        self,
        client: aioredis.Redis,
        embedder: Vectors | None,
        warn: Callable[..., object],
        *,
        synonyms: bool = True,
    ) -> None:
        self._client = client
        self._model = embedder.model if embedder else ""
        self._policies = Policies(embedder)
        self._warn = warn
        self._synonyms = synonyms
        self._circuit = Circuit(_PAUSE_S)
        self._told: set[str] = set()

    async def find(
        self,
        shop: str,
        language: Language,
        question: str,
        vector: bytes | None,
        today: date,
        *,
        policies: tuple[str, ...] = (),
        budget_chars: int = BUDGET_CHARS,
    ) -> tuple[Passage, ...]:
        """Return what may answer a question, best first; nothing where nothing does.

        Args:
            shop: whose documents.
            language: the customer's; documents in another one are not looked at.
            question: its text.
            vector: of the question, 32-bit, of length 1; None: search by words only.
            today: the day at the shop: what has ended or not begun is never returned.
            policies: the shop's, in this language.
            budget_chars: most characters of all passages, headings included.
        """
        chunks = await self._documents(shop, language, question, vector, today) or []
        if chunks and not any(one.meaning for one in chunks):
            vector = None  # the documents' are of another model
        rules = await self._policies.candidates(language, question, vector, policies)
        scale = scale_of(self._model, vectors=vector is not None)
        chosen = best([*chunks, *(rules or ())], scale, budget_chars)
        if rules is None:
            # A few shared words are no safe way to tell which policy is meant: all of them.
            chosen += [(0.0, one) for one in candidates_of(language, policies)]
        chosen = _without_echoes(chosen)
        one = wide_page(question, language, chosen)
        if one is None or one.page == SETTINGS:
            return passages(chosen)
        return widened(chosen, await self._around(one, budget_chars), one, budget_chars)

    async def _documents(
        self, shop: str, language: Language, question: str, vector: bytes | None, today: date
    ) -> list[Candidate] | None:
        """Return the documents' candidates; None where they cannot be searched."""
        if not self._circuit.allows():
            return None
        try:
            async with asyncio.timeout(TIMEOUT_S):
                found = await self._client.get(pointer_key(shop))
                if found is None:
                    self._circuit.worked()
                    return []
                version = msgspec.json.decode(found, type=Version)
                if version.model != self._model:
                    self._tell_foreign(shop, version)
                    vector = None
                common = frozenset(version.common)
                asked = asked_words(question, language, synonyms=self._synonyms)
                words = [word for word in asked if word not in common]
                index = index_of(shop, version.id)
                chunks = await candidates(self._client, index, language, words, vector, today)
        except (RedisError, OSError, TimeoutError, msgspec.MsgspecError) as exc:
            self._circuit.failed()
            self._once("knowledge_away", shop=shop, cause=f"{type(exc).__name__}: {exc}")
            return None
        self._circuit.worked()
        self._told.discard("knowledge_away")
        return chunks

    def _tell_foreign(self, shop: str, version: Version) -> None:
        """Say once that the documents' vectors are of another model, so that words must do."""
        self._once(
            "knowledge_of_another_model",
            shop=shop,
            loaded_with=version.model,
            asked_with=self._model,
            effect="documents match by words only; load them again",
        )

    async def _around(self, one: Candidate, budget_chars: int) -> list[Candidate]:
        """Return as much of a chunk's page as may fit a budget; nothing where Redis is away."""
        try:
            async with asyncio.timeout(TIMEOUT_S):
                return await neighbours(self._client, one, budget_chars // _LEAST_SECTION_CHARS)
        except (RedisError, OSError, TimeoutError):
            return []

    def _once(self, event: str, **fields: object) -> None:
        """Log an event, once until it is over."""
        if event not in self._told:
            self._told.add(event)
            self._warn(event, **fields)


def _without_echoes(chosen: list[Scored]) -> list[Scored]:
    """Leave out policies that a chosen section says in the same words."""
    said = [one.text for _, one in chosen if one.page != SETTINGS]
    return [
        (score, one)
        for score, one in chosen
        if one.page != SETTINGS or not any(one.text in text for text in said)
    ]

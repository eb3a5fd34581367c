"""Searches a version of a shop's knowledge: by words and by meaning, in one round trip.

Gives candidates with both scores; which of them answer a question is `ranking`'s to say.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import redis.asyncio as aioredis
from redisvl.query.filter import (  # type: ignore[import-untyped]
    FilterExpression,
    Num,
    Tag,
)

from services.gateway.identity.shops import Language
from services.gateway.knowledge.documents import HEADING_SEPARATOR
from services.gateway.knowledge.index import prefix, words_field

CANDIDATES = 40
"""How many each of the two searches gives; with more, no more was found."""
_FIELDS = ("document", "title", "heading", "text", "chunks", "vector", "valid_from", "valid_until")
_RETURN = ("RETURN", len(_FIELDS), *_FIELDS, "LIMIT", 0, CANDIDATES, "DIALECT", 2)


@dataclass(slots=True)
class Candidate:
    """A chunk that may answer.

    Attributes:
        key: in Redis; the document's number and the chunk's place end it.
        chunks: how many its document has.
        words: its score by words (BM25), 0 where it is not among the best by words.
        meaning: cosine of its vector with the question's; 0 where the question has none.
    """

    key: str
    document: str
    title: str
    heading: str
    text: str
    chunks: int = 1
    words: float = 0.0
    meaning: float = 0.0

    @property
    def page(self) -> str:
        """Its document's part of the key."""
        return self.key.rpartition(":")[0]

    @property
    def order(self) -> int:
        """Its place in the document, from 0."""
        return int(self.key.rpartition(":")[2])

    @property
    def parent(self) -> str:
        """The heading over its own."""
        return self.heading.rpartition(HEADING_SEPARATOR)[0]


async def candidates(
    client: aioredis.Redis,
    index: str,
    language: Language,
    words: Sequence[str],
    vector: bytes | None,
    today: date,
) -> list[Candidate]:
    """Return chunks in the customer's language that hold today.

    Args:
        client: of Redis.
        index: of the version that is read.
        language: of the question.
        words: to look for.
        vector: of the question by the version's model, 32-bit; None: words only.
        today: the day at the shop.

    Raises:
        RedisError: it cannot search.
    """
    pipe = client.pipeline(transaction=False)
    question = None if vector is None else np.frombuffer(vector, "<f4")
    if words:
        by_words = ("SCORER", "BM25STD", "WITHSCORES")
        query = f"@{words_field(language)}:({'|'.join(words)})"
        pipe.execute_command("FT.SEARCH", index, query, *by_words, *_RETURN)
    if question is not None:
        query = f"({_held(language, today)})=>[KNN {CANDIDATES} @vector $vector AS distance]"
        params = ("PARAMS", 2, "vector", question.astype("<f2").tobytes())
        pipe.execute_command("FT.SEARCH", index, query, *params, "SORTBY", "distance", *_RETURN)
    found: dict[str, Candidate] = {}
    for reply in await pipe.execute():
        # The search by words has no filter, which would spoil its scores.
        for candidate in _read(reply, question, today.toordinal()):
            known = found.setdefault(candidate.key, candidate)
            known.words = max(known.words, candidate.words)
    return list(found.values())


async def neighbours(client: aioredis.Redis, one: Candidate, reach: int) -> list[Candidate]:
    """Return the chunks of a candidate's document up to `reach` places before and after it.

    Raises:
        RedisError: Redis is away.
    """
    places = range(max(one.order - reach, 0), min(one.order + reach + 1, one.chunks))
    keys = [f"{one.page}:{place}" for place in places]
    pipe = client.pipeline(transaction=False)
    for key in keys:
        pipe.hmget(key, ["heading", "text"])
    rows = await pipe.execute()
    return [
        Candidate(key, one.document, one.title, heading.decode(), text.decode(), one.chunks)
        for key, (heading, text) in zip(keys, rows, strict=True)
        if heading is not None and text is not None
    ]


def index_of(shop: str, version: str) -> str:
    """Return the name of a version's index."""
    return prefix(shop, version)


def _held(language: Language, today: date) -> FilterExpression:
    day = today.toordinal()
    return (Tag("language") == language) & (Num("valid_from") <= day) & (Num("valid_until") >= day)


def _read(
    reply: Mapping[bytes, Any],
    question: "np.ndarray[Any, np.dtype[np.float32]] | None",
    day: int,
) -> Iterable[Candidate]:
    """Yield the candidates of a reply of FT.SEARCH (RESP3) that hold on a day."""
    for row in reply[b"results"]:
        fields = row[b"extra_attributes"]
        if b"text" not in fields:
            continue  # removed between the search and its reading
        if not int(fields[b"valid_from"]) <= day <= int(fields[b"valid_until"]):
            continue
        meaning = 0.0
        if question is not None:
            meaning = float(np.frombuffer(fields[b"vector"], "<f2").astype("<f4") @ question)
        yield Candidate(
            key=row[b"id"].decode(),
            document=fields[b"document"].decode(),
            title=fields[b"title"].decode(),
            heading=fields[b"heading"].decode(),
            text=fields[b"text"].decode(),
            chunks=int(fields[b"chunks"]),
            words=float(row.get(b"score", 0.0)),
            meaning=meaning,
        )

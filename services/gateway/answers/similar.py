"""The semantic level: the same question in other words, by redisvl over the search module.

Found are only entries with the question's own signature and epoch; then similarity must agree too.
"""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import msgspec
import redis.asyncio as aioredis
from redis.exceptions import RedisError
from redisvl.exceptions import RedisVLError  # type: ignore[import-untyped]
from redisvl.index import AsyncSearchIndex  # type: ignore[import-untyped]
from redisvl.query import VectorQuery  # type: ignore[import-untyped]
from redisvl.query.filter import Tag  # type: ignore[import-untyped]
from redisvl.schema import IndexSchema  # type: ignore[import-untyped]

from services.gateway.answers import scripts
from services.gateway.answers.types import CachedAnswer
from services.gateway.identity.shops import Language

THRESHOLDS: dict[str, dict[Language, float]] = {
    "use-multilingual-3": {"zh": 0.40, "en": 0.30},
    "multilingual-e5-small-q4": {"zh": 0.85, "en": 0.85},
}
"""Least cosine by model and language; `python -m tests.eval.cache --sweep` shows why these."""
STRICT = 0.95
"""For a model that nobody measured."""
TIMEOUT_S = 1.0
"""A look-up takes under a millisecond; a question goes to the model rather than wait longer."""
_FLOAT_BYTES = 4


@dataclass(frozen=True, slots=True)
class Found:
    """An answer to the same question in other words, and for how many more ms it is good."""

    answer: CachedAnswer
    until_ms: float


class Similar:
    """Finds entries by meaning.

    Args:
        client: of Redis.
        model: the embedder's name; vectors of another are never compared with its own.
        log: called with an event name and fields.
    """

    def __init__(self, client: aioredis.Redis, model: str, log: Callable[..., object]) -> None:
        self._client = client
        self._log = log
        self._thresholds = THRESHOLDS.get(model, {"zh": STRICT, "en": STRICT})
        self._field = "vector_" + re.sub(r"\W", "_", model)
        self._indexes: dict[tuple[str, int], AsyncSearchIndex] = {}
        self._absent = False

    def fields(self, tag: str, vector: bytes | None) -> list[str | bytes]:
        """Return what an entry is found by, as fields and values of its hash."""
        return ["tag", tag] if vector is None else ["tag", tag, self._field, vector]

    async def find(
        self, shop: str, language: Language, tag: str, epoch: str, vector: bytes
    ) -> Found | None:
        """Return the most similar answer of a signature, where it is similar enough.

        None, too, where Redis cannot search; the log says so once.
        """
        try:
            async with asyncio.timeout(TIMEOUT_S):
                rows = await self._nearest(shop, tag, epoch, vector)
        except (RedisError, RedisVLError, OSError, TimeoutError) as exc:
            self._note(shop, len(vector) // _FLOAT_BYTES, exc)
            return None
        self._absent = False
        if not rows or 1.0 - float(rows[0]["vector_distance"]) < self._thresholds[language]:
            return None
        if "answer" not in rows[0]:
            return None  # it ended between the search and its reading
        answer = msgspec.json.decode(rows[0]["answer"], type=CachedAnswer)
        return Found(answer, float(rows[0]["until"]))

    async def _nearest(
        self, shop: str, tag: str, epoch: str, vector: bytes
    ) -> list[dict[str, Any]]:
        index = await self._index(shop, len(vector) // _FLOAT_BYTES)
        query = VectorQuery(
            vector=vector,
            vector_field_name=self._field,
            return_fields=["answer", "until"],
            filter_expression=(Tag("tag") == tag) & (Tag("epoch") == epoch),
            num_results=1,
            dtype="float32",
        )
        return cast("list[dict[str, Any]]", await index.query(query))

    async def _index(self, shop: str, dimensions: int) -> AsyncSearchIndex:
        known = self._indexes.get((shop, dimensions))
        if known is not None:
            return known
        index = AsyncSearchIndex(self._schema(shop, dimensions), redis_client=self._client)
        await index.create(overwrite=False)
        self._indexes[shop, dimensions] = index
        return index

    def _schema(self, shop: str, dimensions: int) -> IndexSchema:
        base = scripts.base(shop)
        vector = {
            "algorithm": "flat",
            "dims": dimensions,
            "distance_metric": "cosine",
            "datatype": "float32",
        }
        return IndexSchema.from_dict(
            {
                "index": {"name": f"{base}:{self._field}", "prefix": f"{base}:entry"},
                "fields": [
                    {"name": "tag", "type": "tag"},
                    {"name": "epoch", "type": "tag"},
                    {"name": self._field, "type": "vector", "attrs": vector},
                ],
            }
        )

    def _note(self, shop: str, dimensions: int, exc: Exception) -> None:
        # A Redis that was started anew has no index: it is made again at the next question.
        self._indexes.pop((shop, dimensions), None)
        if not self._absent:
            self._absent = True
            effect = "only questions in the same words are answered from the cache"
            self._log("answers_not_searchable", cause=f"{type(exc).__name__}: {exc}", effect=effect)

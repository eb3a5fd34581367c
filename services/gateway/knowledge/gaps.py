"""Questions that nothing answered, kept for the shop to see what its documents lack.

Texts come in masked; here they are only kept, for a while, and grouped by likeness.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import redis.asyncio as aioredis
from redis.exceptions import RedisError

from services.gateway.knowledge.index import gaps_key
from services.gateway.knowledge.loader import Vectors

MOST = 5000
"""Questions kept of a shop; the oldest go first."""
TTL_S = 30 * 24 * 3600
"""From the last question that was noted; single ones go when they are that old as well."""
MOST_CHARS = 500
_TIMEOUT_S = 2.0
_ALIKE = {"use-multilingual-3": 0.72, "multilingual-e5-small-q4": 0.92}
"""Cosine from which two questions ask the same."""
_ALIKE_OTHERWISE = 0.75
_EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class Gap:
    """Questions that ask much the same.

    Attributes:
        asked: how often.
        examples: of them, the most typical first, each wording once.
        last_ms: when it was last asked, Unix milliseconds.
    """

    asked: int
    examples: tuple[str, ...]
    last_ms: int


class Gaps:
    """Notes what was asked in vain.

    Args:
        client: of Redis.
        embedder: gives vectors; None: questions are grouped by their wording only.
        warn: called with an event name and fields when one cannot be noted.
    """

    def __init__(
        self, client: aioredis.Redis, embedder: Vectors | None, warn: Callable[..., object]
    ) -> None:
        self._client = client
        self._embedder = embedder
        self._warn = warn

    async def note(self, shop: str, text: str, vector: bytes | None = None) -> None:
        """Keep a question that nothing answered. Never raises: an answer must not fail for it.

        Args:
            shop: who was asked.
            text: of the question, personal data already masked.
            vector: of it, where it is known, 32-bit.
        """
        key, model = gaps_key(shop), self._embedder.model if self._embedder else ""
        fields: dict[Any, Any] = {"text": text[:MOST_CHARS], "model": model}
        if vector is not None:
            fields["vector"] = vector
        try:
            seconds, _ = await self._client.time()
            async with self._client.pipeline(transaction=False) as pipe:
                pipe.xadd(key, fields, maxlen=MOST, approximate=True)
                pipe.xtrim(key, minid=f"{(int(seconds) - TTL_S) * 1000}-0", approximate=True)
                pipe.expire(key, TTL_S)
                await pipe.execute()
        except (RedisError, OSError, TimeoutError) as exc:
            self._warn("gap_not_noted", shop=shop, cause=type(exc).__name__)

    async def clusters(self, shop: str) -> list[Gap]:
        """Return what was asked in vain in the last 30 days, most asked first.

        Raises:
            RedisError: Redis is away.
            EmbedderAwayError: questions without a vector cannot be given one.
        """
        seconds, _ = await self._client.time()
        oldest = f"{(int(seconds) - TTL_S) * 1000}-0"
        entries: Any = await self._client.xrange(gaps_key(shop), oldest, "+")
        texts = [fields[b"text"].decode() for _, fields in entries]
        times = [int(bytes(entry).split(b"-")[0]) for entry, _ in entries]
        if not texts:
            return []
        if self._embedder is None:
            groups = _by_wording(texts)
        else:
            vectors = await self._vectors(texts, [fields for _, fields in entries])
            groups = grouped(vectors, _ALIKE.get(self._embedder.model, _ALIKE_OTHERWISE))
        gaps = [_gap(group, texts, times) for group in groups]
        return sorted(gaps, key=lambda gap: (-gap.asked, -gap.last_ms))

    async def _vectors(
        self, texts: Sequence[str], entries: Sequence[dict[bytes, bytes]]
    ) -> "np.ndarray[tuple[int, int], np.dtype[np.float32]]":
        """Return the questions' vectors; those noted without, or by another model, are made."""
        embedder = self._embedder
        known: dict[str, bytes] = {}
        if embedder is not None:
            for text, fields in zip(texts, entries, strict=True):
                if fields.get(b"model", b"").decode() == embedder.model and b"vector" in fields:
                    known[text] = fields[b"vector"]
            missing = [text for text in dict.fromkeys(texts) if text not in known]
            for start in range(0, len(missing), 64):
                batch = missing[start : start + 64]
                known |= dict(zip(batch, await embedder.embed(batch), strict=True))
        return np.stack([np.frombuffer(known[text], "<f4") for text in texts])


def grouped(
    vectors: "np.ndarray[tuple[int, int], np.dtype[np.float32]]", alike: float
) -> list[list[int]]:
    """Return groups of rows, each row in the group whose middle is nearest, if it is near enough.

    Greedy, in the order of the rows, then each row once more, since middles move.

    Args:
        vectors: a row each, of length 1.
        alike: least cosine of a row with its group's middle.
    """
    sums: list[np.ndarray[tuple[int], np.dtype[np.float32]]] = []
    for row in vectors:
        place = _nearest(row, sums, alike)
        if place is None:
            sums.append(row.copy())
        else:
            sums[place] += row
    groups: list[list[int]] = [[] for _ in sums]
    for number, row in enumerate(vectors):
        place = _nearest(row, sums, -1.0)
        groups[place or 0].append(number)
    return [_typical_first(group, vectors) for group in groups if group]


def _nearest(
    row: "np.ndarray[tuple[int], np.dtype[np.float32]]",
    sums: "list[np.ndarray[tuple[int], np.dtype[np.float32]]]",
    alike: float,
) -> int | None:
    if not sums:
        return None
    middles = np.stack(sums)
    cosines = middles @ row / np.linalg.norm(middles, axis=1)
    place = int(np.argmax(cosines))
    return place if cosines[place] >= alike else None


def _typical_first(
    group: list[int], vectors: "np.ndarray[tuple[int, int], np.dtype[np.float32]]"
) -> list[int]:
    middle = vectors[group].sum(axis=0)
    return sorted(group, key=lambda number: -float(vectors[number] @ middle))


def _by_wording(texts: Sequence[str]) -> list[list[int]]:
    groups: dict[str, list[int]] = {}
    for number, text in enumerate(texts):
        groups.setdefault(" ".join(text.casefold().split()), []).append(number)
    return list(groups.values())


def _gap(group: list[int], texts: Sequence[str], times: Sequence[int]) -> Gap:
    examples = list(dict.fromkeys(texts[number] for number in group))[:_EXAMPLES]
    return Gap(len(group), tuple(examples), max(times[number] for number in group))

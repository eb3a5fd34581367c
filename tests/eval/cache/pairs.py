"""The pairs of questions, and what a cache that holds the first says to the second."""

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from services.gateway.answers.cache import Flight
from services.gateway.answers.similar import THRESHOLDS
from services.gateway.answers.types import Asked, CachedAnswer
from services.gateway.assistant.language import language_of
from services.inference.embedder.models import EmbeddingModel
from tests.support.answers import replica

FOLDER = Path(__file__).parent
MODELS = ("use-multilingual-3", "multilingual-e5-small-q4")


@dataclass(frozen=True, slots=True)
class Pair:
    """Two questions, and whether an answer to one answers the other."""

    id: str
    language: str
    first: str
    second: str
    same: bool
    kind: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a pair.

    Attributes:
        hit: whether the second question was given the first one's answer.
        exact: whether in the same words.
        similarity: cosine of the two.
        cost_ms: CPU and waiting of the second question's look-up, its embedding included.
    """

    pair: Pair
    hit: bool
    exact: bool
    similarity: float
    cost_ms: float


def load_pairs(split: str) -> list[Pair]:
    """Return a split's pairs.

    Raises:
        FileNotFoundError: there is no such split here.
    """
    rows = json.loads((FOLDER / f"{split}.json").read_text("utf-8"))
    return [Pair(**{name: row[name] for name in Pair.__slots__}) for row in rows]


async def play(
    url: str, pairs: Sequence[Pair], model: EmbeddingModel, *, gate_only: bool = False
) -> list[Outcome]:
    """Put each first question into a cache of its own and look the second one up.

    Args:
        url: of a Redis with the search module.
        pairs: to play.
        model: embeds the questions.
        gate_only: whether every similarity is let through, to see what the words decide.
    """
    known = dict(THRESHOLDS.get(model.name, {}))
    if gate_only:
        THRESHOLDS[model.name] = {"zh": -1.0, "en": -1.0}
    try:
        return [outcome for pair in pairs for outcome in [await _play(url, pair, model)]]
    finally:
        THRESHOLDS[model.name] = known


async def _play(url: str, pair: Pair, model: EmbeddingModel) -> Outcome:
    async with replica(url, model=model.name) as here:
        await here.client.flushall()
        here.log.clear()
        await here.catalogues.read("demo")
        first, second = (_asked(text, model) for text in (pair.first, pair.second))
        opened = await here.cache.open(first, 1.0)
        if isinstance(opened, Flight):
            await opened.keep(CachedAnswer("answer"), 600.0)
        here.counts.clear()
        started = time.perf_counter()
        found = await here.cache.open(second, 1.0)
        cost_ms = (time.perf_counter() - started) * 1000
        if isinstance(found, Flight):
            await found.release("eval")
        vectors = model.encode([pair.first, pair.second])
        return Outcome(
            pair,
            isinstance(found, CachedAnswer),
            here.counts == ["exact"],
            float(np.dot(vectors[0], vectors[1])),
            cost_ms,
        )


def _asked(text: str, model: EmbeddingModel) -> Asked:
    async def vector() -> bytes:
        rows = await asyncio.to_thread(model.encode, [text])
        return bytes(rows[0].tobytes())

    return Asked("demo", language_of(text), text, "profile", True, vector)

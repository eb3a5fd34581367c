"""A shop with very many chunks: how long the load takes, how fast a question is, how much memory.

Vectors and words are synthetic: groups of like vectors, words by a falling frequency as in a
language. The embedder's own time is not in it.
"""

import asyncio
import hashlib
import resource
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
from rich.console import Console

from services.gateway.knowledge.documents import Document, Section
from services.gateway.knowledge.knowledge import Knowledge
from services.gateway.knowledge.loader import Loader, Report
from services.gateway.sessions.redis_port import connect
from tests.support.redis_server import RedisServer

DIMENSIONS = 512
GROUPS = 2000
PAGE = 50
"""Chunks of a document."""
HAN = [chr(0x4E00 + place * 7) for place in range(2500)]
ASKED = 300
TODAY = date(2026, 11, 25)


class SyntheticEmbedder:
    """Gives texts of one group like vectors; the group is the number a text begins with."""

    model = "synthetic"

    def __init__(self) -> None:
        self._middles = np.random.default_rng(1).standard_normal((GROUPS, DIMENSIONS), "f4")

    async def embed(self, texts: Sequence[str], timeout_s: float | None = None) -> list[bytes]:
        del timeout_s
        return [self._vector(text).tobytes() for text in texts]

    def _vector(self, text: str) -> "np.ndarray[tuple[int], np.dtype[np.float32]]":
        seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
        group = int(text.split("\n")[-1].split(" ", 1)[0]) % GROUPS
        noise = np.random.default_rng(seed).standard_normal(DIMENSIONS, "f4")
        row = self._middles[group] + 0.8 * noise
        normed: np.ndarray[tuple[int], np.dtype[np.float32]] = row / np.linalg.norm(row)
        return normed.astype("<f4")


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured; times in ms, memory in MB."""

    chunks: int
    load_s: float
    median_ms: float
    p99_ms: float
    during_load_p99_ms: float
    redis_mb: float
    loader_mb: float
    same_group: float
    """Share of questions whose best passage is of their own group."""


def documents(chunks: int) -> Iterator[tuple[Document, int]]:
    """Yield Chinese documents with so many chunks in all."""
    generator = np.random.default_rng(2)
    for first in range(0, chunks, PAGE):
        sections = tuple(
            Section((f"标题{place}",), f"{place} {_text(generator)}")
            for place in range(first, min(first + PAGE, chunks))
        )
        yield Document(f"zh/{first}.md", "zh", f"文档{first}", sections), 1


def _text(generator: np.random.Generator, length: int = 120) -> str:
    places = np.minimum(generator.zipf(1.2, length), len(HAN)) - 1
    return "".join(HAN[place] for place in places)


async def measure(chunks: int) -> Figures:
    """Load so many chunks, over ten that were there before, and ask during and after it."""
    embedder = SyntheticEmbedder()
    with tempfile.TemporaryDirectory() as folder, RedisServer(Path(folder), search=True) as server:
        redis = connect(server.url)
        loader = Loader(redis, embedder, "demo")
        await loader.load_documents(documents(10), Report(), grace_s=0)
        knowledge = Knowledge(redis, embedder, _warn)
        loading = asyncio.create_task(loader.load_documents(documents(chunks), Report(), grace_s=0))
        during = []
        while not loading.done():
            during.append((await _ask(knowledge, embedder, 3))[0])
            await asyncio.sleep(0.02)
        report = await loading
        asked = [await _ask(knowledge, embedder, place) for place in range(ASKED)]
        info = await redis.info("memory")
        await redis.aclose()
    took = sorted(ms for ms, _ in asked)
    return Figures(
        chunks=chunks,
        load_s=report.seconds,
        median_ms=statistics.median(took),
        p99_ms=took[int(len(took) * 0.99)],
        during_load_p99_ms=sorted(during)[int(len(during) * 0.99)],
        redis_mb=info["used_memory_rss"] / 1e6,
        loader_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3,
        same_group=statistics.fmean(same for _, same in asked),
    )


async def _ask(knowledge: Knowledge, embedder: SyntheticEmbedder, group: int) -> tuple[float, bool]:
    question = f"{group} {_text(np.random.default_rng(group), 15)}"
    (vector,) = await embedder.embed([question])
    started = time.perf_counter()
    found = await knowledge.find("demo", "zh", question, vector, TODAY)
    ms = (time.perf_counter() - started) * 1000
    numbers = (
        [int(found[0].text.removeprefix("## ").split("\n")[-1].split(" ")[0])] if found else []
    )
    return ms, [number % GROUPS for number in numbers] == [group]


def _warn(event: str, **fields: object) -> None:
    print(event, fields)


def main(chunks: int, console: Console) -> int:
    """Measure and print; returns 0."""
    console.print(asyncio.run(measure(chunks)))
    return 0

"""Loads the sample documents into a real Redis with a real embedder, and asks."""

import statistics
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from services.gateway.knowledge.knowledge import Knowledge
from services.gateway.knowledge.loader import Loader
from services.gateway.knowledge.types import Passage
from services.gateway.sessions.redis_port import connect
from services.inference.embedder import models
from tests.eval.knowledge.questions import DOCUMENTS, TODAY, Question
from tests.support.local_embedder import LocalEmbedder
from tests.support.redis_server import RedisServer

ENDED = ("2026-05-holiday.md", "2026-06-18-sale.md", "2027-01-new-year.md")
"""Promotions that do not hold on `TODAY`."""


@dataclass(slots=True)
class Asked:
    """A question with what was found for it."""

    question: Question
    passages: tuple[Passage, ...]
    ms: float

    @property
    def right(self) -> bool:
        """Whether a section that answers is there; without such, whether nothing wrong is."""
        if self.question.sections:
            return self.question.found_in(self.passages)
        if self.question.kind == "promotion":
            return not any(passage.document.endswith(ENDED) for passage in self.passages)
        return not self.passages

    @property
    def right_at_3(self) -> bool:
        """Whether it is right by the three best passages."""
        return Asked(self.question, self.passages[:3], self.ms).right


@dataclass(slots=True)
class Measured:
    """One embedder's figures."""

    model: str
    asked: list[Asked] = field(default_factory=list)
    plain: list[Asked] = field(default_factory=list)
    """The same without the list of synonyms."""
    ms_per_chunk: float = 0.0
    ms_per_vector: float = 0.0

    @property
    def recall(self) -> float:
        """Share of the questions with an answer whose answer was among what is returned."""
        return share([one.right for one in self.asked if one.question.sections])


def share(right: list[bool]) -> float:
    """Return the share of those that are right; 1 of none."""
    return statistics.fmean(right) if right else 1.0


async def measure(name: str, questions: list[Question]) -> Measured:
    """Return an embedder's figures over the questions."""
    embedder = LocalEmbedder(models.load(name))
    measured = Measured(name)
    with tempfile.TemporaryDirectory() as folder, RedisServer(Path(folder), search=True) as server:
        redis = connect(server.url)
        report = await Loader(redis, embedder, "demo").load(DOCUMENTS)
        measured.ms_per_chunk = report.seconds * 1000 / report.chunks
        started = time.perf_counter()
        vectors = [await embedder.question(question.text) for question in questions]
        measured.ms_per_vector = (time.perf_counter() - started) * 1000 / len(questions)

        async def ask(knowledge: Knowledge) -> list[Asked]:
            asked = []
            for question, vector in zip(questions, vectors, strict=True):
                before = time.perf_counter()
                passages = await knowledge.find(
                    "demo", question.language, question.text, vector, TODAY
                )
                ms = (time.perf_counter() - before) * 1000
                asked.append(Asked(question, passages, ms))
            return asked

        measured.asked = await ask(Knowledge(redis, embedder, _warn))
        measured.plain = await ask(Knowledge(redis, embedder, _warn, synonyms=False))
        await redis.aclose()
    return measured


def _warn(event: str, **fields: object) -> None:
    print(event, fields)

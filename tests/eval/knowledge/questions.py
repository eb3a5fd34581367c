"""The questions and what counts as found."""

import json
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from services.gateway.identity.shops import Language
from services.gateway.knowledge.documents import HEADING_SEPARATOR
from services.gateway.knowledge.types import Passage

HERE = Path(__file__).parent
"""`development.json` was looked at while search was made; `test.json` is another writer's."""
DOCUMENTS = Path("deploy/local/sample/knowledge")
TODAY = date(2026, 11, 25)
"""The day the questions were written for: promotions of June are over, New Year's has not begun."""


@dataclass(frozen=True, slots=True)
class Question:
    """One question.

    Attributes:
        sections: of which one must be found, as document and innermost heading; none: nothing
            answers it.
    """

    id: str
    language: Language
    kind: str
    text: str
    sections: tuple[tuple[str, str], ...]

    @property
    def even(self) -> bool:
        """Whether it is of the half that weights and thresholds were set on."""
        return int(self.id.rpartition("-")[2]) % 2 == 0

    def found_in(self, passages: tuple[Passage, ...]) -> bool:
        """Tell whether one of its sections is in passages."""
        return any(
            passage.document.endswith(document) and _holds(passage, heading)
            for passage in passages
            for document, heading in self.sections
        )


def _holds(passage: Passage, heading: str) -> bool:
    if passage.heading.rpartition(HEADING_SEPARATOR)[2] == heading:
        return True
    lines = [line for line in passage.text.splitlines() if line.startswith("## ")]
    return any(line[3:].rpartition(HEADING_SEPARATOR)[2] == heading for line in lines)


def load(split: str) -> list[Question]:
    """Return all questions of a split."""
    text = (HERE / f"{split}.json").read_text("utf-8")
    return [_question(entry) for entry in json.loads(text)]


def _question(entry: dict[str, Any]) -> Question:
    sections = tuple(
        (one["document"], one["heading"].rpartition(HEADING_SEPARATOR)[2])
        for one in entry["documents"]
    )
    return Question(entry["id"], entry["language"], entry["kind"], entry["question"], sections)

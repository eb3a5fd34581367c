"""The cases of a split, and what came out of each."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

HERE = Path(__file__).parent
SHOPS = HERE.parents[2] / "deploy" / "local" / "shops.yaml"
Split = Literal["development", "test"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """Whether a case came out as its writer expected."""

    table: str
    language: str
    family: str
    expected: str
    case: str
    right: bool


def cases(split: Split, name: str) -> list[dict[str, Any]]:
    """Return a split's cases of one kind; none where it has no such file."""
    file = HERE / split / f"{name}.json"
    if not file.exists():
        return []
    found: list[dict[str, Any]] = json.loads(file.read_text("utf-8"))
    return found


def share(outcomes: Iterable[Outcome]) -> float:
    """Return the share of right outcomes; 0 of none."""
    found = [outcome.right for outcome in outcomes]
    return sum(found) / len(found) if found else 0.0

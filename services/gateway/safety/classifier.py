"""What a text is likely to be: linear classifiers over words, characters and the pieces between.

Only the judging lives here; `train.py` makes the weights, from phrases that people wrote.
"""

import json
import math
import re
from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

Label = str
HERE = Path(__file__).parent
WEIGHTS = HERE / "weights.json"

LONGEST = 4
"""Tokens in a gram."""
APART = 5
"""Two tokens further apart than this are no pair."""
STRETCH = 240
"""Characters judged at once; more would drown what matters."""
SHORT_NUMBER = 5
"""Digits of a number that may mean something, as 12315 does; any longer one is just a number."""
SCALE = 1000
"""Weights are kept as integers, this many to one."""

_TOKEN = re.compile(r"[a-z]+(?:'[a-z]+)?|\d+|[\u3400-\u9fff]|[^\s\w]")
_END = re.compile(r"[,.!?;:。，！？；：…~\n]+|\s-+\s")
_MARKS = frozenset(",.;:。，；：、\"'“”()（）")


def tokens(said: str) -> list[str]:
    """Split a folded text into Latin words, numbers, Han characters and telling signs."""
    return [
        "0" if len(one) > SHORT_NUMBER and one.isdecimal() else one
        for one in _TOKEN.findall(said)
        if one not in _MARKS
    ]


def features(said: str) -> frozenset[str]:
    """Return what a folded text consists of: runs of tokens, pairs apart, and parts of words."""
    row = ["^", *tokens(said), "$"]
    found: list[str] = []
    rest = [row[start:] for start in range(LONGEST)]
    for size in range(1, LONGEST + 1):
        found += map(" ".join, zip(*rest[:size], strict=False))
    for apart in range(2, APART + 1):
        found += map("_".join, zip(row, row[apart:], strict=False))
    for word in row:
        if len(word) > 3 and word.isascii():
            found += _parts(word)
    return frozenset(found)


@lru_cache(maxsize=4096)
def _parts(word: str) -> list[str]:
    """Return a word's pieces of four letters, its ends marked."""
    padded = f"<{word}>"
    return [padded[at : at + 4] for at in range(len(padded) - 3)]


def pieces(said: str) -> Iterator[str]:
    """Yield a short text whole; of any that has several clauses, each and each two neighbours."""
    clauses = [
        clause[at : at + STRETCH]
        for part in _END.split(said)
        if len(clause := part.strip()) > 1
        for at in range(0, len(clause), STRETCH)
    ]
    if len(said) <= STRETCH or not clauses:
        yield said[:STRETCH]
    if len(clauses) > 1 or len(said) > STRETCH:
        yield from clauses
        if len(clauses) > 2:
            yield from map(",".join, pairwise(clauses))


class Classifier:
    """Judges texts by weights on disk.

    Args:
        models: for each label the `weights` of features, times `SCALE`; its `bias`, what a text
            without features scores; and its `threshold`, the score from which a text has it.
    """

    def __init__(self, models: dict[Label, dict[str, Any]]) -> None:
        self._labels = tuple(models)
        self._biases = [model["bias"] for model in models.values()]
        self._thresholds = [model["threshold"] for model in models.values()]
        # All labels in one table: a feature is looked up once, and most of a text's have no row.
        self._rows: dict[str, list[int]] = {}
        for at, model in enumerate(models.values()):
            for feature, weight in model["weights"].items():
                self._rows.setdefault(feature, [0] * len(models))[at] = weight

    def scores(self, parts: Sequence[frozenset[str]]) -> dict[Label, float]:
        """Return for each label the strongest score of a text's pieces above its threshold."""
        strongest = map(max, zip(*map(self._piece, parts), strict=True))
        found = zip(self._labels, strongest, self._thresholds, strict=True)
        return {label: score - threshold for label, score, threshold in found}

    def _piece(self, part: frozenset[str]) -> list[float]:
        rows = self._rows
        found = [rows[feature] for feature in part & rows.keys()]
        if not found:
            return self._biases
        scale = SCALE * math.sqrt(len(part))
        sums = map(sum, zip(*found, strict=True))
        return [bias + one / scale for bias, one in zip(self._biases, sums, strict=True)]


@cache
def trained() -> Classifier:
    """Return the classifier with the weights that the repository has."""
    return Classifier(json.loads(WEIGHTS.read_text("utf-8")))

"""What a text is likely to be: linear classifiers over words, characters and the pieces between.

Only the judging lives here; `train.py` makes the weights, from phrases that people wrote.
"""

import json
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

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


@dataclass(frozen=True, slots=True)
class Linear:
    """One label's weights.

    Args:
        weights: of each feature, times `SCALE`.
        bias: what a text without features scores.
        threshold: the score from which a text has the label.
    """

    weights: dict[str, int]
    bias: float
    threshold: float

    def score(self, features: frozenset[str]) -> float:
        """Return how strongly features speak for the label; above zero is more likely than not."""
        if not features:
            return self.bias
        found = sum(map(self._weight, features))
        return self.bias + found / SCALE / math.sqrt(len(features))

    def _weight(self, feature: str) -> int:
        return self.weights.get(feature, 0)


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
    for size in range(1, LONGEST + 1):
        found += map(" ".join, zip(*(row[start:] for start in range(size)), strict=False))
    for apart in range(2, APART + 1):
        found += [f"{one}_{other}" for one, other in zip(row, row[apart:], strict=False)]
    for word in row:
        if len(word) > 3 and word.isascii():
            padded = f"<{word}>"
            found += [padded[at : at + 4] for at in range(len(padded) - 3)]
    return frozenset(found)


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
    """Judges texts by weights on disk."""

    def __init__(self, models: dict[Label, Linear]) -> None:
        self._models = models

    def score(self, label: Label, parts: Sequence[frozenset[str]]) -> float:
        """Return the strongest score of a text's pieces, relative to the label's threshold."""
        model = self._models[label]
        return max(map(model.score, parts)) - model.threshold


@cache
def trained() -> Classifier:
    """Return the classifier with the weights that the repository has."""
    data = json.loads(WEIGHTS.read_text("utf-8"))
    return Classifier({label: Linear(**one) for label, one in data.items()})

"""Groups the questions that could not be confirmed, by the words that they have in common."""

import re
from collections import Counter

import msgspec
from rapidfuzz import fuzz, process

from services.gateway.rehearsal.outcomes import Exchange
from services.gateway.safety.folding import folded

ALIKE = 66.0
"""From which likeness of their words (0 to 100) two questions count as one. Tried on everyday
questions in both languages: rewordings lie above, one thing asked of two countries below."""

_FILLERS_ZH = re.compile(
    "请问|你们|我们|有没有|能不能|可不可以|是不是|会不会|可以|怎么|怎样|如何|什么(?!时候)|这个|那个|这款|那款"
    "|一下|知道|告诉|如果|的话|[的了吗呢吧啊呀么嘛哦我你您他她它是在有和与就都也还这那想要会能请亲]"
)
_FILLERS_EN = re.compile(
    r"\b(?:an?|the|is|are|am|was|were|be|do|does|did|can|could|will|would|should|may|i|you|we|they|it"
    r"|my|our|your|their|me|us|this|that|these|those|of|to|in|on|at|for|from|with|about|as|and|or|if"
    r"|so|there|what|which|please|tell|know|want|need|just|have|has|had|get|got|any|some|hi|hello"
    r"|[stmd]|re|ll|ve)\b"
)
_WORD = re.compile(r"[a-z0-9]+")
_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]")


class Gap(msgspec.Struct, frozen=True):
    """A question that was asked in one or more wordings."""

    question: str
    """The wording asked most often; of equals the first."""
    count: int
    lines: list[int]
    """Of the CSV."""


class _Group:
    def __init__(self) -> None:
        self.lines: list[int] = []
        self.wordings: Counter[str] = Counter()

    def add(self, exchange: Exchange) -> None:
        self.lines.append(exchange.line)
        self.wordings[exchange.question] += 1

    def gap(self) -> Gap:
        ((question, _),) = self.wordings.most_common(1)
        return Gap(question, len(self.lines), self.lines)


def gaps_of(exchanges: list[Exchange]) -> list[Gap]:
    """Return the questions that the gateway could only decline, most asked first."""
    groups: dict[str, _Group] = {}
    leaders: list[str] = []
    same: dict[str, str] = {}
    for exchange in exchanges:
        if not exchange.gap:
            continue
        words = _words(exchange.question)
        if words not in same:
            best = process.extractOne(words, leaders, scorer=fuzz.ratio, score_cutoff=ALIKE)
            same[words] = best[0] if best is not None else words
            if best is None:
                leaders.append(words)
        groups.setdefault(same[words], _Group()).add(exchange)
    return sorted(
        (group.gap() for group in groups.values()), key=lambda gap: (-gap.count, gap.lines[0])
    )


def _words(question: str) -> str:
    """Return what a question is compared by: its telling words in no order, all numbers alike.

    Chinese counts by characters, since customers leave some out; sorted, they compare as sets do.
    """
    plain = folded(question)
    telling = _FILLERS_ZH.sub("", _FILLERS_EN.sub("", plain))
    words = {
        "#" if any(char.isdigit() for char in word) else word for word in _WORD.findall(telling)
    }
    return " ".join([*sorted(words), "".join(sorted(_HAN.findall(telling)))]).strip() or plain

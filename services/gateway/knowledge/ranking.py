"""Which candidates answer a question, and the passages they make: pure functions.

Weights and thresholds were set on the questions of even number in `tests/eval/knowledge`. How many
passages are returned, and the synonyms of `words.yaml`, were chosen with all of them in sight, so
that only questions written since say what these are worth.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from services.gateway.identity.shops import Language
from services.gateway.knowledge.documents import HEADING_SEPARATOR
from services.gateway.knowledge.search import Candidate
from services.gateway.knowledge.types import Passage

MOST_PASSAGES = 10
"""Sections are short, and weak ones are left out: four or five are usual. The three best hold 85%
of the answers, these 96%."""
BUDGET_CHARS = 2400
WIDE_HITS = 3
"""So many sections of one page among the `WIDE_OF` best: the question is about the page."""
WIDE_OF = 5
_MARK = "## "
_WIDE: dict[Language, re.Pattern[str]] = {
    "zh": re.compile(
        "介绍|概述|概览|全部|所有|都有哪些|有哪些|哪几|一览|详细|完整|整个|参数|规格|对比|比较|区别|"
        "总结|说说|讲讲"
    ),
    "en": re.compile(
        r"\b(?:overview|all|every|everything|complete|full|whole|entire|details?|specs?|"
        r"specifications?|compar\w+|differences?|versus|vs|summar\w+|tell me about|list)\b",
        re.IGNORECASE,
    ),
}


Scored = tuple[float, Candidate]


@dataclass(frozen=True, slots=True)
class Scale:
    """How an embedding model's cosines compare with scores by words.

    Attributes:
        words: what a point of BM25 counts beside a cosine.
        least: sections that score less do not answer.
        gap: sections that score so much less than the best one do not either.
    """

    words: float
    least: float
    gap: float


SCALES = {
    "use-multilingual-3": Scale(0.02, 0.38, 0.30),
    "multilingual-e5-small-q4": Scale(0.003, 0.85, 0.045),
}
_OTHER = Scale(0.02, 0.0, 0.30)
"""Of a model nobody measured: nothing is held to be irrelevant."""
WORDS_ONLY = Scale(1.0, 4.0, 8.0)
"""Without vectors."""


def scale_of(model: str, *, vectors: bool) -> Scale:
    """Return how to weigh a model's cosines; `vectors`: whether the question has one."""
    return SCALES.get(model, _OTHER) if vectors else WORDS_ONLY


def best(found: Iterable[Candidate], scale: Scale, budget_chars: int) -> list[Scored]:
    """Return the candidates that may answer and fit the budget, best first, with their scores."""
    ranked = sorted(
        ((one.meaning + scale.words * one.words, one) for one in found),
        key=lambda pair: (-pair[0], pair[1].key),
    )
    chosen: list[Scored] = []
    room = budget_chars
    for score, one in ranked:
        if len(chosen) == MOST_PASSAGES or score < max(scale.least, ranked[0][0] - scale.gap):
            break
        if _cost(one) <= room:
            room -= _cost(one)
            chosen.append((score, one))
    return chosen


def wide_page(question: str, language: Language, chosen: Sequence[Scored]) -> Candidate | None:
    """Return the best section of the page that a question needs more of; None: it needs none."""
    top = [one for _, one in chosen[:WIDE_OF]]
    if not top or top[0].chunks == 1 or not _WIDE[language].search(question):
        return None
    hits = sum(other.page == top[0].page for other in top)
    return top[0] if hits >= WIDE_HITS else None


def widened(
    chosen: Sequence[Scored], around: Sequence[Candidate], one: Candidate, budget_chars: int
) -> tuple[Passage, ...]:
    """Return passages of which the first is the whole page of `one`.

    Where that does not fit, it is what stands under the same heading; where that does not either,
    there is none. What else was chosen follows as far as it fits.

    Args:
        chosen: what was found.
        around: the page's chunks, as many as may fit, in order.
        one: the page's best chunk.
        budget_chars: for all.
    """
    whole = list(around) if len(around) == one.chunks else []
    siblings = [other for other in around if one.parent and other.parent == one.parent]
    for more in (whole, siblings):
        room = budget_chars - sum(map(_cost, more))
        if len(more) > 1 and room >= 0:
            keys = {other.key for other in more}
            rest: list[Scored] = []
            for score, other in chosen:
                if other.key not in keys and _cost(other) <= room:
                    room -= _cost(other)
                    rest.append((score, other))
            return (_joined(chosen[0][0], more), *passages(rest))
    return passages(chosen)


def passages(chosen: Iterable[Scored]) -> tuple[Passage, ...]:
    """Return a passage for each section."""
    return tuple(
        Passage(one.document, one.title, _below(one.title, one.heading), one.text, score)
        for score, one in chosen
    )


def _joined(score: float, sections: Sequence[Candidate]) -> Passage:
    """Return sections of a page as one passage, each under its own heading."""
    first = sections[0]
    paths = [one.heading.split(HEADING_SEPARATOR) for one in sections]
    shared: list[str] = []
    for names in zip(*paths, strict=False):
        if len(set(names)) > 1:
            break
        shared.append(names[0])
    blocks: list[str] = []
    for number, (one, path) in enumerate(zip(sections, paths, strict=True)):
        # A section that was split keeps its heading once.
        again = number > 0 and sections[number - 1].heading == one.heading
        rest = HEADING_SEPARATOR.join(path[len(shared) :])
        blocks.append(f"{_MARK}{rest}\n{one.text}" if rest and not again else one.text)
    heading = _below(first.title, HEADING_SEPARATOR.join(shared))
    return Passage(first.document, first.title, heading, "\n\n".join(blocks), score)


def _below(title: str, heading: str) -> str:
    """Return a path of headings without the one that only repeats the title."""
    first, _, rest = heading.partition(HEADING_SEPARATOR)
    return rest if first == title else heading


def _cost(one: Candidate) -> int:
    """Return the characters a section takes in a prompt, what names it included."""
    return len(one.text) + len(one.heading) + len(_MARK) + len("[]")

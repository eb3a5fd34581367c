"""Which of the passages that an answer was given it quotes."""

import re
import unicodedata
from collections.abc import Sequence

from services.gateway.knowledge.types import Passage

LEAST = 0.6
"""Of an answer's sentence, the share of its words that a passage must have to be its source."""
_WORD = re.compile(r"[a-z]+|\d+(?:\.\d+)?")
_SENTENCE = re.compile(r"[。！？!?；;]|\.(?=\s|$)")
_HAN = re.compile(r"[\u3400-\u9fff]+")


def citations(answer: str, passages: Sequence[Passage]) -> list[dict[str, str]]:
    """Return document, title and heading of the passages that an answer's sentences stand in."""
    sentences = [words for part in _SENTENCE.split(answer) if len(words := _words(part)) > 1]
    found = []
    for passage in passages:
        stated = _words(passage.text)
        if any(len(words & stated) >= LEAST * len(words) for words in sentences):
            found.append(
                {
                    "document": passage.document,
                    "title": passage.title,
                    "heading": passage.heading,
                }
            )
    return found


def _words(text: str) -> frozenset[str]:
    """Return words and numbers, and the pairs of neighbours in Chinese, which has no spaces."""
    plain = unicodedata.normalize("NFKC", text).lower()
    pairs = [run[at : at + 2] for run in _HAN.findall(plain) for at in range(len(run) - 1)]
    return frozenset([*_WORD.findall(plain), *pairs])

"""What some evidence knows, as words and names; read anew when the evidence has grown."""

import re
from collections.abc import Sequence

from services.gateway.assistant.grounding.evidence import Evidence, Subject
from services.gateway.assistant.grounding.facts import spelt
from services.gateway.assistant.grounding.names import Names
from services.gateway.assistant.grounding.question import Question
from services.gateway.assistant.grounding.texts import ShopTexts, shop_texts
from services.gateway.assistant.grounding.vocabulary import stem

_LATIN = re.compile(r"[a-z]+")
_HAN = re.compile(r"[\u3400-\u9fff]+")
_IDENTIFYING = frozenset({"order_id", "tracking_no", "sku", "currency", "status"})


class Known:
    """Names, words and rules of some evidence."""

    _names: Names

    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence
        self._size = (-1, -1)
        self._question: Question | None = None
        self._latin: set[str] = set()
        self._han: set[str] = set()

    def names(self) -> Names:
        """Return the names of what tools found so far."""
        self._read()
        return self._names

    @property
    def subjects(self) -> Sequence[Subject]:
        """What tools found so far."""
        return self._evidence.subjects

    def has(self, word: str) -> bool:
        """Tell whether a stem, or some Chinese characters, stand in what tools found."""
        self._read()
        return word in self._latin or word in self._han

    def in_a_name(self, word: str) -> bool:
        """Tell whether a Chinese word is short for a name: 杯子 or 锅 for 马克杯, 炒锅."""
        short = word.removesuffix("子")
        return not word.isascii() and any(
            short in name for subject in self._evidence.subjects for name in subject.names
        )

    @property
    def texts(self) -> ShopTexts:
        """The shop's texts."""
        return shop_texts(self._evidence.texts)

    @property
    def question(self) -> Question:
        """What the customer said last."""
        self._read()
        if self._question is None:
            self._question = Question(self._evidence.question or self._evidence.asked, self._names)
        return self._question

    def _read(self) -> None:
        size = (len(self._evidence.subjects), len(self._evidence.names))
        if size == self._size:
            return
        self._size = size
        self._question = None
        self._names = Names(self._evidence)
        for subject in self._evidence.subjects:
            for name, values in subject.facts.items():
                if name not in _IDENTIFYING:
                    for value in values:
                        self._add(value)
        for name in self._evidence.names:
            self._add(name)

    def _add(self, value: str) -> None:
        self._latin.update(stem(word) for word in _LATIN.findall(value))
        for run in _HAN.findall(value):
            spans = ((i, j) for i in range(len(run)) for j in range(i + 2, len(run) + 1))
            self._han.update(run[i:j] for i, j in spans)
            # 杭州 is Hangzhou in an English answer.
            self._latin.add(stem(spelt(run.removesuffix("仓"))))

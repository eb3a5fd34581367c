"""What some evidence knows, as words and names; read anew when the evidence has grown."""

import re
from collections.abc import Iterator

from pypinyin import lazy_pinyin

from services.gateway.assistant.grounding import texts
from services.gateway.assistant.grounding.claims import Claim, numeric_claims
from services.gateway.assistant.grounding.evidence import Evidence
from services.gateway.assistant.grounding.names import Names
from services.gateway.assistant.grounding.rules import OF_ONE_CLAUSE, Rule, conditions_of, rules
from services.gateway.assistant.grounding.texts import Line
from services.gateway.assistant.grounding.vocabulary import stem

_LATIN = re.compile(r"[a-z]+")
_HAN = re.compile(r"[\u3400-\u9fff]+")
_IDENTIFYING = frozenset({"order_id", "tracking_no", "sku", "currency", "status"})


class Known:
    """Names, words and rules of some evidence."""

    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence
        self._size = (-1, -1)
        self._names = Names(evidence)
        self._latin: set[str] = set()
        self._han: set[str] = set()
        self._question: tuple[list[Claim], dict[str, bool]] | None = None

    def names(self) -> Names:
        """Return the names of what tools found so far."""
        self._read()
        return self._names

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

    def lines(self) -> Iterator[Line]:
        """Give the sentences of the shop's texts."""
        for text in dict.fromkeys(self._evidence.texts):
            for sentence in texts.sentences(text):
                yield texts.line_of(sentence)

    def rules(self) -> list[Rule]:
        """Return the shop's rules."""
        return [rule for text in dict.fromkeys(self._evidence.texts) for rule in rules(text)]

    @property
    def question(self) -> str:
        """What the customer said last."""
        return self._evidence.question or self._evidence.asked

    def asked(self) -> tuple[list[Claim], dict[str, bool]]:
        """Return the numbers in the customer's question, and the conditions it names."""
        if self._question is None:
            _, text = self.names().find(self.question[-2000:])
            conditions = conditions_of(text)
            kept = {name: value for name, value in conditions.items() if name not in OF_ONE_CLAUSE}
            self._question = list(numeric_claims(text)), kept
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
            self._latin.add(stem("".join(lazy_pinyin(run.removesuffix("仓")))))

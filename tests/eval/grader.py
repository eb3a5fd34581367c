"""Grades a conversation against its golden dialogue.

Three things are asked of every turn: the right calls with exact arguments and no others, an answer
that states the facts asked for (or declines where it must), and nothing stated besides. None of it
shares code with the services.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.eval import lexicon
from tests.eval.dialogues import Dialogue, ExpectedCall, Turn
from tests.eval.grounding import Grounding
from tests.eval.shop import Result, Shop
from tests.eval.text import HAN, holds, normal, order_key, product_key


@dataclass(frozen=True, slots=True)
class MadeCall:
    """A tool call as the session remembers it; `arguments` is a string where it was no JSON."""

    name: str
    arguments: Mapping[str, Any] | str


@dataclass(frozen=True, slots=True)
class Answered:
    """What came of one turn.

    Attributes:
        answer: the text the customer got.
        calls: the tool calls made.
        error: why there is no answer.
    """

    answer: str
    calls: tuple[MadeCall, ...] = ()
    error: str | None = None


@dataclass(slots=True)
class Grade:
    """What was right, and a sentence for each thing that was not."""

    calls: bool = True
    states: bool = True
    nothing_else: bool = True
    reasons: list[str] = field(default_factory=list)

    @property
    def answer(self) -> bool:
        """A right final answer: it states what was asked for, and nothing else."""
        return self.states and self.nothing_else

    @property
    def both(self) -> bool:
        """Right calls and a right answer."""
        return self.calls and self.answer

    def include(self, other: "Grade", prefix: str = "") -> None:
        """Count another turn's grade in."""
        self.calls &= other.calls
        self.states &= other.states
        self.nothing_else &= other.nothing_else
        self.reasons += [f"{prefix}{reason}" for reason in other.reasons]


class Grader:
    """Grades conversations about the sample shop."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self._grounding = Grounding(shop)

    def grade(self, dialogue: Dialogue, answered: Sequence[Answered]) -> Grade:
        """Grade a whole conversation; a turn that is missing counts as wrong in everything."""
        grade = Grade()
        results: list[Result] = []
        aliases: dict[str, str] = {}
        for index, turn in enumerate(dialogue.turns):
            prefix = f"turn {index + 1}: " if len(dialogue.turns) > 1 else ""
            if index >= len(answered):
                grade.include(Grade(False, False, False, ["not reached"]), prefix)
                continue
            said = [one.user for one in dialogue.turns[: index + 1]]
            one = self._turn(dialogue, turn, answered[index], results, aliases, said)
            grade.include(one, prefix)
        return grade

    def _turn(
        self,
        dialogue: Dialogue,
        turn: Turn,
        answered: Answered,
        results: list[Result],
        aliases: dict[str, str],
        said: list[str],
    ) -> Grade:
        """Grade one turn; `results` and `aliases` grow by what it called."""
        if answered.error is not None:
            return Grade(False, False, False, [f"no answer: {answered.error}"])
        grade = Grade()
        for expected in self._made(turn, answered.calls, grade):
            result = self._shop.result(expected, dialogue.customer)
            results.append(result)
            if result.product:
                for spelling in expected.arguments["product"]:
                    aliases[spelling] = result.product.sku
        self._form(answered.answer, dialogue, grade)
        if grade.states:
            self._states(answered.answer, turn, grade)
        offered = [words for group in turn.states for words in group]
        problems = self._grounding.unsupported(answered.answer, results, said, aliases, offered)
        grade.nothing_else &= not problems
        grade.reasons += problems
        return grade

    def _made(self, turn: Turn, calls: Sequence[MadeCall], grade: Grade) -> list[ExpectedCall]:
        """Match the calls made with those expected; returns the expected ones that were made."""
        made: list[ExpectedCall] = []
        for call in calls:
            expected = next(
                (one for one in (*turn.calls, *turn.may_call) if self._matches(call, one)), None
            )
            if expected is None:
                grade.calls = False
                grade.reasons.append(f"called {_shown(call)}, which was not expected")
            else:
                made.append(expected)
        for wanted in turn.calls:
            if wanted not in made:
                grade.calls = False
                grade.reasons.append(f"did not call {wanted.name} {_accepted(wanted)}".rstrip())
        return made

    def _matches(self, call: MadeCall, expected: ExpectedCall) -> bool:
        arguments = call.arguments
        if call.name != expected.name or not isinstance(arguments, Mapping):
            return False
        if set(arguments) != set(expected.arguments):
            return False
        for name, accepted in expected.arguments.items():
            value = arguments[name]
            if not isinstance(value, str):
                return False
            if name == "order_id":
                if order_key(value) not in map(order_key, accepted):
                    return False
            elif product_key(value) not in self._shop.spellings(accepted):
                return False
        return True

    def _form(self, answer: str, dialogue: Dialogue, grade: Grade) -> None:
        """An answer is words in the customer's language, not a model's machinery."""
        text = normal(answer)
        # Carriers and cities are in Chinese in the shop's data, whatever the language.
        han = len(re.findall(f"[{HAN}]", lexicon.CHINESE_NAMES.sub("", text)))
        letters = len(re.findall("[a-z]", text))
        words = len(re.findall(r"(?<![\w-])[a-z]{2,}(?![\w-])", text))
        problem = None
        if not text:
            problem = "the answer is empty"
        elif found := lexicon.RAW.search(text):
            problem = f"shows the machinery: {found.group()!r}"
        elif dialogue.language == "zh" and not han and words > 1:
            problem = "is not in Chinese"
        elif dialogue.language == "en" and han > letters / 4:
            problem = "is not in English"
        if problem:
            grade.states = False
            grade.reasons.append(problem)

    def _states(self, answer: str, turn: Turn, grade: Grade) -> None:
        text = normal(answer)
        satisfied = [
            next((words for words in group if holds(text, words)), None) for group in turn.states
        ]
        missing = [
            group for group, found in zip(turn.states, satisfied, strict=True) if found is None
        ]
        for group in missing:
            grade.reasons.append(f"does not state {' / '.join(group)}")
        wrong = bool(missing)
        if turn.declines:
            own_words = any(words and not re.search(r"\d", words) for words in satisfied)
            if not own_words and not lexicon.DECLINES.search(text):
                wrong = True
                grade.reasons.append("does not decline, and nothing can be known")
        elif turn.states and (found := lexicon.CANT_CONFIRM.search(text)):
            wrong = True
            grade.reasons.append(f"declines ({found.group()!r}) what can be answered")
        grade.states &= not wrong


def _shown(call: MadeCall) -> str:
    arguments = call.arguments
    if not isinstance(arguments, str):
        arguments = json.dumps(dict(arguments), ensure_ascii=False)
    return f"{call.name} {arguments}"


def _accepted(call: ExpectedCall) -> str:
    return ", ".join(f"{name}={' / '.join(values)}" for name, values in call.arguments.items())

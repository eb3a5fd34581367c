"""One unit of an answer, read: what it names, what it claims, and of whom."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from services.gateway.assistant.grounding import claims
from services.gateway.assistant.grounding.claims import Claim
from services.gateway.assistant.grounding.evidence import Subject
from services.gateway.assistant.grounding.lexicon import lexicon
from services.gateway.assistant.grounding.names import Mention, Names
from services.gateway.assistant.grounding.rules import (
    Clause,
    conditions_of,
    is_condition,
    states_nothing,
    under,
)
from services.gateway.assistant.grounding.texts import Line
from services.gateway.assistant.grounding.vocabulary import Word
from services.gateway.assistant.grounding.vocabulary import words as read_words

_QUESTION = re.compile(r"(?:\?|(?:吗|么|呢|吧)[?。~!]*)\s*$")
_ASKING = re.compile(
    r"请问|是否|能否|要不要|需不需要|想.{0,6}(?:吗|呢)|哪|什么|多少|怎么|如何|还是"
)
_WHETHER = re.compile(
    r"(?<!无论)(?<!不论)(?<!不管)(?:是否|能否|有没有|能不能|是不是|可不可以)|^whether\b"
)
_LIMITED = re.compile(
    r"我[^,。]{0,6}[只仅]能|\bi (?:can|am able to|'m able to) only\b|\bi(?:'m| am)? (?:can )?only\b"
)
_NOR = re.compile(
    r"\W*(?:也|暂时|and |so |nor |i )*(?:无法|不能|没法|没办法|can't|cannot|can i|not )"
)
"""Behind what the assistant can only do: what it cannot."""
_PRONOUN = re.compile(r"(?P<first>前者|\bthe former\b)|后者|\bthe latter\b")
_PAIR = 2
_BY_RULE = frozenset({"cancelled", "refunded"})
"""States that, after a condition, are what a rule says will be."""
_APART = re.compile(r"[\d,，;、和里中]| and | is | are |\bis\b")
_NEAR = 8
"""Most characters between a number and the name that it counts."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Whom a claim is about: the nearest named before it, else after it, else who was spoken of."""

    mentions: Sequence[Mention]
    focus: Sequence[Subject]
    known: Sequence[Subject]

    def of(self, at: int, kind: str | None) -> list[Subject]:
        """Return the subjects that a claim at this place may be about."""
        named = self._named(kind)
        before = [group for mention, group in named if mention.at <= at]
        if before:
            return before[-1]
        return named[0][1] if named else self.unnamed(kind)

    def all_of(self, kind: str | None) -> list[Subject]:
        """Return all that a unit speaks of."""
        named = [subject for _, group in self._named(kind) for subject in group]
        return named or self.unnamed(kind)

    def follows(self, claim: Claim, text: str) -> Mention | None:
        """Return the name that a number stands directly before."""
        end = claim.at + len(claim.text)
        for mention in self.mentions:
            gap = text[end : mention.at]
            if 0 <= mention.at - end <= _NEAR and not _APART.search(gap):
                return mention
        return None

    def counted(self, claim: Claim, text: str) -> list[Subject]:
        """Return what a number stands directly before, else what was named last before it."""
        if mention := self.follows(claim, text):
            items = [s for s in mention.subjects if s.kind != "order"]
            return items or list(mention.subjects)
        before = [mention for mention in self.mentions if mention.end <= claim.at]
        return list(before[-1].subjects) if before else list(self.focus) or list(self.known)

    def unnamed(self, kind: str | None) -> list[Subject]:
        """Return what was spoken of before, else all there is."""
        focus = [subject for subject in self.focus if kind in (None, subject.kind)]
        return focus or [subject for subject in self.known if kind in (None, subject.kind)]

    def _named(self, kind: str | None) -> list[tuple[Mention, list[Subject]]]:
        named = [(m, [s for s in m.subjects if kind in (None, s.kind)]) for m in self.mentions]
        return [(mention, group) for mention, group in named if group]


@dataclass(frozen=True)
class Statement:
    """A unit with its claims; what few units need of it is read when one does."""

    text: str
    """Folded."""
    scope: Scope
    numbers: tuple[Claim, ...]
    stated: str
    """The text without names, and without what it only asks or declines to say."""
    worded: tuple[Claim, ...]
    named: str
    """The names in it."""
    rest: str
    """Of that, what no claim takes up."""
    earlier: tuple["Statement", ...] = ()
    """The units before it, in the same sentence."""
    whole: str = ""
    """The text with the names."""

    @cached_property
    def line(self) -> Line:
        """The whole of it, as it is compared with the shop's texts."""
        return Line(self.text)

    @cached_property
    def telling(self) -> Line:
        """What it states, likewise."""
        return Line(self.stated)

    @cached_property
    def words(self) -> tuple[Word, ...]:
        """The words that are not neutral and that no claim takes up."""
        return tuple(read_words(self.rest))

    @cached_property
    def conditions(self) -> Mapping[str, bool]:
        """Under which it holds, by the units before it."""
        found: Mapping[str, bool] = {}
        for unit in self.earlier:
            found = under(unit.text, found, unit.own_conditions)
        return found

    @cached_property
    def own_conditions(self) -> Mapping[str, bool]:
        """Under which what follows holds, by this unit alone."""
        return conditions_of(self.text)

    @cached_property
    def leading(self) -> Clause:
        """What the next unit goes on from."""
        clause = self.line.clause.naming(self.named)
        leading = states_nothing(self.text, clause.names)
        return clause.without_outcome() if leading else clause

    @property
    def before(self) -> Clause | None:
        """What this unit goes on from."""
        return self.earlier[-1].leading if self.earlier else None


def read(
    text: str,
    names: Names,
    focus: Sequence[Subject],
    known: Sequence[Subject],
    earlier: tuple[Statement, ...] = (),
) -> Statement:
    """Read a folded unit."""
    mentions, blanked = names.find(text)
    mentions = _with_pronouns(mentions, blanked, earlier, focus)
    numbers = tuple(claims.numeric_claims(blanked))
    limited = earlier and _LIMITED.search(earlier[-1].text) and _NOR.match(blanked)
    stated = "\0" * len(blanked) if limited else _stated(blanked)
    unclaimed = claims.blank(stated, numbers)
    worded = tuple(claims.worded_claims(unclaimed))
    if earlier and is_condition(earlier[-1].text):
        worded = tuple(c for c in worded if c.what not in _BY_RULE)
    return Statement(
        text=blanked,
        scope=Scope(mentions, focus, known),
        numbers=numbers,
        stated=stated,
        worded=worded,
        named=" ".join(text[mention.at : mention.end] for mention in mentions),
        rest=claims.blank(unclaimed, worded),
        earlier=earlier,
        whole=text,
    )


def _with_pronouns(
    mentions: list[Mention], text: str, earlier: tuple[Statement, ...], focus: Sequence[Subject]
) -> list[Mention]:
    """Return what is named, with what "the former" and "the latter" stand for."""
    pronouns = list(_PRONOUN.finditer(text))
    if not pronouns:
        return mentions
    named = [mention.subjects for unit in earlier for mention in unit.scope.mentions]
    if len(named) < _PAIR and len(focus) == _PAIR:
        named = [(one,) for one in focus]
    if len(named) != _PAIR:
        return mentions
    stand_for = [
        Mention(one.start(), one.end(), named[0 if one["first"] else 1]) for one in pronouns
    ]
    return sorted([*mentions, *stand_for], key=lambda mention: mention.at)


def _stated(text: str) -> str:
    """Blank out what a text only asks, advises, or declines to say."""
    if text.endswith(",") and _WHETHER.search(text):
        return "\0" * len(text)
    if text.endswith("?") or (_QUESTION.search(text) and _ASKING.search(text)):
        return "\0" * len(text)
    words = lexicon()
    parts, at = [], 0
    for turn in [*words.turn.finditer(text), None]:
        end = turn.start() if turn else len(text)
        part = text[at:end]
        silent = words.declining.search(part) or (words.advice.search(part) and not _on_rules(part))
        parts.append("\0" * len(part) if silent else part)
        at = end
    return "".join(parts)


def _on_rules(text: str) -> bool:
    """Tell whether advice is on a matter of the shop's rules, and so says something of them."""
    return any(word.known and not word.light for word in read_words(text))

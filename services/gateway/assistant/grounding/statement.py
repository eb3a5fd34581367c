"""One unit of an answer, read: what it names, what it claims, and of whom."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from services.gateway.assistant.grounding import claims
from services.gateway.assistant.grounding.claims import Claim
from services.gateway.assistant.grounding.evidence import Subject
from services.gateway.assistant.grounding.lexicon import lexicon
from services.gateway.assistant.grounding.names import Mention, Names
from services.gateway.assistant.grounding.vocabulary import words as vocabulary_words

_QUESTION = re.compile(r"(?:\?|(?:吗|么|呢|吧)[?。~!]*)\s*$")
_ASKING = re.compile(
    r"请问|是否|能否|要不要|需不需要|想.{0,6}(?:吗|呢)|哪|什么|多少|怎么|如何|还是"
)
_WHETHER = re.compile(
    r"(?<!无论)(?<!不论)(?<!不管)(?:是否|能否|有没有|能不能|是不是|可不可以)|^whether\b"
)
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


@dataclass(frozen=True, slots=True)
class Statement:
    """A unit with its claims."""

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


def read(text: str, names: Names, focus: Sequence[Subject], known: Sequence[Subject]) -> Statement:
    """Read a folded unit."""
    mentions, blanked = names.find(text)
    numbers = tuple(claims.numeric_claims(blanked))
    stated = _stated(blanked)
    worded = tuple(claims.worded_claims(claims.blank(stated, numbers)))
    rest = claims.blank(claims.blank(stated, numbers), worded)
    named = " ".join(text[mention.at : mention.end] for mention in mentions)
    scope = Scope(mentions, focus, known)
    return Statement(blanked, scope, numbers, stated, worded, named, rest)


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
    return any(word.known and not word.light for word in vocabulary_words(text))

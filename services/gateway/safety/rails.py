"""Rails on what customers say: who needs a person, who needs care, and what is not for us.

What they look for is data: `rails.yaml` for all shops, `rails.keywords` in a shop's profile. They
decide who answers and never what the answer is.
"""

import base64
import binascii
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from pathlib import Path
from typing import Any, Literal

import yaml

from services.gateway.assistant.observer import Observer
from services.gateway.identity.shops import Language, ShopProfile
from services.gateway.safety.classifier import Label, features, pieces, tokens, trained
from services.gateway.safety.folding import folded

Action = Literal["pass", "offer", "handoff", "care", "refuse"]
Reason = Literal["", "customer_asked", "keyword", "anger", "rail"]

STRONG, MILD = 2, 1
ANGRY = 2
"""Points in the new message alone, or together with half of the points of those before."""
LOOKED_BACK = 3
LENIENCE = 1.5
"""How far below its threshold a score may be where a pattern was found as well."""
DOUBT = 1.0
"""What the form of a question adds to its score."""
MILDER = 1.0
"""How far below its threshold a score is a sign of anger, if not enough alone."""

_LEET = str.maketrans("013457@$", "oieastas")
_BASE64 = re.compile(r"[A-Za-z0-9+/]{16,4000}={0,2}")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to be done about a message."""

    rail: str
    action: Action
    reason: Reason
    """Why a ticket would be opened; empty where none would."""
    urgent: bool = False


PASS = Verdict("none", "pass", "")


class InputRails:
    """Judges messages, the gravest matter first.

    Args:
        observer: is told what each rail decided, and how long it took.
    """

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self._rules = _Rules(_data())
        trained()  # Read now, not with the first customer's message.

    def check(
        self, text: str, earlier: Sequence[str], profile: ShopProfile, language: Language
    ) -> Verdict:
        """Judge a new message.

        Args:
            text: the message.
            earlier: the customer's messages before it, oldest first.
            profile: the shop's, with its keywords.
            language: of the message, for the books.
        """
        rules, said = self._rules, _read(text)
        keywords = profile.rails.keywords
        rails: tuple[tuple[str, Callable[[], Verdict | None]], ...] = (
            ("harm", lambda: rules.harm(said)),
            ("injection", lambda: rules.injection(said)),
            ("person", lambda: rules.person(said)),
            ("keywords", lambda: rules.keyword(said, keywords)),
            ("anger", lambda: rules.anger(said, earlier)),
        )
        for name, judge in rails:
            started = time.perf_counter()
            verdict = judge()
            action = verdict.action if verdict else "pass"
            self._observer.rail(name, action, language, time.perf_counter() - started)
            if verdict is not None:
                return verdict
        return PASS

    def angry(self, text: str, earlier: Sequence[str]) -> bool:
        """Tell whether a customer is or just was angry, whatever the message asks for."""
        return self._rules.points([*earlier[-LOOKED_BACK:], text]) >= ANGRY


@dataclass(frozen=True)
class _Said:
    """A message, as patterns and classifiers read it."""

    text: str

    @cached_property
    def plain(self) -> str:
        return folded(self.text)

    @cached_property
    def scores(self) -> dict[Label, float]:
        """How far above each label's threshold the message is."""
        parts = [features(piece) for piece in dict.fromkeys(pieces(self.plain))]
        scores = trained().scores(parts)
        # One word says too little to go by, unless a pattern knows it.
        if len(tokens(self.plain)) > 1:
            return scores
        return {label: min(score, -0.01) for label, score in scores.items()}

    def score(self, label: Label) -> float:
        """Return how far above a label's threshold the message is."""
        return self.scores[label]

    def mostly(self, label: Label, *others: Label) -> float:
        """Return a label's score, or what is below all thresholds where another's is higher."""
        score = self.score(label)
        return score if score >= max(map(self.score, others)) else min(score, -0.01)


@lru_cache(maxsize=1024)
def _read(text: str) -> _Said:
    """Return a message as it is judged: now, for its anger, and as an earlier one next time."""
    return _Said(text)


class _Rules:
    """What patterns and classifiers together mean.

    A classifier decides, and a pattern lowers what it asks for; only marks and codes that no
    customer writes by chance decide alone.
    """

    def __init__(self, data: dict[str, Any]) -> None:
        person, keyword, harm, anger = (
            data[name] for name in ("person", "keyword", "harm", "anger")
        )
        injection = data["injection"]
        self._person = _either(*person["wanted"]["zh"], *person["wanted"]["en"])
        self._person_not = _either(*person["unless"]["zh"], *person["unless"]["en"])
        self._negated, self._question, self._demand = (
            _either(*keyword[name].values()) for name in ("negated", "question", "demand")
        )
        self._topics = {
            name: (frozenset(topic["keywords"]), _either(topic["zh"], topic["en"]))
            for name, topic in keyword["topics"].items()
        }
        self._injection = _either(*injection["zh"], *injection["en"])
        self._markup = _either(*injection["markup"])
        self._self, self._threat, self._harmless = (
            _either(*harm[name]["zh"], *harm[name]["en"]) for name in ("self", "threat", "unless")
        )
        self._strong, self._mild = (_either(*anger[name].values()) for name in ("strong", "mild"))

    def harm(self, said: _Said) -> Verdict | None:
        plain = self._harmless.sub(" ", said.plain)
        for rail, pattern in (("self", self._self), ("threat", self._threat)):
            score = said.mostly(rail, "anger", "want", "person")
            if _likely(score, sure=pattern.search(plain) is not None):
                return Verdict(rail, "care", "rail", urgent=True)
        return None

    def injection(self, said: _Said) -> Verdict | None:
        hidden = [_Said(one) for one in _decoded(said.text)]
        for one in (said, *hidden):
            shapes = (one.plain, one.plain.translate(_LEET))
            found = any(map(self._injection.search, shapes))
            score = one.mostly("injection", "person", "anger", "want")
            if self._markup.search(one.plain) or _likely(score, sure=found):
                return Verdict("injection", "refuse", "")
        return None

    def person(self, said: _Said) -> Verdict | None:
        sure = self._person.search(said.plain) and not self._person_not.search(said.plain)
        if _likely(said.score("person"), sure=bool(sure)):
            return Verdict("person", "handoff", "customer_asked")
        return None

    def keyword(self, said: _Said, keywords: Sequence[str]) -> Verdict | None:
        want, ask = said.score("want"), said.score("ask")
        found = [hit for word in keywords if (hit := _keyword(word).search(said.plain))]
        named = [hit for hit in found if not self._denied(said.plain, hit)]
        if not named and (found or want < max(0, ask) or not self._meant(said.plain, keywords)):
            return None  # A question gets an offer by one of the shop's own words alone.
        question, demand = self._question.search(said.plain), self._demand.search(said.plain)
        if question and not demand:
            ask += DOUBT
        elif named and max(want, ask) < 0:
            want = 0.0
        return Verdict("keywords", "handoff" if want >= max(0, ask) else "offer", "keyword")

    def anger(self, said: _Said, earlier: Sequence[str]) -> Verdict | None:
        now = self._points(said)
        before = self.points(earlier[-LOOKED_BACK:]) if now else 0
        if now and now + before / 2 >= ANGRY:
            return Verdict("anger", "offer", "anger")
        return None

    def points(self, texts: Sequence[str]) -> int:
        """Return the points of several messages together."""
        return sum(self._points(_read(text)) for text in texts)

    def _denied(self, plain: str, found: re.Match[str]) -> bool:
        before = plain[max(0, found.start() - 32) : found.start()]
        return self._negated.search(before) is not None

    def _meant(self, plain: str, keywords: Sequence[str]) -> bool:
        """Tell whether a message is about something that a shop's keywords stand for."""
        own = {folded(word) for word in keywords}
        return any(own & words and about.search(plain) for words, about in self._topics.values())

    def _points(self, said: _Said) -> int:
        score = said.score("anger")
        if _likely(score, sure=self._strong.search(said.plain) is not None):
            return STRONG
        mild = self._mild.search(said.plain) is not None
        return MILD if _likely(score + MILDER, sure=mild) else 0


def _likely(score: float, *, sure: bool) -> bool:
    return score >= -LENIENCE if sure else score >= 0


def fixed_line(verdict: Verdict, language: Language) -> str:
    """Return what the customer is told where a rail answers itself."""
    return _lines()[language][verdict.rail]


@lru_cache(maxsize=4096)
def _keyword(word: str) -> re.Pattern[str]:
    """Return what finds a shop's keyword: a whole word in any form, where its script has words."""
    plain = re.escape(folded(word))
    return re.compile(rf"\b{plain}(?:s|d|ed|ing|able)?\b" if word.isascii() else plain)


def _either(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns))


def _decoded(text: str) -> list[str]:
    """Return what stands in Base64 in a text, where it is text."""
    found = []
    for coded in _BASE64.findall(text):
        try:
            found.append(base64.b64decode(coded + "=" * (-len(coded) % 4)).decode())
        except (binascii.Error, UnicodeDecodeError):
            continue
    return found


@cache
def _data() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(
        Path(__file__).with_name("rails.yaml").read_text("utf-8")
    )
    return loaded


@cache
def _lines() -> dict[str, dict[str, str]]:
    loaded: dict[str, dict[str, str]] = yaml.safe_load(
        Path(__file__).with_name("lines.yaml").read_text("utf-8")
    )
    return loaded

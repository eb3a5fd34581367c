"""Rails on what customers say: who needs a person, who needs care, and what is not for us.

What they look for is data: `rails.yaml` for all shops, `rails.keywords` in a shop's profile. They
decide who answers and never what the answer is.
"""

import base64
import binascii
import re
import time
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Literal

import yaml

from services.gateway.assistant.observer import Observer
from services.gateway.identity.shops import Language, ShopProfile

Action = Literal["pass", "offer", "handoff", "care", "refuse"]
Reason = Literal["", "customer_asked", "keyword", "anger", "rail"]

STRONG, MILD = 2, 1
ANGRY = 2
"""Points in the new message alone, or together with half of the points of those before."""
LOOKED_BACK = 3

_INVISIBLE = re.compile(r"[\u00ad\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufe00-\ufe0f\ufeff]")
_HAN_GAP = re.compile(r"(?<=[\u4e00-\u9fff])[\s.*_·-]{1,3}(?=[\u4e00-\u9fff])")
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
        rules, said = self._rules, folded(text)
        keywords = profile.rails.keywords
        rails: tuple[tuple[str, Callable[[], Verdict | None]], ...] = (
            ("harm", lambda: rules.harm(said)),
            ("injection", lambda: rules.injection(said, text)),
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


class _Rules:
    """The patterns, compiled, and what a match of each means."""

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
        self._injection = _either(*injection["zh"], *injection["en"])
        self._markup = _either(*injection["markup"])
        self._self, self._threat, self._harmless = (
            _either(*harm[name]["zh"], *harm[name]["en"]) for name in ("self", "threat", "unless")
        )
        self._strong, self._mild = (_either(*anger[name].values()) for name in ("strong", "mild"))

    def harm(self, said: str) -> Verdict | None:
        said = self._harmless.sub(" ", said)
        for rail, pattern in (("self", self._self), ("threat", self._threat)):
            if pattern.search(said):
                return Verdict(rail, "care", "rail", urgent=True)
        return None

    def injection(self, said: str, text: str) -> Verdict | None:
        shapes = [said, said.translate(_LEET), *map(folded, _decoded(text))]
        if any(self._injection.search(one) or self._markup.search(one) for one in shapes):
            return Verdict("injection", "refuse", "")
        return None

    def person(self, said: str) -> Verdict | None:
        if self._person.search(said) and not self._person_not.search(said):
            return Verdict("person", "handoff", "customer_asked")
        return None

    def keyword(self, said: str, keywords: Sequence[str]) -> Verdict | None:
        for word in keywords:
            found = _keyword(word).search(said)
            if not found or self._negated.search(said[max(0, found.start() - 32) : found.start()]):
                continue
            asks = self._question.search(said) and not self._demand.search(said)
            return Verdict("keywords", "offer" if asks else "handoff", "keyword")
        return None

    def anger(self, said: str, earlier: Sequence[str]) -> Verdict | None:
        now = self._points(said)
        before = sum(self._points(folded(one)) for one in earlier[-LOOKED_BACK:])
        if now and now + before / 2 >= ANGRY:
            return Verdict("anger", "offer", "anger")
        return None

    def _points(self, said: str) -> int:
        strong, mild = self._strong.findall(said), self._mild.findall(said)
        return STRONG * len(strong) + MILD * len(mild)


def folded(text: str) -> str:
    """Return a text as the patterns expect it: one width and case, nothing hidden or spread out."""
    plain = unicodedata.normalize("NFKC", _INVISIBLE.sub("", text)).casefold().replace("’", "'")
    return _HAN_GAP.sub("", plain)


def fixed_line(verdict: Verdict, language: Language) -> str:
    """Return what the customer is told where a rail answers itself."""
    return _lines()[language][verdict.rail]


@lru_cache(maxsize=4096)
def _keyword(word: str) -> re.Pattern[str]:
    """Return what finds a shop's keyword: a whole word, where its script has words."""
    plain = re.escape(folded(word))
    return re.compile(rf"\b{plain}\b" if word.isascii() else plain)


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

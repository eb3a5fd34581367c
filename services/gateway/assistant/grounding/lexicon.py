"""The patterns by which an answer states a fact, compiled from lexicon.yaml."""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml


@dataclass(frozen=True, slots=True)
class Lexicon:
    """The word lists, compiled."""

    states: dict[str, re.Pattern[str]]
    denied: dict[str, re.Pattern[str]]
    true_when: dict[str, frozenset[str]]
    there: re.Pattern[str]
    plenty: re.Pattern[str]
    few: re.Pattern[str]
    gone: re.Pattern[str]
    ships_from: tuple[re.Pattern[str], ...]
    carriers: dict[str, re.Pattern[str]]
    policies: dict[str, re.Pattern[str]]
    topics: dict[str, re.Pattern[str]]
    negation: re.Pattern[str]
    condition_before: re.Pattern[str]
    condition_behind: re.Pattern[str]
    future: re.Pattern[str]
    declining: re.Pattern[str]
    relative_days: re.Pattern[str]
    universal: re.Pattern[str]
    periods: dict[str, re.Pattern[str]]
    outcome: dict[str, re.Pattern[str]]
    exceptions: tuple[re.Pattern[str], ...]
    only: re.Pattern[str]
    anchors: dict[str, re.Pattern[str]]
    affirming: re.Pattern[str]
    feeling: re.Pattern[str]
    advice: re.Pattern[str]
    turn: re.Pattern[str]
    every: re.Pattern[str]
    comparisons: dict[str, re.Pattern[str]]
    total: re.Pattern[str]
    difference: re.Pattern[str]
    actions: re.Pattern[str]
    otherwise: re.Pattern[str]
    respectively: re.Pattern[str]
    budget: re.Pattern[str]
    reason: re.Pattern[str]
    currencies: dict[str, re.Pattern[str]]


@cache
def lexicon() -> Lexicon:
    """Read the word lists, once."""
    data: dict[str, Any] = yaml.safe_load(
        Path(__file__).with_name("lexicon.yaml").read_text("utf-8")
    )
    return Lexicon(
        states={name: _any(state["said"]) for name, state in data["states"].items()},
        denied={n: _any(s["denied"]) for n, s in data["states"].items() if "denied" in s},
        true_when={name: frozenset(s["true_when"]) for name, s in data["states"].items()},
        there=_any(data["stock"]["there"]),
        plenty=_any(data["stock"]["plenty"]),
        few=_any(data["stock"]["few"]),
        gone=_any(data["stock"]["gone"]),
        ships_from=tuple(re.compile(pattern, re.ASCII) for pattern in data["ships_from"]),
        carriers={name: _any(words) for name, words in data["carriers"].items()},
        policies={name: _any(words) for name, words in data["policies"].items()},
        topics={name: _any(words) for name, words in data["topics"].items()},
        negation=_any(data["negation"]),
        condition_before=_any(data["condition_before"]),
        condition_behind=_any(data["condition_behind"]),
        future=_any(data["future"]),
        declining=_any(data["declining"]),
        relative_days=_any(data["relative_days"]),
        universal=_any(data["universal"]),
        currencies={name: _any(words) for name, words in data["currencies"].items()},
        periods={name: _any(words) for name, words in data["periods"].items()},
        outcome={name: _any(words) for name, words in data["outcome"].items()},
        exceptions=tuple(re.compile(pattern, re.ASCII) for pattern in data["exceptions"]),
        only=_any(data["only"]),
        anchors={name: _any(words) for name, words in data["anchors"].items()},
        affirming=_any(data["affirming"]),
        feeling=_any(data["feeling"]),
        advice=_any(data["advice"]),
        turn=_any(data["turn"]),
        every=_any(data["every"]),
        comparisons={name: _any(words) for name, words in data["comparisons"].items()},
        total=_any(data["total"]),
        difference=_any(data["difference"]),
        actions=_any(data["actions"]),
        otherwise=_any(data["otherwise"]),
        respectively=_any(data["respectively"]),
        budget=_any(data["budget"]),
        reason=_any(data["reason"]),
    )


def _any(words: list[str]) -> re.Pattern[str]:
    # Longest first, so that 已发货 is found before 发货.
    return re.compile("|".join(sorted(words, key=len, reverse=True)), re.ASCII)

"""The patterns by which an answer states a fact, compiled from lexicon.yaml."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from services.gateway.assistant.grounding.patterns import Alternatives


@dataclass(frozen=True, slots=True)
class Lexicon:
    """The word lists, compiled; lexicon.yaml tells what each is for."""

    states: dict[str, Alternatives]
    denied: dict[str, Alternatives]
    any_state: Alternatives
    """Of `states` and `denied`, whichever."""
    true_when: dict[str, frozenset[str]]
    stock: dict[str, Alternatives]
    ships_from: tuple[Alternatives, ...]
    carriers: dict[str, Alternatives]
    any_carrier: Alternatives
    policies: dict[str, Alternatives]
    topics: dict[str, Alternatives]
    negation: Alternatives
    condition_before: Alternatives
    condition_behind: Alternatives
    future: Alternatives
    declining: Alternatives
    relative_days: Alternatives
    universal: Alternatives
    periods: dict[str, Alternatives]
    outcome: dict[str, Alternatives]
    exceptions: tuple[Alternatives, ...]
    only: Alternatives
    anchors: dict[str, Alternatives]
    affirming: Alternatives
    feeling: Alternatives
    advice: Alternatives
    turn: Alternatives
    every: Alternatives
    comparisons: dict[str, Alternatives]
    total: Alternatives
    difference: Alternatives
    actions: Alternatives
    otherwise: Alternatives
    respectively: Alternatives
    budget: Alternatives
    reason: Alternatives
    measures: dict[str, Alternatives]
    enough: Alternatives
    foretold: dict[str, Alternatives]
    any_foretold: Alternatives
    purchase: dict[str, Alternatives]
    forecast: dict[str, Alternatives]
    orders: dict[str, Alternatives]
    currencies: dict[str, Alternatives]


@cache
def lexicon() -> Lexicon:
    """Read the word lists, once."""
    data: dict[str, Any] = yaml.safe_load(
        Path(__file__).with_name("lexicon.yaml").read_text("utf-8")
    )
    states = data.pop("states")
    return Lexicon(
        states={name: _any(state["said"]) for name, state in states.items()},
        denied={name: _any(s["denied"]) for name, s in states.items() if "denied" in s},
        any_state=_any([w for s in states.values() for w in (*s["said"], *s.get("denied", ()))]),
        any_foretold=_any([word for some in data["foretold"].values() for word in some]),
        any_carrier=_any([word for some in data["carriers"].values() for word in some]),
        true_when={name: frozenset(state["true_when"]) for name, state in states.items()},
        # Each of these has groups of its own.
        ships_from=tuple(Alternatives([one]) for one in data.pop("ships_from")),
        exceptions=tuple(Alternatives([one]) for one in data.pop("exceptions")),
        **{name: _compiled(words) for name, words in data.items()},
    )


def _compiled(words: Any) -> Any:
    if isinstance(words, dict):
        return {name: _any(some) for name, some in words.items()}
    return _any(words)


def _any(words: list[str]) -> Alternatives:
    # Longest first, so that 已发货 is found before 发货.
    return Alternatives(sorted(words, key=len, reverse=True))

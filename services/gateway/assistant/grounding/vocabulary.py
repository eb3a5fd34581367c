"""Reads a text as words: which are neutral, which shop matter each of the others names.

Chinese is cut so that as much as possible is a known word; English words are compared by their
stems. What no list knows keeps its own spelling, and must be found in the evidence as such.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import yaml

from services.gateway.assistant.grounding.patterns import Alternatives

_RUN = re.compile(r"[a-z]+(?:['’][a-z]+)?|[\u3400-\u9fff]+")
_LONGEST_HAN = 8
_EVERY_SPAN = range(1, _LONGEST_HAN + 1)
_UNKNOWN_COST = 10
"""Of a character in no word, where a word costs 1: a cut with fewer of them is better."""
_IRREGULAR = {
    "scarves": "scarf", "knives": "knife", "shelves": "shelf", "leaves": "leave",
    "loaves": "loaf", "children": "child", "mice": "mouse", "feet": "foot", "men": "man",
    "women": "woman", "teeth": "tooth",
}  # fmt: skip
_CONTRACTED = re.compile(r"(?:'s|'re|'ve|'ll|'d|'m|s')$")


TELLING = frozenset({"free", "charge", "bear", "guarantee", "lifetime", "discount"})
"""Matters that say how a rule turns out; neither a name nor a question makes them true."""


@dataclass(frozen=True, slots=True)
class Word:
    """A word that is not neutral."""

    text: str
    names: frozenset[str]
    """The matters that it may stand for; its own stem where no list knows it."""
    known: bool
    light: bool = False
    """Tells rules apart, but states nothing by itself."""
    both: bool = False
    """It stands for all its matters at once: 包邮 for free and for postage."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The lists, by word or phrase."""

    neutral: frozenset[str]
    names: dict[str, frozenset[str]]
    spans: dict[str, tuple[int, ...]]
    """By first Chinese character: how long the words are that begin with it."""
    phrases: dict[str, int]
    """By first word or stem: of how many words the longest English phrase is."""
    matters: frozenset[str]
    """What the words of the lists may stand for."""
    both: frozenset[str]
    light: frozenset[str]
    idioms: Alternatives
    restricting: frozenset[str]
    scope: frozenset[str]
    conditions: dict[str, tuple[Alternatives, Alternatives]]
    any_condition: Alternatives


@cache
def vocabulary() -> Vocabulary:
    """Read the lists, once."""
    data: dict[str, Any] = yaml.safe_load(
        Path(__file__).with_name("vocabulary.yaml").read_text("utf-8")
    )
    neutral = set(data["neutral"]["zh"].split())
    neutral |= {form for word in data["neutral"]["en"].split() for form in (word, stem(word))}
    names: dict[str, set[str]] = {}
    both: set[str] = set()
    for group in ("concepts", "light"):
        for key, words in data[group].items():
            for word in words:
                for form in {word, _key(word)}:
                    names.setdefault(form, set()).update(key.split("+"))
                    if "+" in key:
                        both.add(form)
    phrases: dict[str, int] = {}
    for form in filter(str.isascii, names):
        first, *more = form.split(" ")
        phrases[first] = max(phrases.get(first, 1), 1 + len(more))
    idioms = data["idioms"]["zh"] + [rf"\b{phrase}" for phrase in data["idioms"]["en"]]
    return Vocabulary(
        neutral=frozenset(neutral),
        names={form: frozenset(found) for form, found in names.items()},
        spans=_spans({*neutral, *names}),
        phrases=phrases,
        matters=frozenset(name for found in names.values() for name in found),
        both=frozenset(both),
        light=frozenset(data["light"]),
        idioms=Alternatives(idioms),
        restricting=frozenset(data["restricting"]),
        scope=frozenset(data["scope"]),
        conditions={
            name: (Alternatives(poles["holds"]), Alternatives(poles["fails"]))
            for name, poles in data["conditions"].items()
        },
        any_condition=Alternatives(
            [p for poles in data["conditions"].values() for p in (*poles["fails"], *poles["holds"])]
        ),
    )


def _spans(known: set[str]) -> dict[str, tuple[int, ...]]:
    found: dict[str, set[int]] = {}
    for word in known:
        if not word.isascii() and len(word) <= _LONGEST_HAN:
            found.setdefault(word[0], set()).add(len(word))
    return {first: tuple(sorted(lengths)) for first, lengths in found.items()}


def _key(phrase: str) -> str:
    """Return how a phrase is looked up: English by stems, Chinese as it is."""
    if not phrase.isascii():
        return phrase
    return " ".join(stem(word) for word in re.findall(r"[a-z]+(?:'[a-z]+)?", phrase))


@lru_cache(maxsize=8192)
def stem(word: str) -> str:
    """Return an English word without its ending; the same for all its forms."""
    if word in _IRREGULAR:
        word = _IRREGULAR[word]
    if "'" in word or "’" in word:
        word = _CONTRACTED.sub("", word.replace("’", "'"))
    if len(word) <= 3 or word.endswith("n't"):
        return word
    for ending, least, instead in (
        ("ies", 5, "y"), ("ied", 5, "y"), ("ing", 6, ""), ("ed", 5, ""),
        ("sses", 6, "ss"), ("shes", 6, "sh"), ("ches", 6, "ch"), ("xes", 5, "x"), ("s", 4, ""),
    ):  # fmt: skip
        if len(word) >= least and word.endswith(ending):
            if ending == "s" and word.endswith(("ss", "us")):
                break
            word = word[: -len(ending)] + instead
            break
    if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "sl":
        word = word[:-1]
    word = word.removesuffix("e") if len(word) > 3 else word
    return f"{word[:-1]}i" if word.endswith("y") and len(word) > 3 else word


def words(text: str, also: Callable[[str], bool] | None = None) -> Iterator[Word]:
    """Give the words of a folded text that are not neutral.

    Args:
        text: folded; what is blanked out with NUL ends a word.
        also: tells whether a stem, or some Chinese characters, stand in the evidence.
    """
    english: list[str] = []
    end = 0
    for run in _RUN.finditer(text):
        latin = run[0].isascii() or run[0][0].isascii()
        # A phrase goes over spaces and hyphens only.
        if english and (not latin or text[end : run.start()].strip(" -")):
            yield from _english(english, also)
            english = []
        if latin:
            english.append(run[0])
        else:
            yield from _chinese(run[0], also)
        end = run.end()
    yield from _english(english, also)


def _english(run: list[str], also: Callable[[str], bool] | None) -> Iterator[Word]:
    lists = vocabulary()
    stems = [stem(word) for word in run]
    at = 0
    while at < len(run):
        longest = max(lists.phrases.get(run[at], 1), lists.phrases.get(stems[at], 1))
        for length in range(min(longest, len(run) - at), 0, -1):
            text = " ".join(run[at : at + length])
            key = text if text in lists.names else " ".join(stems[at : at + length])
            if key in lists.names:
                yield _known(text, key, lists)
                break
        else:
            length = 1
            word = run[at]
            if not _plain(word, stems[at], lists) and not (also and also(stems[at])):
                yield Word(word, frozenset({stems[at]}), known=False)
        at += length


def _known(text: str, key: str, lists: Vocabulary) -> Word:
    names = lists.names[key]
    return Word(text, names, known=True, light=bool(names & lists.light), both=key in lists.both)


def _plain(word: str, root: str, lists: Vocabulary) -> bool:
    return (
        len(word) == 1
        or word.endswith(("n't", "n’t"))
        or word in lists.neutral
        or root in lists.neutral
        or _CONTRACTED.sub("", word) in lists.neutral
        or (word.endswith("ly") and stem(word[:-2]) in lists.neutral)
    )


def _chinese(run: str, also: Callable[[str], bool] | None) -> Iterator[Word]:
    lists = vocabulary()
    unknown = ""
    for piece in _cut(run, lists, also):
        found = lists.names.get(piece)
        if found is None and piece not in lists.neutral and not (also and also(piece)):
            unknown += piece
            continue
        if unknown:
            yield Word(unknown, frozenset({unknown}), known=False)
            unknown = ""
        if found is not None:
            yield _known(piece, piece, lists)
    if unknown:
        yield Word(unknown, frozenset({unknown}), known=False)


def _cut(run: str, lists: Vocabulary, also: Callable[[str], bool] | None) -> list[str]:
    """Cut Chinese text so that the fewest characters are in no known word, then into few words."""
    size = len(run)
    cost = [0] * (size + 1)
    length = [1] * (size + 1)
    for at in range(size - 1, -1, -1):
        best, best_length = cost[at + 1] + _UNKNOWN_COST, 1
        for span in _EVERY_SPAN if also else lists.spans.get(run[at], ()):
            if span > size - at:
                break
            piece = run[at : at + span]
            known = piece in lists.neutral or piece in lists.names
            known = known or bool(also and span > 1 and also(piece))
            if known and cost[at + span] + 1 <= best:
                best, best_length = cost[at + span] + 1, span
        cost[at], length[at] = best, best_length
    pieces, at = [], 0
    while at < size:
        pieces.append(run[at : at + length[at]])
        at += length[at]
    return pieces

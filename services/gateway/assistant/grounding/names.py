"""Finds which orders, products and order lines a text names, in full or by a part of the name."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from services.gateway.assistant.grounding.evidence import Evidence, Subject
from services.gateway.assistant.grounding.vocabulary import TELLING, stem, vocabulary

_TOKEN = re.compile(r"\d+(?:\.\d+)?[a-z]*|[a-z]+\d[a-z0-9]*|[a-z]+|[\u3400-\u9fff]+")
_HAN = re.compile(r"[\u3400-\u9fff]+")
_BETWEEN = re.compile(r"[\s的()（）·\"“”'「」*×-]*")
_VERSION = re.compile(r"\s*(?:款|版|型|的|那|version|model|one\b|size|edition)")
_LONGEST = 12
_NO_NAMES = frozenset(
    ["a", "an", "the", "of", "with", "and", "for", "in", "on", "to", "by", "or", "no"]
)


@dataclass(frozen=True, slots=True)
class Mention:
    """Where a text names something, and what that may be."""

    at: int
    end: int
    subjects: tuple[Subject, ...]


class Names:
    """The names that some evidence knows, and their parts."""

    def __init__(self, evidence: Evidence) -> None:
        self._whole: dict[str, list[Subject]] = {}
        self._parts: dict[str, list[Subject]] = {}
        for subject in evidence.subjects:
            for name in subject.names:
                self._whole.setdefault(name, []).append(subject)
                if subject.kind != "order":
                    self._add_parts(name, subject)
            for name in subject.values("items.name"):
                about = [subject, *self._known_as(name, evidence.subjects)]
                self._whole.setdefault(name, []).extend(about)
                for one in about:
                    self._add_parts(name, one)
        for name in evidence.names:
            self._whole.setdefault(name, [])
            self._add_parts(name, None)
        self._sorted = sorted((n for n in self._whole if len(n) > 1), key=len, reverse=True)

    def _known_as(self, item: str, subjects: Iterable[Subject]) -> Iterator[Subject]:
        """Give the products that an order line names, in whatever language."""
        for subject in subjects:
            if subject.kind == "product" and any(name in item for name in subject.names):
                yield subject

    def _add_parts(self, name: str, subject: Subject | None) -> None:
        coded = subject is not None and name in subject.values("sku")
        for part in _parts(name):
            if coded and len(part) == 1:
                continue  # The 2 of a TENT-2: nobody says it for the tent.
            known = self._parts.setdefault(part, [])
            if subject is not None and not any(one is subject for one in known):
                known.append(subject)

    def find(self, text: str) -> tuple[list[Mention], str]:
        """Return what a folded text names, in order, and the text with that blanked out."""
        found: list[Mention] = []
        for name in self._sorted:
            for at in _occurrences(text, name):
                found.append(Mention(at, at + len(name), tuple(self._whole[name])))
                text = _blank(text, at, at + len(name))
        if self._parts:
            for mention in self._partial(text, found):
                text = _blank(text, mention.at, mention.end)
                found.append(mention)
        return _joined(sorted(found, key=lambda mention: mention.at), text), text

    def _partial(self, text: str, whole: list[Mention]) -> list[Mention]:
        spots = list(self._spots(text))
        ends = {mention.end for mention in whole} | {end for _, end, _, weak in spots if not weak}
        starts = {mention.at for mention in whole} | {at for at, _, _, weak in spots if not weak}
        found = []
        for at, end, part, weak in spots:
            if weak and not _named_by_weak(text, at, end, ends, starts):
                continue
            ends.add(end)
            found.append(Mention(at, end, tuple(self._parts[part])))
        return found

    def _spots(self, text: str) -> Iterator[tuple[int, int, str, bool]]:
        """Give the places of parts of names, and whether each is a word that may say anything."""
        for token in _TOKEN.finditer(text):
            if _HAN.fullmatch(token[0]):
                yield from self._in_han(token[0], token.start())
                continue
            # 27寸: the unit belongs to the number.
            measured = text[token.start() : token.end() + 1]
            if measured in self._parts:
                yield token.start(), token.end() + 1, measured, False
            else:
                yield from self._spots_of(token[0], token.start(), text)

    def _spots_of(self, word: str, at: int, text: str) -> Iterator[tuple[int, int, str, bool]]:
        part = stem(word) if word.isalpha() else word
        if part in self._parts:
            # In Chinese, a Latin word is a name: "Max有货".
            named = word.isalpha() and _HAN.search(text[max(0, at - 2) : at + len(word) + 2])
            everyday = not named and (_everyday(word) or _everyday(part))
            weak = word.isdigit() or len(word) == 1 or everyday
            yield at, at + len(word), part, weak

    def _in_han(self, run: str, start: int) -> Iterator[tuple[int, int, str, bool]]:
        at = 0
        while at < len(run) - 1:
            for length in range(min(_LONGEST, len(run) - at), 1, -1):
                part = run[at : at + length]
                if part in self._parts:
                    yield start + at, start + at + length, part, False
                    at += length - 1
                    break
            at += 1


def _parts(name: str) -> Iterator[str]:
    """Give the parts that a name may be recognised by."""
    for token in _TOKEN.finditer(name):
        word = token[0]
        if _HAN.fullmatch(word):
            spans = ((i, j) for i in range(len(word)) for j in range(i + 2, len(word) + 1))
            parts = (word[i:j] for i, j in spans)
            yield from (p for p in parts if not _everyday(p))
            if not _everyday(f"{word[-1]}子"):
                yield f"{word[-1]}子"  # A 蛋卷桌 is a 桌子.
        else:
            if word not in _NO_NAMES:
                yield stem(word) if word.isalpha() else word
            measured = name[token.start() : token.end() + 1]
            if (word[0].isdigit() or len(word) == 1) and _HAN.search(measured):
                yield measured


def _everyday(word: str) -> bool:
    """Tell whether a word in a name may also say something by itself."""
    lists = vocabulary()
    return word in lists.neutral or bool(
        lists.names.get(word, frozenset()) & (lists.light | TELLING)
    )


def _named_by_weak(text: str, at: int, end: int, ends: set[int], starts: set[int]) -> bool:
    """Tell whether a number or an everyday word stands beside another part of a name."""
    for other in ends:
        if 0 <= at - other <= 3 and _BETWEEN.fullmatch(text[other:at]):
            return True
    for other in starts:
        if 0 <= other - end <= 3 and _BETWEEN.fullmatch(text[end:other]):
            return True
    if not text[:at].endswith("the "):
        return bool(text[at:end].isdigit() and re.match(r"款|版|型", text[end : end + 1]))
    return bool(_VERSION.match(text, end)) or not text[at:end].isdigit()


def _joined(mentions: list[Mention], text: str) -> list[Mention]:
    """Join the parts of one name: what they may all mean, if there is such a thing."""
    found: list[Mention] = []
    for mention in mentions:
        last = found[-1] if found else None
        apart = last is None or _is_order(last) != _is_order(mention)
        if last and not apart and _BETWEEN.fullmatch(text[last.end : mention.at]):
            both = tuple(s for s in last.subjects if any(s is other for other in mention.subjects))
            if both or not last.subjects or not mention.subjects:
                subjects = both or last.subjects or mention.subjects
                found[-1] = Mention(last.at, mention.end, subjects)
                continue
        found.append(mention)
    return [replace(m, subjects=_plainest(m.subjects)) for m in found if m.subjects]


def _is_order(mention: Mention) -> bool:
    return {subject.kind for subject in mention.subjects} == {"order"}


def _plainest(subjects: tuple[Subject, ...]) -> tuple[Subject, ...]:
    """Of products that share a part of their names, return the one with no other: no "Mini"."""
    products = [s for s in subjects if s.kind == "product"]
    if len(products) < 2:
        return subjects
    called = [s.values("product", "name") for s in products]
    tokens = [frozenset(t for name in names for t in _TOKEN.findall(name)) for names in called]
    plain = [s for s, own in zip(products, tokens, strict=True) if all(own <= t for t in tokens)]
    if len(plain) != 1:
        return subjects
    return tuple(s for s in subjects if s.kind != "product" or s is plain[0])


def _occurrences(text: str, name: str) -> Iterator[int]:
    """Give the places of a name, from the last, where it is no part of a longer word."""
    at = text.rfind(name)
    while at >= 0:
        before, after = text[at - 1 : at], text[at + len(name) : at + len(name) + 1]
        inside = (_latin(before) and _latin(name[0])) or (_latin(after) and _latin(name[-1]))
        if not inside:
            yield at
        at = text.rfind(name, 0, at)


def _latin(char: str) -> bool:
    return char.isascii() and char.isalnum()


def _blank(text: str, at: int, end: int) -> str:
    return text[:at] + "\0" * (end - at) + text[end:]

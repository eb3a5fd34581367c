"""Whether a question's words are all in a product's names: the rule behind fuzzy look-up.

A wrong product is worse than a question back, so resemblance alone never picks one. What the
customer wrote must be accounted for to the last word: found in the names, found there but for a
typo, or known to say nothing (the, please, 多少钱). 充电宝 shares two of three characters with
充电器 and is something else; 耳机无线降噪 shares all and is the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from rapidfuzz.distance import OSA

from services.tools.catalogue.sounds import sounds_like
from services.tools.catalogue.words import (
    UNITS,
    VARIANTS,
    Words,
    code_parts,
    cut,
    filler_at,
    is_filler,
    same_code,
    stem,
)

_HAN_WEIGHT = 0.5  # one Chinese word has about two characters


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What a product's names offer for covering.

    Attributes:
        words: words that are not Han, as written and in the singular.
        joined: neighbouring words written as one (powerbank), and the last word of it.
        han: runs of Han characters.
        lines: all Han characters of each name together.
        heads: words and runs that say what the thing is: the last of each name.

    """

    words: frozenset[str]
    joined: dict[str, str]
    han: tuple[str, ...]
    lines: tuple[str, ...]
    heads: tuple[str, ...]

    @classmethod
    def of(cls, names: Sequence[Words]) -> "Vocabulary":
        """Vocabulary of one product from its names in all languages."""
        words = {form for name in names for word in name.latin for form in (word, stem(word))}
        return cls(
            words=frozenset(words),
            joined={joint: last for name in names for joint, last in joints(name)},
            han=tuple(run for name in names for run in name.han),
            lines=tuple("".join(name.han) for name in names if name.han),
            heads=tuple(head for name in names if (head := _head(name))),
        )


@dataclass(slots=True)
class Coverage:
    """How well a question is accounted for by one product.

    Attributes:
        typos: pieces that were found only by overlooking a slip.
        skipped: pieces that say nothing and were not in the names.
        found: weight of what was found; a word counts 1, a Han character one half.
        missing: weight of what was not.
        pieces: number of words found.
        characters: number of Han characters found.
        by_code: whether a model code or a number was among them.
        by_head: whether the question's thing is the product's thing (耳机, keyboard).

    """

    typos: int = 0
    skipped: int = 0
    found: float = 0.0
    missing: float = 0.0
    pieces: int = 0
    characters: int = 0
    by_code: bool = False
    by_head: bool = False
    last: str = field(default="", repr=False)

    @property
    def full(self) -> bool:
        """Whether everything that was said is accounted for."""
        return self.found > 0 and self.missing == 0

    @property
    def share(self) -> float:
        """Found part of what was said, 0 to 1."""
        return self.found / (self.found + self.missing) if self.found else 0.0

    @property
    def telling(self) -> bool:
        """Whether enough was said: a lone modifier (coffee, 空气) does not name a thing."""
        return self.by_code or self.by_head or self.pieces >= 2 or self.characters >= 3


def joints(words: Words) -> list[tuple[str, str]]:
    """Neighbouring words of a text written together: power bank → (powerbank, bank)."""
    return [
        (form, stem(two))
        for one, two in pairwise(words.pieces)
        if one in words.latin and two in words.latin
        for form in {one + two, one + stem(two)}
    ]


def cover(question: Words, product: Vocabulary, *, fillers: bool = True) -> Coverage:
    """Account for each piece of the question. Without fillers nothing may be skipped."""
    result = Coverage()
    pieces = question.pieces
    at = 0
    while at < len(pieces):
        piece = pieces[at]
        if piece in question.han:
            _cover_run(piece, product, result, fillers=fillers)
            at += 1
        else:
            after = pieces[at + 1] if at + 1 < len(pieces) else ""
            before = pieces[at - 1] if at else ""
            at += _cover_word(piece, before, after, product, result, fillers=fillers)
    result.by_head = bool(result.last) and any(head.endswith(result.last) for head in product.heads)
    return result


def complete(name: Words, question: Words) -> bool:
    """Whether the question holds the whole of a name, in whatever order."""
    return cover(name, Vocabulary.of([question]), fillers=False).full


def slip(asked: str, named: str, *, alone: bool) -> bool:
    """Whether one English word is a typo of the other.

    Short words are not given the benefit of the doubt (table and tablet, band and bank), least
    of all when nothing else was said; first letters are seldom mistyped.
    """
    shorter = min(len(asked), len(named))
    if shorter < 5 or asked[0] != named[0]:
        return False
    if shorter == 5 and alone:
        return False
    if not (asked.isalpha() and named.isalpha()):
        return False
    allowed = 2 if shorter >= 8 else 1
    return OSA.distance(asked, named, score_cutoff=allowed) <= allowed


def _cover_word(
    word: str, before: str, after: str, product: Vocabulary, result: Coverage, *, fillers: bool
) -> int:
    """Account for one word, or for two that the names write as one. Returns how many."""
    single = stem(word)
    joint = word + after
    if after and (joint in product.words or stem(joint) in product.words):
        _found(result, joint, 1.0)
        return 2
    if word in product.words or single in product.words:
        _found(result, single, 1.0)
    elif last := product.joined.get(single):
        _found(result, last, 1.0)
        result.pieces += 1
    elif code_parts(word) and any(same_code(word, named) for named in product.words):
        _found(result, word, 1.0)
    elif fillers and (is_filler(word) or _says_nothing(word, before)):
        result.skipped += 1
    elif named := _mistyped(single, product, alone=not before and not after):
        _found(result, named, 1.0)
        result.typos += 1
    else:
        result.missing += 1.0
        _remember(result, word)
    return 1


def _found(result: Coverage, word: str, weight: float) -> None:
    result.found += weight
    result.pieces += 1
    result.by_code = result.by_code or any(char.isdigit() for char in word)
    _remember(result, word)


def _remember(result: Coverage, word: str) -> None:
    """Keep the last word that can name a thing; Pro and K87 cannot."""
    if word not in VARIANTS and not code_parts(word):
        result.last = stem(word)


def _says_nothing(word: str, before: str) -> bool:
    """Units after a number, and a lone quantity before anything else."""
    if word in UNITS:
        return before.replace(".", "").isdigit()
    return not before and word.isdigit() and len(word) == 1


def _mistyped(word: str, product: Vocabulary, *, alone: bool) -> str | None:
    return next((named for named in product.words if slip(word, named, alone=alone)), None)


def _cover_run(run: str, product: Vocabulary, result: Coverage, *, fillers: bool) -> None:
    """Account for a run of Han characters, first letter by letter, then by sound."""
    best = _segment(run, product, by_sound=False, fillers=fillers)
    if best.lost:
        spoken = _segment(run, product, by_sound=True, fillers=fillers)
        # Sound explains a whole run or nothing: parts of words sound alike too often.
        best = best if spoken.lost else spoken
    result.typos += best.typos
    result.skipped += best.skipped
    result.found += _HAN_WEIGHT * len(best.kept)
    result.missing += _HAN_WEIGHT * len(best.lost)
    result.characters += len(best.kept)
    if best.content:
        result.last = best.content[-2:]


@dataclass(slots=True)
class _Segments:
    kept: str = ""
    lost: str = ""
    loose: str = ""
    content: str = ""
    typos: int = 0
    skipped: int = 0


def _segment(run: str, product: Vocabulary, *, by_sound: bool, fillers: bool) -> _Segments:
    done = _Segments()
    at = 0
    while at < len(run):
        length, as_named = _longest(run, at, product.han, by_sound=by_sound)
        if length >= 2 or (length == 1 and len(run) == 1):
            piece = run[at : at + length]
            done.typos += piece != as_named
            done.kept += as_named
            done.content += as_named
            at += length
        elif fillers and (skip := filler_at(run, at)):
            done.skipped += 1
            at += skip
        else:
            done.loose += run[at]
            done.content += run[at]
            at += 1
    _place_loose(done, product.lines)
    return done


def _place_loose(done: _Segments, lines: Sequence[str]) -> None:
    """Single characters count only where a name has them in the same order (电水壶: 电热水壶)."""
    if not done.loose:
        return
    if not done.kept and len(done.content) == 1:
        fits = any(done.content in line for line in lines)
    else:
        fits = len(done.kept) >= 2 and len(done.loose) == 1
        fits = fits and any(_in_order(done.content, line) for line in lines)
    if fits:
        done.kept += done.loose
    else:
        done.lost = done.loose


def _in_order(content: str, name: str) -> bool:
    remaining = iter(name)
    return all(char in remaining for char in content)


def _longest(run: str, at: int, names: Sequence[str], *, by_sound: bool) -> tuple[int, str]:
    """Longest stretch of a name that the run shows there, and how the name writes it."""
    best = (0, "")
    for name in names:
        for start in range(len(name)):
            length, same = 0, 0
            while at + length < len(run) and start + length < len(name):
                one, other = run[at + length], name[start + length]
                if one == other:
                    same += 1
                elif not (by_sound and sounds_like(one, other)):
                    break
                length += 1
            # At least half letter by letter: 二级 sounds like 耳机 and is not.
            if length > best[0] and same * 2 >= length:
                best = (length, name[start : start + length])
    return best


def _head(name: Words) -> str:
    """Last word or run of a name that is neither a variant (Pro) nor a code (K87)."""
    for piece in reversed(name.pieces):
        if piece in name.han:
            return piece
        if piece not in VARIANTS and not code_parts(piece):
            return stem(piece)
    return ""


def names_of(*names: str) -> list[Words]:
    """Cut a product's names; empty ones are left out."""
    return [cut(name) for name in names if name]

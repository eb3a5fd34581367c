"""Words and phrases of two languages as one pattern; a text in one of them tries only its own."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby

_HAN = re.compile(r"[\u3400-\u9fff]")
_LATIN = re.compile(r"[a-z]")
_SYNTAX = re.compile(r"\\.|\(\?P<\w+>")


class Alternatives:
    """A pattern for folded text; where two alternatives begin at one place, the first is found.

    Args:
        alternatives: regular expressions without a "|" outside of groups. One that has Chinese
            characters and no Latin letter must not match without one of them, nor one with letters
            only without a letter.
    """

    def __init__(self, alternatives: Sequence[str]) -> None:
        han = {one for one in alternatives if _HAN.search(one)}
        latin = {one for one in alternatives if _LATIN.search(_SYNTAX.sub("", one))}
        self._any = _compiled(alternatives)
        self._english = _compiled([one for one in alternatives if one in latin or one not in han])
        self._chinese = _compiled([one for one in alternatives if one in han or one not in latin])

    def search(self, text: str, *span: int) -> re.Match[str] | None:
        """Find the first place, in a span of the text if one is given."""
        return self._for(text).search(text, *span)

    def match(self, text: str, at: int = 0) -> re.Match[str] | None:
        """Match at a place of the text."""
        return self._for(text).match(text, at)

    def fullmatch(self, text: str) -> re.Match[str] | None:
        """Match the whole text."""
        return self._for(text).fullmatch(text)

    def finditer(self, text: str) -> Iterator[re.Match[str]]:
        """Give all places."""
        return self._for(text).finditer(text)

    def sub(self, instead: str | Callable[[re.Match[str]], str], text: str) -> str:
        """Replace all places."""
        return self._for(text).sub(instead, text)

    def _for(self, text: str) -> re.Pattern[str]:
        if text.isascii() or not _HAN.search(text):
            return self._english
        return self._any if _LATIN.search(text) else self._chinese


def _compiled(alternatives: Sequence[str]) -> re.Pattern[str]:
    # What follows a word's boundary is tried there only, and not anew for each alternative.
    groups = groupby(alternatives, key=lambda one: one.startswith(r"\b"))
    parts = (_behind_boundary(group) if bounded else "|".join(group) for bounded, group in groups)
    return re.compile("|".join(parts) or "(?!)", re.ASCII)


def _behind_boundary(group: Iterable[str]) -> str:
    return rf"\b(?:{'|'.join(one.removeprefix(chr(92) + 'b') for one in group)})"

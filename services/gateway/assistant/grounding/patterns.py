"""Words and phrases of two languages as one pattern; a text in one of them tries only its own."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby

_HAN = re.compile(r"[\u3400-\u9fff]")
_LATIN = re.compile(r"[a-z]")
_SYNTAX = re.compile(r"\\.|\(\?P<\w+>")


class _Last:
    """The text asked about last, and its script: many patterns are tried on one text in turn."""

    def __init__(self) -> None:
        self._known = ("", 0)

    def script(self, text: str) -> int:
        """Return 0 for a text without Chinese, 1 for one without English, 2 for one with both."""
        last, script = self._known
        if text is not last:
            han = not text.isascii() and _HAN.search(text)
            script = 0 if not han else 2 if _LATIN.search(text) else 1
            self._known = (text, script)
        return script


_LAST = _Last()


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
        english = _compiled([one for one in alternatives if one in latin or one not in han])
        chinese = _compiled([one for one in alternatives if one in han or one not in latin])
        self._of_script = (english, chinese, _compiled(alternatives))

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
        return self._of_script[_LAST.script(text)]


def _compiled(alternatives: Sequence[str]) -> re.Pattern[str]:
    # What follows a word's boundary is tried there only, and not anew for each alternative.
    groups = groupby(alternatives, key=lambda one: one.startswith(r"\b"))
    parts = (_behind_boundary(group) if bounded else "|".join(group) for bounded, group in groups)
    return re.compile("|".join(parts) or "(?!)", re.ASCII)


def _behind_boundary(group: Iterable[str]) -> str:
    return rf"\b(?:{'|'.join(one.removeprefix(chr(92) + 'b') for one in group)})"

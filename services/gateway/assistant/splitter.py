"""Cuts a growing answer into units: clauses or sentences, in Chinese and English.

A unit is what a stream sends at once. It ends after punctuation, never inside a number
("1,299.50", "¥599.00"), a word, an address ("shop.example/a,b") or an abbreviation ("e.g. "), and
closing quotes stay with the clause they close. Where the cuts fall depends on the text alone, not
on how it arrived.
"""

from services.gateway.assistant.language import language_of

_FULL_WIDTH = frozenset("。！？；，：…")
_ASCII = frozenset(".!?;,:")
_CLOSERS = frozenset("\"'”’」』）)》〉】]")
_ABBREVIATIONS = frozenset(
    {
        *("e.g", "i.e", "etc", "vs", "approx", "no", "nos", "mr", "mrs", "ms", "dr", "st", "inc"),
        *("ltd", "co", "corp", "dept", "est", "fig", "u.s", "u.k", "a.m", "p.m"),
    }
)


class ClauseSplitter:
    """Feed text as it comes; take out complete units. Concatenated, they are the text."""

    def __init__(self) -> None:
        self._buffer = ""
        self._scanned = 0

    def feed(self, text: str) -> list[str]:
        """Add text and return the units it completed."""
        self._buffer += text
        units = []
        while (end := self._next_end()) is not None:
            units.append(self._buffer[:end])
            self._buffer = self._buffer[end:]
            self._scanned = 0
        return units

    def flush(self) -> list[str]:
        """Return what is left as the last unit, if anything is."""
        rest, self._buffer, self._scanned = self._buffer, "", 0
        return [rest] if rest else []

    def _next_end(self) -> int | None:
        """Return where the first unit ends, or None while that cannot be known."""
        text = self._buffer
        for index in range(self._scanned, len(text)):
            char = text[index]
            if char == "\n":
                return index + 1
            if char not in _FULL_WIDTH and char not in _ASCII:
                continue
            end = index + 1
            while end < len(text) and (text[end] in _CLOSERS or text[end] in _FULL_WIDTH):
                end += 1
            if end == len(text):
                # The next character decides; come back to this one.
                self._scanned = index
                return None
            if _is_boundary(text, index, end):
                return end
        self._scanned = len(text)
        return None


def _is_boundary(text: str, index: int, end: int) -> bool:
    """Tell whether a unit may end at `end`, after the punctuation at `index`."""
    before = text[index - 1] if index else ""
    after = text[end]
    if text[index] in _FULL_WIDTH or end > index + 1:
        if before.isdigit() and after.isdigit():
            return False
        # A closer inside a word ("don't", "(s)he") ends nothing.
        return text[index] in _FULL_WIDTH or not after.isalnum() or language_of(after) == "zh"
    if not after.isspace():
        # "1,299.50", "shop.example", "9:00" have no space; Chinese puts none after "," either.
        return language_of(after) == "zh"
    return not (text[index] == "." and _is_abbreviation(text, index))


def _is_abbreviation(text: str, index: int) -> bool:
    """Tell whether the full stop at `index` belongs to an abbreviation or an initial."""
    start = index
    while start and (text[start - 1].isalpha() or text[start - 1] == "."):
        start -= 1
    word = text[start:index].lower()
    # "J. Smith", but neither "USB-C." nor "so do I."
    initial = len(word) == 1 and word != "i" and word.isascii()
    return word in _ABBREVIATIONS or (initial and (start == 0 or text[start - 1].isspace()))

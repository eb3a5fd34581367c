"""Normal forms of what people type: order numbers, SKUs, names, languages. Pure functions."""

import re
import unicodedata
from typing import Literal

Language = Literal["zh", "en"]

_DROPPED = frozenset({"Pd", "Zs", "Zl", "Zp", "Cc", "Cf", "Cs", "Co", "Cn"})
_MINUS_LIKE = frozenset("−_#")  # other signs people put where a hyphen or nothing belongs
_PUNCTUATION = re.compile(r"[\W_]+")
_DROPPED_ASCII = {
    code: None
    for code in range(128)
    if unicodedata.category(chr(code)) in _DROPPED or chr(code) in _MINUS_LIKE
}


def identifier_key(text: str) -> str:
    """Form in which order numbers and SKUs are compared.

    Case, width (NFKC), white space, hyphens and dashes of any kind, underscores, a leading #
    and invisible characters make no difference. Idempotent.
    """
    if text.isascii():  # nearly always, and an import has a million of them
        return text.lower().translate(_DROPPED_ASCII)
    # Case folding can undo NFKC and the other way round, hence twice (Unicode, section 3.13).
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    folded = unicodedata.normalize("NFKC", folded.casefold())
    kept = "".join(
        char
        for char in folded
        if unicodedata.category(char) not in _DROPPED and char not in _MINUS_LIKE
    )
    return unicodedata.normalize("NFKC", kept)


def fold(text: str) -> str:
    """Lower case, half-width, apostrophes gone: the form in which names are cut into words."""
    if text.isascii():
        return text.lower().replace("'", "")
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return folded.replace("'", "").replace("’", "")


def name_key(text: str) -> str:
    """Form in which whole names are compared: letters and digits only."""
    return _PUNCTUATION.sub("", fold(text))


def is_han(char: str) -> bool:
    """Whether the character is written without spaces between words (Han, kana)."""
    return (
        "\u3040" <= char <= "\u30ff" or "\u3400" <= char <= "\u9fff" or "\uf900" <= char <= "\ufaff"
    )


def language_of(accept_language: str | None) -> Language:
    """Pick the better of Chinese and English by an Accept-Language header (RFC 9110 §12.5.4)."""
    best: Language = "zh"
    best_quality = 0.0
    for part in (accept_language or "").split(","):
        tag, _, parameters = part.strip().partition(";")
        match = re.search(r"q\s*=\s*([01](?:\.\d{0,3})?)", parameters)
        quality = float(match.group(1)) if match else 1.0
        primary = tag.strip().lower().split("-")[0]
        if quality > best_quality and primary in {"zh", "en"}:
            best, best_quality = ("zh" if primary == "zh" else "en"), quality
    return best

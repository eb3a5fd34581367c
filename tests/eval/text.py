"""How the grader compares texts: one normal form, and matching that respects words and negation."""

import re
import unicodedata
from decimal import Decimal
from functools import lru_cache

HAN = "\u3400-\u9fff"
_THOUSANDS = re.compile(r"(?<![\d.])\d{1,3}(?:,\d{3})+(?![\d,])")
_ZEROS = re.compile(r"(?<![\d.])(\d+)\.(\d*?)0+(?!\d)")
_BESIDE_HAN = re.compile(rf"(?<=[{HAN}])[ \t]+|[ \t]+(?=[{HAN}])")
_DASHES = re.compile(r"[\s\-‐‑‒–—―−_]+")
# What turns the meaning of the words right after it round.
_NEGATION = re.compile(
    r"(?:不|没|没有|未|无|非|暂无|并未|尚未|不是|还没|(?:\bnot|n't|\bno|\bnever|\bwithout)(?: yet)?"
    r"(?: been| currently| a| an)? )$"
)
_STARTS_NEGATIVE = re.compile(r"^(?:不|没|未|无|非|尚未|暂|还没|not\b|no\b|never\b)")


def normal(text: str) -> str:
    """Fold what makes no difference: width, case, apostrophes, spaces, thousands, trailing zeros.

    Line breaks stay, since they end a clause.
    """
    # Before NFKC: a Chinese comma between two numbers must not become a thousands separator.
    text = _THOUSANDS.sub(lambda match: match.group().replace(",", ""), text)
    text = unicodedata.normalize("NFKC", text).casefold().replace("’", "'").replace("‘", "'")
    text = re.sub(r"[ \t\u00a0\u3000]+", " ", re.sub(r"\s*[\r\n]+\s*", "\n", text)).strip()
    text = re.sub(r"[*`]+", "", text)  # Markdown's emphasis
    text = _ZEROS.sub(lambda m: f"{m[1]}.{m[2]}" if m[2] else m[1], text)
    return _BESIDE_HAN.sub("", text)


def order_key(text: str) -> str:
    """An order or tracking number without case, spaces and hyphens."""
    return _DASHES.sub("", unicodedata.normalize("NFKC", text).casefold())


def product_key(text: str) -> str:
    """A product's spelling: folded, spaces squeezed, none beside a Chinese character."""
    folded = unicodedata.normalize("NFKC", text).casefold().replace("’", "'")
    return _BESIDE_HAN.sub("", re.sub(r"\s+", " ", folded)).strip()


def holds(answer: str, wanted: str) -> bool:
    """Whether the normal text `answer` says `wanted`: as whole words and numbers, not negated."""
    wanted = normal(wanted)
    for match in re.finditer(bounded(wanted), answer):
        before = answer[: match.start()]
        if _STARTS_NEGATIVE.match(wanted) or not _NEGATION.search(before[-24:]):
            return True
    return False


@lru_cache(maxsize=4096)
def bounded(words: str) -> str:
    """A pattern for `words` that does not match inside a longer word or number."""
    pattern = re.escape(words)
    if re.match(r"[a-z]", words):
        pattern = rf"(?<![a-z]){pattern}"
    elif re.match(r"\d", words):
        pattern = rf"(?<!\d)(?<!\d\.){pattern}"
    if re.search(r"[a-z]$", words):
        pattern = rf"{pattern}(?![a-z])"
    elif re.search(r"\d$", words):
        pattern = rf"{pattern}(?!\d)(?!\.\d)"
    return pattern


_DIGITS = {char: value for value, char in enumerate("零一二三四五六七八九")} | {"两": 2, "〇": 0}
_ZERO_TO_TWENTY = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen twenty"
)
_WORDS = {word: value for value, word in enumerate(_ZERO_TO_TWENTY.split())} | {
    "thirty": 30,
    "twenty-four": 24,
    "thirty-six": 36,
}
ZH_NUMERAL = "[零〇一二两三四五六七八九十百]+"
EN_NUMERAL = "(?:" + "|".join(sorted(_WORDS, key=len, reverse=True)) + ")"


def number(text: str) -> Decimal:
    """The value of digits, of a Chinese numeral below a thousand, or of an English one.

    Raises:
        ValueError: it is none of these.
    """
    if re.fullmatch(r"\d+(?:\.\d+)?", text):
        return Decimal(text).normalize()
    if text in _WORDS:
        return Decimal(_WORDS[text])
    if not re.fullmatch(ZH_NUMERAL, text):
        raise ValueError(f"{text!r} is no number")
    total = part = 0
    for char in text:
        if char in "十百":
            total += (part or 1) * (10 if char == "十" else 100)
            part = 0
        else:
            part = _DIGITS[char]
    return Decimal(total + part)

"""A question cut into atoms: each Han character, each Latin word, each number with its unit.

Numbers are written one way: 七天, 7 天 and ７天 are `7d`; 两个, 2 pcs and two are `2n` or `2`.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

from services.gateway.safety.folding import folded

MOST_CHARS = 200
"""A longer message is no hot question."""

_DIGITS = {char: value for value, char in enumerate("零一二三四五六七八九")} | {"两": 2, "〇": 0}
_SCALES = {"十": 10, "百": 100, "千": 1000}
_COUNTERS = "个|台|件|只|款|份|双|条|瓶|盒|套|支|把|副|部|单|张|根|块(?!钱)"
_ZH_UNITS = (
    r"毫安时?|瓦|英寸|寸|毫升|升|天|日(?!常)|号|年|个月|个?小时|个?钟头|分钟|周|个?星期|个?礼拜|"
    r"块钱|元|块|折|点|人|根|米|斤|公斤|克|平|倍|口|档|" + _COUNTERS
)
_HAN_NUMBER = re.compile(
    rf"(?<![第周])(?<!星期)(?<!礼拜)(?<!双)[零〇一二两三四五六七八九十百千万]{{1,9}}(?=\s*(?:{_ZH_UNITS}))"
)
_ENGLISH = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen"),
    *("nineteen", "twenty"),
)
_WORDS = {word: value for value, word in enumerate(_ENGLISH)} | {
    "thirty": 30,
    "forty": 40,
    "fifty": 50,
    "sixty": 60,
    "ninety": 90,
}
_TENS = {"twenty", "thirty", "forty", "fifty", "sixty", "ninety"}
_EN_NUMBER = re.compile(
    rf"\b(?:(?:{'|'.join(sorted(_WORDS, key=len, reverse=True))})(?:[ -](?=hundred|thousand"
    r"|one\b|two\b|three\b|four\b|five\b|six\b|seven\b|eight\b|nine\b))?"
    r"(?:hundred|thousand|one|two|three|four|five|six|seven|eight|nine)?)\b"
)
_UNITS = {
    "mah": "mah", "毫安": "mah", "毫安时": "mah", "w": "w", "瓦": "w", "watt": "w", "watts": "w",
    "英寸": "in", "寸": "in", '"': "in", "''": "in", "inch": "in", "inches": "in", "in": "in",
    "毫升": "ml", "ml": "ml", "升": "l", "l": "l", "liter": "l", "liters": "l", "litre": "l",
    "litres": "l", "天": "d", "日": "d", "day": "d", "days": "d", "年": "y", "year": "y",
    "years": "y", "yr": "y", "yrs": "y", "月": "月", "个月": "mo", "month": "mo", "months": "mo",
    "小时": "h", "个小时": "h", "钟头": "h", "个钟头": "h", "hour": "h", "hours": "h", "hrs": "h",
    "分钟": "min", "minute": "min", "minutes": "min", "mins": "min", "周": "wk", "星期": "wk",
    "个星期": "wk", "礼拜": "wk", "个礼拜": "wk", "week": "wk", "weeks": "wk", "元": "cny",
    "块钱": "cny", "块": "cny", "yuan": "cny", "rmb": "cny", "cny": "cny", "kuai": "cny",
    "dollars": "usd", "usd": "usd", "gb": "gb", "g": "g", "tb": "tb", "t": "tb", "k": "k",
    "点": "点", "点钟": "点", "折": "折", "%": "%", "percent": "%", "pcs": "n", "pieces": "n",
    "units": "n", "am": "am", "pm": "pm", "号": "号", "m": "m", "cm": "cm", "米": "m",
    **dict.fromkeys("个台件只款份双条瓶盒套支把副部单张根", "n"),
}  # fmt: skip
_UNIT = "|".join(re.escape(unit) for unit in sorted(_UNITS, key=len, reverse=True))
_ATOM = re.compile(
    rf"(?P<money>[¥$])?(?P<number>\d+(?:,\d{{3}})*(?:\.\d+)?)(?![a-z]*\d)"
    rf"(?:(?:[ -]?(?=[^a-z]|[a-z]{{2}}))?(?P<unit>{_UNIT})(?:(?<![a-z])|(?![a-z0-9])))?(?![a-z])"
    r"|(?P<word>[a-z0-9]+(?:'[a-z]+)?)|(?P<han>[\u3400-\u9fff])|(?P<stop>[,.!?;:()\n~\[\]])"
)
_A_NOT_A = re.compile(r"([\u4e00-\u9fff])[不没]\1")
_ASKING_END = re.compile(
    r"(?<=[\u4e00-\u9fff\d\w])(?:没有|不(?!了)|没)(?=(?:[亲呀啊呢哈嘛了啦哦呐吧哟噢呗]|谢谢|\s)*(?:[,.!?;~]|$))"
)
_KEEP_END = re.compile(r"(?:还|从|并|也|都|就|绝|或)$")


@dataclass(frozen=True, slots=True)
class Atoms:
    """A text's atoms.

    Attributes:
        words: each atom.
        text: all of them, Latin words and numbers parted by spaces; what phrases are looked up in.
        starts: where in `text` each begins.
        ends: where it ends.
        stops: indices of atoms before which the sentence pauses.
    """

    words: tuple[str, ...]
    text: str
    starts: tuple[int, ...]
    ends: tuple[int, ...]
    stops: frozenset[int]

    def phrase(self, first: int, end: int) -> str:
        """Return atoms `first` to before `end` as a phrase."""
        return self.text[self.starts[first] : self.ends[end - 1]]


def atoms_of(text: str) -> Atoms:
    """Cut a text; nothing of it but spaces, signs and symbols is lost."""
    plain = _plain(text)
    words: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    stops: set[int] = set()
    parts: list[str] = []
    at = 0
    for found in _ATOM.finditer(plain):
        if found["stop"]:
            stops.add(len(words))
            continue
        word = found["han"] or (found["word"] or "").removesuffix("'s") or _number(found)
        if parts and not (found["han"] and _is_han(words[-1])):
            parts.append(" ")
            at += 1
        words.append(word)
        parts.append(word)
        starts.append(at)
        at += len(word)
        ends.append(at)
    return Atoms(tuple(words), "".join(parts), tuple(starts), tuple(ends), frozenset(stops))


@lru_cache(maxsize=4096)
def phrase_of(text: str) -> str:
    """Return a phrase of the lexicon or of a product's name as `Atoms.phrase` gives it."""
    return atoms_of(text).text


def is_number(atom: str) -> bool:
    """Tell whether an atom is a number, with or without a unit."""
    return atom[0].isdigit() and _NUMBER_ATOM.fullmatch(atom) is not None


_NUMBER_ATOM = re.compile(rf"\d+(?:\.\d+)?(?:{'|'.join(sorted({*_UNITS.values()}))})?")


def _is_han(atom: str) -> bool:
    return "\u3400" <= atom[0] <= "\u9fff"


def _plain(text: str) -> str:
    plain = folded(text).replace("”", '"').replace("“", '"').replace("″", '"').replace("–", "-")
    plain = plain.replace("—", ",").replace("&", " and ").replace("、", ",").replace("。", ".")
    if not plain.isascii():
        plain = _A_NOT_A.sub(r"\1", plain)
        plain = _ASKING_END.sub(_asking_end, plain)
        plain = _HAN_NUMBER.sub(lambda found: str(_han(found[0])), plain)
    return _EN_NUMBER.sub(lambda found: str(_english(found[0])), plain)


def _asking_end(found: re.Match[str]) -> str:
    """Return nothing for a 不 or 没 that only asks; "还没" at an end says something."""
    return found[0] if _KEEP_END.search(found.string[: found.start()]) else ""


def _number(found: re.Match[str]) -> str:
    value = found["number"].replace(",", "")
    if "." in value:
        value = value.rstrip("0").rstrip(".")
    unit = _UNITS[found["unit"]] if found["unit"] else ""
    if found["money"] and not unit:
        unit = "cny" if found["money"] == "¥" else "usd"
    return f"{value.lstrip('0') or '0'}{unit}"


def _han(text: str) -> int:
    if not any(char in _SCALES or char == "万" for char in text):
        return int("".join(str(_DIGITS[char]) for char in text))
    total = section = digit = 0
    for char in text:
        if char in _DIGITS:
            digit = _DIGITS[char]
        elif char == "万":
            total, section, digit = (total + section + digit) * 10_000, 0, 0
        else:
            section, digit = section + (digit or 1) * _SCALES[char], 0
    return total + section + digit


def _english(text: str) -> int:
    value = 0
    for word in re.split(
        r"[ -]+", text.replace("hundred", " hundred").replace("thousand", " thousand")
    ):
        if word == "hundred":
            value = (value or 1) * 100
        elif word == "thousand":
            value = (value or 1) * 1000
        elif word in _WORDS:
            value += _WORDS[word]
    return value

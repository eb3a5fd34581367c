"""Writes spelt-out numbers as digits, so that "两年", "five hundred" and "599" compare equal.

Only where a unit or a currency follows: "一下" and "one of them" state no number. The patterns'
repetitions are bounded, so that a customer's message of number words alone takes linear time.
"""

import re
import unicodedata

_DIGITS = {char: value for value, char in enumerate("零一二三四五六七八九")} | {
    "两": 2,
    "〇": 0,
    "俩": 2,
}
_SCALES = {"十": 10, "百": 100, "千": 1000}
_LARGE = {"万": 10_000, "亿": 100_000_000}
_HAN_NUMBER = re.compile(
    r"(?<!第)(?<!周)(?<!星期)(?<!礼拜)[零〇一二两俩三四五六七八九十百千万亿]{1,16}(?:点[零〇一二三四五六七八九]{1,4})?"
    r"(?=\s*(?:多?元|块|圆|人民币|美元|折|%|件|种|款|项|个|台|只|双|套|盒|瓶|包|天|日|号"
    r"|月|年|周|星期|礼拜|盏|辆|架|扇|面|幅|束|株|棵|串|捆|卷|桶|筒|壶|碗|筐|篮|提|听|管|枝|座|期"
    r"|小时|钟头|分钟|分(?!之|期)|季度|工作日|次(?!销售)|单|笔|支|条|副|部|份|箱|袋|位|枚"
    r"|本|根|把|张|顶|床|组|档|级|倍|片|罐|杯|颗|粒|块|米|斤|公斤|克|码|寸|升|毫升|公里|瓦|层|人|步))"
)
# "这一点" is no hour; "下午三点" is.
_HOUR = re.compile(
    r"(?:(?<=[上下中]午)|(?<=[早晚]上)|(?<=凌晨)|(?<=[到至从])|(?<=过了)|(?<=[过前]))[一二两三四五六七八九十]{1,3}(?=点)"
)
_PERCENT = re.compile(r"百分之([零〇一二两三四五六七八九十百]{1,8}|\d+(?:\.\d+)?)")

_ONES = {
    "zero": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7,
    "eight": 8, "nine": 9, "ten": 10, "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14,
    "fifteen": 15, "sixteen": 16, "seventeen": 17, "eighteen": 18, "nineteen": 19,
}  # fmt: skip
_TENS = {
    "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70,
    "eighty": 80, "ninety": 90,
}  # fmt: skip
_WORD = "|".join([*_ONES, *_TENS, "hundred", "thousand"])
_ENGLISH_NUMBER = re.compile(
    rf"\b(?:(?:a\s+)?(?:{_WORD})(?:(?:\s+|-|(?<=hundred)\s+and\s+"
    rf"|(?<=thousand)\s+and\s+)(?:{_WORD})){{0,8}})\b"
    r"(?=[\s-]*(?:yuan|rmb|cny|dollars?|bucks|euros?|pounds?|usd|eur|gbp|percent|per\s+cent"
    r"|(?:business|working|calendar)\s+days?|days?|hours?|weeks?|months?|years?|minutes?"
    r"|units?|pieces?|pcs|items?|orders?|colou?rs|sizes|options|kinds|versions|in\s+stock"
    r"|left|available|remaining))"
)


_SMALL = rf"(?:{'|'.join([*list(_ONES)[2:], *_TENS])})(?:-(?:{'|'.join(list(_ONES)[1:10])}))?\b"
_ALONE = re.compile(rf"\b{_SMALL}(?=[ -]+[a-z0-9])|(?<=[a-z] ){_SMALL}")
"""Numbers that are numbers whatever they count; "one" and "a hundred" may be other things."""
_ONE = re.compile(
    r"(?<!\d )(?<!\bon )(?<!\bper )(?<!hours )(?<!days )"
    r"(?<!weeks )(?<!once )(?<!twice )(?<!times )(?<!such )(?<!what )"
    r"\b(?:an?|one)[ -](?:full |whole )?"
    r"(?=(?:calendar |working |business )?(?:hour|day|week|month|year)\b)"
)
_ONE_TO = re.compile(r"\bone(?= (?:to|or) (?:two|three|four|five|[2-5])\b)")
_ONE_ORDER = re.compile(
    r"\b(?:one|a single|the one) (?=(?:(?:recent|past|open|active|single|other|previous) )?order\b)"
)
_YEARS_AND_A_HALF = re.compile(r"([一二两三四五六七八九]|\d{1,2})年半")
_HALVES = (
    (re.compile(r"半个月"), "15天"), (re.compile(r"半年"), "6个月"),
    (re.compile(r"半天"), "12小时"), (re.compile(r"半个?(?:小时|钟头)"), "30分钟"),
)  # fmt: skip
_ENGLISH_HALVES = (
    (re.compile(r"\bhalf an? year\b|\bhalf-year\b"), "6 months"),
    (re.compile(r"\bhalf an? hour\b"), "30 minutes"), (re.compile(r"\ba fortnight\b"), "14 days"),
)  # fmt: skip


_DIGIT = "[0-9零一二两三四五六七八九]"
_SPOKEN_PRICE = re.compile(
    rf"(\d+|[一二两三四五六七八九十百]{{1,6}})块({_DIGIT})(?:毛({_DIGIT})?分?)?"
    r"(?![\d零一二两三四五六七八九十百个件公千斤米])"
)
_COINS = re.compile(rf"(?<![\d块]){_DIGIT}毛(?:钱|{_DIGIT}分?)?")
"""8块9毛9, 十四块五, 五毛钱: as they are said."""
_AFTER_VERB = re.compile(
    r"(?<=[满减抵省])[一二两三四五六七八九十百千万]{1,6}(?![一二两三四五六七八九十百千万半意])"
)
"""满三百减六十: a number, though nothing says of what."""
_DOZENS = (
    (re.compile(r"\bhalf an? dozen\b|\ba half-dozen\b"), "6"),
    (re.compile(r"\b(?:an?|1|one) dozen\b"), "12"),
    (re.compile(r"\b(?:2|two) dozen\b"), "24"), (re.compile(r"\b(?:3|three) dozen\b"), "36"),
    (
        re.compile(
            r"\b(?:an?|one|a single) (?!order)"
            r"(?=[a-z0-9' -]{2,40}\b(?:left|remaining|in stock)\b)"
        ),
        "1 ",
    ),
)  # fmt: skip


_BARE_PRICE = re.compile(
    r"(?<=[要卖价是])[一二两三四五六七八九]{1}[百千][零一二三四五六七八九十百]{0,5}(?=[,。!~吧呢哦啊]|$)"
)


def _price(found: re.Match[str]) -> str:
    cents = "".join(str(_DIGITS.get(digit, digit)) for digit in found.groups()[1:] if digit)
    return f"{_han_or_digits(found[1])}.{cents}元"


def _coins(found: re.Match[str]) -> str:
    return f"0.{''.join(str(_DIGITS.get(c, c)) for c in found[0] if c not in '毛钱分')}元"


def fold(text: str) -> str:
    """Return text as it is compared: compatibility forms, case and spelt-out numbers folded."""
    text = unicodedata.normalize("NFKC", text).casefold().replace("’", "'")
    if text.isascii():
        return _folded_english(text)
    text = _YEARS_AND_A_HALF.sub(
        lambda found: f"{int(_han_or_digits(found[1])) * 12 + 6}个月", text
    )
    for half, whole in _HALVES:
        text = half.sub(whole, text)
    if "毛" in text or "块" in text:
        text = _COINS.sub(_coins, _SPOKEN_PRICE.sub(_price, text))
    text = _BARE_PRICE.sub(lambda found: f"{_han(found[0])}元", text)
    text = _AFTER_VERB.sub(lambda found: _han(found[0]), text)
    text = _PERCENT.sub(lambda found: f"{_han_or_digits(found[1])}%", text)
    text = _HOUR.sub(lambda found: _han(found[0]), text)
    text = _HAN_NUMBER.sub(lambda found: _apart(found) + _han(found[0]), text)
    return _folded_english(text)


_MONTH_NAMES = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}"
_DATE_RANGES = (
    (re.compile(r"(\d{1,2}月)(\d{1,2})([日号]?\s*[到至~-]\s*)(?=\d{1,2}[日号])"), r"\1\2\3\1"),
    (re.compile(rf"\b({_MONTH_NAMES} )(\d{{1,2}})( ?(?:to|through|until|-"
    rf"|–) ?)(?=\d{{1,2}}\b(?! ?[:%]))"),
     r"\1\2\3\1"),
)  # fmt: skip
"""October 1 to 7: the month is that of both days."""
_YEAR_AND_A_HALF = re.compile(r"\b(?:an? year|(\d{1,2}|one|two|three|four"
r"|five) years?) and a half\b"
    r"|\b(\d{1,2}|one|two|three|four|five) and a half years?\b")  # fmt: skip


def _months(found: re.Match[str]) -> str:
    years = found[1] or found[2] or "1"
    return f"{int(_ONES.get(years, 0) or years) * 12 + 6} months"


def _folded_english(text: str) -> str:
    for days, both in _DATE_RANGES:
        text = days.sub(both, text)
    if "half" in text or "fortnight" in text:
        text = _YEAR_AND_A_HALF.sub(_months, text)
        for half, whole in _ENGLISH_HALVES:
            text = half.sub(whole, text)
    if "dozen" in text or "left" in text or "remaining" in text or "in stock" in text:
        for dozen, number in _DOZENS:
            text = dozen.sub(number, text)
    text = _ONE_ORDER.sub("1 ", _ONE.sub("1 ", _ONE_TO.sub("1", text)))
    text = _ENGLISH_NUMBER.sub(lambda found: str(_english(found[0])), text)
    return _ALONE.sub(lambda found: str(_english(found[0])), text)


def _apart(found: re.Match[str]) -> str:
    """Return what keeps a number from one before it: 169一件."""
    return " " if found.string[found.start() - 1 : found.start()].isdigit() else ""


def _han_or_digits(text: str) -> str:
    return text if text[0].isascii() else _han(text)


def _han(text: str) -> str:
    whole, _, fraction = text.partition("点")
    if not any(char in _SCALES or char in _LARGE for char in whole):
        # Read out digit by digit: 二〇二四, 五九九.
        number = "".join(str(_DIGITS[char]) for char in whole)
    else:
        number = str(_han_whole(whole))
    return number + ("." + "".join(str(_DIGITS[char]) for char in fraction) if fraction else "")


def _han_whole(text: str) -> int:
    total = section = digit = 0
    last_scale = 1
    for char in text:
        if char in _DIGITS:
            digit = _DIGITS[char]
            last_scale = 1 if digit == 0 else last_scale
        elif char in _SCALES:
            section += (digit or 1) * _SCALES[char]
            digit, last_scale = 0, _SCALES[char]
        else:
            total = (total + section + digit) * _LARGE[char]
            section, digit, last_scale = 0, 0, _LARGE[char]
    # 三百五 is 350, 三百零五 is 305.
    return total + section + digit * (last_scale // 10 or 1)


def _english(text: str) -> int:
    total = current = 0
    for word in re.split(r"[\s-]+", text):
        if word in _ONES:
            current += _ONES[word]
        elif word in _TENS:
            current += _TENS[word]
        elif word == "hundred":
            current = (current or 1) * 100
        elif word == "thousand":
            total, current = total + (current or 1) * 1000, 0
    return total + current

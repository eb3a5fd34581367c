"""Cuts names and questions into words, and says which of them carry no product in them."""

import re
from dataclasses import dataclass
from functools import lru_cache

from services.tools.text import fold, is_han

_TEN_THOUSAND = re.compile(r"([一二两三四五六七八九]|\d+(?:\.\d+)?)万")
_DIGITS = dict(zip("一二两三四五六七八九", (1, 2, 2, 3, 4, 5, 6, 7, 8, 9), strict=True))
_QUANTITY = re.compile(
    r"(?:\d{1,3}|[一二两三四五六七八九十几])\s*"
    r"(?:[个台件只条把套部副支款盒箱](?![\u4e00-\u9fff]*\d)|pcs\b|pieces?\b|units?\b|x\s)"
)
_HAN = "\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"  # as text.is_han
_PIECE = re.compile(rf"[{_HAN}]+|(?:(?![{_HAN}])[^\W_]|(?<=\d)\.(?=\d))+")
_CODE = re.compile(r"([a-z]*)(\d+(?:\.\d+)?)([a-z]*)")


def _listed(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _any_of(phrases: tuple[str, ...]) -> re.Pattern[str]:
    # Longest first, so that 有没有货 is not read as 有没有 and a stray 货.
    return re.compile("|".join(sorted(phrases, key=len, reverse=True)))


UNITS = frozenset(_listed("w watt watts inch inches in cm mm m ml l mah ah gb tb g t kg hz v k"))
VARIANTS = frozenset(_listed("pro max plus mini ultra lite air se series edition version model"))
_FILLERS_EN = frozenset(
    _listed(
        """
        a an the this that these those one ones it its some any
        please pls plz thanks thank you thx hi hello hey ok u ur
        i im id ill we my me our us they them their your yours
        is are was am be been do does did have has had got get can could would will should may
        want wanna need like love buy buying purchase order ordering looking look for find
        interested about of in on at to from with and or if by as so just only also
        how much many what whats which where when who there here new good best nice latest
        price prices priced cost costs costing expensive cheap cheaper cheapest
        stock stocked instock available availability left still
        sell sells selling sold carry tell show check know info information details
        product products item items thing things model models called named name
        ship ships shipping shipped warranty guarantee
        black white red blue green grey gray pink silver gold golden purple yellow brown
        """
    )
)
_FILLERS_ZH = _any_of(
    _listed(
        """
        请问 你好 您好 您们 在吗 亲亲 亲 请帮我 帮我 帮忙 麻烦 谢谢 一下 查一下 查查 查询 看一下
        看看 问一下 问下 我想要 我想买 我想 我要买 我要 想要 想买 想问 要买 给我 来个 推荐
        有没有货 有没有 还有没有 有没 有货没 还有货 还有吗 还有 有货 有吗 没货 现货 库存 缺货 断货
        多少钱 多少 多钱 价格 价钱 几块钱 几块 几钱 啥价 什么价 售价 单价 贵不贵 便宜 怎么卖 咋卖
        保修 质保 多久 发货 哪里发 从哪 哪里 包邮 能买 可以买 买到 卖不卖 还卖 在卖 有卖
        这款 那款 这个 那个 这种 那种 这台 那台 这副 那副 哪款
        你们家 你们店 你们 你家 店里 咱们 咱家
        一个 一台 一款 一副 一只 一把 一件 一条 两个 几个 商品 产品 宝贝 东西
        的 了 吗 呢 吧 呀 啊 哦 噢 哈 嘛 么 是
        黑色 白色 红色 蓝色 绿色 灰色 粉色 银色 金色 紫色 黄色 棕色
        """
    )
)


@dataclass(frozen=True, slots=True)
class Words:
    """A text in its pieces.

    Attributes:
        pieces: words and runs of Han characters, in order.
        latin: the words that are not Han.
        han: the runs that are.

    """

    pieces: tuple[str, ...]
    latin: tuple[str, ...]
    han: tuple[str, ...]


def cut(text: str, *, question: bool = False) -> Words:
    """Cut a name, or a question with its quantities ("2个") taken out."""
    folded = _TEN_THOUSAND.sub(_expand, fold(text))
    if question:
        folded = _QUANTITY.sub(" ", folded)
    pieces = _PIECE.findall(folded)
    return Words(
        tuple(pieces),
        tuple(piece for piece in pieces if not is_han(piece[0])),
        tuple(piece for piece in pieces if is_han(piece[0])),
    )


def _expand(match: re.Match[str]) -> str:
    number = match.group(1)
    return str(round(float(_DIGITS.get(number, number)) * 10_000))


@lru_cache(maxsize=65_536)
def stem(word: str) -> str:
    """Singular of an English plural; other words as they are."""
    if len(word) < 4 or not word.endswith("s") or word.endswith(("ss", "us", "is")):
        return word
    if word.endswith("ies"):
        return f"{word[:-3]}y"
    if word.endswith(("ches", "shes", "xes", "sses")):
        return word[:-2]
    return word[:-1]


def is_filler(word: str) -> bool:
    """Whether an English word says nothing about which product is meant."""
    return word in _FILLERS_EN


def filler_at(run: str, at: int) -> int:
    """Length of the Chinese filler that begins there, or 0."""
    match = _FILLERS_ZH.match(run, at)
    return match.end() - at if match else 0


def code_parts(word: str) -> tuple[str, str, str] | None:
    """Letters, number, letters of a word such as k87, 65w or 10000; None for other words."""
    match = _CODE.fullmatch(word)
    return (match.group(1), match.group(2), match.group(3)) if match else None


def same_code(asked: str, named: str) -> bool:
    """Whether a code in a question can mean a code in a name: 87 ~ k87, 65w ~ 65, 1t ~ 1tb.

    The number must be the same. Letters may be missing in the question, or be a unit that the
    name spells out in Chinese; a lone digit is too little for that.
    """
    if asked == named:
        return True
    one, other = code_parts(asked), code_parts(named)
    if one is None or other is None or one[1] != other[1]:
        return False
    if len(one[1]) == 1 and not one[0] and not one[2]:
        return False
    prefix = one[0] in {"", other[0]}
    suffix = other[2].startswith(one[2]) or (not other[2] and one[2] in UNITS)
    return prefix and suffix

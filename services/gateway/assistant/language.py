"""Which language a message is in, and the fixed sentences in each."""

import re

from services.gateway.identity.shops import Language

_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")

_CANT_CONFIRM: dict[Language, str] = {
    "zh": "抱歉，这一点我暂时无法确认。",
    "en": "I'm sorry, I can't confirm that right now.",
}


_ASK_AGAIN: dict[Language, str] = {
    "zh": "（核对未通过，这句没有发给顾客：没有任何依据说明“{fault}”。{so_far}"
    "请只用工具结果或资料中的内容回答；没有依据就说暂时无法确认。）",
    "en": "(That sentence was checked and not sent: nothing supports “{fault}”. {so_far}"
    "Answer only with what tool results or the passages state; where they state nothing, say you "
    "can't confirm it.)",
}
_SO_FAR: dict[Language, str] = {
    "zh": "顾客已经看到“{said}”，请接着往下说，不要重复。",
    "en": "The customer has already read “{said}”; go on from there without repeating it. ",
}


def language_of(text: str) -> Language:
    """Return "zh" if `text` holds a Han character, else "en"."""
    return "zh" if _HAN.search(text) else "en"


def cant_confirm(language: Language) -> str:
    """Return the sentence said when the model gave no usable words."""
    return _CANT_CONFIRM[language]


_DECLINES = re.compile(
    r"(?:(?:抱歉|对不起|不好意思)[，,]?)?[^，。,.]{0,20}(?:无法|不能|没法)确认[^，。,.]{0,8}[。.]?"
    r"|(?:(?:i'm |i am )?sorry,? (?:but )?)?i(?: can't|'m unable to| am unable to| cannot) confirm"
    r"[^.,;]{0,40}\.?",
    re.IGNORECASE,
)


def only_declines(text: str) -> bool:
    """Tell whether an answer says that it cannot be confirmed, and nothing else."""
    return bool(_DECLINES.fullmatch(text.strip().replace("’", "'")))


def ask_again(language: Language, fault: str, said: str) -> str:
    """Return what the model is told when a sentence was held back.

    Args:
        language: of the answer.
        fault: the words that nothing supports.
        said: what of the answer was sent before.
    """
    so_far = _SO_FAR[language].format(said=said.strip()) if said.strip() else ""
    return _ASK_AGAIN[language].format(fault=fault, so_far=so_far)


def han_count(text: str) -> int:
    """Return how many Han characters `text` has."""
    return len(_HAN.findall(text))

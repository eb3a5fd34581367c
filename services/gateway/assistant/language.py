"""Which language a message is in, and the fixed sentences in each."""

import re

from services.gateway.identity.shops import Language

_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")

_CANT_CONFIRM: dict[Language, str] = {
    "zh": "抱歉，这一点我暂时无法确认。",
    "en": "I'm sorry, I can't confirm that right now.",
}


def language_of(text: str) -> Language:
    """Return "zh" if `text` holds a Han character, else "en"."""
    return "zh" if _HAN.search(text) else "en"


def cant_confirm(language: Language) -> str:
    """Return the sentence said when the model gave no usable words."""
    return _CANT_CONFIRM[language]


def han_count(text: str) -> int:
    """Return how many Han characters `text` has."""
    return len(_HAN.findall(text))

"""What became of a question, decided from the gateway's reply alone."""

import re
from typing import Literal

import msgspec

from services.gateway.assistant.language import only_declines

Outcome = Literal["answered", "handover", "unconfirmed", "error"]
OUTCOMES: dict[Outcome, str] = {
    "answered": "answered",
    "handover": "handed over to a person",
    "unconfirmed": "could not be confirmed",
    "error": "error",
}
"""All outcomes with their names for people, in the order of reports."""

_SENTENCE_END = re.compile(r"(?<=[。！？!?])|(?<=\.)(?=\s)")
_NOTHING_SAID = re.compile(
    # Greetings, apologies, thanks.
    r"(?:您好|你好|亲|嗨|抱歉|对不起|不好意思|很抱歉|非常抱歉|谢谢|感谢您的(?:咨询|理解|耐心))[呀啊哦亲，,~]*"
    r"|(?:hi|hello|hey|(?:i'm |i am )?(?:very |so )?sorry(?: (?:about|for) (?:that|this))?"
    r"|thank you|thanks|one moment,? please)(?: there)?"
    # A person is pointed to.
    r"|[^。]{0,30}(?:人工|客服)[^。]{0,30}"
    r"|.{0,60}\b(?:colleagues?|(?:a|real) person|our team|customer (?:service|support|care)"
    r"|support team|human agent)\b.{0,60}"
    r"|请留下电话或邮箱|please leave a phone number or e-?mail address",
    re.IGNORECASE,
)


class Exchange(msgspec.Struct, frozen=True, kw_only=True):
    """A question and what came of it, with personal data masked: all that a report keeps."""

    line: int
    """Of the CSV."""
    question: str
    outcome: Outcome
    answer: str = ""
    error: str = ""
    expected: str = ""
    source: str = ""
    """Who answered: model, cache, rail or agent."""
    tools: list[str] = []
    citations: list[dict[str, str]] = []
    degraded: list[str] = []
    signed_in: bool = False
    gap: bool = False
    """The answer only declines, whether or not a person was called as well."""
    partly: bool = False
    """It answers something, and declines the rest."""
    after_handover: bool = False
    """A person had the conversation before the question came."""
    seconds: float = 0.0
    """Until the reply was there; waiting that a 429 asked for is not in it."""
    timings_ms: dict[str, float] = {}


class Talk(msgspec.Struct, frozen=True):
    """A conversation's exchanges, in order."""

    exchanges: list[Exchange]


def outcome_of(answer: str, owner: str) -> Outcome:
    """Return what a reply is to the customer.

    Args:
        answer: its text.
        owner: who has the conversation from now on, as `xiaoer.handoff` says.
    """
    if owner != "bot":
        return "handover"
    return "unconfirmed" if declines(answer) else "answered"


def declines(answer: str) -> bool:
    """Tell whether an answer only says that it cannot be confirmed.

    A greeting, an apology or the offer of a person beside that is no answer either.
    """
    said = _sentences(answer)
    return any(map(only_declines, said)) and all(
        only_declines(one) or _says_nothing(one) for one in said
    )


def declines_partly(answer: str) -> bool:
    """Tell whether an answer says something, and that the rest cannot be confirmed."""
    return any(map(only_declines, _sentences(answer))) and not declines(answer)


def _sentences(text: str) -> list[str]:
    plain = text.replace("’", "'")
    return [found for part in _SENTENCE_END.split(plain) if (found := part.strip())]


def _says_nothing(sentence: str) -> bool:
    return bool(_NOTHING_SAID.fullmatch(sentence.strip(" 。！？!?.，,~")))

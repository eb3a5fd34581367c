"""What an answer says will happen: nobody knows but the shop, so that its texts must say it."""

import re
from collections.abc import Sequence

from services.gateway.assistant.grounding.lexicon import lexicon
from services.gateway.assistant.grounding.statement import Statement
from services.gateway.assistant.grounding.texts import RELATED, Line, related, share

_TOLD = {
    "contact": re.compile(
        r"\b(?:call|phone|ring|text|contact|notif|inform|alert|remind|updat)|联系|通知|电话|短信"
        r"|提醒|致电|告知"
    )
}
"""How the shop's texts may say the same."""
_MAIL = re.compile(r"\be-?mail|\binbox|邮[箱件]")
_MEANS = frozenset({"email", "phone", "electronic"})


def wrong(said: Statement, lines: Sequence[Line]) -> str:
    """Return words that promise what the shop's texts do not."""
    if not lexicon().any_foretold.search(said.stated):
        return ""
    for name, pattern in lexicon().foretold.items():
        found = pattern.search(said.stated)
        told = _TOLD.get(name, pattern)
        if found is None or any(
            told.search(line.text) and related(said.line, line) for line in lines
        ):
            continue
        if not (_MAIL.search(said.stated) and any(_mailed(said.line, line) for line in lines)):
            return found[0]
    return ""


def _mailed(said: Line, line: Line) -> bool:
    """Tell whether the shop mails what is spoken of: that it mails invoices tells of no other."""
    return bool(_MAIL.search(line.text)) and bool((said.loaded & line.loaded) - _MEANS)


def empty(said: Statement, lines: Sequence[Line]) -> str:
    """Return words that foretell something, in a unit of neutral words alone."""
    words = lexicon().forecast
    found = words["said"].search(said.stated)
    if found is None or any(words[n].search(said.stated) for n in ("of_oneself", "of_tracking")):
        return ""
    if words["denied"].search(said.stated) and not words["of_waiting"].search(said.stated):
        return ""
    if said.numbers or said.own_conditions or any(c.kind != "carrier" for c in said.worded):
        return ""
    if any(share(said.line, line) >= RELATED for line in lines):
        return ""
    return found[0]

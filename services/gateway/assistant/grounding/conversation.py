"""The evidence that a conversation brings along: the shop's texts, and results still fresh."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import msgspec

from services.gateway.assistant.grounding.evidence import Evidence
from services.gateway.assistant.grounding.numerals import fold
from services.gateway.assistant.types import Message, StoredTurn
from services.gateway.identity.shops import ShopProfile

ASKED_CHARS = 16_000
"""How much of the customer's own words, from the end, is read for what they identify: enough for
two of the longest messages, and folded in milliseconds."""


def evidence_of(
    profile: ShopProfile,
    history: Sequence[StoredTurn],
    conversation: Sequence[Message],
    fresh_for_s: Mapping[str, float],
    passages: tuple[str, ...] = (),
) -> Evidence:
    """Return what a new answer may state before any tool was called for it.

    Args:
        profile: of the shop; its policies count in both languages.
        history: the session's turns.
        conversation: the client's messages. What it says the assistant said is no evidence.
        fresh_for_s: by tool, how long a result counts.
        passages: of the shop's documents and product pages, found for this question.
    """
    policies = _folded((*profile.policies.zh, *profile.policies.en))
    found = tuple(text for passage in passages for text in _folded((passage,)))
    asked = [turn.user for turn in history]
    asked += [message.content for message in conversation if message.role == "user"]
    words = "\n".join(asked)[-ASKED_CHARS:]
    question = fold(asked[-1][-ASKED_CHARS:]) if asked else ""
    evidence = Evidence(texts=policies + found, asked=fold(words), question=question)
    evidence.names.update(_folded((profile.name.zh, profile.name.en)))
    now = datetime.now(UTC)
    for turn in history:
        for call in turn.tool_calls:
            age_s = (now - datetime.fromisoformat(call.at)).total_seconds()
            if age_s <= fresh_for_s.get(call.name, 0.0):
                add_result(evidence, bytes(call.result), bytes(call.arguments))
    return evidence


@lru_cache(maxsize=1024)
def _folded(texts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(map(fold, texts))


def add_result(evidence: Evidence, result: bytes | str, arguments: bytes | str) -> None:
    """Take in a tool's result and the arguments it was asked with, both JSON."""
    evidence.add(_decoded(result), _texts(_decoded(arguments)))


def _decoded(data: bytes | str) -> Any:
    try:
        return msgspec.json.decode(data or b"{}")
    except (msgspec.DecodeError, UnicodeError):
        return None


def _texts(arguments: Any) -> Iterable[str]:
    if not isinstance(arguments, dict):
        return []
    return [value for value in arguments.values() if isinstance(value, str)]

"""The words of the answer cache: what is asked, and what is given again."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from services.gateway.assistant.types import StoredToolCall
from services.gateway.identity.shops import Language


@dataclass(frozen=True, slots=True)
class Asked:
    """A question on its way to the model.

    Attributes:
        shop: whose customer asks.
        language: of the question.
        text: the customer's message, personal data already masked: hot questions are kept.
        profile: fingerprint of the shop's settings that an answer depends on.
        fresh: the conversation has no earlier turns, so that its answer depends on none.
        vector: gives the text's embedding, little-endian float32 of length 1, or None while the
            embedder is away; asked for at most once, and only where the text itself is unknown.
    """

    shop: str
    language: Language
    text: str
    profile: str
    fresh: bool
    vector: Callable[[], Awaitable[bytes | None]]


class CachedAnswer(msgspec.Struct, frozen=True):
    """An answer that others may be given.

    Attributes:
        text: what the customer reads.
        tool_calls: what it was made with; a follow-up is answered from it.
        cards: facts for display.
        citations: documents it quotes.
    """

    text: str
    tool_calls: list[StoredToolCall] = []
    cards: list[dict[str, Any]] = []
    citations: list[dict[str, Any]] = []

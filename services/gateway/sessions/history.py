"""What of a conversation is kept: the last turns, within a budget of tokens.

Stored as one JSON array of turns; arguments and results of tools inside it byte for byte.
"""

import msgspec

from services.gateway.assistant.language import han_count
from services.gateway.assistant.types import StoredTurn

_turns = msgspec.json.Decoder(list[StoredTurn])
_encoder = msgspec.json.Encoder()

TURN_OVERHEAD_TOKENS = 12
"""Marks around a turn's two messages in Qwen2.5's chat template."""
CALL_OVERHEAD_TOKENS = 24
"""Marks around a tool call and its result."""


def decode(data: bytes) -> list[StoredTurn]:
    """Return the stored turns.

    Raises:
        msgspec.DecodeError: the data is not what this service wrote.
    """
    return _turns.decode(data)


def encode(turns: list[StoredTurn]) -> bytes:
    """Return turns as they are stored."""
    return _encoder.encode(turns)


def text_tokens(text: str) -> int:
    """Estimate the tokens of a text, on the high side.

    One for each Han character and one for each three other characters: Qwen2.5's tokenizer needs
    about 0.7 and 0.25 on shop talk, and up to 0.35 on numbers and JSON. Counting exactly would
    cost more than the request.
    """
    han = han_count(text)
    return han + (len(text) - han + 2) // 3


def turn_tokens(turn: StoredTurn) -> int:
    """Estimate the prompt tokens that a stored turn costs."""
    total = TURN_OVERHEAD_TOKENS + text_tokens(turn.user) + text_tokens(turn.assistant)
    for call in turn.tool_calls:
        total += CALL_OVERHEAD_TOKENS + text_tokens(call.name)
        total += text_tokens(bytes(call.arguments).decode())
        total += text_tokens(bytes(call.result).decode())
    return total


def trimmed(turns: list[StoredTurn], most_turns: int, most_tokens: int) -> list[StoredTurn]:
    """Return the newest turns that fit both limits, oldest first.

    The newest turn stays even where it alone passes the token budget, as long as any budget is
    given: a follow-up needs it.
    """
    kept: list[StoredTurn] = []
    tokens = 0
    for turn in reversed(turns[-most_turns:]):
        tokens += turn_tokens(turn)
        if tokens > most_tokens and (kept or most_tokens == 0):
            break
        kept.append(turn)
    return kept[::-1]

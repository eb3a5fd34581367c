"""The words of a turn: messages, tool calls, what is stored and what is replied.

Plain data, shared by the rooms that make, keep and show a turn.
"""

from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

Source = Literal["model", "cache", "rail", "agent"]
Owner = Literal["bot", "waiting", "agent"]


class Message(msgspec.Struct, frozen=True):
    """One message of a conversation as customers see it."""

    role: Literal["user", "assistant"]
    content: str


class StoredToolCall(msgspec.Struct, frozen=True):
    """A tool call as a session remembers it.

    `arguments` and `result` are kept byte for byte: the model sees them again in a follow-up.
    """

    name: str
    arguments: msgspec.Raw
    """JSON; a JSON string when the model's arguments were no JSON."""
    result: msgspec.Raw
    """JSON as the tools service gave it."""
    at: str
    """When the result was known, ISO 8601, UTC. Calls of one round share it to the millisecond."""


class StoredTurn(msgspec.Struct, frozen=True):
    """One complete turn: what was asked, what was answered, and on what grounds."""

    user: str
    assistant: str
    tool_calls: tuple[StoredToolCall, ...] = ()
    source: Source = "model"


@dataclass(slots=True)
class Usage:
    """Tokens of all model calls of one turn."""

    prompt_tokens: int = 0
    completion_tokens: int = 0

    def add(self, other: "Usage") -> None:
        """Count another model call in."""
        self.prompt_tokens += other.prompt_tokens
        self.completion_tokens += other.completion_tokens


@dataclass(slots=True)
class ToolCall:
    """A tool call as the model asked for it."""

    id: str
    name: str
    arguments: str
    """JSON, unless the model broke it."""


@dataclass(slots=True)
class Answer:
    """What a turn came to."""

    text: str = ""
    finish_reason: Literal["stop", "length"] = "stop"
    usage: Usage = field(default_factory=Usage)
    tool_calls: list[StoredToolCall] = field(default_factory=list)
    cards: list[dict[str, Any]] = field(default_factory=list)
    citations: list[dict[str, str]] = field(default_factory=list)
    """The documents it quotes, each with `document`, `title` and `heading`."""
    degraded: list[str] = field(default_factory=list)
    source: Source = "model"
    owner: Owner = "bot"
    """Who has the conversation from now on."""
    unanswered: bool = False
    """The customer got no answer to what they asked: nothing could be confirmed or looked up."""
    public_for_s: float = 0.0
    """How long it may be given to other customers of the shop; 0: never."""
    why_private: str = ""
    """Why it may not, where it may not."""
    node: str | None = None
    timings_ms: dict[str, float] = field(default_factory=dict)

    def degrade(self, what: str) -> None:
        """Note once that `what` was away."""
        if what not in self.degraded:
            self.degraded.append(what)

    def spend(self, hop: str, seconds: float) -> None:
        """Add time spent waiting for `hop`."""
        self.timings_ms[hop] = round(self.timings_ms.get(hop, 0.0) + seconds * 1000, 2)

"""Where the assistant and the sessions report what took how long; metrics implement it."""

from typing import Protocol


class Observer(Protocol):
    """Is told about hops and tool calls. Must not raise and must not wait."""

    def hop(self, name: str, seconds: float) -> None:
        """Report time spent waiting for `model`, `tools` or `redis`."""

    def tool_call(self, tool: str, outcome: str) -> None:
        """Report one tool call; `tool` is a published name or `unknown`."""

    def conversation(self, shop: str) -> None:
        """Report a conversation's first message."""

    def handoff(self, shop: str, reason: str) -> None:
        """Report a ticket, and why it was opened."""

    def takeover(self) -> None:
        """Report that another node went on with an answer whose node was lost."""

    def lock_wait(self, seconds: float) -> None:
        """Report how long a message waited for its turn in the session."""

    def rail(self, name: str, action: str, language: str, seconds: float) -> None:
        """Report what a rail decided on one text, and how long it took."""

"""A log that remembers, in place of structlog's."""

from typing import Any


class LogSpy:
    """Collects `(level, event, fields)`."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str, dict[str, Any]]] = []

    def info(self, event: str, **fields: Any) -> None:
        """Note an info line."""
        self.lines.append(("info", event, fields))

    def warning(self, event: str, **fields: Any) -> None:
        """Note a warning."""
        self.lines.append(("warning", event, fields))

    def events(self, level: str) -> list[str]:
        """Return the events of one level, oldest first."""
        return [event for found, event, _ in self.lines if found == level]

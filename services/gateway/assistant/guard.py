"""Keeps the model's machinery out of the customer's sight.

A model server hands tool calls over in a field of their own. When a call is broken, or tools are
switched off, the marked-up call may come as text instead; so may a tool's JSON, copied by a weak
model. Such text is held back here, and calls in it can be read.
"""

import re
from dataclasses import dataclass
from typing import Any

import msgspec

_MARKS = (
    "<tool_call>",
    "</tool_call>",
    "<tool_response>",
    "</tool_response>",
    "<tools>",
    "<|",
    '{"',
    "{'",
    '[{"',
    "```",
)
_FIRST = frozenset(mark[0] for mark in _MARKS)
_LONGEST = max(map(len, _MARKS))
_FIND = re.compile("|".join(re.escape(mark) for mark in _MARKS))
_CALL = re.compile(r"<tool_call>\s*(.*?)\s*(?:</tool_call>|$)", re.DOTALL)
_NAME = re.compile(r'"name"\s*:\s*"([^"]{1,64})"')
_BLOCKS = (("<tool_call>", "</tool_call>"), ("<tool_response>", "</tool_response>"))


@dataclass(frozen=True, slots=True)
class LeakedCall:
    """A tool call found in text. `arguments` is None where it could not be read."""

    name: str
    arguments: str | None


class Guard:
    """Feed one model call's text; take out what a customer may see."""

    def __init__(self) -> None:
        self._pending = ""
        self._held = ""

    def feed(self, text: str) -> str:
        """Add text and return the part that is certainly harmless."""
        if self._held:
            self._held += text
            return ""
        pending = self._pending + text
        if _FIRST.isdisjoint(pending):
            self._pending = ""
            return pending
        match = _FIND.search(pending)
        if match:
            self._held = pending[match.start() :]
            self._pending = ""
            return pending[: match.start()]
        keep = _partial_mark(pending)
        self._pending = pending[len(pending) - keep :]
        return pending[: len(pending) - keep]

    def finish(self) -> str:
        """Return what may still be shown now that the text is complete."""
        shown, self._pending = self._pending, ""
        rest = self._held
        for _ in range(8):
            if not rest:
                return shown
            rest = _after_block(rest)
            match = _FIND.search(rest)
            cut = match.start() if match else len(rest)
            shown += rest[:cut].lstrip() if not shown else rest[:cut]
            rest = rest[cut:]
        return shown

    @property
    def held(self) -> str:
        """The text held back."""
        return self._held

    def leaked_calls(self) -> list[LeakedCall]:
        """Return the tool calls in the text held back."""
        return [_leaked_call(block) for block in _CALL.findall(self._held)]


def _partial_mark(text: str) -> int:
    """Return how many characters at the end of `text` may be the start of a mark."""
    for size in range(min(_LONGEST - 1, len(text)), 0, -1):
        tail = text[-size:]
        if tail[0] in _FIRST and any(mark.startswith(tail) for mark in _MARKS):
            return size
    return 0


def _after_block(text: str) -> str:
    """Return what follows the machinery that `text` starts with; nothing where it has no end."""
    for opening, closing in _BLOCKS:
        if text.startswith(opening):
            _, found, rest = text.partition(closing)
            return rest if found else ""
        if text.startswith(closing):
            return text[len(closing) :]
    if text.startswith("```"):
        _, found, rest = text[3:].partition("```")
        return rest if found else ""
    if text.startswith("<|"):
        _, found, rest = text.partition("|>")
        return rest if found else ""
    if text.startswith(('{"', '[{"')):
        return _after_json(text)
    return ""


def _after_json(text: str) -> str:
    """Return what follows the JSON value at the start of `text`; nothing where it is broken."""
    depth, quoted, escaped = 0, False, False
    for index, char in enumerate(text):
        if escaped:
            escaped = False
        elif quoted:
            escaped, quoted = char == "\\", char != '"'
        elif char == '"':
            quoted = True
        elif char in "{[":
            depth += 1
        elif char in "}]":
            depth -= 1
            if depth == 0:
                return text[index + 1 :]
    return ""


def _leaked_call(block: str) -> LeakedCall:
    try:
        value: Any = msgspec.json.decode(block)
    except (msgspec.DecodeError, ValueError):
        value = None
    if isinstance(value, dict) and isinstance(value.get("name"), str):
        arguments = value.get("arguments", {})
        if isinstance(arguments, dict):
            return LeakedCall(value["name"], msgspec.json.encode(arguments).decode())
    name = _NAME.search(block)
    return LeakedCall(name.group(1) if name else "unknown", None)

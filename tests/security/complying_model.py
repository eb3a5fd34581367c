"""A model on the attacker's side: it calls whatever any text before it asks for, and tells all.

It reads order numbers out of every message (also where they are coded), looks each of them up with
whatever else was asked for, follows instructions in tool results, and repeats what it was given.
"""

import base64
import binascii
import codecs
import json
import re
from typing import Any

from tests.support.fake_model import FakeModel, Seen, Send, Step, _completion, _json

_ORDER = re.compile(r"ORD[\s-]?\d{8}[\s-]?\d{3}", re.IGNORECASE)
_CODED = re.compile(r"[A-Za-z0-9+/]{16,}={0,2}")
_HEX = re.compile(r"(?:[0-9a-fA-F]{2}){12,}")
_PEOPLE = ("alice", "bob", "carol", "dave")
MOST_CALLS = 8


class ComplyingModel(FakeModel):
    """Answers by what it is told, and keeps what reached it."""

    async def _answer(self, seen: Seen, send: Send) -> None:
        await _json(send, 200, _completion(_step(seen.messages)))

    def told(self) -> str:
        """Return all that ever reached it, but for the system's own words."""
        return json.dumps(
            [m for seen in self.seen for m in seen.messages if m["role"] != "system"],
            ensure_ascii=False,
        )


def _step(messages: list[dict[str, Any]]) -> Step:
    asked = {
        call["function"]["arguments"]
        for message in messages
        for call in message.get("tool_calls") or ()
    }
    text = "\n".join(str(m.get("content") or "") for m in messages if m["role"] != "system")
    calls = []
    for name, arguments in _wanted(text):
        coded = json.dumps(arguments, ensure_ascii=False)
        if coded not in asked:
            calls.append((name, coded))
    if calls and sum(m["role"] == "tool" for m in messages) < MOST_CALLS:
        return Step(calls=calls[:MOST_CALLS], finish="tool_calls")
    results = [str(m["content"]) for m in messages if m["role"] == "tool"]
    return Step(text=" ".join(results) or "I was told: " + text)


def _wanted(text: str) -> list[tuple[str, dict[str, Any]]]:
    everything = "\n".join([text, *_decoded(text)])
    wanted: list[tuple[str, dict[str, Any]]] = [
        ("query_order_status", {"order_id": number})
        for number in dict.fromkeys(_ORDER.findall(everything))
    ]
    for person in _PEOPLE:
        if person in everything.lower():
            wanted.append(("list_recent_orders", {"customer_id": person}))
            wanted += [
                (name, {**arguments, "customer": person, "sub": person})
                for name, arguments in wanted[:1]
                if name == "query_order_status"
            ]
    return [*wanted, ("list_recent_orders", {})]


def _decoded(text: str) -> list[str]:
    found = [codecs.decode(text, "rot13"), text[::-1]]
    for coded in _CODED.findall(text):
        try:
            found.append(base64.b64decode(coded + "=" * (-len(coded) % 4)).decode())
        except (binascii.Error, UnicodeDecodeError):
            continue
    return found + [bytes.fromhex(coded).decode(errors="ignore") for coded in _HEX.findall(text)]

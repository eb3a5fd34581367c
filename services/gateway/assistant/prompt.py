"""The prompt: a system message per shop and language, then the conversation.

What never changes comes first, so that the model server's prefix cache serves all customers of a
shop; passages of the shop's documents stand with the last question alone. `prompts/system.j2` is
what is sent; `prompts/verbose.*.j2` is the obvious prose version, kept to measure against (see
`prompt_cost`).
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2

from services.gateway.assistant.types import Message, StoredTurn
from services.gateway.identity.shops import Language, Shop, ShopProfile
from services.gateway.knowledge.types import Passage

_FOLDER = Path(__file__).parent / "prompts"


def environment() -> jinja2.Environment:
    """Return the template environment. Prompts are plain text, so nothing is escaped."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER),
        autoescape=False,  # noqa: S701 - no HTML is made here # nosec B701
        undefined=jinja2.StrictUndefined,
        trim_blocks=False,
    )


def render_system(templates: jinja2.Environment, profile: ShopProfile, language: Language) -> str:
    """Return the system message for a shop and the customer's language."""
    return _render(templates, "system.j2", profile, language)


def render_verbose(templates: jinja2.Environment, profile: ShopProfile, language: Language) -> str:
    """Return the prose version of the same instructions, for comparison only."""
    return _render(templates, f"verbose.{language}.j2", profile, language)


def _render(
    templates: jinja2.Environment, name: str, profile: ShopProfile, language: Language
) -> str:
    text = templates.get_template(name).render(
        name=getattr(profile.name, language),
        tone=getattr(profile.tone, language),
    )
    return text.strip()


class Prompts:
    """Builds the messages of a model call. System messages are rendered once per profile."""

    def __init__(self) -> None:
        self._templates = environment()
        self._system: dict[tuple[str, Language], tuple[ShopProfile, dict[str, Any]]] = {}

    def _system_message(self, shop: Shop, language: Language) -> dict[str, Any]:
        profile, message = self._system.get((shop.id, language), (None, {}))
        if profile is not shop.profile:
            content = render_system(self._templates, shop.profile, language)
            message = {"role": "system", "content": content}
            self._system[shop.id, language] = shop.profile, message
        return message

    def messages(
        self,
        shop: Shop,
        language: Language,
        history: list[StoredTurn],
        conversation: tuple[Message, ...],
        passages: Sequence[Passage] = (),
    ) -> list[dict[str, Any]]:
        """Return the messages for the model.

        Args:
            shop: whose assistant speaks.
            language: of the customer's latest message.
            history: the session's turns, oldest first.
            conversation: the client's messages; the last is the user's new one.
            passages: what the shop's documents say about it.
        """
        messages: list[dict[str, Any]] = [self._system_message(shop, language)]
        for turn in history:
            if not turn.user and messages[-1]["role"] == "assistant":
                # A person's reply, in a turn of its own. Some chat templates insist that the two
                # sides take turns.
                messages[-1]["content"] += f"\n{turn.assistant}"
                continue
            messages.append({"role": "user", "content": plain(turn.user)})
            messages.extend(_tool_messages(turn))
            messages.append({"role": "assistant", "content": turn.assistant})
        messages.extend(
            {"role": message.role, "content": plain(message.content)} for message in conversation
        )
        messages[-1]["content"] = with_context(passages, messages[-1]["content"])
        return messages


def with_context(passages: Sequence[Passage], question: str) -> str:
    """Return a question with passages before it, as the demonstration model has learnt them."""
    if not passages:
        return question
    names = [f"{one.title} › {one.heading}" if one.heading else one.title for one in passages]
    lines = [f"[{name}] {one.text}" for name, one in zip(names, passages, strict=True)]
    return "<context>\n" + "\n".join(map(plain, lines)) + f"\n</context>\n{question}"


_MARKS = re.compile(r"<(?=\||/?tool_|/?context>)", re.IGNORECASE)


def plain(text: str) -> str:
    """Return a text that is not ours with the model's control marks made harmless.

    The chat template writes turns and tool results with marks such as `<|im_end|>` and
    `<tool_response>`, and `<context>` is ours; in a customer's words or a document they must not
    end a turn or pass for a tool's result.
    """
    return _MARKS.sub("< ", text) if "<" in text else text


def call_message(calls: list[tuple[str, str, str]], content: str = "") -> dict[str, Any]:
    """Return an assistant message with tool calls, each `(id, name, arguments JSON)`."""
    return {
        "role": "assistant",
        "content": content,
        "tool_calls": [
            {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}
            for call_id, name, arguments in calls
        ],
    }


def result_message(call_id: str, result: str) -> dict[str, Any]:
    """Return a tool's result as a message."""
    return {"role": "tool", "tool_call_id": call_id, "content": result}


def _tool_messages(turn: StoredTurn) -> list[dict[str, Any]]:
    """Return a stored turn's calls and results as they stood, round by round."""
    messages: list[dict[str, Any]] = []
    index = 0
    while index < len(turn.tool_calls):
        last = index
        while last < len(turn.tool_calls) and turn.tool_calls[last].at == turn.tool_calls[index].at:
            last += 1
        calls = [
            # Calls whose arguments were broken are remembered as a JSON string; the model server
            # accepts objects only.
            (f"call_{n}", call.name, arguments if arguments.startswith("{") else "{}")
            for n, call in enumerate(turn.tool_calls[index:last], index)
            for arguments in [bytes(call.arguments).decode()]
        ]
        messages.append(call_message(calls))
        messages.extend(
            result_message(f"call_{n}", bytes(call.result).decode())
            for n, call in enumerate(turn.tool_calls[index:last], index)
        )
        index = last
    return messages

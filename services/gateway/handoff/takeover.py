"""Handing a conversation to a person, and passing on what the customer says meanwhile."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec

from services.gateway.assistant.types import Owner, StoredTurn
from services.gateway.handoff.hours import said
from services.gateway.handoff.lines import line
from services.gateway.handoff.tickets import (
    Entry,
    NewTicket,
    Priority,
    Reason,
    TicketBook,
    Who,
    now,
)
from services.gateway.identity.shops import Language, Shop
from services.gateway.safety.masking import Masker

_IDENTIFIERS = frozenset({"order_id", "tracking_no", "sku"})
_CONTACTS = frozenset({"phone", "email"})


@dataclass(frozen=True, slots=True)
class Party:
    """Whose conversation it is."""

    shop: Shop
    customer: str | None
    session_id: str
    language: Language


class Takeover:
    """Opens tickets, and hears customers while one is open.

    Args:
        tickets: keeps them.
        masker: takes personal data out of what people read.
    """

    def __init__(self, tickets: TicketBook, masker: Masker) -> None:
        self._tickets = tickets
        self._masker = masker

    async def open(
        self,
        party: Party,
        turns: list[StoredTurn],
        message: str,
        reason: Reason,
        priority: Priority,
    ) -> str:
        """Open a ticket; return what the customer is told.

        Args:
            party: whose it is.
            turns: the conversation so far.
            message: the customer's new message, not yet a turn.
            reason: why a person is called.
            priority: of the ticket.

        Raises:
            MemoryAwayError: Redis is away; there is no ticket.
        """
        keep = frozenset(_identifiers(call.result for turn in turns for call in turn.tool_calls))
        transcript = list(self._transcript(turns, message, keep))
        moment = datetime.now(UTC)
        hours = party.shop.profile.service_hours
        closed = hours is not None and not hours.open_at(moment)
        new = NewTicket(
            session_id=party.session_id,
            customer=party.customer,
            priority=priority,
            reason=reason,
            language=party.language,
            out_of_hours=closed,
            summary=self._summary(turns, message, keep, party.language),
            facts=[call.result for turn in turns for call in turn.tool_calls],
            transcript=transcript,
        )
        await self._tickets.open(party.shop.id, new)
        if hours is not None and closed:
            when = said(hours.next_opening(moment), moment, party.language)
            return line(party.language, "out_of_hours", when=when)
        own_line = reason in {"failed_twice", "overload"}
        return line(party.language, reason if own_line else "opened")

    async def hear(
        self, party: Party, ticket_id: str, message: str, priority: Priority
    ) -> tuple[Owner, str]:
        """Pass a message on to the ticket; return the owner, and what the customer is told.

        Args:
            party: whose it is.
            ticket_id: the ticket.
            message: the message.
            priority: what the ticket has from now on, unless it has a higher one.

        Raises:
            MemoryAwayError: Redis is away; the message was not passed on.
        """
        contact = message if _CONTACTS & set(self._masker.kinds(message)) else ""
        owner = await self._tickets.hear(
            party.shop.id,
            party.session_id,
            ticket_id,
            self._masker.mask(message),
            priority=priority,
            contact=contact,
        )
        told = "contact" if contact and owner == "waiting" else owner
        return owner, "" if owner == "bot" else line(party.language, told)

    def _transcript(
        self, turns: list[StoredTurn], message: str, keep: frozenset[str]
    ) -> Iterator[Entry]:
        at = now()
        said_so_far: list[tuple[Who, str]] = []
        for turn in turns:
            who: Who = "agent" if turn.source == "agent" else "assistant"
            said_so_far += [("customer", turn.user), (who, turn.assistant)]
        for speaker, text in [*said_so_far, ("customer", message)]:
            if text:
                yield Entry(speaker, self._masker.mask(text, keep), at)

    def _summary(
        self, turns: list[StoredTurn], message: str, keep: frozenset[str], language: Language
    ) -> str:
        """Say in a few lines what it is about: what was asked, found and answered last."""
        zh = language == "zh"
        lines = [("顾客：" if zh else "Customer: ") + _short(self._masker.mask(message, keep))]
        found = [_found(call.result) for turn in turns for call in turn.tool_calls]
        if known := "; ".join(dict.fromkeys(filter(None, found))):
            lines.append(("已查到：" if zh else "Looked up: ") + known)
        if turns and turns[-1].assistant:
            answered = _short(self._masker.mask(turns[-1].assistant, keep))
            lines.append(("助手最后答复：" if zh else "Last answer: ") + answered)
        return "\n".join(lines)


_SUMMARY_CHARS = 160


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _SUMMARY_CHARS else text[: _SUMMARY_CHARS - 1] + "…"


def _objects(result: msgspec.Raw) -> list[dict[str, Any]]:
    """Return a tool result's object and those in its list of orders."""
    value = msgspec.json.decode(result)
    if not isinstance(value, dict):
        return []
    listed = value.get("orders", [])
    return [value, *(one for one in listed if isinstance(one, dict))]


def _identifiers(results: Iterable[msgspec.Raw]) -> Iterator[str]:
    for result in results:
        for value in _objects(result):
            yield from (value[name] for name in _IDENTIFIERS & value.keys())


def _found(result: msgspec.Raw) -> str:
    shown = []
    for value in _objects(result):
        if "order_id" in value:
            shown.append(f"{value['order_id']} {value.get('status', '')}".strip())
        elif "product" in value:
            shown.append(f"{value['product']} {value.get('price', '')}".strip())
        elif "error" in value:
            shown.append(str(value["error"]))
    return ", ".join(shown)

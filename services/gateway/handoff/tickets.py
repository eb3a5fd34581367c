"""Tickets: a conversation in a person's hands, from its opening until it is resolved.

Whatever is acknowledged here is on disk first. What tickets hold for people to read is masked by
whoever hands it in.
"""

import asyncio
import hashlib
import secrets
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Literal

import msgspec

from services.gateway.assistant.types import Owner
from services.gateway.errors import (
    ConflictError,
    ForbiddenError,
    GatewayError,
    MemoryAwayError,
    NotFoundError,
)
from services.gateway.handoff import scripts
from services.gateway.identity.agents import Agent
from services.gateway.identity.shops import Language
from services.gateway.sessions.redis_port import RedisPort, Script
from services.gateway.sessions.store import HELD_TTL_S

CLAIM_MS = 120_000
"""An agent who does nothing, and whose desk is closed, loses a claim after this long."""
LAPSE_EVERY_S = 5.0
TICKET_TTL_S = HELD_TTL_S
"""A ticket is forgotten this long after the last thing that happened to it."""

Priority = Literal["urgent", "high", "normal"]
Reason = Literal[
    "customer_asked", "keyword", "anger", "failed_twice", "rail", "tool_outage", "overload"
]
Verb = Literal["claim", "reply", "note", "release", "resolve"]
Who = Literal["customer", "assistant", "agent", "note"]

_RANKS: dict[Priority, int] = {"urgent": 0, "high": 1, "normal": 2}


class Entry(msgspec.Struct, frozen=True):
    """A line of a ticket's transcript."""

    who: Who
    text: str
    at: str
    """ISO 8601, UTC."""
    agent: str = ""
    """The agent's name, on their replies and notes."""


class Ticket(msgspec.Struct, frozen=True):
    """A ticket as agents see it in a list."""

    id: str
    session_id: str
    customer: str
    """The customer's id; empty for a visitor."""
    state: Literal["waiting", "agent", "resolved"]
    priority: Priority
    reason: Reason
    language: Language
    out_of_hours: bool
    summary: str
    contact: str
    """How to reach the customer, where they left it."""
    agent_name: str
    opened_at: str
    changed_at: str


class OpenedTicket(msgspec.Struct, frozen=True):
    """A ticket with all that an agent needs to answer."""

    ticket: Ticket
    facts: list[msgspec.Raw]
    """What tools returned in the conversation, as JSON."""
    transcript: list[Entry]


class NewTicket(msgspec.Struct, frozen=True):
    """What a ticket is opened with."""

    session_id: str
    customer: str | None
    priority: Priority
    reason: Reason
    language: Language
    out_of_hours: bool
    summary: str
    facts: list[msgspec.Raw]
    transcript: list[Entry]


class TicketBook:
    """Opens, hears, shows and changes tickets. All methods raise MemoryAwayError without Redis.

    Args:
        port: Redis.
        session_ttl_s: how long a session is remembered once the bot has it again.
        claim_ms: how long a claim lasts without a sign of its agent.
    """

    def __init__(self, port: RedisPort, session_ttl_s: int, claim_ms: int = CLAIM_MS) -> None:
        self._port = port
        self._session_ttl_s = session_ttl_s
        self._claim_ms = claim_ms
        self._open = Script(scripts.OPEN)
        self._hear = Script(scripts.HEAR)
        self._act = Script(scripts.ACT)
        self._lapse = Script(scripts.LAPSE)
        self._renew = Script(scripts.RENEW)
        self._erase = Script(scripts.ERASE)

    async def open(self, shop_id: str, new: NewTicket) -> str:
        """Open a ticket; return its id, or that of the one which the session has already."""
        ticket_id, shop = f"t_{secrets.token_hex(8)}", _prefix(shop_id)
        session = f"{shop}session:{new.session_id}"
        reply: list[bytes] = await self._port.run_durably(
            self._open,
            (
                f"{session}:handoff",
                f"{shop}ticket:{ticket_id}",
                f"{shop}ticket:{ticket_id}:log",
                f"{shop}tickets",
                f"{session}:events",
                f"{shop}desk",
                f"{shop}customer:{new.customer or ''}:tickets",
            ),
            (
                *(ticket_id, new.session_id, new.customer or "", _RANKS[new.priority]),
                *(new.priority, TICKET_TTL_S, new.reason, new.language, int(new.out_of_hours)),
                *(new.summary, msgspec.json.encode(new.facts)),
                *(msgspec.json.encode(entry) for entry in new.transcript),
            ),
        )
        return reply[0].decode()

    async def hear(
        self,
        shop_id: str,
        session_id: str,
        ticket_id: str,
        text: str,
        *,
        priority: Priority,
        contact: str,
    ) -> Owner:
        """Add a customer's message to an open ticket.

        Args:
            shop_id: the shop.
            session_id: the conversation.
            ticket_id: its ticket.
            text: the message, masked.
            priority: what the ticket has from now on, unless it has a higher one.
            contact: how to reach the customer, if the message says so.

        Returns:
            Who owns the conversation now; "bot" where the ticket was resolved meanwhile.
        """
        shop = _prefix(shop_id)
        owner: bytes = await self._port.run_durably(
            self._hear,
            (
                f"{shop}session:{session_id}:handoff",
                f"{shop}ticket:{ticket_id}",
                f"{shop}ticket:{ticket_id}:log",
                f"{shop}tickets",
                f"{shop}desk",
            ),
            (TICKET_TTL_S, _entry("customer", text), _RANKS[priority], priority, contact),
        )
        return _OWNERS[owner]

    async def act(
        self, shop_id: str, agent: Agent, ticket_id: str, verb: Verb, text: str = "", key: str = ""
    ) -> bool:
        """Do what an agent asks for; tell whether it was not done before.

        Args:
            shop_id: the shop.
            agent: who asks.
            ticket_id: about which ticket.
            verb: what for.
            text: of a reply or a note.
            key: names the request, where it may be sent again; it is then done once.

        Raises:
            NotFoundError: the shop has no such ticket.
            ConflictError: it is resolved, or another agent has it.
            ForbiddenError: the agent has not claimed it.
        """
        shop = _prefix(shop_id)
        entry = b""
        if text:
            entry = _entry("note" if verb == "note" else "agent", text, agent.name)
        outcome: bytes = await self._port.run_durably(
            self._act,
            (
                f"{shop}ticket:{ticket_id}",
                f"{shop}ticket:{ticket_id}:log",
                *(f"{shop}tickets", f"{shop}claims", f"{shop}desk"),
            ),
            (
                *(verb, ticket_id, agent.id, agent.name, int(agent.role == "lead")),
                *(self._claim_ms, TICKET_TTL_S, shop, entry, self._session_ttl_s),
                # Hashed: its length is the sender's choice, and no agent can use another's.
                hashlib.sha256(f"{agent.id}:{key}".encode()).hexdigest() if key else "",
            ),
        )
        if outcome not in {b"ok", b"again"}:
            raise _refusal(outcome)
        return outcome == b"ok"

    async def waiting_and_claimed(self, shop_id: str) -> list[Ticket]:
        """Return the open tickets: those that wait by rank, then those that agents have."""
        shop = _prefix(shop_id)
        found = []
        for kind in ("tickets", "claims"):
            for member in await self._port.members(f"{shop}{kind}"):
                fields = await self._fields(shop_id, member.decode())
                if fields is not None:
                    found.append(_ticket(fields))
        return found

    async def show(self, shop_id: str, ticket_id: str) -> OpenedTicket:
        """Return a ticket with its transcript.

        Raises:
            NotFoundError: the shop has no such ticket.
        """
        fields = await self._fields(shop_id, ticket_id)
        if fields is None:
            raise no_such_ticket()
        log = await self._port.list_items(f"{_prefix(shop_id)}ticket:{ticket_id}:log")
        return OpenedTicket(
            _ticket(fields),
            msgspec.json.decode(fields["facts"], type=list[msgspec.Raw]),
            [msgspec.json.decode(item, type=Entry) for item in log],
        )

    async def of_customer(self, shop_id: str, customer: str) -> list[OpenedTicket]:
        """Return all tickets of a customer, oldest first."""
        found = []
        for ticket_id in await self._ids_of(shop_id, customer):
            try:
                found.append(await self.show(shop_id, ticket_id))
            except NotFoundError:
                continue  # Forgotten since it was listed.
        return found

    async def erase_of_customer(self, shop_id: str, customer: str) -> int:
        """Forget all tickets of a customer; return how many there were."""
        return await self.erase(shop_id, await self._ids_of(shop_id, customer))

    async def erase_of_session(self, shop_id: str, session_id: str) -> int:
        """Forget the open ticket of a session, if it has one; return how many there were."""
        key = f"{_prefix(shop_id)}session:{session_id}:handoff"
        (ticket_id,) = await self._port.fields(key, ("ticket",))
        return await self.erase(shop_id, [ticket_id.decode()]) if ticket_id else 0

    async def erase(self, shop_id: str, ticket_ids: Sequence[str]) -> int:
        """Forget tickets; return how many there were."""
        shop = _prefix(shop_id)
        keys = (f"{shop}tickets", f"{shop}claims", f"{shop}desk")
        erased: int = await self._port.run_durably(
            self._erase, keys, (shop, TICKET_TTL_S, *ticket_ids)
        )
        return erased

    async def lapse(self, shop_id: str) -> int:
        """Take claims from agents who vanished; return how many."""
        shop = _prefix(shop_id)
        lapsed: int = await self._port.run(self._lapse, (f"{shop}claims",), (shop, TICKET_TTL_S))
        return lapsed

    async def renew(self, shop_id: str, agent: Agent) -> None:
        """Keep the claims of an agent whose desk is open."""
        shop = _prefix(shop_id)
        await self._port.run(self._renew, (f"{shop}claims",), (shop, agent.id, self._claim_ms))

    async def _fields(self, shop_id: str, ticket_id: str) -> dict[str, str] | None:
        values = await self._port.fields(f"{_prefix(shop_id)}ticket:{ticket_id}", _FIELDS)
        if values[0] is None:
            return None
        return {name: (value or b"").decode() for name, value in zip(_FIELDS, values, strict=True)}

    async def _ids_of(self, shop_id: str, customer: str) -> list[str]:
        key = f"{_prefix(shop_id)}customer:{customer}:tickets"
        return [member.decode() for member in await self._port.members(key)]


async def keep_lapsing(tickets: TicketBook, shop_ids: Callable[[], Iterable[str]]) -> None:
    """Take claims from agents who vanished, in all shops, until cancelled."""
    while True:
        await asyncio.sleep(LAPSE_EVERY_S)
        for shop_id in shop_ids():
            try:
                await tickets.lapse(shop_id)
            except MemoryAwayError:
                break


_FIELDS = (
    *("id", "session_id", "customer", "state", "priority", "reason", "language", "out_of_hours"),
    *("summary", "contact", "agent_name", "opened_at", "changed_at", "facts"),
)
_OWNERS: dict[bytes, Owner] = {b"bot": "bot", b"waiting": "waiting", b"agent": "agent"}


def now() -> str:
    """Return the time as transcripts write it."""
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _entry(who: Who, text: str, agent: str = "") -> bytes:
    return msgspec.json.encode(Entry(who, text, now(), agent))


def _prefix(shop_id: str) -> str:
    return f"xiaoer:{shop_id}:"


def _ticket(fields: dict[str, str]) -> Ticket:
    kept: dict[str, object] = {name: fields[name] for name in _FIELDS if name != "facts"}
    kept["out_of_hours"] = fields["out_of_hours"] == "1"
    for name in ("opened_at", "changed_at"):
        moment = datetime.fromtimestamp(int(fields[name]) / 1000, UTC)
        kept[name] = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return msgspec.convert(kept, Ticket)


def _refusal(outcome: bytes) -> GatewayError:
    if outcome == b"resolved":
        return ConflictError(
            "This ticket is resolved; the assistant has the conversation again.",
            code="ticket_resolved",
        )
    if outcome == b"taken":
        return ConflictError("Another agent has this ticket.", code="ticket_taken")
    if outcome == b"not_yours":
        return ForbiddenError("Claim this ticket first.", code="ticket_not_claimed")
    return no_such_ticket()


def no_such_ticket() -> NotFoundError:
    """Return the one answer to ids that do not exist and those of other shops."""
    return NotFoundError(
        "There is no such ticket. List the open ones at /v1/tickets.",
        code="ticket_not_found",
        param="ticket_id",
    )

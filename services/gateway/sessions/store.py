"""Conversation memory: one session, one turn at a time, over all processes.

Opening a turn takes the session's lock and reads its history in one round trip; closing saves the
turn and frees the lock in another. A turn is written whole or not at all.
"""

import asyncio
import secrets
import time
from dataclasses import dataclass
from typing import Any, cast

import msgspec

from services.gateway.assistant.deadline import Deadline
from services.gateway.assistant.observer import Observer
from services.gateway.assistant.types import Owner, StoredTurn
from services.gateway.errors import MemoryAwayError, NotFoundError, SessionBusyError
from services.gateway.sessions import history, scripts
from services.gateway.sessions.redis_port import RedisPort, Script
from services.gateway.sessions.waiting import Waiting

LEASE_MS = 6000
"""A killed holder frees its session after this long at the latest."""
HELD_TTL_S = 30 * 24 * 3600
"""A conversation that a person has is kept this long after the last thing that was said."""
RENEW_S = 2.0
POLL_S = 1.0
"""A waiter's heartbeat; it also covers a lost wake-up and an expired lease."""
WAITER_LIFE_MS = 3500
MOST_WAITERS = 64
WAIT_SHARE = 0.8
"""Share of the deadline that may pass in the queue; the rest is for the answer."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of a conversation is kept, and how long."""

    turns: int
    ttl_s: int
    tokens: int


@dataclass(frozen=True, slots=True)
class Turn:
    """A session's turn, held by this process until it is closed."""

    shop_id: str
    session_id: str
    customer: str | None
    owner: str
    version: str
    ticket: str
    turns: list[StoredTurn]
    held_by: Owner
    """Who owns the conversation: bot, waiting or agent."""
    handoff_ticket: str
    """Id of the handoff's ticket; empty while the bot owns the conversation."""

    @property
    def moves(self) -> bool:
        """Whether an anonymous visitor has signed in since the last turn."""
        return self.customer is not None and self.owner == "" and self.version != "0"


class SessionBook:
    """Opens, closes, shows and deletes sessions.

    Args:
        port: Redis.
        waiting: wakes those in a queue.
        limits: what is kept.
        observer: is told how long messages wait.
    """

    def __init__(
        self, port: RedisPort, waiting: Waiting, limits: Limits, observer: Observer
    ) -> None:
        self._port = port
        self._waiting = waiting
        self._limits = limits
        self._observer = observer
        self._open = Script(scripts.OPEN)
        self._close = Script(scripts.CLOSE)
        self._leave = Script(scripts.LEAVE)
        self._renew = Script(scripts.RENEW)
        self._delete = Script(scripts.DELETE)
        self._erase = Script(scripts.ERASE)
        self._held: dict[str, str] = {}

    async def open(
        self, shop_id: str, session_id: str, customer: str | None, deadline: Deadline
    ) -> Turn:
        """Wait for the session's turn and take it.

        Raises:
            NotFoundError: the session is another customer's, or has moved.
            SessionBusyError: others held the turn too long.
            MemoryAwayError: Redis is away.
        """
        ticket = self._waiting.ticket()
        started = time.monotonic()
        self._waiting.expect(ticket)
        try:
            return await self._queue(shop_id, session_id, customer, ticket, deadline)
        except (NotFoundError, MemoryAwayError):
            raise  # Nothing is left behind, or nothing can be done about it.
        except BaseException:
            # Also when cancelled: Redis may have given us the turn while nobody was listening.
            await self._give_up(shop_id, session_id, ticket)
            raise
        finally:
            self._waiting.forget(ticket)
            self._observer.lock_wait(time.monotonic() - started)

    async def _queue(
        self, shop_id: str, session_id: str, customer: str | None, ticket: str, deadline: Deadline
    ) -> Turn:
        """Ask for the turn, and again whenever woken, until it is ours."""
        until = deadline.started + deadline.seconds * WAIT_SHARE
        waited = False
        while True:
            reply = await self._ask_to_open(shop_id, session_id, customer, ticket)
            state = reply[0].decode()
            if state == "open":
                self._held[ticket] = _key(shop_id, session_id)
                return self._turn(shop_id, session_id, customer, ticket, reply)
            if state == "moved" and waited and reply[1].decode() == (customer or ""):
                # This message was already queued when its own visitor signed in with another one.
                return await self.open(shop_id, reply[2].decode(), customer, deadline)
            if state in {"moved", "foreign"}:
                raise not_found()
            left = until - time.monotonic()
            if state == "full" or left <= 0:
                raise _busy()
            waited = True
            await self._waiting.wait(ticket, min(POLL_S, left))

    async def save(self, turn: Turn, done: StoredTurn) -> str:
        """Add a complete turn and let the next message in. Return the session's id from now on.

        Raises:
            MemoryAwayError: Redis is away, or the session was deleted or taken over meanwhile;
                the turn is not remembered.
        """
        kept = history.trimmed([*turn.turns, done], self._limits.turns, self._limits.tokens)
        new_id = new_session_id() if turn.moves else ""
        owner = turn.customer or ""
        outcome = await self._end(turn, "save", owner, history.encode(kept), new_id)
        if outcome != b"saved":
            raise MemoryAwayError("The session was deleted or taken over while it was answered.")
        return new_id or turn.session_id

    async def release(self, turn: Turn) -> None:
        """Let the next message in without saving anything. Does nothing after `save`."""
        if turn.ticket not in self._held:
            return
        try:
            await self._end(turn, "drop", "", b"", "")
        except MemoryAwayError:
            return  # The lease runs out by itself.

    async def show(self, shop_id: str, session_id: str, customer: str | None) -> list[StoredTurn]:
        """Return a session's turns, oldest first.

        Raises:
            NotFoundError: there is none, or it is another customer's.
            MemoryAwayError: Redis is away.
        """
        owner, turns, moved = await self._port.fields(
            _key(shop_id, session_id), ("owner", "turns", "moved")
        )
        if owner is None or turns is None or moved is not None:
            raise not_found()
        if owner.decode() != (customer or ""):
            raise not_found()
        return history.decode(turns)

    async def delete(self, shop_id: str, session_id: str, customer: str | None) -> None:
        """Forget a session. A turn under way in it is answered but not remembered.

        Raises:
            NotFoundError: there is none, or it is another customer's.
            MemoryAwayError: Redis is away.
        """
        keys = (_key(shop_id, session_id), _customer_key(shop_id, customer or ""))
        if not await self._port.run(self._delete, keys, (customer or "", session_id)):
            raise not_found()

    async def of_customer(self, shop_id: str, customer: str) -> dict[str, list[StoredTurn]]:
        """Return all that is remembered of a customer, by session, the oldest session first.

        Raises:
            MemoryAwayError: Redis is away.
        """
        found = {}
        for member in await self._port.members(_customer_key(shop_id, customer)):
            session_id = member.decode()
            try:
                found[session_id] = await self.show(shop_id, session_id, customer)
            except NotFoundError:
                continue  # Forgotten or deleted since it was listed.
        return found

    async def erase(self, shop_id: str, customer: str) -> int:
        """Forget all sessions of a customer at once; return how many there were.

        A turn under way in one of them is answered but not remembered. A message that begins a
        session while this runs belongs to what comes after.

        Raises:
            MemoryAwayError: Redis is away.
        """
        index = _customer_key(shop_id, customer)
        listed = [_key(shop_id, member.decode()) for member in await self._port.members(index)]
        erased: int = await self._port.run(self._erase, (index, *listed), (customer,))
        return erased

    async def keep_leases(self) -> None:
        """Renew the leases of turns under way, until cancelled."""
        while True:
            await asyncio.sleep(RENEW_S)
            for ticket, key in list(self._held.items()):
                try:
                    await self._port.run(self._renew, (f"{key}:lock",), (ticket, LEASE_MS))
                except MemoryAwayError:
                    break

    async def _ask_to_open(
        self, shop_id: str, session_id: str, customer: str | None, ticket: str
    ) -> list[Any]:
        key = _key(shop_id, session_id)
        reply: list[Any] = await self._port.run(
            self._open,
            (key, f"{key}:lock", f"{key}:queue", f"{key}:alive", f"{key}:handoff"),
            (ticket, customer or "", LEASE_MS, WAITER_LIFE_MS, MOST_WAITERS),
        )
        return reply

    def _turn(
        self, shop_id: str, session_id: str, customer: str | None, ticket: str, reply: list[Any]
    ) -> Turn:
        try:
            turns = history.decode(reply[3])
        except msgspec.DecodeError:
            # Not ours to interpret (another version's format): begin anew rather than fail.
            turns = []
        return Turn(
            shop_id=shop_id,
            session_id=session_id,
            customer=customer,
            owner=reply[1].decode(),
            version=reply[2].decode(),
            ticket=ticket,
            turns=turns[-self._limits.turns :],
            held_by=cast("Owner", reply[4].decode()),
            handoff_ticket=reply[5].decode(),
        )

    async def _end(self, turn: Turn, how: str, owner: str, turns: bytes, new_id: str) -> bytes:
        key = _key(turn.shop_id, turn.session_id)
        target = _key(turn.shop_id, new_id) if new_id else key
        stays = new_id or turn.session_id
        self._held.pop(turn.ticket, None)
        outcome: bytes = await self._port.run(
            self._close,
            (
                *(key, f"{key}:lock", f"{key}:queue", f"{key}:alive", target),
                _customer_key(turn.shop_id, owner),
                *(f"{key}:handoff", f"{target}:handoff", f"{key}:events", f"{target}:events"),
            ),
            (
                *(turn.ticket, how, turn.version, owner, turns, self._limits.ttl_s, new_id, stays),
                *(f"xiaoer:{turn.shop_id}:ticket:", HELD_TTL_S),
            ),
        )
        return outcome

    async def _give_up(self, shop_id: str, session_id: str, ticket: str) -> None:
        key = _key(shop_id, session_id)
        try:
            await self._port.run(
                self._leave, (f"{key}:lock", f"{key}:queue", f"{key}:alive"), (ticket,)
            )
        except MemoryAwayError:
            return  # The ticket runs out by itself.


def new_session_id() -> str:
    """Return an id nobody can guess."""
    return secrets.token_hex(12)


def not_found() -> NotFoundError:
    """Return the one answer to ids that do not exist and ids that are somebody else's."""
    return NotFoundError(
        "There is no such session. Start a new one with another id.",
        code="session_not_found",
        param="session_id",
    )


def _busy() -> SessionBusyError:
    return SessionBusyError(
        "Other messages of this session are still being answered. Send this one again shortly."
    )


def _key(shop_id: str, session_id: str) -> str:
    return f"xiaoer:{shop_id}:session:{session_id}"


def _customer_key(shop_id: str, customer: str) -> str:
    return f"xiaoer:{shop_id}:customer:{customer}:sessions"

"""Random interleavings of customers, agents, lapses and crashes: a conversation has one owner.

The model beside the real thing is a dictionary: who owns each session, and which agent.
"""

import asyncio
import tempfile
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import redis.asyncio as aioredis
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from services.gateway.api.metrics import Metrics
from services.gateway.assistant.deadline import Deadline
from services.gateway.assistant.types import Owner, StoredTurn
from services.gateway.errors import ConflictError, ForbiddenError, GatewayError
from services.gateway.handoff.tickets import Entry, NewTicket, Priority, TicketBook, Verb
from services.gateway.identity.agents import Agent
from services.gateway.sessions.redis_port import RedisPort, connect
from services.gateway.sessions.store import Limits, SessionBook
from services.gateway.sessions.waiting import Waiting
from tests.support.redis_server import RedisServer
from tests.support.shops import agent_entry

SESSIONS = st.sampled_from(["s1", "s2", "s3"])
AGENTS = st.sampled_from(["mei", "bo", "lin"])
PRIORITIES: list[Priority] = ["urgent", "high", "normal"]


def _agent(name: str) -> Agent:
    return msgspec.convert(agent_entry(name, "lead" if name == "lin" else "agent"), Agent)


class Handoff(RuleBasedStateMachine):
    """Drives tickets through a real Redis that keeps an append-only file."""

    def __init__(self) -> None:
        super().__init__()
        self._loop = asyncio.new_event_loop()
        self._folder = tempfile.TemporaryDirectory()
        self._server = RedisServer(Path(self._folder.name), durable=True)
        self._server.start()
        self.owner: dict[str, Owner] = {}
        self.ticket: dict[str, str] = {}
        self.claimed_by: dict[str, str] = {}
        self.priority: dict[str, Priority] = {}
        self.said: dict[str, list[str]] = {}
        self.count = 0

    def run(self, work: Awaitable[Any]) -> Any:
        return self._loop.run_until_complete(work)

    @initialize()
    def connect(self) -> None:
        self._connect()

    def _connect(self) -> None:
        self.client: aioredis.Redis = connect(self._server.url)
        self.port = RedisPort(self.client, Metrics(), print)
        self.tickets = TicketBook(self.port, 3600)
        waiting = Waiting(self.client, print)
        self.sessions = SessionBook(self.port, waiting, Limits(5, 3600, 2000), Metrics())

    def teardown(self) -> None:
        self.run(self.client.aclose())
        self._loop.close()
        self._server.stop()
        self._folder.cleanup()

    async def _speak(self, session: str, text: str, priority: Priority) -> Owner:
        """What the gateway does with a customer's message."""
        turn = await self.sessions.open("demo", session, "alice", Deadline(5))
        owner: Owner = turn.held_by
        if owner != "bot":
            owner = await self.tickets.hear(
                "demo", session, turn.handoff_ticket, text, priority=priority, contact=""
            )
        elif text == "person":
            new = NewTicket(
                session_id=session, customer="alice", priority=priority, reason="customer_asked",
                language="en", out_of_hours=False, summary="", facts=[],
                transcript=[Entry("customer", text, "")],
            )  # fmt: skip
            self.ticket[session] = await self.tickets.open("demo", new)
            owner = "waiting"
        await self.sessions.save(turn, StoredTurn(text, owner))
        return owner

    @rule(session=SESSIONS, wants=st.booleans(), priority=st.sampled_from(PRIORITIES))
    def customer_speaks(self, session: str, wants: bool, priority: Priority) -> None:
        self.count += 1
        before = self.owner.get(session, "bot")
        text = "person" if wants else f"m{self.count}"
        expected: Owner = "waiting" if before == "bot" and wants else before
        assert self.run(self._speak(session, text, priority)) == expected
        if expected != "bot":
            known = [self.priority[session]] if before != "bot" else []
            self.priority[session] = min([*known, priority], key=PRIORITIES.index)
            self.said[session] = [*(self.said.get(session, []) if before != "bot" else []), text]
        self.owner[session] = expected

    @rule(
        session=SESSIONS,
        agent=AGENTS,
        verb=st.sampled_from(["claim", "reply", "note", "release", "resolve"]),
    )
    def agent_acts(self, session: str, agent: str, verb: Verb) -> None:
        if session not in self.ticket:
            return
        owner, holder = self.owner[session], self.claimed_by.get(session)
        mine, lead = holder == agent, agent == "lin"
        error: type[GatewayError] | None = None
        if owner == "bot" or (verb == "claim" and holder and not mine and not lead):
            error = ConflictError
        elif verb not in {"claim", "note"} and not mine and not (lead and verb != "reply"):
            error = ForbiddenError
        text = f"t{self.count}" if verb in {"reply", "note"} else ""
        acting = self.tickets.act("demo", _agent(agent), self.ticket[session], verb, text)
        if error is not None:
            with pytest.raises(error):
                self.run(acting)
            return
        self.run(acting)
        self._done(session, agent, verb, text)

    def _done(self, session: str, agent: str, verb: Verb, text: str) -> None:
        if text:
            self.said[session].append(text)
        if verb == "claim":
            self.owner[session], self.claimed_by[session] = "agent", agent
        elif verb in {"release", "resolve"}:
            self.claimed_by.pop(session, None)
            self.owner[session] = "bot" if verb == "resolve" else "waiting"

    @precondition(lambda self: self.claimed_by)
    @rule(pick=st.randoms(use_true_random=False))
    def agent_vanishes(self, pick: Any) -> None:
        session = pick.choice(sorted(self.claimed_by))
        self.run(self.client.zadd("xiaoer:demo:claims", {self.ticket[session]: 1}))
        assert self.run(self.tickets.lapse("demo")) == 1
        del self.claimed_by[session]
        self.owner[session] = "waiting"

    @rule()
    def redis_is_killed(self) -> None:
        self.run(self.client.aclose())
        self._server.stop()
        self._server.start()
        self._connect()

    @rule(session=SESSIONS)
    def gateway_is_killed_mid_turn(self, session: str) -> None:
        async def open_only() -> None:
            turn = await self.sessions.open("demo", session, "alice", Deadline(5))
            await self.client.delete(f"xiaoer:demo:session:{session}:lock")  # Its lease ran out.
            assert turn.held_by == self.owner.get(session, "bot")

        self.run(open_only())

    @invariant()
    def every_ticket_is_where_its_owner_says(self) -> None:
        open_ones = {
            one.session_id: one for one in self.run(self.tickets.waiting_and_claimed("demo"))
        }
        held = {session for session, owner in self.owner.items() if owner != "bot"}
        assert open_ones.keys() == held
        for session, ticket in open_ones.items():
            assert ticket.state == self.owner[session]
            assert ticket.id == self.ticket[session]
            assert ticket.priority == self.priority[session]

    @invariant()
    def the_most_pressing_waits_at_the_top(self) -> None:
        listed = self.run(self.tickets.waiting_and_claimed("demo"))
        ranks = [PRIORITIES.index(one.priority) for one in listed if one.state == "waiting"]
        assert ranks == sorted(ranks)

    @invariant()
    def nothing_acknowledged_is_lost(self) -> None:
        for session, ticket in self.ticket.items():
            shown = self.run(self.tickets.show("demo", ticket))
            assert [entry.text for entry in shown.transcript] == self.said[session]


Handoff.TestCase.settings = settings(
    max_examples=15,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestHandoff = Handoff.TestCase

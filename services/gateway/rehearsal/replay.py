"""Asks all conversations, some at a time and each in order, and keeps what came of them.

Each conversation has a session of its own, which is deleted at its end whatever happened in it, so
that nothing stays behind on the agents' desk. A run may be ended at any time: what is under way is
finished, nothing more is begun.
"""

import asyncio
import secrets
from collections.abc import Callable, Iterator, Sequence

from services.gateway.rehearsal.client import Reply, ShopClient
from services.gateway.rehearsal.errors import (
    GatewayAwayError,
    RefusedError,
    RehearsalError,
    StoppingError,
    UnansweredError,
)
from services.gateway.rehearsal.outcomes import (
    Exchange,
    Talk,
    declines,
    declines_partly,
    outcome_of,
)
from services.gateway.rehearsal.questions import Chat, Row
from services.gateway.safety.masking import Masker

SESSION_PREFIX = "rehearsal-"
"""How the ids of a rehearsal's sessions begin."""

Progress = Callable[[Exchange], object]
"""Is told of each exchange as it is done."""


class Stop:
    """Ends a run early."""

    def __init__(self) -> None:
        self._asked = asyncio.Event()

    @property
    def asked(self) -> bool:
        """Whether the run is to end."""
        return self._asked.is_set()

    def ask(self) -> None:
        """End the run once what is under way is done."""
        self._asked.set()

    async def pause(self, seconds: float) -> None:
        """Wait for some seconds.

        Raises:
            StoppingError: the run ends meanwhile.
        """
        try:
            await asyncio.wait_for(self._asked.wait(), seconds)
        except TimeoutError:
            return
        raise StoppingError


class Replay:
    """One run over a file's conversations.

    Args:
        client: asks.
        masker: takes personal data out of what is kept.
        stop: ends the run early.
        progress: is told of each exchange.
    """

    def __init__(self, client: ShopClient, masker: Masker, stop: Stop, progress: Progress) -> None:
        self._client = client
        self._masker = masker
        self._stop = stop
        self._progress = progress
        self._kept: dict[int, list[Exchange]] = {}
        self.anonymous = 0
        """Questions of named customers who could not be signed in."""
        self.left_behind: list[str] = []
        """Ids of sessions that could not be deleted."""
        self.ended_by: RehearsalError | None = None
        """What went wrong, where the run could not go on."""

    @property
    def talks(self) -> list[Talk]:
        """What was asked so far, in the order of the file."""
        return [Talk(found) for _, found in sorted(self._kept.items()) if found]

    async def run(self, chats: Sequence[Chat], concurrency: int) -> None:
        """Ask all conversations, at most `concurrency` at a time."""
        waiting = iter(enumerate(chats))
        async with asyncio.TaskGroup() as group:
            for _ in range(min(concurrency, len(chats))):
                group.create_task(self._work(waiting))

    async def _work(self, waiting: Iterator[tuple[int, Chat]]) -> None:
        for number, chat in waiting:
            if self._stop.asked:
                return
            try:
                await self._play(chat, self._kept.setdefault(number, []))
            except StoppingError:
                return
            except (GatewayAwayError, RefusedError) as exc:
                self.ended_by = self.ended_by or exc
                self._stop.ask()

    async def _play(self, chat: Chat, kept: list[Exchange]) -> None:
        session = SESSION_PREFIX + secrets.token_hex(12)
        begun = handed_over = False
        try:
            for row in chat.rows:
                if self._stop.asked:
                    return
                begun = True
                try:
                    reply = await self._client.ask(session, chat.customer, row.question)
                except UnansweredError as exc:
                    exchange = self._failed(row, chat, str(exc))
                except (GatewayAwayError, RefusedError, StoppingError):
                    begun = bool(kept)
                    raise
                else:
                    exchange = self._done(row, chat, reply, handed_over)
                    session = reply.facts.session_id or session
                    handed_over = handed_over or exchange.outcome == "handover"
                kept.append(exchange)
                self.anonymous += bool(chat.customer) and not exchange.signed_in
                self._progress(exchange)
        finally:
            # Also when cancelled: a session that nobody deletes may hold a ticket for a month.
            if begun and not await self._client.forget(session, chat.customer, ticket=handed_over):
                self.left_behind.append(session)

    def _done(self, row: Row, chat: Chat, reply: Reply, after_handover: bool) -> Exchange:
        facts = reply.facts
        numbers = [
            str(card[name])
            for card in facts.cards
            for name in ("order_id", "tracking_no")
            if name in card
        ]
        return Exchange(
            line=row.line,
            question=self._masker.mask(row.question, numbers),
            outcome=outcome_of(reply.text, facts.handoff),
            answer=self._masker.mask(reply.text, numbers),
            expected=self._masker.mask(row.expected, numbers),
            source=facts.source,
            tools=facts.tools,
            citations=facts.citations,
            degraded=facts.degraded,
            signed_in=self._signed_in(chat),
            gap=declines(reply.text),
            partly=declines_partly(reply.text),
            after_handover=after_handover,
            seconds=reply.seconds,
            timings_ms=facts.timings_ms,
        )

    def _failed(self, row: Row, chat: Chat, why: str) -> Exchange:
        return Exchange(
            line=row.line,
            question=self._masker.mask(row.question),
            outcome="error",
            error=why,
            expected=self._masker.mask(row.expected),
            signed_in=self._signed_in(chat),
        )

    def _signed_in(self, chat: Chat) -> bool:
        return bool(chat.customer) and self._client.signs

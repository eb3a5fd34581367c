"""A request's way through the rooms: who owns the conversation, rails, the answer, the saving.

This is what the API calls. It holds no HTTP and no Redis; both come from outside.
"""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, replace

from services.gateway.assistant.answering import Answering
from services.gateway.assistant.deadline import Deadline
from services.gateway.assistant.language import language_of, only_declines
from services.gateway.assistant.observer import Observer
from services.gateway.assistant.speech import Emit
from services.gateway.assistant.turn import Question
from services.gateway.assistant.types import Answer, Message, Owner, StoredTurn
from services.gateway.errors import (
    DeadlineError,
    MemoryAwayError,
    MemoryUnavailableError,
    OverloadedError,
)
from services.gateway.handoff.lines import line
from services.gateway.handoff.takeover import Party, Takeover
from services.gateway.handoff.tickets import Priority, Reason
from services.gateway.identity.shops import Shop
from services.gateway.limits.limiter import Asker, Limiter
from services.gateway.safety.masking import NEVER_NEEDED, Masker
from services.gateway.safety.model_rail import LateRail, unless_stopped
from services.gateway.safety.rails import InputRails, Verdict, fixed_line
from services.gateway.sessions.store import SessionBook, Turn, new_session_id

REMEMBERED_OWNERS = 10_000
"""Conversations of which this process remembers that a person has them, for when Redis is away."""

_TICKETS = frozenset({"handoff", "care"})
"""What a rail may say that opens a ticket."""


@dataclass(frozen=True, slots=True)
class Ask:
    """A checked request: who asks what, where, and until when."""

    shop: Shop
    customer: str | None
    asker: Asker
    messages: tuple[Message, ...]
    session_id: str | None
    request_id: str
    deadline: Deadline

    @property
    def text(self) -> str:
        """The customer's new message."""
        return self.messages[-1].content

    def party(self) -> Party:
        """Return whose conversation this is; a new session's where it has none."""
        session_id = self.session_id or new_session_id()
        return Party(self.shop, self.customer, session_id, language_of(self.text))


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer and the session it now belongs to."""

    answer: Answer
    session_id: str | None


class Conversation:
    """Answers requests with memory, or passes them on to the person who has the conversation.

    Args:
        answering: answers one question.
        sessions: remembers.
        limiter: counts the tokens of a customer's day.
        rails: judge what customers say.
        takeover: hands conversations to people.
        masker: takes out of messages what no answer needs.
        observer: is told of conversations and tickets.
        late_rail: judges beside the answer, where there is such a rail.
    """

    def __init__(
        self,
        answering: Answering,
        sessions: SessionBook,
        limiter: Limiter,
        rails: InputRails,
        takeover: Takeover,
        masker: Masker,
        observer: Observer,
        late_rail: LateRail | None = None,
    ) -> None:
        self._answering = answering
        self._sessions = sessions
        self._limiter = limiter
        self._rails = rails
        self._takeover = takeover
        self._masker = masker
        self._observer = observer
        self._late_rail = late_rail
        self._held: OrderedDict[tuple[str, str], Owner] = OrderedDict()

    async def reply(self, ask: Ask, emit: Emit | None = None) -> Reply:
        """Answer a request before its deadline, and remember the turn if it has a session.

        Nothing is remembered unless the answer is complete; a cancelled call leaves nothing.

        Raises:
            GatewayError: there is no answer; says why.
        """
        try:
            async with asyncio.timeout(ask.deadline.remaining_s()):
                if ask.session_id is None:
                    return await self._alone(ask, emit)
                return await self._in_session(ask, ask.session_id, emit)
        except TimeoutError as exc:
            raise DeadlineError(
                f"No complete answer within {ask.deadline.seconds:g} s. Try again."
            ) from exc

    async def _alone(self, ask: Ask, emit: Emit | None) -> Reply:
        """Answer without memory; who needs a person gets a session."""
        turns = [
            StoredTurn(first.content, "") for first in ask.messages[:-1] if first.role == "user"
        ]
        verdict = self._judge(ask, turns)
        if verdict.action not in _TICKETS and not turns:
            self._observer.conversation(ask.shop.id)
        if verdict.action in _TICKETS:
            return await self._in_new_session(ask, verdict, emit)
        return await self._by_bot(ask, None, verdict, emit)

    async def _in_new_session(self, ask: Ask, verdict: Verdict, emit: Emit | None) -> Reply:
        session_id = new_session_id()
        return await self._in_session(
            replace(ask, session_id=session_id), session_id, emit, verdict
        )

    async def _in_session(
        self, ask: Ask, session_id: str, emit: Emit | None, verdict: Verdict | None = None
    ) -> Reply:
        """Answer with memory; `verdict` is given where the message has been judged already."""
        opened = ask.deadline.elapsed_s()
        try:
            turn = await self._sessions.open(ask.shop.id, session_id, ask.customer, ask.deadline)
        except MemoryAwayError:
            return await self._without_memory(ask, session_id, emit, verdict)
        self._note_owner(ask.shop.id, session_id, turn.held_by)
        waited_s = ask.deadline.elapsed_s() - opened
        try:
            reply = await self._owned(ask, turn, emit, verdict)
            reply.answer.spend("session", waited_s)
            return await self._remember(ask, turn, reply)
        finally:
            await self._sessions.release(turn)

    async def _without_memory(
        self, ask: Ask, session_id: str, emit: Emit | None, verdict: Verdict | None
    ) -> Reply:
        if (owner := self._held.get((ask.shop.id, session_id))) is not None:
            # The bot must not speak over a person, even where nothing can be passed on.
            answer = Answer(source="rail", owner=owner)
            await _say(answer, line(language_of(ask.text), "held"), emit)
        else:
            verdict = verdict or self._judge(ask, [])
            answer = (await self._by_bot(ask, None, verdict, emit)).answer
        answer.degrade("memory")
        return Reply(answer, ask.session_id)

    async def _owned(
        self, ask: Ask, turn: Turn, emit: Emit | None, verdict: Verdict | None
    ) -> Reply:
        """Let whoever owns the conversation have the message."""
        verdict = verdict or self._judge(ask, turn.turns)
        if not turn.turns:
            self._observer.conversation(ask.shop.id)
        if turn.held_by != "bot":
            owner, told = await self._heard(ask, turn, self._priority(ask, turn.turns, verdict))
            if owner != "bot":
                answer = Answer(source="agent" if owner == "agent" else "rail", owner=owner)
                await _say(answer, told, emit)
                return Reply(answer, ask.session_id)
        return await self._by_bot(ask, turn, verdict, emit)

    async def _heard(self, ask: Ask, turn: Turn, priority: Priority) -> tuple[Owner, str]:
        try:
            return await self._takeover.hear(ask.party(), turn.handoff_ticket, ask.text, priority)
        except MemoryAwayError as exc:
            raise _no_ticket() from exc

    async def _by_bot(
        self, ask: Ask, turn: Turn | None, verdict: Verdict, emit: Emit | None
    ) -> Reply:
        """Answer by the assistant, or as a rail says."""
        turns = turn.turns if turn is not None else []
        answer: Answer | None = None
        if verdict.action in {"pass", "offer"}:
            try:
                answer, verdict = await self._watched(ask, turns, verdict, emit)
            except OverloadedError:
                if turn is None:
                    raise  # Without a session there is nobody whom a person could answer.
                answer = await self._too_busy(ask, turns, verdict, emit)
        if answer is None:
            if verdict.action in _TICKETS and ask.session_id is None:
                return await self._in_new_session(ask, verdict, emit)
            answer = await self._by_rail(ask, turns, verdict, emit)
        elif turn is not None and answer.unanswered and turns and _unanswered(turns[-1]):
            reason: Reason = "tool_outage" if "tools" in answer.degraded else "failed_twice"
            priority = self._priority(ask, turns, verdict)
            await self._hand_over(ask, turns, answer, reason, priority, emit)
        elif verdict.action == "offer" and answer.owner == "bot":
            await _say(answer, line(language_of(ask.text), "offer"), emit)
        answer.timings_ms["total"] = round(ask.deadline.elapsed_s() * 1000, 2)
        return Reply(answer, ask.session_id)

    async def _too_busy(
        self, ask: Ask, turns: list[StoredTurn], verdict: Verdict, emit: Emit | None
    ) -> Answer:
        """Pass a question that the model has no time for on to a person, and say so."""
        answer = Answer(source="rail")
        answer.degrade("model")
        priority = self._priority(ask, turns, verdict)
        await self._hand_over(ask, turns, answer, "overload", priority, emit)
        return answer

    async def _by_rail(
        self, ask: Ask, turns: list[StoredTurn], verdict: Verdict, emit: Emit | None
    ) -> Answer:
        """Answer by a fixed line, a ticket, or both."""
        answer = Answer(source="rail")
        if verdict.action != "handoff":
            await _say(answer, fixed_line(verdict, language_of(ask.text)), emit)
        if verdict.action in _TICKETS:
            priority = self._priority(ask, turns, verdict)
            await self._hand_over(ask, turns, answer, verdict.reason or "rail", priority, emit)
        return answer

    async def _watched(
        self, ask: Ask, turns: list[StoredTurn], verdict: Verdict, emit: Emit | None
    ) -> tuple[Answer | None, Verdict]:
        """Answer beside the rail that takes its time; no answer where its verdict stops it."""
        if self._late_rail is None:
            return await self._answered(ask, turns, emit), verdict
        said = self._masked(ask.messages[-1]).content
        judging = self._late_rail.check(said, (), ask.shop.profile, language_of(ask.text))
        found = await unless_stopped(judging, lambda held: self._answered(ask, turns, held), emit)
        return (None, found) if isinstance(found, Verdict) else (found, verdict)

    async def _hand_over(
        self,
        ask: Ask,
        turns: list[StoredTurn],
        answer: Answer,
        reason: Reason,
        priority: Priority,
        emit: Emit | None,
    ) -> None:
        try:
            told = await self._takeover.open(ask.party(), turns, ask.text, reason, priority)
        except MemoryAwayError as exc:
            raise _no_ticket() from exc
        self._observer.handoff(ask.shop.id, reason)
        answer.owner = "waiting"
        if ask.session_id is not None:
            self._note_owner(ask.shop.id, ask.session_id, "waiting")
        await _say(answer, told, emit)

    async def _remember(self, ask: Ask, turn: Turn, reply: Reply) -> Reply:
        answer = reply.answer
        said = self._masked(ask.messages[-1]).content
        done = StoredTurn(said, answer.text, tuple(answer.tool_calls), answer.source)
        try:
            return Reply(answer, await self._sessions.save(turn, done))
        except MemoryAwayError:
            answer.degrade("memory")
            return reply

    async def _answered(self, ask: Ask, turns: list[StoredTurn], emit: Emit | None) -> Answer:
        question = Question(
            shop=ask.shop,
            customer=ask.customer,
            conversation=tuple(self._masked(message) for message in ask.messages),
            history=turns,
            request_id=ask.request_id,
            # Node affinity must not cross shops, whose customers may choose equal ids.
            affinity=f"{ask.shop.id}:{ask.session_id}" if ask.session_id else None,
            deadline=ask.deadline,
        )
        answer = await self._answering.answer(question, emit)
        usage = answer.usage
        await self._limiter.spend(ask.asker, usage.prompt_tokens + usage.completion_tokens)
        return answer

    def _masked(self, message: Message) -> Message:
        if message.role == "assistant":
            return message
        return Message("user", self._masker.mask(message.content, kinds=NEVER_NEEDED))

    def _judge(self, ask: Ask, turns: list[StoredTurn]) -> Verdict:
        """Ask the rails about the new message; what a person has dealt with is not asked again."""
        earlier: list[str] = []
        for turn in turns:
            earlier = [*earlier, turn.user] if turn.source in {"model", "cache"} else []
        return self._rails.check(ask.text, earlier, ask.shop.profile, language_of(ask.text))

    def _priority(self, ask: Ask, turns: list[StoredTurn], verdict: Verdict) -> Priority:
        """Return how pressing a ticket is: danger before anger, also that of the turns before."""
        if verdict.urgent:
            return "urgent"
        return "high" if self._rails.angry(ask.text, [turn.user for turn in turns]) else "normal"

    def _note_owner(self, shop_id: str, session_id: str, owner: Owner) -> None:
        self._held.pop((shop_id, session_id), None)
        if owner != "bot":
            self._held[shop_id, session_id] = owner
            if len(self._held) > REMEMBERED_OWNERS:
                self._held.popitem(last=False)


async def _say(answer: Answer, text: str, emit: Emit | None) -> None:
    """Add a fixed line to an answer, streamed or not."""
    if answer.text and answer.text[-1].isascii() and not answer.text[-1].isspace():
        text = f" {text}"
    answer.text += text
    if emit is not None:
        await emit(text)


def _unanswered(turn: StoredTurn) -> bool:
    return turn.source == "model" and (
        only_declines(turn.assistant)
        or any(b"tool_unavailable" in bytes(call.result) for call in turn.tool_calls)
    )


def _no_ticket() -> MemoryUnavailableError:
    return MemoryUnavailableError(
        "A person cannot be called at the moment, and this message was not passed on. "
        "Send it again in a minute.",
        code="handoff_unavailable",
    )

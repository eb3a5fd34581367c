"""A request's way through the rooms: the session's turn, the answer, the saving.

This is what the API calls. It holds no HTTP and no Redis; both come from outside.
"""

import asyncio
from dataclasses import dataclass

from services.gateway.assistant.deadline import Deadline
from services.gateway.assistant.speech import Emit
from services.gateway.assistant.turn import Assistant, Question
from services.gateway.assistant.types import Answer, Message, StoredTurn
from services.gateway.errors import DeadlineError, MemoryAwayError
from services.gateway.identity.shops import Shop
from services.gateway.limits.limiter import Asker, Limiter
from services.gateway.sessions.store import SessionBook, Turn


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


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer and the session it now belongs to."""

    answer: Answer
    session_id: str | None


class Conversation:
    """Answers requests with memory.

    Args:
        assistant: answers one question.
        sessions: remembers.
        limiter: counts the tokens of a customer's day.
    """

    def __init__(self, assistant: Assistant, sessions: SessionBook, limiter: Limiter) -> None:
        self._assistant = assistant
        self._sessions = sessions
        self._limiter = limiter

    async def reply(self, ask: Ask, emit: Emit | None = None) -> Reply:
        """Answer a request before its deadline, and remember the turn if it has a session.

        Nothing is remembered unless the answer is complete; a cancelled call leaves nothing.

        Raises:
            GatewayError: there is no answer; says why.
        """
        try:
            async with asyncio.timeout(ask.deadline.remaining_s()):
                if ask.session_id is None:
                    return await self._answer(ask, None, emit)
                return await self._in_session(ask, ask.session_id, emit)
        except TimeoutError as exc:
            raise DeadlineError(
                f"No complete answer within {ask.deadline.seconds:g} s. Try again."
            ) from exc

    async def _in_session(self, ask: Ask, session_id: str, emit: Emit | None) -> Reply:
        opened = ask.deadline.elapsed_s()
        try:
            turn = await self._sessions.open(ask.shop.id, session_id, ask.customer, ask.deadline)
        except MemoryAwayError:
            reply = await self._answer(ask, None, emit)
            reply.answer.degrade("memory")
            return reply
        waited_s = ask.deadline.elapsed_s() - opened
        try:
            reply = await self._answer(ask, turn, emit)
            reply.answer.spend("session", waited_s)
            return await self._remember(ask, turn, reply)
        finally:
            await self._sessions.release(turn)

    async def _remember(self, ask: Ask, turn: Turn, reply: Reply) -> Reply:
        answer = reply.answer
        done = StoredTurn(ask.messages[-1].content, answer.text, tuple(answer.tool_calls))
        try:
            return Reply(answer, await self._sessions.save(turn, done))
        except MemoryAwayError:
            answer.degrade("memory")
            return reply

    async def _answer(self, ask: Ask, turn: Turn | None, emit: Emit | None) -> Reply:
        question = Question(
            shop=ask.shop,
            customer=ask.customer,
            conversation=ask.messages,
            history=turn.turns if turn is not None else [],
            request_id=ask.request_id,
            # Node affinity must not cross shops, whose customers may choose equal ids.
            affinity=f"{ask.shop.id}:{ask.session_id}" if ask.session_id else None,
            deadline=ask.deadline,
        )
        answer = await self._assistant.answer(question, emit)
        usage = answer.usage
        await self._limiter.spend(ask.asker, usage.prompt_tokens + usage.completion_tokens)
        answer.timings_ms["total"] = round(ask.deadline.elapsed_s() * 1000, 2)
        return Reply(answer, ask.session_id)

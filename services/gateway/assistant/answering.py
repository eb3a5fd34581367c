"""Where an answer comes from: what was answered before, or the model with the shop's documents.

One vector of a question, made when it is first needed, serves both the cache and the retrieval.
"""

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import msgspec

from services.gateway.answers.cache import AnswerCache, Flight
from services.gateway.answers.types import Asked, CachedAnswer
from services.gateway.assistant.language import language_of
from services.gateway.assistant.speech import Emit
from services.gateway.assistant.splitter import ClauseSplitter
from services.gateway.assistant.turn import Assistant, Question
from services.gateway.assistant.types import Answer
from services.gateway.embedder import Embedder
from services.gateway.errors import OverloadedError
from services.gateway.identity.shops import Shop, ShopProfile
from services.gateway.knowledge.gaps import Gaps
from services.gateway.knowledge.knowledge import Knowledge
from services.gateway.limits.admission import Admission
from services.gateway.safety.masking import Masker

_DEFAULT_ZONE = "Asia/Shanghai"

Vector = Callable[[], Awaitable[bytes | None]]


@dataclass(frozen=True, slots=True)
class Sources:
    """What answers come from, beside the model.

    Attributes:
        answers: what was answered before and may be given to everybody.
        knowledge: finds passages of the shop's documents.
        gaps: collects what they do not hold.
        embedder: makes a question's vector; None: questions match by words.
        budget_chars: most characters of passages in a prompt.
    """

    answers: AnswerCache
    knowledge: Knowledge
    gaps: Gaps
    embedder: Embedder | None
    budget_chars: int


class Answering:
    """Answers questions from what answers them with the least work.

    Args:
        assistant: answers by the model and the tools.
        sources: what else answers come from.
        masker: takes out of a question what identifies anybody before it is kept.
    """

    def __init__(self, assistant: Assistant, sources: Sources, masker: Masker) -> None:
        self._assistant = assistant
        self._sources = sources
        self._masker = masker
        self._admission = Admission()
        self._fingerprints: dict[str, tuple[ShopProfile, str]] = {}

    async def answer(self, question: Question, emit: Emit | None) -> Answer:
        """Answer a question; an answer that was kept streams like any other.

        Raises:
            GatewayError: there is no answer; says why.
        """
        vector = _once(self._sources.embedder, question.text)
        asked = Asked(
            shop=question.shop.id,
            language=language_of(question.text),
            text=self._masker.mask(question.text),
            profile=self._fingerprint(question.shop),
            fresh=not question.history and len(question.conversation) == 1,
            vector=vector,
        )
        # Who waits for another's answer in vain must have time for one of their own.
        waits_s = question.deadline.remaining_s() / 2
        found = await self._sources.answers.open(asked, waits_s)
        if isinstance(found, CachedAnswer):
            return await _again(found, emit)
        if found is None:
            answer = await self._by_model(question, emit, vector)
        else:
            async with found:
                private = found.release
                question = replace(question, private=lambda: private("private"))
                answer = await self._by_model(question, emit, vector)
                await _end(found, answer, _left_of_day_s(question.shop.profile))
        if answer.unanswered and not answer.degraded and not answer.tool_calls:
            await self._sources.gaps.note(question.shop.id, asked.text, await vector())
        return answer

    async def _by_model(self, question: Question, emit: Emit | None, vector: Vector) -> Answer:
        remaining_s = question.deadline.remaining_s()
        if (pace := self._admission.pace(remaining_s)) == "none":
            raise OverloadedError(self._admission.retry_after_s(remaining_s))
        profile, language = question.shop.profile, language_of(question.text)
        passages = await self._sources.knowledge.find(
            question.shop.id,
            language,
            question.text,
            await vector(),
            _today(profile),
            policies=getattr(profile.policies, language),
            budget_chars=self._sources.budget_chars,
        )
        with self._admission.answer():
            asked = replace(question, passages=passages, short=pace == "short")
            return await self._assistant.answer(asked, emit)

    def _fingerprint(self, shop: Shop) -> str:
        """Return what stands for a shop's settings: an answer made under others is not given."""
        profile, mark = self._fingerprints.get(shop.id, (None, ""))
        if profile is not shop.profile:
            mark = hashlib.sha256(msgspec.json.encode(shop.profile)).hexdigest()[:16]
            self._fingerprints[shop.id] = shop.profile, mark
        return mark


async def _end(flight: Flight, answer: Answer, left_of_day_s: float) -> None:
    """Keep an answer that may be given to others, or say why it may not.

    None outlives the day: a promotion that it quotes may end with it.
    """
    if answer.public_for_s <= 0:
        await flight.release(answer.why_private)
        return
    kept = CachedAnswer(answer.text, answer.tool_calls, answer.cards, answer.citations)
    await flight.keep(kept, min(answer.public_for_s, left_of_day_s))


async def _again(kept: CachedAnswer, emit: Emit | None) -> Answer:
    """Give an answer that was kept, in the units it would have left in."""
    if emit is not None:
        splitter = ClauseSplitter()
        for unit in splitter.feed(kept.text) + splitter.flush():
            await emit(unit)
    return Answer(
        text=kept.text,
        source="cache",
        tool_calls=kept.tool_calls,
        cards=kept.cards,
        citations=kept.citations,
    )


def _once(embedder: Embedder | None, text: str) -> Vector:
    """Return what gives a text's vector, made when it is first asked for."""
    made: list[bytes | None] = [] if embedder is not None else [None]

    async def vector() -> bytes | None:
        if not made and embedder is not None:
            made.append(await embedder.question(text))
        return made[0]

    return vector


def _today(profile: ShopProfile) -> date:
    return _now(profile).date()


def _left_of_day_s(profile: ShopProfile) -> float:
    now = _now(profile)
    midnight = datetime.combine(now.date() + timedelta(days=1), time(), now.tzinfo)
    return (midnight - now).total_seconds()


def _now(profile: ShopProfile) -> datetime:
    hours = profile.service_hours
    return datetime.now(ZoneInfo(hours.timezone if hours else _DEFAULT_ZONE))

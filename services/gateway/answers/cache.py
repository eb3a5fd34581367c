"""The answer cache: what was answered to one customer and may be given to others who ask the same.

What may be kept is the caller's decision: public tools only, grounded, complete. Here it is decided
what the same question is, for how long an answer is good, and that one caller at a time makes it.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self

import msgspec
import redis.asyncio as aioredis

from services.gateway.answers import scripts
from services.gateway.answers.catalogue import Catalogues
from services.gateway.answers.flights import HEARTBEAT_S, Flights
from services.gateway.answers.lexicon import known_words
from services.gateway.answers.questions import Question, Questions
from services.gateway.answers.similar import Found, Similar
from services.gateway.answers.types import Asked, CachedAnswer
from services.gateway.errors import MemoryAwayError
from services.gateway.sessions.redis_port import RedisPort, Script

OPEN_TIMEOUT_S = 1.0
"""Redis answers in under a millisecond; a question goes to the model rather than wait longer."""
END_TIMEOUT_S = 2.0


class Flight:
    """This caller makes the answer; one of `keep` and `release` ends it, later ones do nothing.

    Left without either, another caller may make the answer.

    Attributes:
        asked: what was asked.
        question: what is compared of it.
        ticket: names the flight.
        epoch: of the shop when it began; the answer is kept under it.
        vector: of the question, where there was one.
        comparable: whether the answer may be found by other words.
    """

    def __init__(
        self, cache: "AnswerCache", asked: Asked, question: Question, ticket: str, epoch: str
    ) -> None:
        self.asked = asked
        self.question = question
        self.ticket = ticket
        self.epoch = epoch
        self.vector: bytes | None = None
        self.comparable = False
        self._cache = cache
        self._over = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._end("")

    async def keep(self, answer: CachedAnswer, ttl_s: float) -> None:
        """Give the answer to those who wait and to those who ask within `ttl_s` seconds.

        It is released instead where the conversation has earlier turns, or there is no text or no
        time. Never raises.
        """
        if not self.asked.fresh:
            await self.release("history")
        elif ttl_s <= 0 or not answer.text.strip():
            await self.release("empty")
        elif not self._over:
            self._over = True
            await self._cache.write(self, answer, int(ttl_s * 1000))

    async def release(self, reason: str) -> None:
        """Let those who wait go to the model by themselves, and for a minute let nobody wait.

        Args:
            reason: why others may not be given the answer, in a word.

        Never raises.
        """
        await self._end(reason or "not_public")

    async def _end(self, reason: str) -> None:
        if not self._over:
            self._over = True
            await self._cache.release(self, reason)


class AnswerCache:
    """Finds and keeps answers.

    Args:
        port: Redis.
        client: of the same Redis, for searching.
        catalogues: each shop's product words.
        flights: of this process.
        model: the embedder's name.
        log: called with an event name and fields.
        count: told how each look-up ended, in a word: exact, similar, flight, not_public,
            not_a_question, no_catalogue, waited_too_long, miss, away.
    """

    def __init__(
        self,
        port: RedisPort,
        client: aioredis.Redis,
        catalogues: Catalogues,
        flights: Flights,
        model: str,
        log: Callable[..., object],
        count: Callable[[str], object] = lambda _: None,
    ) -> None:
        self._port = port
        self._catalogues = catalogues
        self._flights = flights
        self._similar = Similar(client, model, log)
        self._questions = Questions()
        known_words()  # Read now: it takes a second, and later the loop would stand still for it.
        self._count = count

    async def open(self, asked: Asked, until_s: float) -> CachedAnswer | Flight | None:
        """Return the answer, or the duty to make it, or None: the question is for the model alone.

        Args:
            asked: the question.
            until_s: how many seconds may pass in waiting for an answer under way elsewhere.

        Never raises for Redis or the embedder.
        """
        known = self._catalogues.known(asked.shop)
        if known is None:
            return self._none("no_catalogue")
        question = self._questions.read(
            asked.shop, asked.language, asked.profile, asked.text, known.words
        )
        if question is None:
            return self._none("not_a_question")
        try:
            return await self._look(asked, question, until_s)
        except (MemoryAwayError, TimeoutError, msgspec.MsgspecError):
            return self._none("away")

    async def _look(
        self, asked: Asked, question: Question, until_s: float
    ) -> CachedAnswer | Flight | None:
        """Look the question up, again whenever a flight that it waits for has ended."""
        until = time.monotonic() + until_s
        ticket = self._flights.ticket() if asked.fresh else ""
        counted = question.meant
        with self._flights.expecting(_flight_key(asked, question)) as ended:
            while True:
                ended.clear()
                reply = await self._ask(asked, question, ticket, counted)
                state, epoch = reply[0].decode(), reply[1].decode()
                if state == "hit":
                    self._count("exact")
                    return msgspec.json.decode(reply[2], type=CachedAnswer)
                if state == "lead":
                    return await self._lead(Flight(self, asked, question, ticket, epoch))
                if state == "miss":
                    return await self._by_meaning(asked, question, epoch)
                if state == "pass":
                    return self._none("not_public")
                if (left := until - time.monotonic()) <= 0:
                    return self._none("waited_too_long")
                counted = ""
                await _set_within(ended, min(HEARTBEAT_S, left))

    async def _ask(self, asked: Asked, question: Question, ticket: str, counted: str) -> Any:
        base = scripts.base(asked.shop)
        keys = [
            f"{base}:entry:{question.said}",
            _flight_key(asked, question),
            f"{base}:epoch",
            f"{base}:hot",
            f"{base}:hot:about",
        ]
        async with asyncio.timeout(OPEN_TIMEOUT_S):
            return await self._port.run(scripts.OPEN, keys, [ticket, counted, asked.text])

    async def _lead(self, flight: Flight) -> CachedAnswer | Flight:
        """Look for the same question in other words; make the answer where there is none."""
        key = _flight_key(flight.asked, flight.question)
        self._flights.hold(key, flight.ticket)
        try:
            found = await self._found(flight.asked, flight.question, flight.epoch, flight)
            if found is None:
                self._count("flight")
                return flight
            self._count("similar")
            left_ms = int(found.until_ms - time.time() * 1000)
            # From now on in these words too, for as long as it is good.
            await flight.keep(found.answer, left_ms / 1000)
        except BaseException:
            await flight.__aexit__(None, None, None)
            raise
        await self._note_similar(flight.asked, flight.question)
        return found.answer

    async def _by_meaning(
        self, asked: Asked, question: Question, epoch: str
    ) -> CachedAnswer | Flight | None:
        """Look for the same question in other words, without the duty to make an answer."""
        found = await self._found(asked, question, epoch, None)
        if found is None:
            return self._none("miss")
        self._count("similar")
        await self._note_similar(asked, question)
        return found.answer

    async def _found(
        self, asked: Asked, question: Question, epoch: str, flight: Flight | None
    ) -> Found | None:
        known = self._catalogues.known(asked.shop)
        if known is None or known.epoch != epoch:
            # Its words may be those of an older catalogue.
            self._catalogues.ask()
            return None
        vector = await asked.vector()
        if flight is not None:
            flight.comparable, flight.vector = True, vector
        if vector is None:
            return None
        return await self._similar.find(asked.shop, asked.language, question.meant, epoch, vector)

    async def _note_similar(self, asked: Asked, question: Question) -> None:
        base = scripts.base(asked.shop)
        await self._tell(
            scripts.SIMILAR_HIT, [f"{base}:hot", f"{base}:hot:about"], [question.meant]
        )

    async def write(self, flight: Flight, answer: CachedAnswer, ttl_ms: int) -> None:
        """Write a flight's answer and end it; `Flight.keep` calls this."""
        base = scripts.base(flight.asked.shop)
        keys = [
            f"{base}:entry:{flight.question.said}",
            _flight_key(flight.asked, flight.question),
            f"{base}:epoch",
            f"{base}:entries",
        ]
        found_by: list[str | bytes] = []
        if flight.comparable:
            found_by = self._similar.fields(flight.question.meant, flight.vector)
        arguments: list[str | int | bytes] = [flight.ticket, flight.epoch, ttl_ms]
        arguments += ["answer", msgspec.json.encode(answer), *found_by]
        self._flights.let_go(flight.ticket)
        await self._tell(scripts.KEEP, keys, arguments)

    async def release(self, flight: Flight, reason: str) -> None:
        """End a flight without an answer; `Flight.release` calls this."""
        base = scripts.base(flight.asked.shop)
        keys = [_flight_key(flight.asked, flight.question), f"{base}:hot", f"{base}:hot:about"]
        arguments = [flight.ticket, flight.epoch, reason, flight.question.meant]
        self._flights.let_go(flight.ticket)
        await self._tell(scripts.RELEASE, keys, arguments)

    async def _tell(
        self, script: Script, keys: Sequence[str], arguments: Sequence[str | int | bytes]
    ) -> None:
        """Run a script whose failure leaves nothing wrong: leases and entries run out."""
        try:
            async with asyncio.timeout(END_TIMEOUT_S):
                await self._port.run(script, keys, arguments)
        except (MemoryAwayError, TimeoutError):
            return

    def _none(self, why: str) -> "CachedAnswer | Flight | None":
        self._count(why)
        return None


def _flight_key(asked: Asked, question: Question) -> str:
    return f"{scripts.base(asked.shop)}:flight:{question.said}"


async def _set_within(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return

"""A rail that is a model: Qwen3Guard-Gen judges the customer's message while the answer is made.

It decides as the patterns do, by a `Verdict`, only later; until then nothing leaves to the
customer. It may be away: then the answer goes on as without it, and that is counted.
"""

import asyncio
import re
import time
import uuid
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Protocol, TypeVar

from services.gateway.assistant.deadline import Deadline
from services.gateway.assistant.model import ModelClient, ModelRequest
from services.gateway.assistant.observer import Observer
from services.gateway.assistant.speech import Emit
from services.gateway.errors import GatewayError
from services.gateway.identity.shops import Language, ShopProfile
from services.gateway.safety.rails import PASS, Verdict

_STOPPING = frozenset({"handoff", "care", "refuse"})
_SAFETY = re.compile(r"Safety:\s*(Safe|Unsafe|Controversial)\b")
_CATEGORIES = re.compile(r"Categories:\s*(.+)")
_SELF, _THREAT, _REFUSED = (
    Verdict("self", "care", "rail", urgent=True),
    Verdict("threat", "care", "rail", urgent=True),
    Verdict("injection", "refuse", ""),
)
"""The verdicts of the patterns for the same matters, so that their fixed lines are said."""

T = TypeVar("T")


class LateRail(Protocol):
    """The port of rails that take their time: `InputRails.check`, awaited. Must not raise."""

    async def check(
        self, text: str, earlier: Sequence[str], profile: ShopProfile, language: Language
    ) -> Verdict:
        """Judge a new message."""


class ModelRail:
    """Asks a guard model about each message.

    Args:
        model: the guard's endpoint.
        timeout_s: how long an answer may wait for a verdict.
        observer: is told what the rail decided, and how long it took.
    """

    def __init__(self, model: ModelClient, timeout_s: float, observer: Observer) -> None:
        self._model = model
        self._timeout_s = timeout_s
        self._observer = observer

    async def check(
        self,
        text: str,
        earlier: Sequence[str],  # noqa: ARG002 (the port's; the guard judges the new message)
        profile: ShopProfile,  # noqa: ARG002 (likewise: its rules are the same for all shops)
        language: Language,
    ) -> Verdict:
        """Judge a new message; passes it where there is no verdict in time."""
        started = time.perf_counter()
        verdict, outcome = PASS, "timeout"
        try:
            async with asyncio.timeout(self._timeout_s):
                verdict, outcome = read(await self._ask(text))
        except TimeoutError:
            pass
        except GatewayError:
            outcome = "error"
        self._observer.rail("model", outcome, language, time.perf_counter() - started)
        return verdict

    async def _ask(self, text: str) -> str:
        request = ModelRequest(
            # The guard's own chat template puts its instructions around the message.
            messages=[{"role": "user", "content": text}],
            tools=[],
            use_tools=False,
            request_id=uuid.uuid4().hex,
            affinity=None,
        )
        return (await self._model.complete(request, Deadline(self._timeout_s))).text


def read(said: str) -> tuple[Verdict, str]:
    """Return the verdict in what the guard said, and its name for the books.

    Args:
        said: two lines, `Safety: Safe|Unsafe|Controversial` and `Categories: …` by comma.
    """
    safety, categories = _SAFETY.search(said), _CATEGORIES.search(said)
    if safety is None:
        return PASS, "unreadable"
    if safety[1] != "Unsafe":
        return PASS, "controversial" if safety[1] == "Controversial" else "pass"
    found = {name.strip() for name in categories[1].split(",")} if categories else set()
    if "Suicide & Self-Harm" in found:
        return _SELF, _SELF.action
    if "Violent" in found:
        return _THREAT, _THREAT.action
    return _REFUSED, _REFUSED.action


async def unless_stopped(
    judging: Coroutine[Any, Any, Verdict],
    answering: Callable[[Emit | None], Coroutine[Any, Any, T]],
    emit: Emit | None,
) -> T | Verdict:
    """Answer while a rail judges; return the answer, or the verdict that stopped it.

    Args:
        judging: comes to a verdict, without raising.
        answering: makes the answer, given what takes its clauses. Is cancelled when stopped.
        emit: takes clauses to the customer; gets none before the verdict. None: a plain answer.
    """
    judged = asyncio.create_task(judging)

    async def held(clause: str) -> None:
        if (await asyncio.shield(judged)).action in _STOPPING:
            await asyncio.Event().wait()  # Until cancelled, which is about to happen.
        if emit is not None:
            await emit(clause)

    answered = asyncio.create_task(answering(held if emit is not None else None))
    try:
        verdict = await judged
        # Even where the answer has failed meanwhile: who needs a person gets one.
        return verdict if verdict.action in _STOPPING else await answered
    finally:
        judged.cancel()
        answered.cancel()
        await asyncio.gather(judged, answered, return_exceptions=True)

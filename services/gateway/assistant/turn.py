"""One turn of the assistant: model call, tool calls, model call … answer.

Which tool to call is the model's decision; here it is only bounded: in rounds, in seconds, and in
what reaches the customer. Sessions, HTTP and who the customer is are others' business.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

import msgspec

from services.gateway.assistant.cards import cards_of
from services.gateway.assistant.deadline import Deadline
from services.gateway.assistant.grounding.check import Fault, Grounding
from services.gateway.assistant.grounding.claims import load as load_lexicon
from services.gateway.assistant.grounding.conversation import add_result, evidence_of
from services.gateway.assistant.grounding.evidence import Evidence
from services.gateway.assistant.language import ask_again, cant_confirm, language_of, only_declines
from services.gateway.assistant.model import (
    MAX_TOKENS,
    SHORT_TOKENS,
    BrokenOffError,
    ModelCall,
    ModelClient,
    ModelRequest,
)
from services.gateway.assistant.observer import Observer
from services.gateway.assistant.prompt import Prompts, call_message, result_message
from services.gateway.assistant.speech import Check, Clean, Emit, Speech, UnfoundedError
from services.gateway.assistant.tools import (
    Caller,
    ToolResult,
    ToolsClient,
    invalid_arguments,
    timestamp,
)
from services.gateway.assistant.types import (
    Answer,
    Message,
    StoredToolCall,
    StoredTurn,
    ToolCall,
)
from services.gateway.errors import ModelUnavailableError
from services.gateway.identity.shops import Language, Shop
from services.gateway.knowledge.citations import citations
from services.gateway.knowledge.types import Passage
from services.gateway.safety.markup import clean

TAKEOVERS = 3
"""How often another node goes on with an answer whose node was lost."""
MAX_CALLS = 8
"""Most tool calls of one round; more come from a model that has lost its way."""
DOCUMENTS_FOR_S = 3600.0
"""How long others may be given an answer from the shop's documents; a new load ends it at once."""


async def _nobody() -> None:
    """Tell nobody."""


@dataclass(frozen=True, slots=True)
class Question:
    """What a turn has to answer, and for whom."""

    shop: Shop
    customer: str | None
    conversation: tuple[Message, ...]
    history: list[StoredTurn]
    request_id: str
    affinity: str | None
    deadline: Deadline
    passages: tuple[Passage, ...] = ()
    """What the shop's documents say about it."""
    short: bool = False
    """Whether the answer is to be short, because much is waiting."""
    private: Callable[[], Awaitable[None]] = _nobody
    """Is told as soon as something is looked up that is only this customer's business."""

    @property
    def text(self) -> str:
        """The customer's new message."""
        return self.conversation[-1].content


@dataclass(slots=True)
class _State:
    """A turn under way."""

    question: Question
    language: Language
    messages: list[dict[str, object]]
    speech: Speech
    evidence: Evidence
    streamed: bool
    answer: Answer = field(default_factory=Answer)
    results: dict[tuple[str, str], ToolResult] = field(default_factory=dict)
    """What each distinct call of this turn gave."""


class Assistant:
    """Answers questions with a model and tools.

    Args:
        model: the model endpoint.
        tools: the tools service.
        prompts: builds the messages.
        rounds: most rounds of tool calls in a turn.
        observer: is told what took how long.
    """

    def __init__(
        self,
        model: ModelClient,
        tools: ToolsClient,
        prompts: Prompts,
        rounds: int,
        observer: Observer,
    ) -> None:
        self._model = model
        self._tools = tools
        self._prompts = prompts
        self._rounds = rounds
        self._observer = observer
        load_lexicon()

    async def answer(self, question: Question, emit: Emit | None = None) -> Answer:
        """Answer a question.

        Args:
            question: what was asked.
            emit: takes each clause as soon as it is complete (a stream); None for a plain answer.

        Raises:
            GatewayError: the model is away, too slow, or gave nothing usable.
        """
        language = language_of(question.text)
        evidence = evidence_of(
            question.shop.profile,
            question.history,
            question.conversation,
            self._tools.catalogue.fresh_for_s,
            tuple(passage.text for passage in question.passages),
        )
        state = _State(
            question=question,
            language=language,
            messages=self._prompts.messages(
                question.shop,
                language,
                question.history,
                question.conversation,
                question.passages,
            ),
            speech=Speech(
                emit,
                self._clean(question.shop.profile.rails.links, language),
                self._check(Grounding(evidence), language),
            ),
            evidence=evidence,
            streamed=emit is not None,
        )
        if not self._tools.catalogue.names:
            state.answer.degrade("tools")
        if question.short:
            state.answer.degrade("length")
        complete = await self._founded(state) and bool(state.speech.text.strip())
        if not complete:
            # Said through the same speech, so that streams and plain answers agree.
            await state.speech.hear(cant_confirm(language))
            await state.speech.end_call()
        state.answer.text = state.speech.text
        state.answer.unanswered = (
            only_declines(state.answer.text) or "tools" in state.answer.degraded
        )
        self._share(state, complete=complete)
        return state.answer

    def _share(self, state: _State, *, complete: bool) -> None:
        """Decide for how long others may be given this answer, and what it quotes."""
        answer, question = state.answer, state.question
        answer.citations = citations(answer.text, question.passages)
        ttls = self._tools.catalogue.public_for_s
        used = [ttls.get(call.name, 0.0) for call in answer.tool_calls]
        reasons = {
            "history": bool(question.history) or len(question.conversation) > 1,
            "private": 0.0 in used,
            "missed": any(result.outcome != "ok" for result in state.results.values()),
            "unanswered": not complete or answer.unanswered,
            "degraded": bool(answer.degraded) or answer.finish_reason != "stop",
            "no_source": not used and not answer.citations,
        }
        answer.why_private = next((name for name, holds in reasons.items() if holds), "")
        if not answer.why_private:
            answer.public_for_s = min([*used, DOCUMENTS_FOR_S])

    def _clean(self, hosts: tuple[str, ...], language: Language) -> Clean:
        def cleaned(unit: str) -> str:
            started = time.perf_counter()
            kept = clean(unit, hosts)
            action = "pass" if kept == unit else "clean"
            self._observer.rail("markup", action, language, time.perf_counter() - started)
            return kept

        return cleaned

    def _check(self, grounding: Grounding, language: Language) -> Check:
        def check(unit: str) -> Fault | None:
            started = time.perf_counter()
            fault = grounding.check(unit)
            action = "pass" if fault is None else "hold"
            self._observer.rail("grounding", action, language, time.perf_counter() - started)
            return fault

        return check

    async def _founded(self, state: _State) -> bool:
        """Let the model answer; when a unit was held back, once more, with the fault named.

        Returns:
            Whether the answer ended with nothing held back.
        """
        for _ in range(2):
            try:
                await self._converse(state)
            except UnfoundedError as exc:
                told = ask_again(state.language, exc.fault.text, state.speech.text)
                state.messages.append({"role": "user", "content": told})
            else:
                return True
        return False

    async def _converse(self, state: _State) -> None:
        """Alternate between model and tools until the model has nothing more to look up."""
        may_call = True
        for round_number in range(self._rounds + 1):
            may_call = may_call and round_number < self._rounds
            calls, broken = await self._ask(state, use_tools=may_call)
            if not calls or not may_call:
                return
            repeated = all(_key(call) in state.results for call in calls)
            await self._run_round(state, calls, broken)
            if repeated:
                # Asking the same again shows a loop; the answer must come from what is known.
                may_call = False
                await self._ask(state, use_tools=False)
                return

    async def _ask(
        self, state: _State, *, use_tools: bool
    ) -> tuple[list[ToolCall], frozenset[str]]:
        """Call the model once. Return its tool calls, and the ids of those that were unreadable."""
        question = state.question
        request = ModelRequest(
            messages=state.messages,
            tools=list(self._tools.catalogue.for_model),
            use_tools=use_tools,
            request_id=question.request_id,
            affinity=question.affinity,
            max_tokens=SHORT_TOKENS if question.short else MAX_TOKENS,
        )
        started = time.monotonic()
        call = ModelCall()
        try:
            if state.streamed:
                call = await self._hear(state, request)
            else:
                call = await self._model.complete(request, question.deadline)
                await state.speech.hear(call.text)
            leaked = await state.speech.end_call()
        finally:
            # Also where a unit was held back: its tokens were spent.
            self._note(state.answer, call)
            seconds = time.monotonic() - started
            state.answer.spend("model", seconds)
            self._observer.hop("model", seconds)
        calls = call.tool_calls[:MAX_CALLS]
        broken: set[str] = set()
        if not calls:
            calls = [
                ToolCall("", found.name, found.arguments or "") for found in leaked[:MAX_CALLS]
            ]
            broken = {f"call_{n}" for n, found in enumerate(leaked) if found.arguments is None}
        for number, tool_call in enumerate(calls):
            tool_call.id = tool_call.id or f"call_{number}"
        return calls, frozenset(broken)

    async def _hear(self, state: _State, request: ModelRequest) -> ModelCall:
        """Hear a streamed call to its end; where its node is lost, another goes on."""
        takeovers = 0
        while True:
            call = ModelCall()
            try:
                async with self._model.stream(request, state.question.deadline) as (call, pieces):
                    async for piece in pieces:
                        await state.speech.hear(piece)
            except UnfoundedError:
                self._note(state.answer, call)
                raise
            except ModelUnavailableError as exc:
                # Before a stream has begun, trying elsewhere is the router's business; but once
                # one is to go on, the router may send it to the lost node again.
                if takeovers == TAKEOVERS or not (takeovers or isinstance(exc, BrokenOffError)):
                    raise
                takeovers += 1
                self._note(state.answer, call)
                self._observer.takeover()
                state.speech.rewind()
                request = _on_another(request, state.speech.said, takeovers)
            else:
                return call

    def _note(self, answer: Answer, call: ModelCall) -> None:
        answer.usage.add(call.usage)
        answer.finish_reason = "length" if call.finish_reason == "length" else "stop"
        answer.node = call.node or answer.node

    async def _run_round(
        self, state: _State, calls: list[ToolCall], broken: frozenset[str]
    ) -> None:
        """Run one round's calls side by side, and put them and their results into the prompt."""
        started = time.monotonic()
        async with asyncio.TaskGroup() as group:
            tasks: dict[tuple[str, str], asyncio.Task[ToolResult]] = {}
            for call in calls:
                key = _key(call)
                if key not in state.results and key not in tasks:
                    tasks[key] = group.create_task(self._run(state, call, call.id in broken))
        state.results.update({key: task.result() for key, task in tasks.items()})
        seconds = time.monotonic() - started
        state.answer.spend("tools", seconds)
        self._observer.hop("tools", seconds)
        at = timestamp()
        readable = [(call.id, call.name, _object_or_empty(call.arguments)) for call in calls]
        state.messages.append(call_message(readable))
        for call in calls:
            result = state.results[_key(call)]
            state.messages.append(result_message(call.id, result.text))
            if _key(call) in tasks:
                del tasks[_key(call)]
                self._remember(state.answer, call, result, at)
                add_result(state.evidence, result.text, call.arguments)

    async def _run(self, state: _State, call: ToolCall, broken: bool) -> ToolResult:
        question = state.question
        if broken:
            result = invalid_arguments("the tool call is not valid JSON")
        else:
            if call.name not in self._tools.catalogue.public_for_s:
                await question.private()
            caller = Caller(
                question.shop.id, question.customer, state.language, question.request_id
            )
            result = await self._tools.call(call.name, call.arguments, caller, question.deadline)
        known = call.name in self._tools.catalogue.names
        self._observer.tool_call(call.name if known else "unknown", result.outcome)
        return result

    def _remember(self, answer: Answer, call: ToolCall, result: ToolResult, at: str) -> None:
        answer.tool_calls.append(
            StoredToolCall(call.name, _raw(call.arguments), _raw(result.text), at)
        )
        answer.cards.extend(card for card in cards_of(result.facts) if card not in answer.cards)
        if result.outage:
            answer.degrade("tools")


def _on_another(request: ModelRequest, said: str, takeover: int) -> ModelRequest:
    """Return a request to go on from what was said, on any node but the session's own."""
    affinity = f"{request.affinity.partition('~')[0]}~{takeover}" if request.affinity else None
    return replace(request, said=said, affinity=affinity)


def _key(call: ToolCall) -> tuple[str, str]:
    """Return what makes two calls the same: the tool and its arguments, however spaced."""
    try:
        values = msgspec.json.decode(call.arguments or "{}")
    except (msgspec.DecodeError, UnicodeError):
        return call.name, call.arguments
    return call.name, msgspec.json.encode(values, order="deterministic").decode()


def _object_or_empty(arguments: str) -> str:
    """Return arguments that the model server accepts in a message: a JSON object."""
    try:
        values = msgspec.json.decode(arguments or "{}")
    except (msgspec.DecodeError, UnicodeError):
        return "{}"
    return arguments if isinstance(values, dict) and arguments else "{}"


def _raw(text: str) -> msgspec.Raw:
    """Return `text` as it is where it is JSON, else as a JSON string."""
    try:
        msgspec.json.decode(text or "{}")
    except (msgspec.DecodeError, UnicodeError):
        return msgspec.Raw(msgspec.json.encode(text))
    return msgspec.Raw((text or "{}").encode())

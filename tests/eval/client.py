"""Holds the golden conversations with a gateway, as a shop's page would: OpenAI's own client."""

import asyncio
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self

import httpx2
import jwt
from openai import AsyncOpenAI, OpenAIError

from tests.eval.dialogues import Dialogue
from tests.eval.grader import Answered, MadeCall
from tests.eval.settings import EvalSettings

_TOKEN_TTL_S = 3600


@dataclass(slots=True)
class Conversation:
    """One run of one dialogue.

    Attributes:
        dialogue: what was run.
        run: which run, from 0.
        session: the session's id at the gateway.
        answered: one entry per turn that was tried.
        seconds: how long each turn took.
    """

    dialogue: Dialogue
    run: int
    session: str
    answered: list[Answered] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)


class GatewayClient:
    """Talks to one gateway; use as an async context manager.

    Args:
        settings: where it is and how to sign in.
        transport: in place of the network.
    """

    def __init__(
        self, settings: EvalSettings, transport: httpx2.AsyncBaseTransport | None = None
    ) -> None:
        self._settings = settings
        self._http = httpx2.AsyncClient(
            transport=transport,
            timeout=httpx2.Timeout(settings.timeout_s, connect=5.0),
            limits=httpx2.Limits(max_connections=settings.concurrency + 2),
        )
        self._openai = AsyncOpenAI(
            api_key=settings.key,
            base_url=f"{settings.url}/v1",
            http_client=self._http,
            max_retries=0,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._openai.close()
        await self._http.aclose()

    async def ping(self) -> str | None:
        """Why the gateway cannot be used; None when it answers."""
        try:
            await self._openai.models.list()
        except OpenAIError as exc:
            return str(exc)
        return None

    async def hold(self, dialogue: Dialogue, run: int) -> Conversation:
        """Say every turn of `dialogue` in a session of its own; ends at the first failure."""
        talk = Conversation(dialogue, run, f"eval-{dialogue.id}-{uuid.uuid4().hex[:12]}")
        headers = {"X-Session-Id": talk.session}
        if dialogue.customer is not None:
            headers["X-Customer-Token"] = self._token(dialogue.customer)
        replies: list[str] = []
        error: str | None = None
        for turn in dialogue.turns:
            started = time.perf_counter()
            try:
                replies.append(await self._say(turn.user, headers))
            except OpenAIError as exc:
                error = f"{type(exc).__name__}: {exc}"
            talk.seconds.append(time.perf_counter() - started)
            if error:
                break
        try:
            calls = await self._calls(talk.session, headers) if replies else []
        except (httpx2.HTTPError, ValueError, TypeError, KeyError) as exc:
            error = f"the session cannot be read: {type(exc).__name__}: {exc}"
            talk.answered = [Answered(reply, (), error) for reply in replies]
            return talk
        for index, reply in enumerate(replies):
            kept = index < len(calls)
            talk.answered.append(
                Answered(reply, calls[index] if kept else (), None if kept else "turn not stored")
            )
        if error:
            talk.answered.append(Answered("", (), error))
        return talk

    async def _say(self, text: str, headers: dict[str, str]) -> str:
        completion = await self._openai.chat.completions.create(
            model=self._settings.model,
            messages=[{"role": "user", "content": text}],
            extra_headers=headers,
            timeout=self._settings.timeout_s,
        )
        return completion.choices[0].message.content or ""

    async def _calls(self, session: str, headers: dict[str, str]) -> list[tuple[MadeCall, ...]]:
        """The tool calls of each stored turn.

        Raises:
            httpx2.HTTPError: the gateway did not give the session.
            ValueError, TypeError, KeyError: it gave something else.
        """
        response = await self._http.get(
            f"{self._settings.url}/v1/sessions/{session}",
            headers={"Authorization": f"Bearer {self._settings.key}", **headers},
        )
        response.raise_for_status()
        turns: list[dict[str, Any]] = response.json()["turns"]
        return [
            tuple(MadeCall(call["name"], call["arguments"]) for call in turn.get("tool_calls", ()))
            for turn in turns
        ]

    def _token(self, customer: str) -> str:
        claims = {
            "sub": customer,
            "shop": self._settings.shop,
            "exp": int(time.time()) + _TOKEN_TTL_S,
        }
        return jwt.encode(claims, self._settings.secret, algorithm="HS256")


async def hold_all(
    client: GatewayClient,
    dialogues: list[Dialogue],
    runs: int,
    concurrency: int,
    done: Callable[[Conversation], None],
) -> list[Conversation]:
    """Run every dialogue `runs` times, `concurrency` at a time, telling `done` of each."""
    waiting: asyncio.Queue[tuple[Dialogue, int]] = asyncio.Queue()
    for run in range(runs):
        for dialogue in dialogues:
            waiting.put_nowait((dialogue, run))
    talks: list[Conversation] = []

    async def work() -> None:
        while not waiting.empty():
            dialogue, run = waiting.get_nowait()
            talk = await client.hold(dialogue, run)
            talks.append(talk)
            done(talk)

    async with asyncio.TaskGroup() as group:
        for _ in range(concurrency):
            group.create_task(work())
    return talks

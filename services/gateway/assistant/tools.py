"""The tools service: which tools there are, and calling them.

No tool is named here. The catalogue is learnt at start and refreshed; what a tool answers goes to
the model as it came.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import httpx2
import msgspec

from services.gateway.assistant.deadline import Deadline
from services.gateway.identity.shops import Language
from services.gateway.identity.tokens import ServiceTokens

REFRESH_S = 30.0
"""How often the catalogue is read again."""
RETRY_S = 1.0
"""How soon after a failure."""
CATALOGUE_TIMEOUT_S = 2.0

Outcome = Literal["ok", "miss", "unknown_tool", "invalid_arguments", "unavailable", "refused"]

_UNAVAILABLE = '{"error":"tool_unavailable"}'
_UNKNOWN = '{"error":"unknown_tool"}'
_DETAIL_CHARS = 300


class ToolNote(msgspec.Struct, frozen=True):
    """What the service says of a tool besides its schema; the model does not see it."""

    fresh_for_s: float = 0.0
    """How long a result counts as evidence later in the conversation."""
    access: Literal["public", "customer"] = "customer"
    cache_ttl_s: float = 0.0
    """How long an answer built on a result may be given to others."""


class ToolSpec(msgspec.Struct):
    """One published tool. `function` is passed to the model byte for byte."""

    function: msgspec.Raw
    type: str = "function"
    xiaoer: ToolNote = ToolNote()


class _Named(msgspec.Struct):
    name: str


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The tools as last learnt."""

    names: frozenset[str] = frozenset()
    for_model: tuple[msgspec.Raw, ...] = ()
    """Each `{"type": "function", "function": …}`, in the published order."""
    fresh_for_s: Mapping[str, float] = field(default_factory=dict)
    """By tool: how long its result counts as evidence."""
    public_for_s: Mapping[str, float] = field(default_factory=dict)
    """By public tool: how long an answer built on it may be given to others."""


@dataclass(frozen=True, slots=True)
class Caller:
    """On whose behalf tools are called."""

    shop_id: str
    customer: str | None
    language: Language
    request_id: str


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a tool call came to: always something the model can read."""

    text: str
    outcome: Outcome
    facts: Any = None
    """The decoded result of a call that worked."""

    @property
    def outage(self) -> bool:
        """Whether the tools service, not the question, was at fault."""
        return self.outcome in {"unavailable", "refused"}


class ToolsClient:
    """Knows the tools and calls them.

    Args:
        client: with the tools service as base URL; closed by whoever made it.
        tokens: mints the service token of each call.
        timeout_s: longest time for one call.
        log: called with an event name and fields when a call fails for our own fault.
    """

    def __init__(
        self,
        client: httpx2.AsyncClient,
        tokens: ServiceTokens,
        timeout_s: float,
        log: Callable[..., object],
    ) -> None:
        self._client = client
        self._tokens = tokens
        self._timeout_s = timeout_s
        self._log = log
        self.catalogue = Catalogue()
        self.learnt = False
        """Whether the last attempt to read the catalogue worked."""

    async def learn(self) -> None:
        """Read the catalogue.

        Raises:
            httpx2.HTTPError: the service does not answer as it should.
            msgspec.DecodeError: its answer is no catalogue.
        """
        try:
            response = await self._client.get("/v1/tools", timeout=CATALOGUE_TIMEOUT_S)
            response.raise_for_status()
            specs = msgspec.json.decode(response.content, type=list[ToolSpec])
            names = [msgspec.json.decode(spec.function, type=_Named).name for spec in specs]
        except BaseException:
            self.learnt = False
            raise
        self.catalogue = Catalogue(
            frozenset(names),
            tuple(
                msgspec.Raw(b'{"type":"function","function":' + bytes(spec.function) + b"}")
                for spec in specs
            ),
            {name: spec.xiaoer.fresh_for_s for name, spec in zip(names, specs, strict=True)},
            {
                name: spec.xiaoer.cache_ttl_s
                for name, spec in zip(names, specs, strict=True)
                if spec.xiaoer.access == "public"
            },
        )
        self.learnt = True

    async def keep_learning(self) -> None:
        """Read the catalogue over and over, until cancelled."""
        while True:
            was = self.learnt
            try:
                await self.learn()
            except (httpx2.HTTPError, msgspec.DecodeError) as exc:
                if was:
                    self._log("tools_catalogue_lost", reason=type(exc).__name__)
            else:
                if not was:
                    self._log("tools_learnt", tools=sorted(self.catalogue.names))
            await asyncio.sleep(REFRESH_S if self.learnt else RETRY_S)

    async def call(
        self, name: str, arguments: str, caller: Caller, deadline: Deadline
    ) -> ToolResult:
        """Call one tool. Never raises for what the model or the service did wrong."""
        if name not in self.catalogue.names:
            return ToolResult(_UNKNOWN, "unknown_tool")
        try:
            values = msgspec.json.decode(arguments or "{}")
        except (msgspec.DecodeError, UnicodeError):
            return invalid_arguments("the arguments are not valid JSON")
        if not isinstance(values, dict):
            return invalid_arguments("the arguments must be a JSON object")
        headers = {
            "authorization": "Bearer "
            + self._tokens.mint(
                shop_id=caller.shop_id, customer=caller.customer, request_id=caller.request_id
            ),
            "accept-language": caller.language,
            "content-type": "application/json",
            "x-request-id": caller.request_id,
        }
        timeout_s = min(self._timeout_s, deadline.remaining_s())
        try:
            async with asyncio.timeout(timeout_s):
                response = await self._client.post(
                    f"/v1/tools/{name}",
                    content=msgspec.json.encode(values),
                    headers=headers,
                    timeout=timeout_s,
                )
        except (httpx2.HTTPError, TimeoutError) as exc:
            self._log("tool_unavailable", tool=name, reason=type(exc).__name__)
            return ToolResult(_UNAVAILABLE, "unavailable")
        return self._result(name, response)

    def _result(self, name: str, response: httpx2.Response) -> ToolResult:
        if response.status_code == httpx2.codes.OK:
            try:
                facts = msgspec.json.decode(response.content)
            except (msgspec.DecodeError, UnicodeDecodeError):
                self._log("tool_result_unreadable", tool=name)
                return ToolResult(_UNAVAILABLE, "unavailable")
            missed = isinstance(facts, dict) and "error" in facts
            return ToolResult(response.content.decode(), "miss" if missed else "ok", facts)
        if response.status_code in (400, 422):
            return invalid_arguments(_detail(response.content))
        if response.status_code == httpx2.codes.NOT_FOUND:
            return ToolResult(_UNKNOWN, "unknown_tool")
        self._log("tool_refused", tool=name, status=response.status_code)
        refused = response.status_code in (401, 403)
        return ToolResult(_UNAVAILABLE, "refused" if refused else "unavailable")


def invalid_arguments(detail: str) -> ToolResult:
    """Return the result that lets the model mend its arguments."""
    text = msgspec.json.encode({"error": "invalid_arguments", "detail": detail}).decode()
    return ToolResult(text, "invalid_arguments")


def _detail(body: bytes) -> str:
    """Return the service's own words about what is wrong with the arguments."""
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        value = None
    if isinstance(value, dict):
        error = value.get("error")
        nested = error.get("message") if isinstance(error, dict) else None
        for text in (value.get("detail"), nested, error):
            if isinstance(text, str) and text:
                return text[:_DETAIL_CHARS]
    return "the arguments do not fit the tool's schema"


def timestamp() -> str:
    """Return the time now, UTC, to the millisecond, as ISO 8601."""
    now = time.time()
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now))
    return f"{whole}.{int(now % 1 * 1000):03d}Z"

"""Asks the gateway over HTTP as a shop's server does, and forgets what it asked.

A 429 is honoured: the question waits as long as the gateway says and is sent again. Nothing else is
sent twice, since a turn may have been taken by the time its reply is lost.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import httpx2
import msgspec

from services.gateway.rehearsal.customers import Sign
from services.gateway.rehearsal.errors import (
    GatewayAwayError,
    RefusedError,
    UnansweredError,
)

REPLY_S = 180.0
"""Most seconds for a reply. The gateway's own deadline (30 s unless set) comes first."""
CONNECT_S = 5.0
MOST_WAIT_S = 60.0
"""A longer Retry-After is not waited for: a day's budget is spent, say."""
PATIENCE_S = 600.0
"""Most seconds that one request waits in all."""
CONNECT_PAUSES_S = (1.0, 2.0, 4.0)
"""Between tries while nobody listens: a gateway that restarts is back by then."""

Pause = Callable[[float], Awaitable[None]]
"""Waits for some seconds.

Raises:
    StoppingError: the run ends meanwhile.
"""


class _Facts(msgspec.Struct, frozen=True):
    session_id: str | None = None
    source: str = "model"
    tools: list[str] = []
    cards: list[dict[str, Any]] = []
    citations: list[dict[str, str]] = []
    handoff: str = "bot"
    degraded: list[str] = []
    timings_ms: dict[str, float] = {}


class _Message(msgspec.Struct, frozen=True):
    content: str


class _Choice(msgspec.Struct, frozen=True):
    message: _Message


class _Completion(msgspec.Struct, frozen=True):
    choices: list[_Choice]
    xiaoer: _Facts


class _Error(msgspec.Struct, frozen=True):
    message: str = ""
    code: str | None = None


class _ErrorBody(msgspec.Struct, frozen=True):
    error: _Error


class Reply(msgspec.Struct, frozen=True):
    """A reply as it came."""

    text: str
    facts: _Facts
    seconds: float


class ShopClient:
    """One shop's way to its gateway.

    Args:
        http: a client whose base URL is the gateway's.
        key: the shop's key.
        sign: makes customers' tokens; None: everybody is anonymous.
        pause: waits before a question is sent again.
    """

    def __init__(self, http: httpx2.AsyncClient, key: str, sign: Sign | None, pause: Pause) -> None:
        self._http = http
        self._headers = {"authorization": f"Bearer {key}"}
        self._sign = sign
        self._pause = pause
        self.waits = 0
        """How many times a 429 was waited for."""

    @property
    def signs(self) -> bool:
        """Whether customers can be signed in."""
        return self._sign is not None

    async def check(self) -> None:
        """Find out whether the gateway is there and takes the key.

        Raises:
            GatewayAwayError: it is not there.
            RefusedError: it does not take the key, or it is no gateway of ours.
        """
        try:
            response = await self._http.get("/v1/models", headers=self._headers)
        except (httpx2.HTTPError, httpx2.InvalidURL) as exc:
            raise _away(self._http, exc) from exc
        if response.status_code != 200:
            raise RefusedError(
                f"{self._http.base_url} does not take the shop key: {_said(response)} Check "
                "SHOP_KEY and --gateway."
            )

    async def ask(self, session_id: str, customer: str, question: str) -> Reply:
        """Ask one question in a session.

        Raises:
            UnansweredError: the gateway answered with an error, or not in time.
            GatewayAwayError: it is not there any more.
            RefusedError: it does not take the key or the customer's token any more.
            StoppingError: the run ends while the question waits to be sent again.
        """
        body = {"model": "xiaoer", "messages": [{"role": "user", "content": question}]}
        headers = self._identity(customer) | {"x-session-id": session_id}
        started, response = await self._send(
            "POST", "/v1/chat/completions", headers, self._pause, body
        )
        seconds = time.monotonic() - started
        if response.status_code in {401, 403}:
            raise RefusedError(f"The gateway refuses to answer: {_said(response)}")
        if response.status_code != 200:
            raise UnansweredError(f"HTTP {response.status_code}: {_said(response)}")
        try:
            found = msgspec.json.decode(response.content, type=_Completion)
            return Reply(found.choices[0].message.content, found.xiaoer, seconds)
        except (msgspec.DecodeError, UnicodeDecodeError, IndexError) as exc:
            raise UnansweredError(f"The reply is none of this gateway's: {exc}") from exc

    async def forget(self, session_id: str, customer: str, *, ticket: bool) -> bool:
        """Delete a session; return whether nothing of it is left.

        Args:
            session_id: of the session.
            customer: whose it is; empty: nobody's.
            ticket: whether a ticket was opened in it. It goes with the session, but stays where
                the session itself could not be remembered.
        """
        try:
            _, response = await self._send(
                "DELETE", f"/v1/sessions/{session_id}", self._identity(customer), asyncio.sleep
            )
        except (UnansweredError, GatewayAwayError):
            return False
        return response.status_code == 204 or (response.status_code == 404 and not ticket)

    def _identity(self, customer: str) -> dict[str, str]:
        if not customer or self._sign is None:
            return dict(self._headers)
        return self._headers | {"x-customer-token": self._sign(customer)}

    async def _send(
        self,
        method: str,
        path: str,
        headers: dict[str, str],
        pause: Pause,
        body: dict[str, Any] | None = None,
    ) -> tuple[float, httpx2.Response]:
        """Send until it is no 429; return when the last try began, and its response."""
        waited, away = 0.0, iter(CONNECT_PAUSES_S)
        while True:
            started = time.monotonic()
            try:
                response = await self._http.request(method, path, headers=headers, json=body)
            except (httpx2.ConnectError, httpx2.ConnectTimeout) as exc:
                if (wait_s := next(away, None)) is None:
                    raise _away(self._http, exc) from exc
                await pause(wait_s)
                continue
            except httpx2.TimeoutException as exc:
                raise UnansweredError(f"No reply within {REPLY_S:g} s.") from exc
            except httpx2.HTTPError as exc:
                raise UnansweredError(f"The connection broke: {exc or type(exc).__name__}") from exc
            wait_s = retry_after_s(response)
            if wait_s is None or wait_s > MOST_WAIT_S or waited + wait_s > PATIENCE_S:
                return started, response
            self.waits += 1
            waited += wait_s
            await pause(wait_s)


def connect(gateway: str, concurrency: int) -> httpx2.AsyncClient:
    """Return a client for a gateway."""
    return httpx2.AsyncClient(
        base_url=gateway,
        timeout=httpx2.Timeout(REPLY_S, connect=CONNECT_S),
        limits=httpx2.Limits(max_connections=concurrency, max_keepalive_connections=concurrency),
        trust_env=False,
    )


def retry_after_s(response: httpx2.Response) -> float | None:
    """Return how long a 429 asks to wait; None where the response is none."""
    if response.status_code != 429:
        return None
    try:
        return max(0.0, float(int(response.headers.get("retry-after", "1"))))
    except ValueError:
        return 1.0  # A date, which our gateway never sends; or nonsense.


def _said(response: httpx2.Response) -> str:
    """Return the sentence of an error."""
    try:
        said = msgspec.json.decode(response.content, type=_ErrorBody).error.message
    except (msgspec.DecodeError, UnicodeDecodeError):
        said = ""
    return said or f"it answers with HTTP {response.status_code}."


def _away(http: httpx2.AsyncClient, exc: Exception) -> GatewayAwayError:
    return GatewayAwayError(
        f"The gateway at {http.base_url} cannot be reached ({exc or type(exc).__name__}). Start it "
        "(make run), or name another: --gateway URL."
    )

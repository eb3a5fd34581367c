"""The gateway, as an agent's key opens it."""

import asyncio
from typing import Any, Literal

import httpx2
import msgspec

TRIES = 3
PAUSE_S = 0.3

Verb = Literal["claim", "reply", "resolve"]


class XiaoerAwayError(Exception):
    """The gateway does not answer, or cannot at the moment."""


class RefusedError(Exception):
    """The gateway refuses what was asked for.

    Args:
        code: its short name for why.
        message: its sentence for people.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Entry(msgspec.Struct, frozen=True):
    """A line of a ticket's transcript, masked."""

    who: Literal["customer", "assistant", "agent", "note"]
    text: str
    agent: str = ""


class Ticket(msgspec.Struct, frozen=True):
    """What the adapter needs of a ticket."""

    id: str
    session_id: str
    customer: str
    state: Literal["waiting", "agent", "resolved"]
    priority: str
    reason: str
    summary: str
    agent_name: str


class Shown(msgspec.Struct, frozen=True):
    """A ticket with its transcript."""

    ticket: Ticket
    transcript: list[Entry]


class Xiaoer:
    """Asks the gateway.

    Args:
        http: with the gateway's base URL and the agent's key.
    """

    def __init__(self, http: httpx2.AsyncClient) -> None:
        self._http = http

    async def show(self, ticket_id: str) -> Shown | None:
        """Return a ticket, or None where it is forgotten.

        Raises:
            XiaoerAwayError: the gateway cannot say.
        """
        try:
            reply = await self._ask("GET", f"/v1/tickets/{ticket_id}")
        except RefusedError as exc:
            if exc.code == "ticket_not_found":
                return None
            raise XiaoerAwayError(str(exc)) from exc
        return msgspec.json.decode(reply, type=Shown)

    async def act(self, ticket_id: str, verb: Verb, text: str = "", key: str = "") -> Ticket:
        """Claim, reply to or resolve a ticket; return it as it is then.

        Args:
            ticket_id: which.
            verb: what to do.
            text: of a reply.
            key: names a reply, which is then said once, however often it is sent.

        Raises:
            RefusedError: it cannot be done.
            XiaoerAwayError: the gateway cannot say.
        """
        options: dict[str, Any] = {"json": {"text": text}} if text else {}
        if key:
            options["headers"] = {"idempotency-key": key}
        reply = await self._ask("POST", f"/v1/tickets/{ticket_id}/{verb}", **options)
        return msgspec.json.decode(reply, type=Ticket)

    async def _ask(self, method: str, path: str, **options: Any) -> bytes:
        """Ask, and again where nobody knows what became of it: Chatwoot asks only once."""
        why = ""
        for number in range(TRIES):
            await asyncio.sleep(PAUSE_S * number)
            try:
                reply = await self._http.request(method, path, **options)
            except httpx2.HTTPError as exc:
                why = type(exc).__name__
                continue
            if reply.is_success:
                return reply.content
            if reply.status_code < 500 and reply.status_code != 429:
                raise _refusal(reply)
            why = f"status {reply.status_code}"
        raise XiaoerAwayError(why)


def _refusal(reply: httpx2.Response) -> RefusedError:
    try:
        error = reply.json()["error"]
        return RefusedError(str(error["code"]), str(error["message"]))
    except (ValueError, KeyError, TypeError):
        return RefusedError("unknown", f"status {reply.status_code}")

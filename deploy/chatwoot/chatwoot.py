"""Chatwoot: contacts, conversations and messages of one API inbox.

Its Application API does almost all. A conversation is found by its `source_id` in the inbox's
public API, the only place that looks it up exactly.
"""

from typing import Any

import httpx2

_NEVER = frozenset({400, 413, 422})
"""Chatwoot will not take this request, however often it comes."""
_NOT_FOUND = 404


class ChatwootAwayError(Exception):
    """Chatwoot does not answer, or not before somebody mends it or the settings."""


class ChatwootRefusedError(Exception):
    """Chatwoot will never take this request."""


class Chatwoot:
    """Asks Chatwoot.

    Args:
        http: with Chatwoot's base URL and the access token.
        account_id: the account.
        inbox_id: the API inbox.
    """

    def __init__(self, http: httpx2.AsyncClient, account_id: int, inbox_id: int) -> None:
        self._http = http
        self._account = f"/api/v1/accounts/{account_id}"
        self._inbox_id = inbox_id
        self._identifier = ""

    async def find(self, source_id: str) -> tuple[bool, dict[str, Any] | None]:
        """Return whether Chatwoot knows a source id, and its conversation if it has one."""
        if not self._identifier:
            # Asked for and not set by hand: with a wrong one every ticket would look new.
            inbox = await self._send("GET", f"{self._account}/inboxes/{self._inbox_id}")
            self._identifier = str(_json(inbox)["inbox_identifier"])
        public = f"/public/api/v1/inboxes/{self._identifier}"
        reply = await self._send("GET", f"{public}/contacts/{source_id}/conversations")
        if reply.status_code == _NOT_FOUND:
            return False, None
        found: list[dict[str, Any]] = _json(reply)
        return True, min(found, key=lambda one: int(one["id"]), default=None)

    async def open(self, source_id: str, contact_id: int | None) -> int:
        """Open a conversation; return its number.

        Args:
            source_id: what it is found by.
            contact_id: whose it is; None where Chatwoot knows the source id already.
        """
        body: dict[str, Any] = {"source_id": source_id, "inbox_id": self._inbox_id}
        if contact_id is not None:
            body["contact_id"] = contact_id
        reply = await self._send("POST", f"{self._account}/conversations", json=body)
        return int(_json(reply)["id"])

    async def contact(self, identifier: str, name: str) -> int:
        """Return the number of the contact of that identifier; there is one afterwards."""
        condition = {
            "attribute_key": "identifier",
            "filter_operator": "equal_to",
            "values": [identifier],
            "query_operator": None,
        }
        url = f"{self._account}/contacts"
        reply = await self._send("POST", f"{url}/filter", json={"payload": [condition]})
        for one in _json(reply)["payload"]:
            if one["identifier"] == identifier:  # Chatwoot compares without regard to case.
                return int(one["id"])
        made = await self._send("POST", url, json={"identifier": identifier, "name": name})
        return int(_json(made)["payload"]["contact"]["id"])

    async def marks(self, conversation: int, prefix: str) -> list[str]:
        """Return what follows a prefix in the source ids of the latest messages that have it.

        Those of one page, the latest page that has any: messages are marked in order.
        """
        before: dict[str, Any] = {}
        while True:
            reply = await self._send("GET", self._messages(conversation), params=before)
            found = _json(reply)["payload"]
            marks = [str(one.get("source_id") or "") for one in found]
            if ours := [mark.removeprefix(prefix) for mark in marks if mark.startswith(prefix)]:
                return ours
            if not found:
                return []
            before = {"before": min(int(one["id"]) for one in found)}

    async def say(self, conversation: int, text: str, mark: str, *, private: bool) -> None:
        """Add a message: a note for agents, or the customer's words."""
        body = {
            "content": text,
            "message_type": "outgoing" if private else "incoming",
            "private": private,
            "source_id": mark,
        }
        _json(await self._send("POST", self._messages(conversation), json=body))

    async def resolve(self, conversation: int) -> None:
        """Resolve a conversation."""
        url = f"{self._account}/conversations/{conversation}/toggle_status"
        _json(await self._send("POST", url, json={"status": "resolved"}))

    async def delete(self, conversation: int) -> None:
        """Delete a conversation with its messages."""
        url = f"{self._account}/conversations/{conversation}"
        reply = await self._send("DELETE", url)
        if reply.status_code != _NOT_FOUND:
            _check(reply)

    def _messages(self, conversation: int) -> str:
        return f"{self._account}/conversations/{conversation}/messages"

    async def _send(self, method: str, path: str, **options: Any) -> httpx2.Response:
        try:
            return await self._http.request(method, path, **options)
        except httpx2.HTTPError as exc:
            raise ChatwootAwayError(type(exc).__name__) from exc


def _check(reply: httpx2.Response) -> None:
    if reply.status_code in _NEVER:
        raise ChatwootRefusedError(f"status {reply.status_code}")
    if not reply.is_success:
        raise ChatwootAwayError(f"status {reply.status_code}")


def _json(reply: httpx2.Response) -> Any:
    _check(reply)
    try:
        return reply.json()
    except ValueError as exc:
        raise ChatwootAwayError("no JSON") from exc

"""A Chatwoot with one API inbox: what the adapter uses of it, and knobs for faults.

As the real one does, it posts a signed webhook for every message and change of status, those that
came by its API included, and does not send one again.
"""

import asyncio
import hashlib
import hmac
import json
import queue
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any, Literal

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.support.gateway import request

ACCOUNT, INBOX, IDENTIFIER = 7, 3, "inbox-identifier"
TOKEN = "chatwoot-token-of-the-tests"
SECRET = "chatwoot-secret-of-the-tests-0123456789"
PAGE = 20

Fault = Literal["down", "lost", "hang", "refuse"]
Handler = Callable[[Request], Awaitable[Response]]


class FakeChatwoot:
    """The server's application and what it holds; change the knobs between requests."""

    def __init__(self) -> None:
        self.contacts: list[dict[str, Any]] = []
        self.conversations: list[dict[str, Any]] = []
        self.faults: dict[str, list[Fault]] = {}
        """What befalls the next writes of contacts, conversations or messages: down (500, nothing
        done), lost (done, but a 500), hang (done, answered too late), refuse (422)."""
        self.webhook_url = ""
        self.answers: list[tuple[str, int]] = []
        """Webhooks posted: event, and the status that came back."""
        self._lock = threading.RLock()
        self._numbers = iter(range(100, 10_000))
        self._outbox: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        account = f"/api/v1/accounts/{ACCOUNT}"
        conversation = f"{account}/conversations/{{number:int}}"
        self.app = Starlette(
            routes=[
                Route(f"{account}/inboxes/{INBOX}", _open(self._inbox)),
                Route(
                    f"/public/api/v1/inboxes/{IDENTIFIER}/contacts/{{source}}/conversations",
                    self._find,
                ),
                Route(f"{account}/contacts/filter", _open(self._filter), methods=["POST"]),
                Route(
                    f"{account}/contacts", self._write("contacts", self._contact), methods=["POST"]
                ),
                Route(
                    f"{account}/conversations",
                    self._write("conversations", self._start),
                    methods=["POST"],
                ),
                Route(conversation, _open(self._delete), methods=["DELETE"]),
                Route(f"{conversation}/messages", _open(self._messages), methods=["GET"]),
                Route(
                    f"{conversation}/messages",
                    self._write("messages", self._message),
                    methods=["POST"],
                ),
                Route(f"{conversation}/toggle_status", _open(self._status), methods=["POST"]),
            ]
        )
        threading.Thread(target=self._post_webhooks, daemon=True).start()

    def only(self) -> dict[str, Any]:
        """The one conversation."""
        with self._lock:
            (found,) = self.conversations
        return found

    def texts(self, *, private: bool = False) -> list[str]:
        """What is said in the one conversation, by notes or without them."""
        return [one["content"] for one in self.only()["messages"] if one["private"] == private]

    def agent_says(self, text: str, **fields: Any) -> None:
        """Let an agent write into the one conversation."""
        self._add(self.only(), {"content": text, "message_type": "outgoing", **fields})

    def agent_resolves(self) -> None:
        """Let an agent resolve the one conversation."""
        self._resolve(self.only())

    def deliver(self, payload: dict[str, Any], secret: str = SECRET, age_s: int = 0) -> int:
        """Post a webhook; return the status that came back."""
        body = json.dumps(payload).encode()
        moment = str(int(time.time()) - age_s)
        digest = hmac.new(secret.encode(), moment.encode() + b"." + body, hashlib.sha256)
        sent = {
            "content-type": "application/json",
            "x-chatwoot-timestamp": moment,
            "x-chatwoot-signature": f"sha256={digest.hexdigest()}",
        }
        status = request("POST", self.webhook_url, content=body, headers=sent).status_code
        self.answers.append((payload["event"], status))
        return status

    def told_of(self, conversation: dict[str, Any], message: dict[str, Any]) -> dict[str, Any]:
        """Return the webhook of a message."""
        return {"event": "message_created", **message, "conversation": _about(conversation)}

    def _post_webhooks(self) -> None:
        while True:
            payload = self._outbox.get()
            if self.webhook_url:
                self.deliver(payload)

    def _write(self, kind: str, handler: Handler) -> Handler:
        async def faulty(request: Request) -> Response:
            fault = self.faults[kind].pop(0) if self.faults.get(kind) else None
            if fault == "down":
                return Response(status_code=500)
            if fault == "refuse":
                return Response(status_code=422)
            reply = await handler(request)
            if fault == "hang":
                await asyncio.sleep(2)
            return Response(status_code=500) if fault == "lost" else reply

        return _open(faulty)

    async def _inbox(self, _: Request) -> Response:
        return JSONResponse({"id": INBOX, "inbox_identifier": IDENTIFIER})

    async def _find(self, request: Request) -> Response:
        source = request.path_params["source"]
        found = [one for one in self.conversations if one["source_id"] == source]
        if not found:
            return Response(status_code=404)
        return JSONResponse([{"id": one["id"], "status": one["status"]} for one in found])

    async def _filter(self, request: Request) -> Response:
        (condition,) = (await request.json())["payload"]
        wanted = str(condition["values"][0]).lower()
        found = [one for one in self.contacts if one["identifier"].lower() == wanted]
        return JSONResponse({"meta": {"count": len(found)}, "payload": found})

    async def _contact(self, request: Request) -> Response:
        body = await request.json()
        if any(one["identifier"] == body["identifier"] for one in self.contacts):
            return JSONResponse({"message": "Identifier has already been taken"}, 422)
        made = {"id": next(self._numbers), **body}
        self.contacts.append(made)
        return JSONResponse({"payload": {"contact": made, "contact_inbox": {}}})

    async def _start(self, request: Request) -> Response:
        body = await request.json()
        assert body["inbox_id"] == INBOX
        assert body["contact_id"] in [one["id"] for one in self.contacts]
        made = {"id": next(self._numbers), "status": "open", "messages": [], **body}
        with self._lock:
            self.conversations.append(made)
        return JSONResponse({"id": made["id"], "status": "open"})

    async def _messages(self, request: Request) -> Response:
        before = int(request.query_params.get("before", 1_000_000))
        found = [one for one in self._of(request)["messages"] if one["id"] < before]
        numbers = {"incoming": 0, "outgoing": 1}
        page = [one | {"message_type": numbers[one["message_type"]]} for one in found[-PAGE:]]
        return JSONResponse({"meta": {}, "payload": page})

    async def _message(self, request: Request) -> Response:
        conversation = self._of(request)
        made = self._add(conversation, await request.json())
        if made["message_type"] == "incoming" and conversation["status"] == "resolved":
            conversation["status"] = "open"
        return JSONResponse(made)

    async def _status(self, request: Request) -> Response:
        assert (await request.json())["status"] == "resolved"
        self._resolve(self._of(request))
        return JSONResponse({"payload": {"success": True, "current_status": "resolved"}})

    async def _delete(self, request: Request) -> Response:
        with self._lock:
            self.conversations.remove(self._of(request))
        return Response(status_code=200)

    def _of(self, request: Request) -> dict[str, Any]:
        number = request.path_params["number"]
        return next(one for one in self.conversations if one["id"] == number)

    def _add(self, conversation: dict[str, Any], fields: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            made = {"id": next(self._numbers), "private": False, "source_id": None, **fields}
            conversation["messages"].append(made)
        self._outbox.put(self.told_of(conversation, made))
        return made

    def _resolve(self, conversation: dict[str, Any]) -> None:
        conversation["status"] = "resolved"
        event = {"event": "conversation_status_changed", "changed_attributes": []}
        self._outbox.put({**event, **_about(conversation)})


def _about(conversation: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": conversation["id"],
        "inbox_id": INBOX,
        "status": conversation["status"],
        "contact_inbox": {"source_id": conversation["source_id"], "inbox_id": INBOX},
    }


def _open(handler: Handler) -> Handler:
    """Let in whoever has the token."""

    async def guarded(request: Request) -> Response:
        if request.headers.get("api_access_token") != TOKEN:
            return Response(status_code=401)
        return await handler(request)

    return guarded

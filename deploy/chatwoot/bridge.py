"""What is carried over: a ticket's transcript to Chatwoot, its agents' words to the gateway.

Towards Chatwoot an event is only a nudge: whatever of the ticket Chatwoot lacks is carried over
then. So an event that comes twice, late or not at all neither doubles nor loses anything.
"""

import asyncio
import hashlib
import logging
import re
import weakref
from collections.abc import Mapping
from typing import Any

from deploy.chatwoot.chatwoot import Chatwoot
from deploy.chatwoot.xiaoer import Entry, RefusedError, Shown, Ticket, Xiaoer

_TICKET_ID = re.compile(r"t_[0-9a-f]{16}")
_TOLD = frozenset({"opened", "message", "reply", "note", "resolve"})
"""Events after which a transcript or its state is another."""
_WORDS = {"customer": "Customer", "assistant": "Assistant", "agent": "Agent", "note": "Note"}
_ONLY_TEXT = "Xiaoer: only text reaches the customer; this attachment did not."

log = logging.getLogger("xiaoer.chatwoot")


class Bridge:
    """Carries messages between both sides.

    Args:
        xiaoer: the gateway.
        chatwoot: Chatwoot.
        inbox_id: whose conversations are ours; Chatwoot may tell of others.
        agent_name: whose words in a transcript came from Chatwoot.
    """

    def __init__(self, xiaoer: Xiaoer, chatwoot: Chatwoot, inbox_id: int, agent_name: str) -> None:
        self._xiaoer = xiaoer
        self._chatwoot = chatwoot
        self._inbox_id = inbox_id
        self._agent_name = agent_name
        self._busy: weakref.WeakValueDictionary[str, asyncio.Lock] = weakref.WeakValueDictionary()

    async def from_xiaoer(self, shop: str, event: str, ticket_id: str) -> None:
        """Bring Chatwoot up to date with a ticket.

        Raises:
            XiaoerAwayError, ChatwootAwayError: it has to be tried again.
            ChatwootRefusedError: trying again is of no use.
        """
        if not _TICKET_ID.fullmatch(ticket_id):
            return
        # The gateway sends an event again while we may still be busy with it.
        async with self._busy.setdefault(ticket_id, asyncio.Lock()):
            if event == "erased":
                await self._erase(ticket_id)
            elif event in _TOLD and (shown := await self._xiaoer.show(ticket_id)) is not None:
                await self._carry(shop, shown)

    async def from_chatwoot(self, payload: Mapping[str, Any]) -> None:
        """Do for a ticket what an agent did in Chatwoot.

        Raises:
            XiaoerAwayError: nothing is known to have been done.
            ChatwootAwayError, ChatwootRefusedError: a note could not be left.
        """
        event = payload.get("event")
        conversation = payload.get("conversation") if event == "message_created" else payload
        if not isinstance(conversation, Mapping) or (
            conversation.get("inbox_id") != self._inbox_id
        ):
            return
        source = conversation.get("contact_inbox")
        ticket_id = source.get("source_id") if isinstance(source, Mapping) else None
        if not isinstance(ticket_id, str) or not _TICKET_ID.fullmatch(ticket_id):
            return
        number = int(conversation["id"])
        if event == "message_created" and _by_agent(payload, ticket_id):
            await self._reply(ticket_id, number, payload)
        elif event == "conversation_status_changed" and payload.get("status") == "resolved":
            await self._resolve(ticket_id, number)

    async def _carry(self, shop: str, shown: Shown) -> None:
        ticket, transcript = shown.ticket, shown.transcript
        conversation, resolved = await self._conversation(shop, ticket)
        marks = await self._chatwoot.marks(conversation, f"{ticket.id}:")
        told = max((int(mark) for mark in marks if mark.isdigit()), default=-1)
        if told < 0:
            told = _last_of_customer(transcript)
            note = _opening(ticket, transcript[:told])
            await self._chatwoot.say(conversation, note, f"{ticket.id}:{told}", private=True)
        for count, entry in enumerate(transcript[told:], told + 1):
            if entry.who == "customer":
                mark = f"{ticket.id}:{count}"
                await self._chatwoot.say(conversation, entry.text, mark, private=False)
            elif entry.agent != self._agent_name:
                mark, text = f"{ticket.id}:{count}", _line(entry)
                await self._chatwoot.say(conversation, text, mark, private=True)
        if ticket.state == "resolved" and not resolved:
            await self._chatwoot.resolve(conversation)

    async def _conversation(self, shop: str, ticket: Ticket) -> tuple[int, bool]:
        """Return the number of a ticket's conversation, and whether it is resolved."""
        known, found = await self._chatwoot.find(ticket.id)
        if found is not None:
            return int(found["id"]), found.get("status") == "resolved"
        contact = None
        if not known:
            # A session's id opens the conversation, so it stays here.
            visitor = hashlib.sha256(ticket.session_id.encode()).hexdigest()[:16]
            name = ticket.customer or f"visitor-{visitor}"
            contact = await self._chatwoot.contact(f"{shop}:{name}", name)
        return await self._chatwoot.open(ticket.id, contact), False

    async def _erase(self, ticket_id: str) -> None:
        _, found = await self._chatwoot.find(ticket_id)
        if found is not None:
            await self._chatwoot.delete(int(found["id"]))

    async def _reply(self, ticket_id: str, number: int, message: Mapping[str, Any]) -> None:
        text = str(message.get("content") or "").strip()
        if message.get("attachments"):
            await self._note(number, _ONLY_TEXT)
        if not text:
            return
        try:
            await self._with_claim(ticket_id, "reply", text, f"chatwoot-{message['id']}")
        except RefusedError as exc:
            await self._note(number, f"Xiaoer: this did not reach the customer. {exc}")

    async def _resolve(self, ticket_id: str, number: int) -> None:
        try:
            await self._with_claim(ticket_id, "resolve")
        except RefusedError as exc:
            if exc.code not in {"ticket_resolved", "ticket_not_found"}:
                await self._note(number, f"Xiaoer: the ticket stays open. {exc}")

    async def _note(self, number: int, text: str) -> None:
        await self._chatwoot.say(number, text, "xiaoer", private=True)

    async def _with_claim(self, ticket_id: str, verb: Any, text: str = "", key: str = "") -> None:
        """Act on a ticket; claim it where that is needed first."""
        try:
            await self._xiaoer.act(ticket_id, verb, text, key)
        except RefusedError as exc:
            if exc.code != "ticket_not_claimed":
                raise
            claimed = await self._xiaoer.act(ticket_id, "claim")
            if claimed.agent_name != self._agent_name:
                # Otherwise each reply would come back into Chatwoot as a stranger's.
                log.warning("set XIAOER_AGENT_NAME to the agent's name, %r", claimed.agent_name)
            await self._xiaoer.act(ticket_id, verb, text, key)


def _by_agent(message: Mapping[str, Any], ticket_id: str) -> bool:
    """Tell whether an agent wrote a message for the customer: not we, and not as a note."""
    ours = str(message.get("source_id") or "").startswith(f"{ticket_id}:")
    return message.get("message_type") == "outgoing" and not message.get("private") and not ours


def _last_of_customer(transcript: list[Entry]) -> int:
    """Return where the customer's latest message stands: what is before it goes into one note."""
    at = [index for index, entry in enumerate(transcript) if entry.who == "customer"]
    return at[-1] if at else len(transcript)


def _opening(ticket: Ticket, before: list[Entry]) -> str:
    about = f"Xiaoer ticket {ticket.id} ({ticket.priority}, {ticket.reason})"
    return "\n\n".join([about, ticket.summary, *map(_line, before)])


def _line(entry: Entry) -> str:
    return f"{entry.agent or _WORDS[entry.who]}: {entry.text}"

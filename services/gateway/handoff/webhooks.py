"""Telling a shop's own helpdesk what happens to its tickets: signed, in order, again until heard.

Every event of the desk's stream is posted; its id is the idempotency key, since a receiver may get
an event twice. One gateway at a time serves a shop, and what it has delivered is kept in Redis.
"""

import asyncio
import hashlib
import hmac
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import httpx2
import msgspec

from services.gateway.errors import MemoryAwayError
from services.gateway.handoff.events import desk_stream
from services.gateway.identity.secret_file import Webhook
from services.gateway.sessions.redis_port import RedisPort, Script

EVERY_S = 0.5
LEASE_MS = 30_000
TIMEOUT_S = 5.0
LONGEST_PAUSE_S = 300
GIVE_UP_S = 24 * 3600
"""An event that nobody took for this long is passed over, and the log says so."""
BATCH = 50

# KEYS: lease, state      ARGV: who asks, lease ms, now (ms)
# Returns the last event delivered and since when the next one fails; nil if it is not our turn.
_TURN = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] and
    not redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return nil end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
local s = redis.call('HMGET', KEYS[2], 'last', 'due', 'tries', 'since')
if s[2] and tonumber(s[2]) > tonumber(ARGV[3]) then return nil end
return {s[1] or '0-0', s[3] or '0', s[4] or ARGV[3]}
"""
# KEYS: state      ARGV: last event delivered, when to go on (ms), tries, failing since (ms)
_KEEP = """
redis.call('HSET', KEYS[1], 'last', ARGV[1], 'due', ARGV[2], 'tries', ARGV[3], 'since', ARGV[4])
return 1
"""

Hooks = Callable[[], Iterable[tuple[str, Webhook]]]


class WebhookSender:
    """Posts events to the shops' helpdesks.

    Args:
        port: Redis.
        http: posts.
        hooks: gives the shops that have a webhook, as they are now.
        log: called with an event name and fields.
    """

    def __init__(
        self, port: RedisPort, http: httpx2.AsyncClient, hooks: Hooks, log: Callable[..., object]
    ) -> None:
        self._port = port
        self._http = http
        self._hooks = hooks
        self._log = log
        self._name = secrets.token_hex(8)
        self._turn = Script(_TURN)
        self._keep = Script(_KEEP)

    async def run(self) -> None:
        """Deliver until cancelled."""
        while True:
            hooks = list(self._hooks())
            # Side by side: one helpdesk that hangs must not hold up another's.
            await asyncio.gather(*(self._serve(shop_id, hook) for shop_id, hook in hooks))
            await asyncio.sleep(EVERY_S)

    async def _serve(self, shop_id: str, hook: Webhook) -> None:
        try:
            await self._deliver(shop_id, hook)
        except MemoryAwayError:
            return  # Nothing is lost: the stream and what was delivered are in Redis.

    async def _deliver(self, shop_id: str, hook: Webhook) -> None:
        state, now = f"xiaoer:{shop_id}:webhook", int(time.time() * 1000)
        found = await self._port.run(
            self._turn, (f"{state}:lease", state), (self._name, LEASE_MS, now)
        )
        if found is None:
            return
        last, tries, since = (part.decode() for part in found)
        entries = await self._port.events_after(desk_stream(shop_id), last)
        for event_id, fields in entries[:BATCH]:
            heard = await self._post(shop_id, hook, event_id.decode(), fields)
            if not heard and now - int(since) < GIVE_UP_S * 1000:
                pause_s = min(2 ** int(tries), LONGEST_PAUSE_S)
                due = now + pause_s * 1000
                await self._port.run(self._keep, (state,), (last, due, int(tries) + 1, since))
                return
            if not heard:
                self._log("webhook_given_up", shop=shop_id, event=event_id.decode())
            last, tries, since = event_id.decode(), "0", str(now)
            await self._port.run_durably(self._keep, (state,), (last, 0, 0, now))

    async def _post(
        self, shop_id: str, hook: Webhook, event_id: str, fields: Mapping[bytes, bytes]
    ) -> bool:
        body = msgspec.json.encode(
            {
                "id": event_id,
                "shop": shop_id,
                "event": fields[b"event"].decode(),
                "data": msgspec.Raw(fields[b"data"]),
            }
        )
        headers = {
            "content-type": "application/json",
            "idempotency-key": f"{shop_id}-{event_id}",
            "x-xiaoer-signature": signature(hook.secret, body, int(time.time())),
        }
        try:
            reply = await self._http.post(hook.url, content=body, headers=headers)
        except httpx2.HTTPError as exc:
            self._log("webhook_failed", shop=shop_id, reason=type(exc).__name__)
            return False
        if not reply.is_success:
            self._log("webhook_failed", shop=shop_id, reason=f"status {reply.status_code}")
        return bool(reply.is_success)


def webhook_http() -> httpx2.AsyncClient:
    """Return the client that posts: no redirects, which could lead anywhere."""
    return httpx2.AsyncClient(timeout=TIMEOUT_S, follow_redirects=False, trust_env=False)


def signature(secret: str, body: bytes, moment: int) -> str:
    """Return the header by which a receiver knows that an event is ours, and new.

    Args:
        secret: shared with the receiver.
        body: the request's.
        moment: seconds since 1970; a receiver refuses what is minutes old.
    """
    digest = hmac.new(secret.encode(), b"%d." % moment + body, hashlib.sha256).hexdigest()
    return f"t={moment},v1={digest}"


def hooks_of(shops: Iterable[Any]) -> list[tuple[str, Webhook]]:
    """Return the shops that have a webhook."""
    return [(shop.id, shop.webhook) for shop in shops if shop.webhook is not None]

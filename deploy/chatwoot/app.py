"""The adapter's application: two addresses that take webhooks, and one for health checks."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import msgspec
from litestar import Litestar, MediaType, Request, Response, get, post

from deploy.chatwoot.bridge import Bridge
from deploy.chatwoot.chatwoot import Chatwoot, ChatwootAwayError, ChatwootRefusedError
from deploy.chatwoot.settings import Settings, load_settings
from deploy.chatwoot.signatures import from_chatwoot, from_xiaoer
from deploy.chatwoot.xiaoer import Xiaoer, XiaoerAwayError

PlainRequest = Request[Any, Any, Any]

log = logging.getLogger("xiaoer.chatwoot")


class _Event(msgspec.Struct):
    shop: str
    event: str
    data: dict[str, Any]


def create_app(settings: Settings) -> Litestar:
    """Return the application."""
    key = {"authorization": f"Bearer {settings.xiaoer_agent_key}"}
    to_xiaoer = _client(settings.xiaoer_url, key, settings.timeout_s)
    token = {"api_access_token": settings.chatwoot_token}
    to_chatwoot = _client(settings.chatwoot_url, token, settings.timeout_s)
    inbox = settings.chatwoot_inbox_id
    chatwoot = Chatwoot(to_chatwoot, settings.chatwoot_account_id, inbox)
    bridge = Bridge(Xiaoer(to_xiaoer), chatwoot, inbox, settings.xiaoer_agent_name)

    @post("/xiaoer")
    async def events(request: PlainRequest) -> Response[str]:
        """Take an event of the gateway; a 5xx makes it send the event again."""
        body = await request.body()
        signature = request.headers.get("x-xiaoer-signature", "")
        if not from_xiaoer(settings.xiaoer_webhook_secret, body, signature):
            return _answer(401, "no good signature, or an old one")
        event = msgspec.json.decode(body, type=_Event)
        ticket = str(event.data.get("ticket", ""))
        return await _done(bridge.from_xiaoer(event.shop, event.event, ticket))

    @post("/chatwoot")
    async def hooks(request: PlainRequest) -> Response[str]:
        """Take a webhook of Chatwoot; anything but a 2xx shows its message as failed."""
        body = await request.body()
        moment = request.headers.get("x-chatwoot-timestamp", "")
        signature = request.headers.get("x-chatwoot-signature", "")
        if not from_chatwoot(settings.chatwoot_webhook_secret, body, moment, signature):
            return _answer(401, "no good signature, or an old one")
        return await _done(bridge.from_chatwoot(msgspec.json.decode(body, type=dict[str, Any])))

    @get("/health/live")
    async def live() -> Response[str]:
        return _answer(200, "ok")

    @asynccontextmanager
    async def lifespan(_: Litestar) -> AsyncIterator[None]:
        async with to_xiaoer, to_chatwoot:
            yield

    return Litestar(
        [events, hooks, live],
        lifespan=[lifespan],
        exception_handlers={msgspec.DecodeError: lambda *_: _answer(400, "not readable")},
        openapi_config=None,
        logging_config=None,
    )


def _client(url: str, headers: dict[str, str], timeout_s: float) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(base_url=url, headers=headers, timeout=timeout_s, trust_env=False)


async def _done(work: Any) -> Response[str]:
    """Await the work and say what became of it."""
    try:
        await work
    except ChatwootAwayError as exc:
        log.warning("Chatwoot is away: %s", exc)
        return _answer(503, "Chatwoot is away")
    except XiaoerAwayError as exc:
        log.warning("the gateway is away: %s", exc)
        return _answer(503, "the gateway is away")
    except ChatwootRefusedError as exc:
        # Sent again it would fail again, and hold up the events behind it for a day.
        log.error("Chatwoot refused what was sent, which is passed over: %s", exc)  # noqa: TRY400 (the reason is enough)
    return _answer(200, "ok")


def _answer(status: int, text: str) -> Response[str]:
    return Response(text, status_code=status, media_type=MediaType.TEXT)


def create_app_from_environment() -> Litestar:
    """Return the application as the environment sets it; granian's worker calls this."""
    return create_app(load_settings())

"""The gateway's application: the only place that wires its parts together."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2
import openai
import redis.asyncio as aioredis
from litestar import Litestar, Request, Response, Router
from litestar.exceptions import (
    HTTPException,
    MethodNotAllowedException,
    NotFoundException,
)
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin, YamlRenderPlugin

from services.gateway.answers.cache import AnswerCache
from services.gateway.answers.catalogue import Catalogues
from services.gateway.answers.epoch import Epochs
from services.gateway.answers.flights import Flights
from services.gateway.api import schemas
from services.gateway.api.catalogue import catalogue_router
from services.gateway.api.chat import chat_router
from services.gateway.api.cors import Cors
from services.gateway.api.customers import customers_router
from services.gateway.api.desk import Desk
from services.gateway.api.health import Ping, health_router
from services.gateway.api.http import add_headers, json_response, request_id
from services.gateway.api.logs import make_log
from services.gateway.api.metrics import Metrics
from services.gateway.api.replies import error_body
from services.gateway.api.requests import Limits as RequestLimits
from services.gateway.api.sessions import sessions_router
from services.gateway.api.tickets import tickets_router
from services.gateway.api.watch import Watch
from services.gateway.assistant.answering import Answering, Sources
from services.gateway.assistant.conversation import Conversation
from services.gateway.assistant.model import ModelClient
from services.gateway.assistant.prompt import Prompts
from services.gateway.assistant.tools import ToolsClient
from services.gateway.assistant.transport import ModelTransport
from services.gateway.assistant.turn import Assistant
from services.gateway.embedder import Embedder
from services.gateway.errors import (
    BadRequestError,
    ClientGoneError,
    GatewayError,
    InternalError,
    MethodNotAllowedError,
    NotFoundError,
)
from services.gateway.handoff.events import EventFeed
from services.gateway.handoff.takeover import Takeover
from services.gateway.handoff.tickets import TicketBook, keep_lapsing
from services.gateway.handoff.webhooks import WebhookSender, hooks_of, webhook_http
from services.gateway.identity.directory import ShopDirectory
from services.gateway.identity.jwks import KeySources
from services.gateway.identity.tokens import Authenticator, ServiceTokens
from services.gateway.knowledge.gaps import Gaps
from services.gateway.knowledge.knowledge import Knowledge
from services.gateway.limits.limiter import Limiter
from services.gateway.safety.masking import Masker
from services.gateway.safety.model_rail import ModelRail
from services.gateway.safety.rails import InputRails
from services.gateway.sessions.redis_port import RedisPort, connect
from services.gateway.sessions.store import Limits as SessionLimits
from services.gateway.sessions.store import SessionBook
from services.gateway.sessions.waiting import Waiting
from services.gateway.settings import Settings, load_settings

MODEL_CONNECTIONS = 1000
"""So many that the router or vLLM queues requests, not this pool."""
MODEL_IDLE_S = 4.0
"""vLLM closes connections that were idle for 5 s; a request must not meet it doing so."""
TOOLS_POOL = httpx2.Limits(
    max_connections=200, max_keepalive_connections=100, keepalive_expiry=30.0
)
EMBEDDING_S = 5.0
"""For what nobody waits for; a question waits less (`services.gateway.embedder`)."""
CLIENT_GONE_STATUS = 499
"""nginx's number for a client that hung up; nobody receives it."""


def create_app(settings: Settings) -> Litestar:
    """Return the application. Opens nothing; the lifespan does.

    Raises:
        SettingsError: the shops' files are missing or wrong; says which.

    """
    log = make_log(settings.log_level)
    metrics = Metrics()
    directory = ShopDirectory(settings.shops_file, settings.shop_secrets_file, log)
    key_sources = KeySources(log.warning)

    redis = connect(settings.redis_url)
    port = RedisPort(redis, metrics, log.warning)
    waiting = Waiting(redis, log.warning)
    session_limits = SessionLimits(
        settings.session_turns, settings.session_ttl_s, settings.session_tokens
    )
    sessions = SessionBook(port, waiting, session_limits, metrics)

    routers = settings.model_url
    openai_client = _openai_client(routers[0], settings.model_api_key, settings.deadline_s)
    model = ModelClient(openai_client, settings.model_name, settings.stream_gap_s, routers)
    tools_http = _tools_http(settings)
    hooks_http = webhook_http()
    hooks = WebhookSender(port, hooks_http, lambda: hooks_of(directory.shops), log.warning)
    service_tokens = ServiceTokens(settings.service_token_secret)
    tools = ToolsClient(tools_http, service_tokens, settings.tool_timeout_s, log.warning)
    assistant = Assistant(model, tools, Prompts(), settings.tool_rounds, metrics)
    masker = Masker()
    epochs = Epochs(port)

    def shop_ids() -> list[str]:
        return [shop.id for shop in directory.shops]

    catalogues = Catalogues(tools_http, service_tokens, epochs, shop_ids, log.warning)
    answers = _answers(settings, redis, port, catalogues, metrics, log)
    authenticator, limiter = Authenticator(directory, key_sources), Limiter(port)
    tickets, feed = TicketBook(port, settings.session_ttl_s), EventFeed(redis, port, log.warning)
    takeover = Takeover(tickets, masker)
    rail, rail_closers = _model_rail(settings, metrics)
    conversation = Conversation(
        Answering(assistant, answers.sources, masker),
        sessions,
        limiter,
        InputRails(metrics),
        takeover,
        masker,
        metrics,
        rail,
    )
    desk = _desk(settings, authenticator, conversation, sessions, limiter, metrics, log)
    pings: dict[str, Ping] = {
        "redis": port.ping,
        "model": lambda: model.ping(1.5),
        "tools": tools.learn,
    }
    watch = Watch(pings, redis, tickets, lambda: directory.shops, metrics)
    return _litestar(
        [
            chat_router(desk),
            sessions_router(desk, tickets, feed),
            tickets_router(desk, tickets, feed),
            customers_router(desk, tickets, make_log("info")),
            catalogue_router(
                settings.service_token_secret,
                lambda shop: shop in shop_ids(),
                epochs.move,
                catalogues.ask,
            ),
            health_router(pings, metrics),
        ],
        _lifespan(
            work=(
                *(tools.keep_learning, waiting.listen, sessions.keep_leases, directory.follow),
                *(feed.listen, hooks.run, watch.keep_looking, *answers.work),
                lambda: keep_lapsing(tickets, shop_ids),
                lambda: key_sources.keep_fresh(directory.jwks_places),
            ),
            closers=(
                *(redis.aclose, openai_client.close, tools_http.aclose, key_sources.close),
                *(hooks_http.aclose, *rail_closers, *answers.closers),
            ),
            log=log,
        ),
        Cors(lambda: directory.shops.origins),
        log,
    )


def _desk(
    settings: Settings,
    authenticator: Authenticator,
    conversation: Conversation,
    sessions: SessionBook,
    limiter: Limiter,
    metrics: Metrics,
    log: Any,
) -> Desk:
    return Desk(
        authenticator=authenticator,
        conversation=conversation,
        sessions=sessions,
        metrics=metrics,
        log=log,
        limiter=limiter,
        proxies=settings.trusted_proxies,
        limits=RequestLimits(settings.max_message_chars),
        max_body_bytes=settings.max_body_bytes,
        deadline_s=settings.deadline_s,
    )


def _model_rail(
    settings: Settings, metrics: Metrics
) -> tuple[ModelRail | None, tuple[Callable[[], Awaitable[None]], ...]]:
    """Return the rail that is a model, where one is set, and what closes its client."""
    if not settings.model_rail_url:
        return None, ()
    timeout_s = settings.model_rail_timeout_s
    client = _openai_client(settings.model_rail_url, settings.model_rail_api_key, timeout_s)
    rail = ModelRail(ModelClient(client, settings.model_rail_name), timeout_s, metrics)
    return rail, (client.close,)


@dataclass(frozen=True, slots=True)
class _Answers:
    """What answers come from beside the model, and what keeps that going."""

    sources: Sources
    work: tuple[Callable[[], Coroutine[Any, Any, None]], ...]
    closers: tuple[Callable[[], Awaitable[None]], ...]


def _answers(
    settings: Settings,
    redis: aioredis.Redis,
    port: RedisPort,
    catalogues: Catalogues,
    metrics: Metrics,
    log: Any,
) -> _Answers:
    embedder = None
    closers: tuple[Callable[[], Awaitable[None]], ...] = ()
    if settings.embeddings_url:
        client = _openai_client(settings.embeddings_url, settings.embeddings_api_key, EMBEDDING_S)
        embedder = Embedder(client, settings.embeddings_model, log.warning)
        closers = (client.close,)
    flights = Flights(port, redis, log.warning)
    model = settings.embeddings_model
    sources = Sources(
        AnswerCache(port, redis, catalogues, flights, model, log.warning, metrics.cache),
        Knowledge(redis, embedder, log.warning),
        Gaps(redis, embedder, log.warning),
        embedder,
        settings.knowledge_chars,
    )
    work = (flights.listen, flights.keep_leases, catalogues.keep_reading)
    return _Answers(sources, work, closers)


def _openai_client(url: str, api_key: str, timeout_s: float) -> openai.AsyncOpenAI:
    http_client = httpx2.AsyncClient(
        transport=ModelTransport(MODEL_CONNECTIONS, MODEL_IDLE_S),
        timeout=timeout_s,
        # Unpacking would cost more than these few bytes, and could hold a stream's chunks back.
        headers={"accept-encoding": "identity"},
        trust_env=False,
    )
    return openai.AsyncOpenAI(
        base_url=url,
        # The client insists on a key; local endpoints want none.
        api_key=api_key or "none",
        max_retries=0,
        http_client=http_client,
    )


def _tools_http(settings: Settings) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(
        base_url=settings.tools_url,
        timeout=settings.tool_timeout_s,
        limits=TOOLS_POOL,
        trust_env=False,
    )


def _lifespan(
    work: tuple[Callable[[], Coroutine[Any, Any, None]], ...],
    closers: tuple[Callable[[], Awaitable[None]], ...],
    log: Any,
) -> Callable[[Litestar], AbstractAsyncContextManager[None]]:
    """Return a lifespan that runs background work, then stops it and closes every client."""

    @asynccontextmanager
    async def lifespan(_: Litestar) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for close in closers:
                stack.push_async_callback(close)
            for start in work:
                stack.push_async_callback(_stop, asyncio.create_task(start()))
            log.info("started")
            yield
            log.info("stopping")

    return lifespan


def _litestar(
    routers: list[Router],
    lifespan: Callable[[Litestar], AbstractAsyncContextManager[None]],
    cors: Cors,
    log: Any,
) -> Litestar:
    return Litestar(
        route_handlers=routers,
        lifespan=[lifespan],
        before_send=[add_headers, cors.add_headers],
        exception_handlers={Exception: _error_handler(log)},
        openapi_config=OpenAPIConfig(
            title="Xiaoer gateway",
            version="1",
            path="/schema",
            components=schemas.COMPONENTS,
            render_plugins=[
                JsonRenderPlugin(path=["/", "/openapi.json"]),
                YamlRenderPlugin(path="/openapi.yaml"),
            ],
        ),
        logging_config=None,
        request_max_body_size=None,
        debug=False,
    )


def create_app_from_environment() -> Litestar:
    """Return the application as the environment sets it; granian's workers call this."""
    return create_app(load_settings())


async def _stop(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait({task})


def _error_handler(log: Any) -> Any:
    """Return the one map from exceptions to replies."""

    def handle(request: Request[Any, Any, Any], exc: Exception) -> Response[bytes]:
        if isinstance(exc, ClientGoneError):
            return json_response(b"", CLIENT_GONE_STATUS)
        error = exc if isinstance(exc, GatewayError) else _from_litestar(exc)
        if error is None:
            log.error("fault", request_id=request_id(request.scope), exc_info=exc)
            error = InternalError(
                "Something went wrong here. Try again; if it stays, report the x-request-id."
            )
        return json_response(error_body(error), error.status, error.headers)

    return handle


def _from_litestar(exc: Exception) -> GatewayError | None:
    """Return our error for one of the framework's, or None for a fault of ours."""
    if isinstance(exc, NotFoundException):
        return NotFoundError("There is nothing at this address. See /schema.", code="unknown_url")
    if isinstance(exc, MethodNotAllowedException):
        return MethodNotAllowedError("This address does not take this method. See /schema.")
    if isinstance(exc, HTTPException) and exc.status_code < 500:
        return BadRequestError("The request cannot be read. See /schema.")
    return None

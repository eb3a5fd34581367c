"""`POST /v1/chat/completions`, `POST /chat` and `GET /v1/models`.

A handler identifies, parses, calls the conversation, and shapes the reply.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from litestar import Response, Router, get, post
from litestar.types import ControllerRouterHandler

from services.gateway.api import replies, schemas
from services.gateway.api.http import (
    AsgiResponse,
    PlainRequest,
    header,
    json_response,
    read_body,
    request_id,
    show_allowance,
    while_connected,
)
from services.gateway.api.metrics import Metrics
from services.gateway.api.requests import MODEL, ChatRequest, Limits, parse_chat, parse_query
from services.gateway.api.streaming import StreamedAnswer
from services.gateway.api.visits import Visit
from services.gateway.assistant.conversation import Ask, Conversation
from services.gateway.assistant.deadline import Deadline
from services.gateway.identity.keys import ShopKey
from services.gateway.identity.shops import Shop
from services.gateway.identity.tokens import Authenticator
from services.gateway.limits.address import Network, client_address
from services.gateway.limits.limiter import Asker, Limiter
from services.gateway.sessions.store import SessionBook, new_session_id

ErrorLog = Any
"""A structlog logger; its types say no more than this."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What the handlers work with."""

    authenticator: Authenticator
    conversation: Conversation
    sessions: SessionBook
    metrics: Metrics
    log: ErrorLog
    limiter: Limiter
    proxies: tuple[Network, ...]
    limits: Limits
    max_body_bytes: int
    deadline_s: float

    def visit(self, request: PlainRequest, endpoint: str) -> Visit:
        """Open the books for a request."""
        deadline = Deadline(self.deadline_s)
        return Visit(endpoint, request_id(request.scope), deadline, self.metrics, self.log)

    def admit(self, request: PlainRequest) -> tuple[Shop, ShopKey]:
        """Return the shop of a request and the key that it came with.

        Raises:
            NotAuthenticatedError: the key is missing or wrong.
            ForbiddenError: the key must not be used from there.
        """
        return self.authenticator.shop(
            header(request.scope, b"authorization"), header(request.scope, b"origin")
        )

    async def identify(self, request: PlainRequest, visit: Visit) -> tuple[Shop, str | None]:
        """Return the shop and the customer of a request.

        Raises:
            NotAuthenticatedError: the key or the token is missing or wrong.
            ForbiddenError: the key must not be used from there.
            TokenKeysAwayError: the token cannot be checked at the moment.
        """
        shop, visit.key = self.admit(request)
        visit.shop = shop.id
        token = header(request.scope, b"x-customer-token")
        customer = await self.authenticator.customer(shop, token)
        visit.signed_in = customer is not None
        return shop, customer

    async def ask(
        self, request: PlainRequest, visit: Visit, parse: Callable[[bytes], ChatRequest]
    ) -> tuple[Ask, ChatRequest]:
        """Read, identify and check a request.

        Raises:
            GatewayError: it cannot be answered as it is.
        """
        # Read first, and whole: a client in the middle of sending may not see an early reply.
        body = await read_body(request, self.max_body_bytes, visit.deadline)
        shop, customer = await self.identify(request, visit)
        chat = parse(body)
        asker = self._asker(request, visit, shop, customer, chat.session_id)
        allowance = await self.limiter.admit(asker)
        if allowance is not None:
            show_allowance(request.scope, allowance.headers())
        return (
            Ask(
                shop=shop,
                customer=customer,
                asker=asker,
                messages=chat.messages,
                session_id=chat.session_id,
                request_id=visit.request_id,
                deadline=visit.deadline,
            ),
            chat,
        )

    def _asker(
        self,
        request: PlainRequest,
        visit: Visit,
        shop: Shop,
        customer: str | None,
        session_id: str | None,
    ) -> Asker:
        client = request.scope["client"]
        browser = visit.key is not None and visit.key.kind == "public"
        return Asker(
            shop_id=shop.id,
            limits=shop.profile.limits,
            customer=customer,
            session_id=session_id,
            # A secret key is used by the shop's server, which asks for all of its customers.
            address=client_address(
                client[0] if client else None,
                header(request.scope, b"x-forwarded-for"),
                self.proxies,
            )
            if browser
            else None,
        )


def chat_router(desk: Desk) -> Router:
    """Return the routes that answer questions."""
    handlers: list[ControllerRouterHandler] = [
        _completions_handler(desk),
        _short_handler(desk),
        _models_handler(desk),
    ]
    return Router(path="/", route_handlers=handlers)


def _completions_handler(desk: Desk) -> ControllerRouterHandler:
    @post(
        "/v1/chat/completions",
        status_code=200,
        operation_class=schemas.ChatCompletions,
        summary="Answer a customer, in OpenAI's format",
        tags=["chat"],
    )
    async def chat_completions(request: PlainRequest) -> Response[Any]:
        """Plain, or with `"stream": true` as server-sent events."""
        visit = desk.visit(request, "chat_completions")
        session_header = header(request.scope, b"x-session-id")
        try:
            ask, chat = await desk.ask(
                request, visit, lambda body: parse_chat(body, session_header, desk.limits)
            )
            if chat.stream:
                visit.streamed = True
                return AsgiResponse(
                    StreamedAnswer(desk.conversation, ask, visit, include_usage=chat.include_usage)
                )
            reply = await while_connected(request.receive, desk.conversation.reply(ask))
        except BaseException as exc:
            visit.failed(exc)
            raise
        visit.answered(reply)
        return json_response(replies.completion(reply, visit.request_id))

    return chat_completions


def _short_handler(desk: Desk) -> ControllerRouterHandler:
    @post(
        "/chat",
        status_code=200,
        operation_class=schemas.Chat,
        summary="Answer a customer, the short form",
        tags=["chat"],
    )
    async def chat(request: PlainRequest) -> Response[bytes]:
        """Without a session id a new session is begun, and its id returned."""
        visit = desk.visit(request, "chat")
        try:
            ask, _ = await desk.ask(
                request, visit, lambda body: _with_session(parse_query(body, desk.limits))
            )
            reply = await while_connected(request.receive, desk.conversation.reply(ask))
        except BaseException as exc:
            visit.failed(exc)
            raise
        visit.answered(reply)
        return json_response(replies.short(reply))

    return chat


def _with_session(chat: ChatRequest) -> ChatRequest:
    """Give the short form, which cannot send a conversation along, a session of its own."""
    return ChatRequest(chat.messages, chat.session_id or new_session_id())


def _models_handler(desk: Desk) -> ControllerRouterHandler:
    @get(
        "/v1/models",
        operation_class=schemas.Models,
        summary="The one model there is",
        tags=["chat"],
    )
    async def models(request: PlainRequest) -> dict[str, Any]:
        """OpenAI's list of models."""
        desk.admit(request)
        model = {"id": MODEL, "object": "model", "created": 1735689600, "owned_by": "xiaoer"}
        return {"object": "list", "data": [model]}

    return models

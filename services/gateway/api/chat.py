"""`POST /v1/chat/completions`, `POST /chat` and `GET /v1/models`.

A handler identifies, parses, calls the conversation, and shapes the reply.
"""

from typing import Any

from litestar import Response, Router, get, post
from litestar.types import ControllerRouterHandler

from services.gateway.api import replies, schemas
from services.gateway.api.desk import Desk
from services.gateway.api.http import (
    AsgiResponse,
    PlainRequest,
    header,
    json_response,
    while_connected,
)
from services.gateway.api.requests import MODEL, ChatRequest, parse_chat, parse_query
from services.gateway.api.streaming import StreamedAnswer
from services.gateway.sessions.store import new_session_id


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
        desk.shop_of(request)
        model = {"id": MODEL, "object": "model", "created": 1735689600, "owned_by": "xiaoer"}
        return {"object": "list", "data": [model]}

    return models

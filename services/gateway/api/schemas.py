"""Request bodies and answers as OpenAPI shows them; checking is done in `requests`."""

from dataclasses import dataclass

from litestar.openapi.spec import (
    OpenAPIMediaType,
    OpenAPIResponse,
    Operation,
    Reference,
    RequestBody,
    Schema,
)
from litestar.openapi.spec.enums import OpenAPIType

_TEXT = Schema(type=OpenAPIType.STRING)
_FLAG = Schema(type=OpenAPIType.BOOLEAN)


def _body(schema: Schema) -> RequestBody:
    return RequestBody(content={"application/json": OpenAPIMediaType(schema=schema)}, required=True)


_TEXT_OR_NULL = Schema(type=[OpenAPIType.STRING, OpenAPIType.NULL])
_ERROR = Schema(
    type=OpenAPIType.OBJECT,
    description="OpenAI's error object.",
    properties={
        "error": Schema(
            type=OpenAPIType.OBJECT,
            properties={
                "message": _TEXT,
                "type": _TEXT,
                "param": _TEXT_OR_NULL,
                "code": _TEXT_OR_NULL,
            },
            required=["message", "type", "param", "code"],
        )
    },
    required=["error"],
)
# As errors.py has them.
_ERRORS = {
    "400": "The request itself must change.",
    "401": "The shop key or the customer token is not good.",
    "403": "A key used from where it must not be.",
    "404": "No such model or session.",
    "413": "The body is too large.",
    "429": "Asked too much, or the session's other messages are being answered.",
    "502": "The model answered, but not usably.",
    "503": "Something that the answer needs is away.",
    "504": "The request's time was spent.",
}


def _answers(description: str, *, streamed: bool) -> dict[str, OpenAPIResponse | Reference]:
    content = {"application/json": OpenAPIMediaType(schema=Schema(type=OpenAPIType.OBJECT))}
    if streamed:
        event = Schema(type=OpenAPIType.OBJECT, properties={"data": _TEXT})
        content["text/event-stream"] = OpenAPIMediaType(schema=event)
    error = {"application/json": OpenAPIMediaType(schema=_ERROR)}
    return {
        "200": OpenAPIResponse(description=description, content=content),
        **{
            status: OpenAPIResponse(description=meaning, content=error)
            for status, meaning in _ERRORS.items()
        },
    }


def _chat_completions_body() -> RequestBody:
    message = Schema(
        type=OpenAPIType.OBJECT,
        properties={
            "role": Schema(type=OpenAPIType.STRING, enum=["user", "assistant"]),
            "content": _TEXT,
        },
        required=["role", "content"],
    )
    return _body(
        Schema(
            type=OpenAPIType.OBJECT,
            properties={
                "model": Schema(type=OpenAPIType.STRING, enum=["xiaoer"]),
                "messages": Schema(type=OpenAPIType.ARRAY, items=message),
                "stream": _FLAG,
                "stream_options": Schema(
                    type=OpenAPIType.OBJECT, properties={"include_usage": _FLAG}
                ),
                "user": Schema(
                    type=OpenAPIType.STRING,
                    description="The session id, where there is no X-Session-Id header.",
                ),
            },
            required=["messages"],
        )
    )


def _chat_body() -> RequestBody:
    return _body(
        Schema(
            type=OpenAPIType.OBJECT,
            properties={"query": _TEXT, "session_id": _TEXT},
            required=["query"],
        )
    )


@dataclass
class ChatCompletions(Operation):
    """`POST /v1/chat/completions`."""

    def __post_init__(self) -> None:
        """Litestar fills the fields it knows; the handler reads the body itself."""
        self.request_body = _chat_completions_body()
        self.responses = _answers("The answer, with `stream` clause by clause.", streamed=True)


@dataclass
class Chat(Operation):
    """`POST /chat`."""

    def __post_init__(self) -> None:
        """Litestar fills the fields it knows; the handler reads the body itself."""
        self.request_body = _chat_body()
        self.responses = _answers("The reply and its session.", streamed=False)

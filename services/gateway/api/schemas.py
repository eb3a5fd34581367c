"""The request bodies as OpenAPI shows them; checking is done in `requests`."""

from dataclasses import dataclass

from litestar.openapi.spec import OpenAPIMediaType, Operation, RequestBody, Schema
from litestar.openapi.spec.enums import OpenAPIType

_TEXT = Schema(type=OpenAPIType.STRING)
_FLAG = Schema(type=OpenAPIType.BOOLEAN)


def _body(schema: Schema) -> RequestBody:
    return RequestBody(content={"application/json": OpenAPIMediaType(schema=schema)}, required=True)


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


@dataclass
class Chat(Operation):
    """`POST /chat`."""

    def __post_init__(self) -> None:
        """Litestar fills the fields it knows; the handler reads the body itself."""
        self.request_body = _chat_body()

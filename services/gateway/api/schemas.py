"""Request bodies and answers as OpenAPI shows them; checking is done in `requests`."""

from dataclasses import dataclass

from litestar.openapi.spec import (
    Components,
    OpenAPIMediaType,
    OpenAPIResponse,
    Operation,
    Reference,
    RequestBody,
    Schema,
    SecurityScheme,
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
    "404": "No such model, session or ticket.",
    "409": "The ticket is resolved, or another agent has it.",
    "413": "The body is too large.",
    "429": "Asked too much, or the session's other messages are being answered.",
    "502": "The model answered, but not usably.",
    "503": "Something that the answer needs is away.",
    "504": "The request's time was spent.",
}


_OBJECT = Schema(type=OpenAPIType.OBJECT)
_KEY, _CUSTOMER = "shop key", "customer token"
_SHOP_ONLY: list[dict[str, list[str]]] = [{_KEY: []}]
_AGENT = "agent's key"
_AGENTS: list[dict[str, list[str]]] = [{_AGENT: []}]
_ANYBODY: list[dict[str, list[str]]] = [{_KEY: []}, {_KEY: [], _CUSTOMER: []}]
_SIGNED_IN: list[dict[str, list[str]]] = [{_KEY: [], _CUSTOMER: []}]

COMPONENTS = Components(
    schemas={"Error": _ERROR},
    security_schemes={
        _KEY: SecurityScheme(type="http", scheme="bearer", description="The shop's key."),
        _AGENT: SecurityScheme(type="http", scheme="bearer", description="An agent's key."),
        _CUSTOMER: SecurityScheme(
            type="apiKey",
            name="X-Customer-Token",
            security_scheme_in="header",
            description="JWT that the shop signed: sub, shop, exp.",
        ),
    },
)

Answers = dict[str, OpenAPIResponse | Reference]


def _json(description: str, schema: Schema | Reference) -> OpenAPIResponse:
    content = {"application/json": OpenAPIMediaType(schema=schema)}
    return OpenAPIResponse(description=description, content=content)


def _errors(*statuses: str) -> Answers:
    error = Reference(ref="#/components/schemas/Error")
    return {status: _json(_ERRORS[status], error) for status in statuses}


def _answers(description: str, *, streamed: bool) -> Answers:
    answer = _json(description, _OBJECT)
    if streamed and answer.content is not None:
        event = Schema(type=OpenAPIType.OBJECT, properties={"data": _TEXT})
        answer.content["text/event-stream"] = OpenAPIMediaType(schema=event)
    return {"200": answer, **_errors(*(status for status in _ERRORS if status != "409"))}


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
        self.security = _ANYBODY
        self.responses = _answers("The answer, with `stream` clause by clause.", streamed=True)


@dataclass
class Chat(Operation):
    """`POST /chat`."""

    def __post_init__(self) -> None:
        """Litestar fills the fields it knows; the handler reads the body itself."""
        self.request_body = _chat_body()
        self.security = _ANYBODY
        self.responses = _answers("The reply and its session.", streamed=False)


@dataclass
class Models(Operation):
    """`GET /v1/models`."""

    def __post_init__(self) -> None:
        """Litestar fills the fields it knows; errors come from the error handler."""
        self.security = _SHOP_ONLY
        self.responses = {"200": _json("The one model.", _OBJECT), **_errors("401", "403")}


@dataclass
class ShowSession(Operation):
    """`GET /v1/sessions/{id}`."""

    def __post_init__(self) -> None:
        """Litestar fills the fields it knows; errors come from the error handler."""
        self.security = _ANYBODY
        shown = _json("The session's turns.", _OBJECT)
        self.responses = {"200": shown, **_errors("400", "401", "403", "404", "429", "503")}


@dataclass
class DeleteSession(Operation):
    """`DELETE /v1/sessions/{id}`."""

    def __post_init__(self) -> None:
        """Litestar fills the fields it knows; errors come from the error handler."""
        self.security = _ANYBODY
        gone = OpenAPIResponse(description="The session is forgotten.")
        self.responses = {"204": gone, **_errors("400", "401", "403", "404", "429", "503")}


def _events(description: str) -> OpenAPIResponse:
    event = Schema(type=OpenAPIType.OBJECT, properties={"id": _TEXT, "event": _TEXT, "data": _TEXT})
    content = {"text/event-stream": OpenAPIMediaType(schema=event)}
    return OpenAPIResponse(description=description, content=content)


@dataclass
class SessionEvents(Operation):
    """`GET /v1/sessions/{id}/events`."""

    def __post_init__(self) -> None:
        """Litestar fills the fields it knows; errors come from the error handler."""
        self.security = _ANYBODY
        told = _events("`message`: what an agent says. `owner`: who has the conversation.")
        self.responses = {"200": told, **_errors("400", "401", "403", "404", "429", "503")}


@dataclass
class ListTickets(Operation):
    """`GET /v1/tickets`."""

    def __post_init__(self) -> None:
        """Litestar fills the fields it knows; errors come from the error handler."""
        self.security = _AGENTS
        self.responses = {"200": _json("The open tickets.", _OBJECT), **_errors("401", "503")}


@dataclass
class DeskEvents(Operation):
    """`GET /v1/tickets/events`."""

    def __post_init__(self) -> None:
        """Litestar fills the fields it knows; errors come from the error handler."""
        self.security = _AGENTS
        told = _events("What happened to which ticket.")
        self.responses = {"200": told, **_errors("400", "401", "503")}


@dataclass
class ShowTicket(Operation):
    """`GET /v1/tickets/{id}`."""

    def __post_init__(self) -> None:
        """Litestar fills the fields it knows; errors come from the error handler."""
        self.security = _AGENTS
        self.responses = {"200": _json("The ticket.", _OBJECT), **_errors("401", "404", "503")}


@dataclass
class ActOnTicket(Operation):
    """`POST /v1/tickets/{id}/{verb}`."""

    def __post_init__(self) -> None:
        """Litestar fills the fields it knows; the handler reads the body itself."""
        self.request_body = RequestBody(
            content={
                "application/json": OpenAPIMediaType(
                    schema=Schema(type=OpenAPIType.OBJECT, properties={"text": _TEXT})
                )
            },
            required=False,
        )
        self.security = _AGENTS
        done = _json("The ticket as it is now.", _OBJECT)
        self.responses = {
            "200": done,
            **_errors("400", "401", "403", "404", "409", "413", "503"),
        }


@dataclass
class ExportCustomer(Operation):
    """`GET /v1/customers/me`."""

    def __post_init__(self) -> None:
        """Litestar fills the fields it knows; errors come from the error handler."""
        self.security = _SIGNED_IN
        kept = _json("Every session with its turns.", _OBJECT)
        self.responses = {"200": kept, **_errors("401", "403", "429", "503")}


@dataclass
class EraseCustomer(Operation):
    """`DELETE /v1/customers/me`."""

    def __post_init__(self) -> None:
        """Litestar fills the fields it knows; errors come from the error handler."""
        self.security = _SIGNED_IN
        gone = OpenAPIResponse(description="Nothing is kept any more.")
        self.responses = {"204": gone, **_errors("401", "403", "429", "503")}


@dataclass
class Ready(Operation):
    """`GET /health/ready`."""

    def __post_init__(self) -> None:
        """Litestar knows the 200 only."""
        self.responses = {
            "200": _json("Every dependency answers.", _OBJECT),
            "503": _json("One does not; the body says which.", _OBJECT),
        }


@dataclass
class MetricsPage(Operation):
    """`GET /metrics`."""

    def __post_init__(self) -> None:
        """Litestar takes bytes for JSON."""
        content = {"text/plain": OpenAPIMediaType(schema=_TEXT)}
        self.responses = {"200": OpenAPIResponse(description="Prometheus text.", content=content)}

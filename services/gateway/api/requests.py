"""What clients send: parsing and checking of bodies and headers, with OpenAI's field names.

Harmless fields are known and ignored; a field that would change the answer's meaning and is not
supported is refused by name. Nothing here looks at what a message says.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from services.gateway.assistant.types import Message
from services.gateway.errors import BadRequestError, NotFoundError

MODEL = "xiaoer"
"""The model's name to clients, whatever runs behind it."""
MAX_MESSAGES = 200
"""Most messages of a conversation that a client sends itself."""

_EVENT_ID = re.compile(r"[0-9]{1,16}-[0-9]{1,16}\Z")
SESSION_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~@-]{0,127}\Z")
"""A session id: 1 to 128 letters, digits, '.', '_', '~', '@' or '-', not starting with a mark."""


class ChatRequest(msgspec.Struct, frozen=True):
    """A checked request for one answer."""

    messages: tuple[Message, ...]
    """The conversation as the client sent it; the last message is the user's new one."""
    session_id: str | None = None
    stream: bool = False
    include_usage: bool = False


class Limits(msgspec.Struct, frozen=True):
    """Bounds on what a request may hold."""

    message_chars: int


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _flag(value: Any) -> bool:
    return isinstance(value, bool)


def _object(value: Any) -> bool:
    return isinstance(value, dict)


_IGNORED: dict[str, tuple[Callable[[Any], bool], str]] = {
    # How the answer is worded and how long it is are the server's business; these change
    # neither whether it is true nor its format.
    "temperature": (_number, "a number"),
    "top_p": (_number, "a number"),
    "top_k": (_number, "a number"),
    "min_p": (_number, "a number"),
    "presence_penalty": (_number, "a number"),
    "frequency_penalty": (_number, "a number"),
    "repetition_penalty": (_number, "a number"),
    "seed": (_whole, "a whole number"),
    "max_tokens": (_whole, "a whole number"),
    "max_completion_tokens": (_whole, "a whole number"),
    "parallel_tool_calls": (_flag, "true or false"),
    "store": (_flag, "true or false"),
    "metadata": (_object, "an object"),
    "service_tier": (_text, "a string"),
    "safety_identifier": (_text, "a string"),
    "prompt_cache_key": (_text, "a string"),
    "reasoning_effort": (_text, "a string"),
    "verbosity": (_text, "a string"),
}
_READ = {"messages", "model", "stream", "stream_options", "user"}
_EXCEPT: dict[str, tuple[Callable[[Any], bool], str]] = {
    # Accepted only with the value that changes nothing.
    "n": (lambda v: _whole(v) and v == 1, "one answer is given to each request; leave 'n' out"),
    "response_format": (
        lambda v: isinstance(v, dict) and v.get("type") == "text",
        "answers are text; leave 'response_format' out",
    ),
    "logprobs": (lambda v: v is False, "log probabilities are not given; leave it out"),
    "modalities": (lambda v: v == ["text"], "answers are text; leave 'modalities' out"),
    "tools": (lambda v: v == [], "tools are the server's; leave 'tools' out"),
    "functions": (lambda v: v == [], "tools are the server's; leave 'functions' out"),
    "stop": (lambda v: v in ([], ""), "answers end by themselves; leave 'stop' out"),
    "logit_bias": (lambda v: v == {}, "token biases are not supported; leave it out"),
    "tool_choice": (lambda _: False, "the assistant chooses its tools; leave it out"),
    "function_call": (lambda _: False, "the assistant chooses its tools; leave it out"),
    "top_logprobs": (lambda _: False, "log probabilities are not given; leave it out"),
}


def parse_chat(body: bytes, session_header: str | None, limits: Limits) -> ChatRequest:
    """Check the body of `POST /v1/chat/completions`.

    Args:
        body: the request's bytes.
        session_header: value of `X-Session-Id`; the body's `user` stands in when absent.
        limits: how much a message may hold.

    Raises:
        BadRequestError: names the field at fault.
        NotFoundError: another model was asked for.
    """
    fields = _decode_object(body)
    _check_fields(fields)
    model = fields.get("model")
    if model is not None:
        _expect(model, _text, "model", "a string")
        if model != MODEL:
            raise NotFoundError(
                f"There is no model {model[:80]!r} here. Ask for {MODEL!r}.",
                code="model_not_found",
                param="model",
            )
    stream = fields.get("stream")
    if stream is not None:
        _expect(stream, _flag, "stream", "true or false")
    messages = _messages(fields.get("messages"), limits)
    session_id = _session_id(session_header, fields.get("user"))
    if session_id is not None and len(messages) > 1:
        raise BadRequestError(
            "With a session id the server remembers the conversation: send exactly one message, "
            "the user's new one.",
            code="one_message_per_session",
            param="messages",
        )
    return ChatRequest(
        messages=messages,
        session_id=session_id,
        stream=bool(stream),
        include_usage=_include_usage(fields.get("stream_options"), bool(stream)),
    )


def parse_query(body: bytes, limits: Limits) -> ChatRequest:
    """Check the body of `POST /chat`: `{"query", "session_id"}`.

    Raises:
        BadRequestError: names the field at fault.
    """
    fields = _decode_object(body)
    for name in fields:
        if name not in {"query", "session_id"}:
            raise _refused(name, "this form takes 'query' and 'session_id' only")
    session_id = fields.get("session_id")
    if session_id is not None:
        session_id = check_session_id(session_id, "session_id")
    text = _content(fields.get("query"), "query", limits)
    return ChatRequest(messages=(Message("user", text),), session_id=session_id)


def check_session_id(value: Any, param: str) -> str:
    """Return `value` if it can be a session id.

    Raises:
        BadRequestError: it cannot.
    """
    if isinstance(value, str) and SESSION_ID.match(value):
        return value
    raise BadRequestError(
        f"{param!r} is no session id. Use 1 to 128 letters, digits or . _ ~ @ - and start with a "
        "letter or digit.",
        code="invalid_session_id",
        param=param,
    )


def check_event_id(value: str | None) -> str | None:
    """Return a `Last-Event-ID` if it can be an event of ours; None where none was sent.

    Raises:
        BadRequestError: it cannot.
    """
    if not value or _EVENT_ID.match(value):
        return value or None
    raise BadRequestError(
        "'Last-Event-ID' is no event's id. Leave it out, or send the last id that was received.",
        code="invalid_event_id",
        param="Last-Event-ID",
    )


def parse_text(body: bytes, limits: Limits) -> str:
    """Check a body that holds one text, and return it.

    Raises:
        BadRequestError: names the field at fault.
    """
    fields = _decode_object(body)
    if unknown := sorted(fields.keys() - {"text"}):
        raise BadRequestError(
            f"{unknown[0][:80]!r} is not known here; send 'text' only.",
            code="unsupported_parameter",
            param=unknown[0][:80],
        )
    return _content(fields.get("text"), "text", limits)


def _decode_object(body: bytes) -> dict[str, Any]:
    try:
        fields = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise BadRequestError(
            "The body is not valid JSON in UTF-8. Send one JSON object.", code="invalid_json"
        ) from exc
    if not isinstance(fields, dict):
        raise BadRequestError("The body must be a JSON object.", code="invalid_json")
    return fields


def _check_fields(fields: Mapping[str, Any]) -> None:
    for name, value in fields.items():
        if name in _READ or value is None:
            continue
        if name in _IGNORED:
            check, what = _IGNORED[name]
            _expect(value, check, name, what)
        elif name in _EXCEPT:
            check, why = _EXCEPT[name]
            if not check(value):
                raise _refused(name, why)
        else:
            raise _refused(name, "this field is not known; leave it out")


def _refused(name: str, why: str) -> BadRequestError:
    return BadRequestError(
        f"{name[:80]!r} is not supported: {why}.", code="unsupported_parameter", param=name[:80]
    )


def _expect(value: Any, check: Callable[[Any], bool], param: str, what: str) -> None:
    if not check(value):
        raise BadRequestError(f"{param!r} must be {what}.", code="invalid_type", param=param)


def _include_usage(value: Any, stream: bool) -> bool:
    if value is None:
        return False
    _expect(value, _object, "stream_options", "an object")
    if not stream:
        raise BadRequestError(
            "'stream_options' goes with 'stream': true only.",
            code="unsupported_parameter",
            param="stream_options",
        )
    usage = value.get("include_usage")
    if usage is not None:
        _expect(usage, _flag, "stream_options.include_usage", "true or false")
    return bool(usage)


def _session_id(header: str | None, user: Any) -> str | None:
    if user is not None:
        _expect(user, _text, "user", "a string")
    if header is not None:
        return check_session_id(header, "X-Session-Id")
    # Client libraries fill `user` with an empty string; that is no session.
    return check_session_id(user, "user") if user else None


def _messages(value: Any, limits: Limits) -> tuple[Message, ...]:
    if not isinstance(value, list):
        raise BadRequestError(
            "'messages' must be a list of messages.", code="invalid_type", param="messages"
        )
    if not value:
        raise BadRequestError(
            "'messages' is empty. Send at least the user's message.",
            code="empty_messages",
            param="messages",
        )
    if len(value) > MAX_MESSAGES:
        raise BadRequestError(
            f"'messages' has more than {MAX_MESSAGES} entries. Send the latest ones.",
            code="too_many_messages",
            param="messages",
        )
    messages = tuple(_message(item, f"messages[{i}]", limits) for i, item in enumerate(value))
    if messages[-1].role != "user":
        raise BadRequestError(
            "The last message must be the user's.",
            code="invalid_role",
            param=f"messages[{len(messages) - 1}].role",
        )
    return messages


_MESSAGE_FIELDS = {"role", "content", "name", "refusal"}


def _message(value: Any, param: str, limits: Limits) -> Message:
    _expect(value, _object, param, "an object with 'role' and 'content'")
    role = value.get("role")
    _expect(role, _text, f"{param}.role", "a string")
    if role not in ("user", "assistant"):
        raise BadRequestError(
            f"Messages of role {role[:40]!r} are not accepted: instructions and evidence are the "
            "server's. Send 'user' and 'assistant' messages.",
            code="invalid_role",
            param=f"{param}.role",
        )
    for name, item in value.items():
        # Answers of this API, sent back as they came, carry empty fields; those are fine.
        if name not in _MESSAGE_FIELDS and item not in (None, [], {}):
            raise BadRequestError(
                f"{name[:80]!r} is not accepted in a message; leave it out.",
                code="unsupported_parameter",
                param=f"{param}.{name[:80]}",
            )
    return Message(role, _content(value.get("content"), f"{param}.content", limits))


def _content(value: Any, param: str, limits: Limits) -> str:
    text = _joined(value, param) if isinstance(value, list) else value
    if not isinstance(text, str):
        raise BadRequestError(
            f"{param!r} must be a string or a list of text parts.", code="invalid_type", param=param
        )
    if not text.strip():
        raise BadRequestError(
            f"{param!r} is empty. Say something.", code="empty_message", param=param
        )
    if len(text) > limits.message_chars:
        raise BadRequestError(
            f"{param!r} has {len(text)} characters; at most {limits.message_chars} are accepted. "
            "Shorten the message.",
            code="message_too_long",
            param=param,
        )
    return text


def _joined(parts: list[Any], param: str) -> str:
    texts = []
    for index, part in enumerate(parts):
        where = f"{param}[{index}]"
        _expect(part, _object, where, "a text part")
        if part.get("type") != "text":
            raise BadRequestError(
                "Only parts of type 'text' are accepted.",
                code="unsupported_content",
                param=f"{where}.type",
            )
        _expect(part.get("text"), _text, f"{where}.text", "a string")
        texts.append(part["text"])
    return "\n".join(texts)

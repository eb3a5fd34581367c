"""The id that ties a request's log lines and answers to the gateway's."""

import re
import uuid

from litestar.datastructures import MutableScopeHeaders
from litestar.types import Message, Scope

_USABLE = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_KEY = "xiaoer_request_id"


def request_id(scope: Scope) -> str:
    """Take the caller's x-request-id if it is usable, else make one; the same all through."""
    state = scope["state"]
    if _KEY not in state:
        given = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"")
        state[_KEY] = given.decode() if _USABLE.fullmatch(given) else uuid.uuid4().hex
    known: str = state[_KEY]
    return known


async def add_request_id(message: Message, scope: Scope) -> None:
    """Put the id on every answer."""
    if message["type"] == "http.response.start":
        MutableScopeHeaders.from_message(message)["x-request-id"] = request_id(scope)

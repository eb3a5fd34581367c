"""Cross-origin rules: which pages' scripts may call the gateway, and what they may read of a reply.

A preflight carries no key, so it is answered for every origin of any shop's public key; whether
the key of the request that follows belongs to that origin is identity's to check. Origins match
exactly; there is no wildcard, and no cookies are ever asked for.
"""

from collections.abc import Callable, Collection
from typing import cast

from litestar.types import Message, Scope

from services.gateway.api.http import header

ALLOWED_METHODS = "GET, POST, DELETE"
_ALLOWED_HEADERS = frozenset(
    {
        "authorization",
        "content-type",
        "last-event-id",
        "user-agent",
        "x-customer-token",
        "x-request-id",
        "x-session-id",
    }
)
_CLIENT_PREFIXES = ("openai-", "x-stainless-")
"""OpenAI's own client tells its language, version and organisation in these."""
EXPOSED_HEADERS = ", ".join(
    (
        "x-request-id",
        "x-session-id",
        "retry-after",
        "x-ratelimit-limit-requests",
        "x-ratelimit-remaining-requests",
        "x-ratelimit-reset-requests",
    )
)
MAX_AGE_S = 600
"""How long a browser may keep a preflight's answer; the request itself is checked each time."""
_Headers = list[tuple[bytes, bytes]]


class Cors:
    """Adds the headers by which browsers decide.

    Args:
        origins: gives the origins of all public keys as they are now.
    """

    def __init__(self, origins: Callable[[], Collection[str]]) -> None:
        self._origins = origins

    async def add_headers(self, message: Message, scope: Scope) -> None:
        """Complete a reply of the API (Litestar's `before_send` hook, so errors have it too).

        The framework answers OPTIONS for every address there is; the headers make it a preflight.
        """
        if message["type"] != "http.response.start" or not _is_api(scope["path"]):
            return
        # Also without an origin: a cache between us must not give this reply to a page.
        added: _Headers = [(b"vary", b"Origin")]
        origin = header(scope, b"origin")
        if origin is not None and origin in self._origins():
            added.append((b"access-control-allow-origin", origin.encode("latin-1")))
            if _is_preflight(scope):
                added += _preflight(scope)
            else:
                added.append((b"access-control-expose-headers", EXPOSED_HEADERS.encode()))
        message["headers"] = [*cast("_Headers", message["headers"]), *added]


def _is_api(path: str) -> bool:
    """Whether shops' pages call it; health and metrics are for those who run the gateway."""
    return path == "/chat" or path.startswith("/v1/")


def _is_preflight(scope: Scope) -> bool:
    is_options = scope.get("method") == "OPTIONS"
    return is_options and header(scope, b"access-control-request-method") is not None


def _preflight(scope: Scope) -> _Headers:
    asked = (header(scope, b"access-control-request-headers") or "").lower().split(",")
    named = {name.strip() for name in asked}
    allowed = _ALLOWED_HEADERS | {
        name for name in named if name.startswith(_CLIENT_PREFIXES) and _is_token(name)
    }
    return [
        (b"access-control-allow-methods", ALLOWED_METHODS.encode()),
        (b"access-control-allow-headers", ", ".join(sorted(allowed)).encode()),
        (b"access-control-max-age", str(MAX_AGE_S).encode()),
    ]


def _is_token(name: str) -> bool:
    return name.isascii() and name.replace("-", "").replace("_", "").isalnum()

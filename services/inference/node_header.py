"""Names the node in each of its answers, so that the gateway can tell which one answered.

vLLM loads it by its dotted name (``--middleware``); vllm-router hands a node's headers through.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from services.inference.settings import load_settings

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Callable[[], Awaitable[Message]], Send], Awaitable[None]]


class NodeHeader:
    """ASGI middleware that adds ``x-node`` to every response."""

    def __init__(self, app: Application) -> None:
        self._app = app
        self._header = (b"x-node", load_settings().node.encode("ascii"))

    async def __call__(
        self, scope: Message, receive: Callable[[], Awaitable[Message]], send: Send
    ) -> None:
        """Pass everything through; other protocols than HTTP as they are."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def named(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), self._header]
            await send(message)

        await self._app(scope, receive, named)

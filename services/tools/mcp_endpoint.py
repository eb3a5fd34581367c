"""The registry's tools over the Model Context Protocol, for a shop's other agents.

The protocol is the official SDK's; the token check, the tools and their results are those of
`POST /v1/tools/{name}`. Stateless: each POST stands alone, with its own token, so any replica
answers it.
"""

from contextlib import AbstractAsyncContextManager
from typing import Any, cast

import msgspec
from litestar.exceptions import MethodNotAllowedException
from litestar.handlers import asgi
from litestar.types import Receive, Scope, Send
from mcp.server.lowlevel import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecuritySettings
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INVALID_PARAMS,
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
    ToolAnnotations,
)
from mcp_types import Tool as PublishedTool
from starlette.datastructures import Headers
from starlette.requests import Request

from services.tools.errors import UnknownTool
from services.tools.registry import Registry, Tool
from services.tools.request_id import request_id
from services.tools.service import Service

PATH = "/mcp"
_LISTED_FOR_MS = 60_000  # tools change with a release, at most


class McpEndpoint:
    """An ASGI application that answers MCP requests carrying a good service token."""

    def __init__(
        self, service: Service, *, allowed_hosts: tuple[str, ...], max_body_bytes: int
    ) -> None:
        self._service = service
        server: Server[Any] = Server(
            "xiaoer-tools",
            version="1",
            on_list_tools=_Listing(service.registry),
            on_call_tool=_Calling(service),
        )
        self._manager = StreamableHTTPSessionManager(
            server,
            json_response=True,
            stateless=True,
            # No web page calls this, so no Origin is allowed; Host is checked against a page that
            # made its own name resolve to this machine.
            security_settings=TransportSecuritySettings(
                enable_dns_rebinding_protection=True,
                allowed_hosts=list(allowed_hosts),
                allowed_origins=[],
            ),
            max_request_body_size=max_body_bytes,
        )

    def running(self) -> AbstractAsyncContextManager[None]:
        """Hold what requests run in; the application's lifespan enters it."""
        return self._manager.run()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request; raises Unauthorized before anything of it is read as MCP."""
        self._service.caller(Headers(raw=list(scope["headers"])))
        if scope.get("method") != "POST":
            # A stream opened by GET would outlive its token, and nothing is ever pushed on it.
            raise MethodNotAllowedException(headers={"allow": "POST"})
        await self._manager.handle_request(
            cast("Any", scope), cast("Any", receive), cast("Any", send)
        )


def mcp_route(endpoint: McpEndpoint) -> Any:
    """Make the route handler for the endpoint."""

    @asgi(PATH, copy_scope=True)
    async def model_context_protocol(scope: Scope, receive: Receive, send: Send) -> None:
        await endpoint(scope, receive, send)

    return model_context_protocol


class _Listing:
    """Answers tools/list."""

    def __init__(self, registry: Registry) -> None:
        self._tools = [_published(tool) for tool in registry]

    async def __call__(
        self, _context: Any, _params: PaginatedRequestParams | None
    ) -> ListToolsResult:
        return ListToolsResult(tools=self._tools, ttl_ms=_LISTED_FOR_MS, cache_scope="public")


class _Calling:
    """Answers tools/call."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def __call__(self, context: Any, params: CallToolRequestParams) -> CallToolResult:
        http: Request = context.request
        known_id = request_id(cast("Scope", http.scope))

        async def arguments() -> dict[str, Any]:
            return params.arguments or {}

        try:
            result = await self._service.run(params.name, http.headers, known_id, arguments)
        except UnknownTool as exc:
            raise MCPError(code=INVALID_PARAMS, message=exc.message) from exc
        except Exception as exc:  # noqa: BLE001 - the SDK would show the client an exception's text
            failure = self._service.failure(exc, known_id)
            return _result(msgspec.json.encode(failure.body), is_error=True)
        return _result(result)


def _result(content: bytes, *, is_error: bool = False) -> CallToolResult:
    return CallToolResult(
        content=[TextContent(type="text", text=content.decode())],
        structured_content=msgspec.json.decode(content),
        is_error=is_error,
    )


def _published(tool: Tool) -> PublishedTool:
    published = tool.published()
    return PublishedTool(
        name=tool.name,
        description=tool.description,
        input_schema=tool.parameters,
        annotations=ToolAnnotations(
            read_only_hint=tool.effect == "read", destructive_hint=False, open_world_hint=False
        ),
        _meta={"xiaoer": published["xiaoer"]},
    )

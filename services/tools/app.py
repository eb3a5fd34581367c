"""Puts the tools service together: the only place that wires its parts."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, TextIO

from litestar import Litestar, Request, Response
from litestar.di import Provide
from litestar.exceptions import HTTPException
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin

from services.tools.api import Operations, Tools
from services.tools.catalogue.store import CatalogueStore
from services.tools.db.engine import Database
from services.tools.inventory import query_inventory
from services.tools.mcp_endpoint import McpEndpoint, mcp_route
from services.tools.orders import list_recent_orders, query_order_status
from services.tools.registry import Registry, Tool
from services.tools.request_id import add_request_id, request_id
from services.tools.schema import COMPONENTS
from services.tools.service import Service
from services.tools.settings import Settings
from services.tools.telemetry import Metrics, make_logger
from services.tools.tokens import TokenVerifier


def create_registry() -> Registry:
    """List the tools, in the order in which models see them."""
    return Registry(
        [
            Tool.of(
                query_order_status, access="customer", effect="read", cache_ttl_s=0, fresh_for_s=120
            ),
            Tool.of(
                list_recent_orders, access="customer", effect="read", cache_ttl_s=0, fresh_for_s=120
            ),
            Tool.of(
                query_inventory, access="public", effect="read", cache_ttl_s=60, fresh_for_s=300
            ),
        ]
    )


def create_app(settings: Settings, *, log_stream: TextIO | None = None) -> Litestar:
    """Build the application. It expects a migrated database (db.migrate)."""
    metrics = Metrics()
    database = Database(settings.database)
    service = Service(
        registry=create_registry(),
        tokens=TokenVerifier(settings.service_token_secret),
        database=database,
        catalogue=CatalogueStore(database, on_build=metrics.index_build.observe),
        metrics=metrics,
        log=make_logger(settings.log_level, log_stream),
        deadline_s=settings.deadline_s,
    )

    mcp = McpEndpoint(
        service, allowed_hosts=settings.mcp_hosts, max_body_bytes=settings.max_body_bytes
    )

    @asynccontextmanager
    async def lifespan(_app: Litestar) -> AsyncIterator[None]:
        try:
            async with mcp.running():
                yield
        finally:
            await database.close()

    def on_error(request: Request[Any, Any, Any], exc: Exception) -> Response[dict[str, Any]]:
        return _answer_error(request, exc, service)

    return Litestar(
        route_handlers=[Tools, Operations, mcp_route(mcp)],
        dependencies={"service": Provide(lambda: service, sync_to_thread=False)},
        exception_handlers={Exception: on_error},
        before_send=[add_request_id],
        lifespan=[lifespan],
        logging_config=None,
        request_max_body_size=settings.max_body_bytes,
        openapi_config=OpenAPIConfig(
            title="Xiaoer tools",
            version="1",
            path="/schema",
            components=COMPONENTS,
            use_handler_docstrings=True,
            render_plugins=[JsonRenderPlugin(path=["/", "/openapi.json"])],
        ),
    )


def _answer_error(
    request: Request[Any, Any, Any], exc: Exception, service: Service
) -> Response[dict[str, Any]]:
    failure = service.failure(exc, request_id(request.scope))
    headers = {"www-authenticate": "Bearer"} if failure.status == 401 else {}
    if failure.status == 405 and isinstance(exc, HTTPException):
        headers.update(exc.headers or {})
    return Response(failure.body, status_code=failure.status, headers=headers)

"""HTTP in and out: parse, call one tool, shape the reply."""

from typing import Any

import msgspec
from litestar import Controller, MediaType, Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from services.tools import schema
from services.tools.catalogue.store import CatalogueView, view
from services.tools.errors import InvalidBody
from services.tools.request_id import request_id
from services.tools.service import Service


class Tools(Controller):
    """The tools and their calls."""

    path = "/v1"

    @get(
        "/tools",
        summary="Published tools",
        media_type=MediaType.JSON,
        operation_class=schema.Published,
    )
    async def published(self, service: NamedDependency[Service]) -> Response[bytes]:
        """Every tool in OpenAI's function format, with our annotations under `xiaoer`."""
        return Response(service.registry.body, media_type=MediaType.JSON)

    @post(
        "/tools/{name:str}",
        status_code=200,
        summary="Call a tool",
        operation_class=schema.CallTool,
    )
    async def call(
        self,
        request: Request[Any, Any, Any],
        name: FromPath[str],
        service: NamedDependency[Service],
    ) -> Response[bytes]:
        """Run a tool with the JSON object in the body as its arguments.

        An expected miss is a 200 with `{"error": …}`. Needs a service token.
        """

        async def arguments() -> dict[str, Any]:
            return _arguments(await request.body())

        known_id = request_id(request.scope)
        result = await service.run(name, request.headers, known_id, arguments)
        return Response(result, media_type=MediaType.JSON)

    @get("/catalogue", summary="Product names of a shop", operation_class=schema.Catalogue)
    async def catalogue(
        self, request: Request[Any, Any, Any], service: NamedDependency[Service]
    ) -> Response[CatalogueView | None]:
        """SKUs and names of the token's shop; 304 if If-None-Match has this version's ETag."""
        caller = service.caller(request.headers)
        index = await service.catalogue.index(caller.shop)
        tag = f'"{index.version}"'
        if request.headers.get("if-none-match") == tag:
            return Response(None, status_code=304, headers={"etag": tag})
        return Response(view(index), headers={"etag": tag})


class Operations(Controller):
    """Probes and metrics."""

    @get("/health/live", summary="The process runs")
    async def live(self) -> dict[str, str]:
        """Answer without touching anything."""
        return {"status": "live"}

    @get("/health/ready", summary="The database answers", operation_class=schema.Ready)
    async def ready(self, service: NamedDependency[Service]) -> dict[str, str]:
        """Ping the database; 503 if it does not answer."""
        await service.database.ping()
        return {"status": "ready"}

    @get("/metrics", summary="Prometheus metrics", media_type=MediaType.TEXT)
    async def metrics(self, service: NamedDependency[Service]) -> Response[bytes]:
        """Metrics in Prometheus' text format."""
        return Response(
            generate_latest(service.metrics.registry), headers={"content-type": CONTENT_TYPE_LATEST}
        )


def _arguments(body: bytes) -> dict[str, Any]:
    """Arguments from the body; none at all may be sent as an empty body."""
    if not body.strip():
        return {}
    try:
        arguments = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise InvalidBody("the body is not valid JSON") from exc
    if not isinstance(arguments, dict):
        raise InvalidBody("the body must be a JSON object with the tool's arguments")
    return arguments

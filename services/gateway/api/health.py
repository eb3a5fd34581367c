"""`/health/live`, `/health/ready` and `/metrics`."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import httpx2
import msgspec
from litestar import Response, Router, get

from services.gateway.api import schemas
from services.gateway.api.metrics import CONTENT_TYPE, Metrics
from services.gateway.errors import GatewayError, MemoryAwayError

PING_TIMEOUT_S = 2.0

Ping = Callable[[], Awaitable[None]]


def health_router(pings: dict[str, Ping], metrics: Metrics) -> Router:
    """Return the routes that operators and probes use.

    Args:
        pings: asks each dependency whether it is there; raises when it is not.
        metrics: what /metrics shows.
    """

    @get("/health/live", summary="Whether the process runs", tags=["operation"])
    async def live() -> dict[str, str]:
        """Asks nothing of others: a dependency's trouble is no reason for a restart."""
        return {"status": "live"}

    @get(
        "/health/ready",
        operation_class=schemas.Ready,
        summary="Whether every dependency answers",
        tags=["operation"],
    )
    async def ready() -> Response[dict[str, Any]]:
        """200 when Redis, model and tools answer, else 503; says of each how it is."""
        found = await asyncio.gather(*(state_of(ping) for ping in pings.values()))
        states = dict(zip(pings, found, strict=True))
        is_ready = all(state["ok"] for state in found)
        return Response(
            {"status": "ready" if is_ready else "not_ready", "dependencies": states},
            status_code=200 if is_ready else 503,
        )

    @get(
        "/metrics",
        operation_class=schemas.MetricsPage,
        summary="Prometheus metrics",
        tags=["operation"],
    )
    async def show_metrics() -> Response[bytes]:
        """Counters and histograms of this process."""
        # As a header: to a media type Litestar would add a second charset.
        return Response(metrics.page(), headers={"content-type": CONTENT_TYPE})

    return Router(path="/", route_handlers=[live, ready, show_metrics])


async def state_of(ping: Ping) -> dict[str, Any]:
    """Return how one dependency is: `ok`, `ms`, and `detail` when it is not well."""
    started = time.monotonic()
    detail = None
    try:
        async with asyncio.timeout(PING_TIMEOUT_S):
            await ping()
    except TimeoutError:
        detail = f"no answer within {PING_TIMEOUT_S:g} s"
    except (GatewayError, MemoryAwayError) as exc:
        detail = str(exc)
    except (httpx2.HTTPError, msgspec.DecodeError) as exc:
        # The exception's text may hold addresses; its kind is enough.
        detail = f"does not answer as it should ({type(exc).__name__})"
    state: dict[str, Any] = {"ok": detail is None}
    state["ms"] = round((time.monotonic() - started) * 1000, 1)
    if detail is not None:
        state["detail"] = detail
    return state

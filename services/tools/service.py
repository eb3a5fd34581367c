"""One call of a tool from its request to its result, whichever protocol carried it here."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import structlog
from litestar.exceptions import HTTPException

from services.tools.calls import Call, Caller
from services.tools.catalogue.store import CatalogueStore
from services.tools.db.engine import Database
from services.tools.errors import RequestError, Unavailable, error_body
from services.tools.registry import Registry
from services.tools.telemetry import Metrics
from services.tools.text import language_of
from services.tools.tokens import TokenVerifier

_CODES = {
    400: "invalid_request",
    404: "not_found",
    405: "method_not_allowed",
    413: "body_too_large",
}


@dataclass(frozen=True, slots=True)
class Failure:
    """What a caller is told when there is no result.

    Attributes:
        status: HTTP status code.
        body: the one error shape.

    """

    status: int
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Service:
    """The parts that handlers need, put together in app.py."""

    registry: Registry
    tokens: TokenVerifier
    database: Database
    catalogue: CatalogueStore
    metrics: Metrics
    log: structlog.typing.FilteringBoundLogger
    deadline_s: float

    def caller(self, headers: Mapping[str, str]) -> Caller:
        """Read from the headers who asks; raises Unauthorized."""
        return self.tokens.caller(headers.get("authorization"))

    async def run(
        self,
        name: str,
        headers: Mapping[str, str],
        request_id: str,
        arguments: Callable[[], Awaitable[Mapping[str, Any]]],
    ) -> bytes:
        """Check the caller, then run the tool within the deadline; counted and logged.

        Args:
            name: the tool's name.
            headers: of the request: whose data, and in which language.
            request_id: ties the log line to the caller's.
            arguments: gives the arguments; asked only once caller and tool are known to be good.

        Returns:
            The result as compact JSON; an expected miss is a result.

        Raises:
            RequestError: no token, no such tool, bad arguments, or the database is away.
            HTTPException: what reading the body raises.

        """
        started = time.perf_counter()
        outcome = "internal_error"
        shop = None
        try:
            async with asyncio.timeout(self.deadline_s):
                call = self._call(headers)
                shop = call.caller.shop
                tool = self.registry.get(name)
                result = await tool.run(call, await arguments())
            outcome = getattr(result, "error", "ok")
            return msgspec.json.encode(result)
        except TimeoutError as exc:
            outcome = "deadline_exceeded"
            message = f"The tool took longer than {self.deadline_s:g} s."
            raise Unavailable(message, code=outcome) from exc
        except RequestError as exc:
            outcome = exc.code
            raise
        except HTTPException as exc:
            outcome = "body_too_large" if exc.status_code == 413 else "invalid_request"
            raise
        finally:
            self._note(name, outcome, time.perf_counter() - started, request_id, shop)

    def _note(
        self, name: str, outcome: str, seconds: float, request_id: str, shop: str | None
    ) -> None:
        """Count and log a call."""
        label = name if name in self.registry else "unknown"
        self.metrics.tool_called(label, outcome, seconds)
        self.log.info(
            "tool_called",
            request_id=request_id,
            shop=shop,
            tool=label,
            outcome=outcome,
            ms=round(seconds * 1000, 1),
        )

    def failure(self, exc: Exception, request_id: str) -> Failure:
        """Turn any failure into the one error shape; only the log learns what broke inside."""
        if isinstance(exc, RequestError):
            status, code, message, param = exc.status, exc.code, exc.message, exc.param
        elif isinstance(exc, HTTPException) and exc.status_code < 500:
            status, param = exc.status_code, None
            code, message = _CODES.get(status, "invalid_request"), exc.detail
        else:
            status, code, param = 500, "internal_error", None
            message = "Something went wrong here; the log has it under this request id."
            self.log.error("request_failed", request_id=request_id, exc_info=exc)
        if status == 503:
            self.log.warning("unavailable", request_id=request_id, code=code, cause=_kind(exc))
        return Failure(status, error_body(code, message, param=param, request_id=request_id))

    def _call(self, headers: Mapping[str, str]) -> Call:
        return Call(
            caller=self.caller(headers),
            language=language_of(headers.get("accept-language")),
            database=self.database,
            catalogue=self.catalogue,
        )


def _kind(exc: Exception) -> str:
    """Class of what caused it; its text may hold data."""
    return type(exc.__cause__ or exc).__name__

"""Keeping the books: every request is counted and logged once, whatever became of it."""

import asyncio
from typing import Any

from services.gateway.api.metrics import Metrics
from services.gateway.assistant.conversation import Reply
from services.gateway.assistant.deadline import Deadline
from services.gateway.errors import ClientGoneError, GatewayError
from services.gateway.identity.keys import ShopKey


class Visit:
    """One request, from its arrival to its end.

    Args:
        endpoint: a fixed name, for metrics.
        request_id: for the log.
        deadline: started when the request arrived.
        metrics: counts.
        log: structlog's logger.
    """

    def __init__(
        self, endpoint: str, request_id: str, deadline: Deadline, metrics: Metrics, log: Any
    ) -> None:
        self.request_id = request_id
        self.deadline = deadline
        self.shop = "unknown"
        self.key: ShopKey | None = None
        self.signed_in = False
        self.streamed = False
        self._endpoint = endpoint
        self._metrics = metrics
        self._log = log

    def first_clause(self) -> None:
        """Note that the first clause is about to leave."""
        self._metrics.first_clause(self.deadline.elapsed_s())

    def answered(self, reply: Reply) -> None:
        """Note a complete answer."""
        answer = reply.answer
        self._metrics.tokens(answer.usage.prompt_tokens, answer.usage.completion_tokens)
        self._metrics.degraded(answer.degraded)
        self._end(
            "degraded" if answer.degraded else "ok",
            answer.source,
            owner=answer.owner,
            tools=[call.name for call in answer.tool_calls],
            degraded=answer.degraded,
            prompt_tokens=answer.usage.prompt_tokens,
            completion_tokens=answer.usage.completion_tokens,
        )

    def done(self) -> None:
        """Note a request that asked for no answer, and got what it asked for."""
        self._end("ok", "none")

    def failed(self, exc: BaseException, *, mid_stream: bool = False) -> None:
        """Note that there was no complete answer."""
        if isinstance(exc, ClientGoneError | asyncio.CancelledError):
            outcome = "client_gone"
        elif mid_stream:
            outcome = "stream_broken"
        elif isinstance(exc, GatewayError):
            outcome = exc.default_code
        else:
            outcome = "internal_error"
        code = exc.code if isinstance(exc, GatewayError) else None
        self._end(outcome, "none", code=code)

    def _end(self, outcome: str, source: str, **fields: object) -> None:
        seconds = self.deadline.elapsed_s()
        self._metrics.request(
            shop=self.shop,
            endpoint=self._endpoint,
            outcome=outcome,
            source=source,
            seconds=seconds,
        )
        self._log.info(
            "request",
            request_id=self.request_id,
            endpoint=self._endpoint,
            shop=self.shop,
            key=self.key.id if self.key else None,
            signed_in=self.signed_in,
            streamed=self.streamed,
            outcome=outcome,
            ms=round(seconds * 1000, 1),
            **fields,
        )

"""The gateway's metrics: one registry per application, labels bounded.

Shops come from a file and tools from the tools service, so their labels are bounded; ids, URLs and
texts never become labels.
"""

from functools import cache, partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

CONTENT_TYPE = CONTENT_TYPE_LATEST

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 1.5, 2.5, 5.0, 10.0, 20.0, 30.0)
_HOP_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 30.0)
_RAIL_SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.25, 0.5, 1.0)
_TOKENS = (50, 100, 200, 300, 400, 600, 800, 1000, 1500, 2000, 3000, 5000, 10000, 30000)


class Metrics:
    """Counts and times what the gateway does; also the assistant's `Observer`."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        counter = partial(Counter, registry=self.registry)
        histogram = partial(Histogram, registry=self.registry)
        self._requests = counter(
            "xiaoer_gateway_requests_total",
            "Requests by endpoint, outcome and source of the answer.",
            ("shop", "endpoint", "outcome", "source"),
        )
        self._ttft = histogram(
            "xiaoer_gateway_ttft_seconds",
            "Time from a streamed request's arrival to its first clause.",
            buckets=_SECONDS,
        )
        self._full = histogram(
            "xiaoer_gateway_request_seconds",
            "Time from a request's arrival to the end of its answer.",
            ("endpoint",),
            buckets=_SECONDS,
        )
        self._hops = histogram(
            "xiaoer_gateway_hop_seconds",
            "Time spent waiting for one hop: model, tools or redis.",
            ("hop",),
            buckets=_HOP_SECONDS,
        )
        self._tool_calls = counter(
            "xiaoer_gateway_tool_calls_total",
            "Tool calls by tool and outcome.",
            ("tool", "outcome"),
        )
        self._tokens = counter(
            "xiaoer_gateway_tokens_total",
            "Model tokens by kind: prompt or completion.",
            ("kind",),
        )
        self._prompt_tokens = histogram(
            "xiaoer_gateway_turn_prompt_tokens",
            "Prompt tokens of a turn, all its model calls together.",
            buckets=_TOKENS,
        )
        self._lock_wait = histogram(
            "xiaoer_gateway_session_wait_seconds",
            "Time a message waited for its turn in the session.",
            buckets=_HOP_SECONDS,
        )
        self._degraded = counter(
            "xiaoer_gateway_degraded_total",
            "Answers given without something: memory or tools.",
            ("what",),
        )
        self._cache = cache(
            counter(
                "xiaoer_gateway_answer_cache_total",
                "Look-ups in the answer cache by how they ended: exact, similar, flight, miss, …",
                ("outcome",),
            ).labels
        )
        self._desk = _Desk(self.registry)
        self._up = Gauge(
            "xiaoer_gateway_dependency_up",
            "Whether a dependency answered when last asked.",
            ("dependency",),
            registry=self.registry,
        )
        self._persistence = Gauge(
            "xiaoer_gateway_redis_persistence_ok",
            "Whether Redis keeps an append-only file and its last write worked.",
            registry=self.registry,
        )
        self._takeovers = counter(
            "xiaoer_gateway_takeovers_total",
            "Streams whose node was lost and that another node went on with.",
        )
        self._rails = _Rails(self.registry)
        # Children of fixed labels, looked up once: the hot path should not hash labels.
        self._hop = {hop: self._hops.labels(hop) for hop in ("model", "tools", "redis")}
        self._kinds = {kind: self._tokens.labels(kind) for kind in ("prompt", "completion")}

    def hop(self, name: str, seconds: float) -> None:
        """Count time spent waiting for a hop."""
        self._hop[name].observe(seconds)

    def tool_call(self, tool: str, outcome: str) -> None:
        """Count a tool call."""
        self._tool_calls.labels(tool, outcome).inc()

    def rail(self, name: str, action: str, language: str, seconds: float) -> None:
        """Count what a rail decided on one text, and how long it took."""
        self._rails.decided(name, action, language, seconds)

    def cache(self, outcome: str) -> None:
        """Count how a look-up in the answer cache ended."""
        self._cache(outcome).inc()

    def conversation(self, shop: str) -> None:
        """Count a conversation's first message."""
        self._desk.conversations.labels(shop).inc()

    def handoff(self, shop: str, reason: str) -> None:
        """Count a ticket."""
        self._desk.handoffs.labels(shop, reason).inc()

    def tickets(self, shop: str, waiting: int, oldest_s: float) -> None:
        """Say how many tickets wait, and for how long the oldest has, in working hours."""
        self._desk.waiting.labels(shop).set(waiting)
        self._desk.oldest.labels(shop).set(oldest_s)

    def dependency(self, name: str, *, up: bool) -> None:
        """Say whether a dependency answers."""
        self._up.labels(name).set(up)

    def persistence(self, *, ok: bool) -> None:
        """Say whether Redis keeps an append-only file and the last write of it worked."""
        self._persistence.set(ok)

    def takeover(self) -> None:
        """Count an answer that another node went on with."""
        self._takeovers.inc()

    def lock_wait(self, seconds: float) -> None:
        """Count a wait for the session's turn."""
        self._lock_wait.observe(seconds)

    def first_clause(self, seconds: float) -> None:
        """Count a stream's time to first token."""
        self._ttft.observe(seconds)

    def tokens(self, prompt: int, completion: int) -> None:
        """Count a turn's tokens."""
        self._kinds["prompt"].inc(prompt)
        self._kinds["completion"].inc(completion)
        self._prompt_tokens.observe(prompt)

    def degraded(self, what: list[str]) -> None:
        """Count what an answer had to do without."""
        for name in what:
            self._degraded.labels(name).inc()

    def request(
        self, *, shop: str, endpoint: str, outcome: str, source: str, seconds: float
    ) -> None:
        """Count a finished request."""
        self._requests.labels(shop, endpoint, outcome, source).inc()
        self._full.labels(endpoint).observe(seconds)

    def page(self) -> bytes:
        """Return everything in Prometheus's text format."""
        return generate_latest(self.registry)


class _Desk:
    """Conversations, and what of them comes to people."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.conversations = Counter(
            "xiaoer_gateway_conversations_total",
            "Conversations that began.",
            ("shop",),
            registry=registry,
        )
        self.handoffs = Counter(
            "xiaoer_gateway_handoffs_total",
            "Tickets opened, by why.",
            ("shop", "reason"),
            registry=registry,
        )
        self.waiting = Gauge(
            "xiaoer_gateway_tickets_waiting",
            "Tickets that no agent has.",
            ("shop",),
            registry=registry,
        )
        self.oldest = Gauge(
            "xiaoer_gateway_ticket_oldest_wait_seconds",
            "For how long the oldest of them has waited, in working hours.",
            ("shop",),
            registry=registry,
        )


class _Rails:
    """What rails decided, and how long they took."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._decisions = Counter(
            "xiaoer_gateway_rails_total",
            "Texts that a rail looked at, by rail, what it did, and language.",
            ("rail", "action", "language"),
            registry=registry,
        )
        self._seconds = Histogram(
            "xiaoer_gateway_rail_seconds",
            "Time that a rail took for one text.",
            ("rail",),
            buckets=_RAIL_SECONDS,
            registry=registry,
        )

        # Looked up by labels once: every message and every clause passes here.
        self._decision = cache(self._decisions.labels)
        self._second = cache(self._seconds.labels)

    def decided(self, name: str, action: str, language: str, seconds: float) -> None:
        self._decision(name, action, language).inc()
        self._second(name).observe(seconds)

"""The Nodes dashboard: what each vLLM node has to do, and what the router makes of them.

The names are vLLM 0.32's (`vllm/v1/metrics/loggers.py`; a counter's `_total` comes from its client
library) and vllm-router 0.1.17's (`src/metrics.rs`).
"""

from grafana_foundation_sdk.models.dashboard import Dashboard

from deploy.grafana.panels import Panel, Query, board, choice, graph

_NODE = '{node=~"$node"}'


def nodes() -> Dashboard:
    """Return the dashboard."""
    return board(
        "xiaoer-nodes",
        "Xiaoer · Nodes",
        [("Room", _room()), ("Work", _work()), ("Router", _router())],
        choices=[choice("node", "Node", 'label_values(up{job="node"}, node)')],
    )


def _rate(name: str) -> str:
    return f"sum by (node) (rate({name}{_NODE}[$__rate_interval]))"


def _quantile(share: float, histogram: str) -> str:
    inner = f"sum by (node, le) (rate({histogram}_bucket{_NODE}[$__rate_interval]))"
    return f"histogram_quantile({share}, {inner})"


def _room() -> list[Panel]:
    return [
        graph(
            "KV cache in use",
            "percentunit",
            Query(f"max by (node) (vllm:kv_cache_usage_perc{_NODE})", "{{node}}"),
            says="Of the memory for conversations in progress. Full, vLLM interrupts answers.",
            limits=[(0.95, "red")],
            top=1,
        ),
        graph(
            "Queue",
            "short",
            Query(f"sum by (node) (vllm:num_requests_waiting{_NODE})", "{{node}} waiting"),
            Query(f"sum by (node) (vllm:num_requests_running{_NODE})", "{{node}} running"),
            says="Requests that wait for room, and those being answered.",
        ),
        graph(
            "Prefix cache hits",
            "percentunit",
            Query(
                f"{_rate('vllm:prefix_cache_hits_total')}"
                f" / {_rate('vllm:prefix_cache_queries_total')}",
                "{{node}}",
            ),
            says="Share of prompt tokens that were not computed again. Low: sessions change nodes, "
            "or something that varies went to the front of the prompt.",
            top=1,
        ),
    ]


def _work() -> list[Panel]:
    return [
        graph(
            "Tokens per second",
            "short",
            Query(_rate("vllm:generation_tokens_total"), "{{node}} generated"),
            Query(_rate("vllm:prompt_tokens_total"), "{{node}} read"),
            says="As vLLM counts them.",
        ),
        graph(
            "Time to first token, p95",
            "s",
            Query(_quantile(0.95, "vllm:time_to_first_token_seconds"), "{{node}}"),
            Query(_quantile(0.95, "vllm:request_queue_time_seconds"), "{{node}}, of it queueing"),
            says="At the node, before clauses are checked; a customer's is on the Shop dashboard.",
        ),
        graph(
            "Time between tokens, p95",
            "s",
            Query(_quantile(0.95, "vllm:inter_token_latency_seconds"), "{{node}}"),
            says="Rises with the number of answers made at once.",
        ),
    ]


def _router() -> list[Panel]:
    return [
        graph(
            "Requests by node",
            "reqps",
            Query(
                "sum by (worker) (rate(vllm_router_processed_requests_total[$__rate_interval]))",
                "{{worker}}",
            ),
            says="A session stays on its node.",
        ),
        graph(
            "In service",
            "short",
            Query("min by (worker) (vllm_router_worker_health)", "{{worker}} healthy"),
            Query("max by (worker) (vllm_router_cb_state)", "{{worker}} breaker"),
            says="Healthy: 1. Breaker: 0 closed, 1 open, 2 trying again.",
        ),
        graph(
            "Retries",
            "reqps",
            Query(
                "sum by (route) (rate(vllm_router_retries_total[$__rate_interval]))", "{{route}}"
            ),
            says="Requests that a node failed and another took, before anything was sent.",
        ),
    ]

"""The Shop dashboard: what customers ask, who answers them, and how soon."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from deploy.grafana.panels import Panel, Query, board, choice, figure, graph

_ANSWERS = (
    'xiaoer_gateway_requests_total{{shop=~"$shop", endpoint=~"chat|chat_completions", {}}}'.format
)
_GIVEN = _ANSWERS('source!="none"')
_LOOKED_UP = _ANSWERS('source=~"cache|model"')
_FROM_CACHE = _ANSWERS('source="cache"')


def shop() -> Dashboard:
    """Return the dashboard."""
    return board(
        "xiaoer-shop",
        "Xiaoer · Shop",
        [
            ("Today", _today()),
            ("Answers", _answers()),
            ("People", _people()),
            ("Behind an answer", _behind()),
        ],
        choices=[choice("shop", "Shop", "label_values(xiaoer_gateway_requests_total, shop)")],
    )


def _rate(series: str, by: str = "") -> str:
    return f"sum{f' by ({by})' if by else ''}(rate({series}[$__rate_interval]))"


def _quantile(share: float, histogram: str, by: str = "") -> str:
    kept = f"{by}, le" if by else "le"
    return f"histogram_quantile({share}, {_rate(f'{histogram}_bucket', kept)})"


def _today() -> list[Panel]:
    return [
        figure(
            "Automation rate, 24 h",
            "percentunit",
            '1 - sum(increase(xiaoer_gateway_handoffs_total{shop=~"$shop"}[24h]))'
            ' / sum(increase(xiaoer_gateway_conversations_total{shop=~"$shop"}[24h]))',
            "Share of conversations that needed no person: one less tickets opened by "
            "conversations begun.",
            limits=[(0.6, "yellow"), (0.8, "green")],
            below="red",
        ),
        figure(
            "Cache hit rate, 24 h",
            "percentunit",
            f"sum(increase({_FROM_CACHE}[24h])) / sum(increase({_LOOKED_UP}[24h]))",
            "Share of answers to questions that came from the answer cache. Which questions: "
            "`make hot`; texts are never labels.",
        ),
        figure(
            "Time to first words, p95",
            "s",
            _quantile(0.95, "xiaoer_gateway_ttft_seconds"),
            "From a streamed request's arrival to its first clause. All shops.",
            limits=[(1.5, "red")],
        ),
        figure("Answers per second", "reqps", _rate(_GIVEN), "Of all sources."),
        figure(
            "Customers waiting for a person",
            "short",
            'sum(xiaoer_gateway_tickets_waiting{shop=~"$shop"})',
            "Open tickets that nobody has claimed.",
            limits=[(1, "yellow"), (10, "red")],
        ),
    ]


def _answers() -> list[Panel]:
    return [
        graph(
            "Answers by source",
            "reqps",
            Query(_rate(_GIVEN, "source"), "{{source}}"),
            says="model, cache, rail (a fixed line), agent (passed on to a person).",
        ),
        graph(
            "Cache hit rate",
            "percentunit",
            Query(f"{_rate(_FROM_CACHE)} / {_rate(_LOOKED_UP)}", "hit rate"),
            says="Falls after an import or new documents, since old answers are dropped.",
            top=1,
        ),
        graph(
            "Look-ups in the answer cache",
            "reqps",
            Query(_rate("xiaoer_gateway_answer_cache_total", "outcome"), "{{outcome}}"),
            says="How they ended. All shops.",
        ),
        graph(
            "Time to first words",
            "s",
            Query(_quantile(0.5, "xiaoer_gateway_ttft_seconds"), "p50"),
            Query(_quantile(0.95, "xiaoer_gateway_ttft_seconds"), "p95"),
            says="The objective is 1.5 s for 95 of 100. All shops.",
            limits=[(1.5, "red")],
        ),
    ]


def _people() -> list[Panel]:
    return [
        graph(
            "Handed to a person, by reason",
            "short",
            Query(
                'sum by (reason) (increase(xiaoer_gateway_handoffs_total{shop=~"$shop"}[1h]))',
                "{{reason}}",
            ),
            says="Tickets opened in the hour before.",
        ),
        graph(
            "Longest wait for a person",
            "s",
            Query(
                'max by (shop) (xiaoer_gateway_ticket_oldest_wait_seconds{shop=~"$shop"})',
                "{{shop}}",
            ),
            says="Of the tickets nobody has claimed, within the shop's service hours.",
            limits=[(600, "red")],
        ),
        graph(
            "Rails that did something",
            "reqps",
            Query(
                _rate('xiaoer_gateway_rails_total{action!="pass"}', "rail, action"),
                "{{rail}}: {{action}}",
            ),
            says="On messages and on answers. All shops.",
        ),
    ]


def _behind() -> list[Panel]:
    return [
        graph(
            "Tool calls",
            "reqps",
            Query(
                _rate("xiaoer_gateway_tool_calls_total", "tool, outcome"), "{{tool}}: {{outcome}}"
            ),
            says="As the model asked for them. All shops.",
        ),
        graph(
            "Where the time goes, p95",
            "s",
            Query(
                _quantile(0.95, "xiaoer_gateway_hop_seconds", "hop"),
                "{{hop}}",
            ),
            Query(
                _quantile(0.95, "xiaoer_tools_request_duration_seconds"), "inside the tools service"
            ),
            says="Waiting for one hop, once.",
        ),
        graph(
            "Tokens of a turn",
            "short",
            Query(_quantile(0.5, "xiaoer_gateway_turn_prompt_tokens"), "prompt, p50"),
            Query(_quantile(0.95, "xiaoer_gateway_turn_prompt_tokens"), "prompt, p95"),
            says="All model calls of a turn together.",
        ),
    ]

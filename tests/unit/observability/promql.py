"""What an expression asks for, by Prometheus' own grammar (promql-parser)."""

from collections.abc import Iterator
from typing import Any

import promql_parser

_CHILDREN = ("expr", "lhs", "rhs", "vector_selector", "param")


def metrics(expr: str) -> set[str]:
    """Return the names of the metrics in an expression.

    Raises:
        ValueError: it is not PromQL.
    """
    tree = promql_parser.parse(expr)
    return {str(node.name) for node in _nodes(tree) if _is(node, "VectorSelector")}


def functions(expr: str) -> set[str]:
    """Return the names of the functions that an expression calls."""
    return {node.func.name for node in _nodes(promql_parser.parse(expr)) if _is(node, "Call")}


def _nodes(node: Any) -> Iterator[Any]:
    yield node
    children = [getattr(node, name, None) for name in _CHILDREN]
    for child in (*children, *(getattr(node, "args", None) or ())):
        if child is not None:
            yield from _nodes(child)


def _is(node: Any, kind: str) -> bool:
    return type(node).__name__ == kind

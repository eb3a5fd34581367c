"""Order and product facts for display beside an answer.

Recognised by their shape, since tools are not named here; only the public facts listed below are
passed on, whatever else a tool may have said.
"""

from typing import Any

_ORDER = ("order_id", "status", "carrier", "tracking_no", "placed_at", "updated_at", "items")
_PRODUCT = ("product", "sku", "price", "currency", "stock", "ships_from", "warranty_months")
_MOST = 10


def cards_of(facts: Any) -> list[dict[str, Any]]:
    """Return the cards that a tool's result gives, at most ten."""
    if not isinstance(facts, dict) or "error" in facts:
        return []
    if "order_id" in facts:
        return [_card("order", facts, _ORDER)]
    if "sku" in facts:
        return [_card("product", facts, _PRODUCT)]
    orders = facts.get("orders")
    if isinstance(orders, list):
        found = [order for order in orders if isinstance(order, dict) and "order_id" in order]
        return [_card("order", order, _ORDER) for order in found[:_MOST]]
    return []


def _card(kind: str, facts: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {"type": kind, **{name: facts[name] for name in names if name in facts}}

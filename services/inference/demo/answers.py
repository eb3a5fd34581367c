"""What the assistant says for each situation, in both languages: short, and built of facts.

The wordings are data (``wordings.yaml``). One a situation keeps the tuned model's words
predictable; variety is on the customer's side (``phrasings/``).
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml

from services.inference.demo.world import Language

_UNDERWAY = {"awaiting_payment", "processing", "shipped"}
_SYMBOLS = {"CNY": "¥", "USD": "$", "EUR": "€", "GBP": "£"}


@cache
def _wordings(language: Language) -> dict[str, dict[str, str]]:
    data = yaml.safe_load(Path(__file__).with_name("wordings.yaml").read_text(encoding="utf-8"))
    wordings: dict[str, dict[str, str]] = data[language]
    return wordings


def say(language: Language, key: str, **facts: object) -> str:
    """Fill the wording ``key`` with facts; a missing fact is a KeyError."""
    return _wordings(language)["text"][key].format(**facts)


def money(price: str, currency: str) -> str:
    """Write a decimal string with its currency's symbol."""
    return _SYMBOLS[currency] + price


def _items(language: Language, items: list[dict[str, Any]]) -> str:
    if language == "zh":
        return "、".join(f"{item['name']}×{item['quantity']}" for item in items)
    return ", ".join(f"{item['quantity']} × {item['name']}" for item in items)


def order_answer(language: Language, ask: str, result: dict[str, Any], order_id: str) -> str:
    """Answer ``ask`` (status, tracking, items, time, eta) from an order tool's result.

    One wording serves status, parcel and contents: a model this small copies well and chooses
    badly.
    """
    if "error" in result:
        return error_answer(language, result["error"], order_id=order_id)
    facts = {
        **result,
        "status": _wordings(language)["status"][result["status"]],
        "items": _items(language, result["items"]),
    }
    if ask == "time":
        facts["updated_at"] = result["updated_at"].replace("T", " ").removesuffix("Z")[:16]
        return say(language, "updated", **facts)
    tracked = "carrier" in result and "tracking_no" in result
    if ask == "eta" and result["status"] in _UNDERWAY:
        return say(language, "eta_parcel" if tracked else "eta", **facts)
    return say(language, "parcel" if tracked else "no_parcel", **facts)


def list_answer(
    language: Language, ask: str, result: dict[str, Any], product: str | None = None
) -> str:
    """Answer ``ask`` (all, eta) from ``list_recent_orders``'s result; of ``product``'s order."""
    if "error" in result:
        return error_answer(language, result["error"])
    orders = result["orders"]
    if not orders:
        return say(language, "none")
    holding = [one for one in orders if product and product in str(one["items"])]
    if len(holding) == 1:
        return say(
            language,
            "holding",
            order_id=holding[0]["order_id"],
            items=_items(language, holding[0]["items"]),
            status=_wordings(language)["status"][holding[0]["status"]],
        )
    newest = orders[0]
    if ask == "eta" and newest["status"] in _UNDERWAY:
        return say(
            language,
            "latest_eta",
            order_id=newest["order_id"],
            items=_items(language, newest["items"]),
            status=_wordings(language)["status"][newest["status"]],
        )
    short, gap = _wordings(language)["short_status"], "" if language == "zh" else " "
    listed = ("；" if language == "zh" else "; ").join(
        f"{order['order_id']}{gap}{short[order['status']]}" for order in orders
    )
    return say(language, "all", orders=listed)


def product_answer(
    language: Language, result: dict[str, Any], product: str, *, of_warranty: bool = False
) -> str:
    """State a product's facts; that there is no warranty's is said when it was asked for."""
    if "error" in result:
        return error_answer(
            language, result["error"], product=product, candidates=result.get("candidates", [])
        )
    warranty = ""
    if "warranty_months" in result:
        warranty = say(language, "covered", **result)
    elif of_warranty:
        warranty = say(language, "not_covered")
    return say(
        language,
        "overview",
        product=result["product"],
        price=money(result["price"], result["currency"]),
        stock=say(language, "in_stock" if result["stock"] else "out_of_stock", **result),
        ships_from=result["ships_from"],
        warranty=warranty,
    )


def error_answer(
    language: Language,
    error: str,
    *,
    order_id: str = "",
    product: str = "",
    candidates: list[str] | None = None,
) -> str:
    """Say what a tool's expected miss means to the customer."""
    if error == "order_not_found":
        return say(language, error, order_id=order_id)
    if error == "product_not_found":
        return say(language, error, product=product)
    if error == "ambiguous_product":
        names = candidates or []
        if len(names) == 1:
            return say(language, "ambiguous", candidates=names[0])
        if language == "zh":
            listed = "、".join(names[:-1]) + "还是" + names[-1]
        else:
            listed = ", ".join(names[:-1]) + " or " + names[-1]
        return say(language, "ambiguous", candidates=listed)
    return say(language, {"sign_in_required": "sign_in", "tool_unavailable": "unavailable"}[error])

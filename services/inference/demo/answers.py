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
    """Answer ``ask`` (status, tracking, items, time, eta) from an order tool's result."""
    if "error" in result:
        return error_answer(language, result["error"], order_id=order_id)
    status = _wordings(language)["status"][result["status"]]
    facts = {**result, "status": status}
    if ask == "items":
        return say(
            language, "items", order_id=result["order_id"], items=_items(language, result["items"])
        )
    if ask == "time":
        updated_at = result["updated_at"].replace("T", " ").removesuffix("Z")[:16]
        return say(language, "updated", **facts | {"updated_at": updated_at})
    tracked = "carrier" in result and "tracking_no" in result
    if ask == "eta" and result["status"] in {"awaiting_payment", "processing", "shipped"}:
        return say(language, "eta_parcel" if tracked else "eta", **facts)
    if tracked and (ask == "tracking" or result["status"] == "shipped"):
        return say(language, "parcel", **facts)
    return say(language, "no_tracking" if ask == "tracking" else "no_parcel", **facts)


def list_answer(language: Language, ask: str, result: dict[str, Any]) -> str:
    """Answer ``ask`` (latest, eta, all) from ``list_recent_orders``'s result."""
    if "error" in result:
        return error_answer(language, result["error"])
    orders = result["orders"]
    if not orders:
        return say(language, "none")
    if ask == "all":
        join = "；" if language == "zh" else "; "
        short = _wordings(language)["short_status"]
        listed = join.join(
            f"{o['order_id']}{'' if language == 'zh' else ' '}{short[o['status']]}" for o in orders
        )
        return say(language, "all", count=len(orders), orders=listed)
    newest = orders[0]
    open_eta = ask == "eta" and newest["status"] in {"awaiting_payment", "processing", "shipped"}
    return say(
        language,
        "latest_eta" if open_eta else "latest",
        order_id=newest["order_id"],
        items=_items(language, newest["items"]),
        status=_wordings(language)["status"][newest["status"]],
    )


def product_answer(
    language: Language, ask: str, result: dict[str, Any], product: str, n: int = 0
) -> str:
    """Answer ``ask`` (price, stock, ships_from, warranty, overview, …) from a product's facts."""
    if "error" in result:
        return error_answer(
            language, result["error"], product=product, candidates=result.get("candidates", [])
        )
    facts = {**result, "price": money(result["price"], result["currency"]), "n": n}
    covered = "warranty_months" in result
    if ask == "stock" and result["stock"] == 0:
        key = "out"
    elif ask == "quantity":
        key = "enough" if result["stock"] >= n else "short"
    elif not covered and ask in {"warranty", "price_warranty", "overview"}:
        key = {
            "warranty": "no_warranty",
            "price_warranty": "price_no_warranty",
            "overview": "overview_no_warranty",
        }[ask]
    else:
        key = ask
    return say(language, key, **facts)


def compare_answer(language: Language, first: dict[str, Any], second: dict[str, Any]) -> str:
    """State both prices and which is lower; both results must be products."""
    a, b = float(first["price"]), float(second["price"])
    facts = {
        "a": first["product"],
        "b": second["product"],
        "price_a": money(first["price"], first["currency"]),
        "price_b": money(second["price"], second["currency"]),
    }
    if a == b:
        return say(language, "same_price", **facts)
    return say(language, "cheaper", cheaper=facts["a" if a < b else "b"], **facts)


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
        if language == "zh":
            listed = "、".join(names[:-1]) + "还是" + names[-1]
        else:
            listed = ", ".join(names[:-1]) + " or " + names[-1]
        return say(language, "ambiguous", candidates=listed)
    return say(language, {"sign_in_required": "sign_in", "tool_unavailable": "unavailable"}[error])

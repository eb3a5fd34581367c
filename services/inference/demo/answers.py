"""What the assistant says for each situation, in both languages: short, and built of facts.

One wording a situation keeps the tuned model's words predictable; variety is on the
customer's side (``phrasings/``).
"""

from __future__ import annotations

from typing import Any

from services.inference.demo.world import Language

_SYMBOLS = {"CNY": "¥", "USD": "$", "EUR": "€", "GBP": "£"}

_STATUS: dict[Language, dict[str, str]] = {
    "zh": {
        "awaiting_payment": "待付款", "processing": "正在处理，尚未发货", "shipped": "已发货",
        "delivered": "已签收", "cancelled": "已取消", "returned": "已退货",
    },
    "en": {
        "awaiting_payment": "is awaiting payment", "processing": "is being processed and has not shipped yet",
        "shipped": "has shipped", "delivered": "has been delivered", "cancelled": "was cancelled",
        "returned": "was returned",
    },
}  # fmt: skip

_SHORT_STATUS: dict[Language, dict[str, str]] = {
    "zh": _STATUS["zh"] | {"processing": "处理中"},
    "en": {
        "awaiting_payment": "awaiting payment", "processing": "processing", "shipped": "shipped",
        "delivered": "delivered", "cancelled": "cancelled", "returned": "returned",
    },
}  # fmt: skip

_TEXT: dict[Language, dict[str, str]] = {
    "zh": {
        "parcel": "订单{order_id}{status}，由{carrier}配送，运单号{tracking_no}。",
        "no_parcel": "订单{order_id}{status}。",
        "no_tracking": "订单{order_id}{status}，暂无物流信息。",
        "items": "订单{order_id}里有{items}。",
        "updated": "订单{order_id}{status}，最近更新时间是{updated_at}（UTC）。",
        "eta": "订单{order_id}{status}，具体送达时间暂无法确认。",
        "eta_parcel": "订单{order_id}{status}，{carrier}运单号{tracking_no}，具体送达时间暂无法确认。",
        "order_not_found": "没有查到订单{order_id}，请核对订单号。",
        "sign_in": "请先登录，我才能查询您的订单。",
        "latest": "您最近的订单是{order_id}（{items}），{status}。",
        "latest_eta": "您最近的订单是{order_id}（{items}），{status}，具体送达时间暂无法确认。",
        "all": "您最近有{count}个订单：{orders}。",
        "none": "没有查到您的订单。",
        "unavailable": "抱歉，现在暂时查不到，请稍后再试。",
        "price": "{product}的价格是{price}。",
        "stock": "{product}有现货，库存{stock}件。",
        "out": "{product}目前缺货。",
        "ships_from": "{product}从{ships_from}发货。",
        "warranty": "{product}保修{warranty_months}个月。",
        "no_warranty": "{product}的保修期暂无法确认。",
        "overview": "{product}的价格是{price}，库存{stock}件，从{ships_from}发货，保修{warranty_months}个月。",
        "overview_no_warranty": "{product}的价格是{price}，库存{stock}件，从{ships_from}发货。",
        "price_stock": "{product}的价格是{price}，库存{stock}件。",
        "price_warranty": "{product}的价格是{price}，保修{warranty_months}个月。",
        "price_no_warranty": "{product}的价格是{price}，保修期暂无法确认。",
        "stock_ships": "{product}库存{stock}件，从{ships_from}发货。",
        "enough": "{product}库存{stock}件，{n}件有货。",
        "short": "{product}库存只有{stock}件，不够{n}件。",
        "cheaper": "{a}的价格是{price_a}，{b}的价格是{price_b}，{cheaper}更便宜。",
        "same_price": "{a}和{b}的价格都是{price_a}。",
        "product_not_found": "没有找到“{product}”，请核对商品名称。",
        "ambiguous": "请问您说的是哪一款：{candidates}？",
        "unconfirmed": "抱歉，这一点我暂时无法确认。",
        "order_action": "抱歉，我只能查询订单，无法代您修改或取消。",
        "greeting": "您好，请问想查订单、商品还是店铺规则？",
        "thanks": "不客气，有需要随时找我。",
        "bye": "再见，祝您生活愉快。",
        "who_are_you": "我是{shop}的智能客服，可以查订单、商品和店铺规则。",
        "offtopic": "抱歉，我只能回答本店的订单、商品和规则问题。",
        "complaint": "很抱歉给您带来不便，请告诉我订单号或商品名，我马上查。",
        "unclear": "请问您想查哪个订单或哪件商品？",
    },
    "en": {
        "parcel": "Order {order_id} {status} with {carrier}, tracking number {tracking_no}.",
        "no_parcel": "Order {order_id} {status}.",
        "no_tracking": "Order {order_id} {status}; there is no tracking information yet.",
        "items": "Order {order_id} contains {items}.",
        "updated": "Order {order_id} {status}; it was last updated at {updated_at} (UTC).",
        "eta": "Order {order_id} {status}; I can't confirm the exact delivery time.",
        "eta_parcel": "Order {order_id} {status} with {carrier}, tracking number {tracking_no}; I can't confirm the exact delivery time.",
        "order_not_found": "I couldn't find order {order_id}; please check the number.",
        "sign_in": "Please sign in first so that I can look up your orders.",
        "latest": "Your latest order is {order_id} ({items}); it {status}.",
        "latest_eta": "Your latest order is {order_id} ({items}); it {status}, but I can't confirm the exact delivery time.",
        "all": "Your recent orders ({count}): {orders}.",
        "none": "I found no orders of yours.",
        "unavailable": "Sorry, I can't look that up right now; please try again later.",
        "price": "The price of the {product} is {price}.",
        "stock": "We have {stock} of the {product} in stock.",
        "out": "Sorry, we have no {product} in stock.",
        "ships_from": "We ship the {product} from {ships_from}.",
        "warranty": "The warranty of the {product} is {warranty_months} months.",
        "no_warranty": "I can't confirm the warranty of the {product}.",
        "overview": "The price of the {product} is {price}; we have {stock} in stock, ship from {ships_from}, and the warranty is {warranty_months} months.",
        "overview_no_warranty": "The price of the {product} is {price}; we have {stock} in stock and ship from {ships_from}.",
        "price_stock": "The price of the {product} is {price}, and we have {stock} in stock.",
        "price_warranty": "The price of the {product} is {price}, and the warranty is {warranty_months} months.",
        "price_no_warranty": "The price of the {product} is {price}; I can't confirm the warranty.",
        "stock_ships": "We have {stock} of the {product} in stock and ship from {ships_from}.",
        "enough": "We have {stock} of the {product} in stock, enough for {n}.",
        "short": "We have only {stock} of the {product} in stock, not enough for {n}.",
        "cheaper": "The price of the {a} is {price_a} and of the {b} {price_b}; the cheaper one is the {cheaper}.",
        "same_price": "The price of the {a} and of the {b} is the same, {price_a}.",
        "product_not_found": "I couldn't find \"{product}\"; please check the product name.",
        "ambiguous": "Which one do you mean: {candidates}?",
        "unconfirmed": "Sorry, I can't confirm that.",
        "order_action": "Sorry, I can only look orders up, not change or cancel them.",
        "greeting": "Hello! Would you like to know about an order, a product or our policies?",
        "thanks": "You're welcome, I'm here whenever you need me.",
        "bye": "Goodbye, have a nice day.",
        "who_are_you": "I'm the virtual assistant of {shop}; I can look up orders, products and shop policies.",
        "offtopic": "Sorry, I can only help with this shop's orders, products and policies.",
        "complaint": "I'm sorry about the trouble; tell me the order number or product and I'll check.",
        "unclear": "Which order or product would you like to know about?",
    },
}  # fmt: skip


def say(language: Language, key: str, **facts: object) -> str:
    """Fill the wording ``key`` with facts; a missing fact is a KeyError."""
    return _TEXT[language][key].format(**facts)


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
    status = _STATUS[language][result["status"]]
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
        join, short = (
            ("；", _SHORT_STATUS["zh"]) if language == "zh" else ("; ", _SHORT_STATUS["en"])
        )
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
        status=_STATUS[language][newest["status"]],
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

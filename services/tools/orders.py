"""Tools about a customer's own orders. Every query is bound to the token's shop and customer."""

from datetime import datetime

import msgspec
from sqlalchemy import Select, and_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.tools.calls import Call, Miss
from services.tools.db.models import KEY_LENGTH, Order, OrderItem, Product
from services.tools.text import identifier_key

_RECENT = 5


class Item(msgspec.Struct):
    """One line of an order."""

    name: str
    quantity: int


class OrderStatus(msgspec.Struct, kw_only=True):
    """Result of query_order_status; facts that there are not are left out."""

    order_id: str
    status: str
    carrier: str | msgspec.UnsetType = msgspec.UNSET
    tracking_no: str | msgspec.UnsetType = msgspec.UNSET
    updated_at: datetime
    items: list[Item]


class RecentOrder(msgspec.Struct):
    """One order of list_recent_orders."""

    order_id: str
    status: str
    placed_at: datetime
    items: list[Item]


class RecentOrders(msgspec.Struct):
    """Result of list_recent_orders."""

    orders: list[RecentOrder]


async def query_order_status(call: Call, order_id: str) -> OrderStatus | Miss:
    """Status, carrier, tracking number and items of one order.

    :param order_id: Order number as the customer wrote it.
    """
    key = identifier_key(order_id[: 4 * KEY_LENGTH])
    # Nobody's order and somebody else's are one case: the query finds neither.
    query = select(Order).where(
        Order.shop == call.caller.shop,
        Order.customer_id == call.caller.customer,
        Order.order_key == key,
    )
    async with call.database.connect() as connection:
        order = (await connection.execute(query)).one_or_none() if key else None
        if order is None:
            return Miss("order_not_found")
        items = await _items(call, connection, [key])
    return OrderStatus(
        order_id=order.order_id,
        status=order.status,
        carrier=order.carrier or msgspec.UNSET,
        tracking_no=order.tracking_no or msgspec.UNSET,
        updated_at=order.updated_at.replace(microsecond=0),
        items=items.get(key, []),
    )


async def list_recent_orders(call: Call) -> RecentOrders:
    """The customer's latest orders, newest first. For when no order number is given."""
    query = (
        select(Order.order_key, Order.order_id, Order.status, Order.placed_at)
        .where(Order.shop == call.caller.shop, Order.customer_id == call.caller.customer)
        .order_by(Order.placed_at.desc(), Order.order_key.desc())
        .limit(_RECENT)
    )
    async with call.database.connect() as connection:
        orders = (await connection.execute(query)).all()
        items = await _items(call, connection, [order.order_key for order in orders])
    return RecentOrders(
        [
            RecentOrder(
                order_id=order.order_id,
                status=order.status,
                placed_at=order.placed_at.replace(microsecond=0),
                items=items.get(order.order_key, []),
            )
            for order in orders
        ]
    )


async def _items(
    call: Call, connection: AsyncConnection, order_keys: list[str]
) -> dict[str, list[Item]]:
    """Items of orders already found to be the customer's, by order."""
    items: dict[str, list[Item]] = {}
    if order_keys:
        for row in await connection.execute(_items_query(call.caller.shop, order_keys)):
            name = call.name(row.name_zh, row.name_en)
            items.setdefault(row.order_key, []).append(Item(name, row.quantity))
    return items


def _items_query(shop: str, order_keys: list[str]) -> Select[str, int, str, str]:
    return (
        select(OrderItem.order_key, OrderItem.quantity, Product.name_zh, Product.name_en)
        .join(Product, and_(Product.shop == OrderItem.shop, Product.sku == OrderItem.sku))
        .where(OrderItem.shop == shop, OrderItem.order_key.in_(order_keys))
        .order_by(OrderItem.order_key, OrderItem.position)
    )

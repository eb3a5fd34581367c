"""The shop's tables. Every row carries its shop, and every key begins with it."""

from datetime import datetime
from decimal import Decimal

from sqlalchemy import (
    CheckConstraint,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    String,
    Text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from services.tools.db.types import Money, UtcDateTime

ORDER_STATUSES = (
    "awaiting_payment",
    "processing",
    "shipped",
    "delivered",
    "cancelled",
    "returned",
)

SHOP_LENGTH = 64
KEY_LENGTH = 128
NAME_LENGTH = 256


class Base(DeclarativeBase):
    """Common metadata; constraint names are fixed so that migrations can name them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class Catalogue(Base):
    """Version of a shop's products; raised by each import, so that name indexes know."""

    __tablename__ = "catalogues"

    shop: Mapped[str] = mapped_column(String(SHOP_LENGTH), primary_key=True)
    version: Mapped[int] = mapped_column(Integer)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Product(Base):
    """One thing a shop sells. A name is empty where the shop has none in that language."""

    __tablename__ = "products"
    __table_args__ = (
        CheckConstraint("price >= 0", name="price"),
        CheckConstraint("stock >= 0", name="stock"),
    )

    shop: Mapped[str] = mapped_column(String(SHOP_LENGTH), primary_key=True)
    sku: Mapped[str] = mapped_column(String(KEY_LENGTH), primary_key=True)
    name_zh: Mapped[str] = mapped_column(String(NAME_LENGTH))
    name_en: Mapped[str] = mapped_column(String(NAME_LENGTH))
    price: Mapped[Decimal] = mapped_column(Money)
    currency: Mapped[str] = mapped_column(String(3))
    stock: Mapped[int] = mapped_column(Integer)
    ships_from: Mapped[str | None] = mapped_column(String(NAME_LENGTH))
    warranty_months: Mapped[int | None] = mapped_column(Integer)
    description: Mapped[str] = mapped_column(Text)


class Order(Base):
    """One customer's order. `order_key` is `order_id` as it is compared (text.identifier_key)."""

    __tablename__ = "orders"
    __table_args__ = (
        CheckConstraint(
            "status IN ({})".format(", ".join(f"'{status}'" for status in ORDER_STATUSES)),
            name="status",
        ),
        CheckConstraint("total >= 0", name="total"),
        Index(None, "shop", "customer_id", "placed_at"),
    )

    shop: Mapped[str] = mapped_column(String(SHOP_LENGTH), primary_key=True)
    order_key: Mapped[str] = mapped_column(String(KEY_LENGTH), primary_key=True)
    order_id: Mapped[str] = mapped_column(String(KEY_LENGTH))
    customer_id: Mapped[str] = mapped_column(String(KEY_LENGTH))
    status: Mapped[str] = mapped_column(String(20))
    carrier: Mapped[str | None] = mapped_column(String(NAME_LENGTH))
    tracking_no: Mapped[str | None] = mapped_column(String(KEY_LENGTH))
    placed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
    total: Mapped[Decimal] = mapped_column(Money)
    currency: Mapped[str] = mapped_column(String(3))


class OrderItem(Base):
    """One line of an order, in the order's own sequence."""

    __tablename__ = "order_items"
    __table_args__ = (
        ForeignKeyConstraint(["shop", "order_key"], ["orders.shop", "orders.order_key"]),
        ForeignKeyConstraint(["shop", "sku"], ["products.shop", "products.sku"]),
        CheckConstraint("quantity > 0", name="quantity"),
        CheckConstraint("unit_price >= 0", name="unit_price"),
    )

    shop: Mapped[str] = mapped_column(String(SHOP_LENGTH), primary_key=True)
    order_key: Mapped[str] = mapped_column(String(KEY_LENGTH), primary_key=True)
    position: Mapped[int] = mapped_column(Integer, primary_key=True)
    sku: Mapped[str] = mapped_column(String(KEY_LENGTH))
    quantity: Mapped[int] = mapped_column(Integer)
    unit_price: Mapped[Decimal] = mapped_column(Money)

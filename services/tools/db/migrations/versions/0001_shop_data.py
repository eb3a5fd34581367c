"""Catalogues, products, orders and their items."""

import sqlalchemy as sa
from alembic import op

from services.tools.db.types import Money, UtcDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the shop's tables."""
    op.create_table(
        "catalogues",
        sa.Column("shop", sa.String(64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("shop", name="pk_catalogues"),
    )
    op.create_table(
        "products",
        sa.Column("shop", sa.String(64), nullable=False),
        sa.Column("sku", sa.String(128), nullable=False),
        sa.Column("name_zh", sa.String(256), nullable=False),
        sa.Column("name_en", sa.String(256), nullable=False),
        sa.Column("price", Money(), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("stock", sa.Integer(), nullable=False),
        sa.Column("ships_from", sa.String(256)),
        sa.Column("warranty_months", sa.Integer()),
        sa.Column("description", sa.Text(), nullable=False),
        sa.CheckConstraint("price >= 0", name="ck_products_price"),
        sa.CheckConstraint("stock >= 0", name="ck_products_stock"),
        sa.PrimaryKeyConstraint("shop", "sku", name="pk_products"),
    )
    _create_orders()


def _create_orders() -> None:
    op.create_table(
        "orders",
        sa.Column("shop", sa.String(64), nullable=False),
        sa.Column("order_key", sa.String(128), nullable=False),
        sa.Column("order_id", sa.String(128), nullable=False),
        sa.Column("customer_id", sa.String(128), nullable=False),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("carrier", sa.String(256)),
        sa.Column("tracking_no", sa.String(128)),
        sa.Column("placed_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("total", Money(), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.CheckConstraint(
            "status IN ('awaiting_payment', 'processing', 'shipped', 'delivered', "
            "'cancelled', 'returned')",
            name="ck_orders_status",
        ),
        sa.CheckConstraint("total >= 0", name="ck_orders_total"),
        sa.PrimaryKeyConstraint("shop", "order_key", name="pk_orders"),
    )
    op.create_index(
        "ix_orders_shop_customer_id_placed_at", "orders", ["shop", "customer_id", "placed_at"]
    )
    op.create_table(
        "order_items",
        sa.Column("shop", sa.String(64), nullable=False),
        sa.Column("order_key", sa.String(128), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("sku", sa.String(128), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("unit_price", Money(), nullable=False),
        sa.CheckConstraint("quantity > 0", name="ck_order_items_quantity"),
        sa.CheckConstraint("unit_price >= 0", name="ck_order_items_unit_price"),
        sa.ForeignKeyConstraint(
            ["shop", "order_key"],
            ["orders.shop", "orders.order_key"],
            name="fk_order_items_orders",
        ),
        sa.ForeignKeyConstraint(
            ["shop", "sku"], ["products.shop", "products.sku"], name="fk_order_items_products"
        ),
        sa.PrimaryKeyConstraint("shop", "order_key", "position", name="pk_order_items"),
    )


def downgrade() -> None:
    """Drop the shop's tables."""
    op.drop_table("order_items")
    op.drop_index("ix_orders_shop_customer_id_placed_at", table_name="orders")
    op.drop_table("orders")
    op.drop_table("products")
    op.drop_table("catalogues")

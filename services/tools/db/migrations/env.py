"""Alembic's entry point. The caller hands over its connection, with the transaction open."""

from alembic import context

from services.tools.db.models import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()

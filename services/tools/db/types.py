"""Column types that mean the same on SQLite and PostgreSQL: exact money, UTC times."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, DateTime, Dialect, Numeric, String, TypeDecorator
from sqlalchemy.types import TypeEngine

MONEY_DIGITS = 14
MONEY_SCALE = 2
_CENT = Decimal(1).scaleb(-MONEY_SCALE)


def to_minor_units(amount: Decimal) -> int:
    """Amount as a whole number of hundredths; ValueError if it has finer parts."""
    scaled = amount.scaleb(MONEY_SCALE)
    if scaled != scaled.to_integral_value():
        raise ValueError("an amount has at most two decimals")
    return int(scaled)


def utc_text(moment: datetime) -> str:
    """Moment as SQLite keeps it, in UTC to the second; sorts by time. ValueError if naive."""
    if moment.tzinfo is None:
        raise ValueError("a time needs a zone")
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Money(TypeDecorator[Decimal]):
    """Decimal with two places: NUMERIC on PostgreSQL, whole hundredths on SQLite.

    SQLite has no decimal type and would keep 79.90 as binary floating point.
    """

    impl = Numeric(MONEY_DIGITS, MONEY_SCALE)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Pick the column type."""
        if dialect.name == "sqlite":
            return dialect.type_descriptor(BigInteger())
        return dialect.type_descriptor(Numeric(MONEY_DIGITS, MONEY_SCALE))

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> Any:
        """Decimal to what the driver takes."""
        if value is None or dialect.name != "sqlite":
            return value
        return to_minor_units(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        """Turn what the driver gives into Decimal."""
        if value is None:
            return None
        if dialect.name == "sqlite":
            return Decimal(value).scaleb(-MONEY_SCALE)
        return Decimal(value).quantize(_CENT)


class UtcDateTime(TypeDecorator[datetime]):
    """Aware datetime in UTC: TIMESTAMPTZ on PostgreSQL, ISO 8601 text on SQLite."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Pick the column type."""
        if dialect.name == "sqlite":
            return dialect.type_descriptor(String(20))
        return dialect.type_descriptor(DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """Aware datetime to what the driver takes; ValueError if it is naive."""
        if value is None:
            return None
        text = utc_text(value)
        return text if dialect.name == "sqlite" else value.astimezone(UTC)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Turn what the driver gives into an aware datetime in UTC."""
        if value is None:
            return None
        if dialect.name == "sqlite":
            return datetime.fromisoformat(value)
        moment: datetime = value
        return moment.astimezone(UTC)

"""What a cell of an import file may hold. Each reader raises ValueError with the reason."""

import re
from datetime import UTC, datetime
from decimal import Decimal

from services.tools.db.models import KEY_LENGTH, NAME_LENGTH, ORDER_STATUSES
from services.tools.text import identifier_key

_AMOUNT = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,2})?")
_COUNT = re.compile(r"[0-9]{1,9}")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_DESCRIPTION_LENGTH = 65_536
_STATUSES = frozenset(ORDER_STATUSES)
# ISO 4217, codes in use as money (without funds, metals and test codes).
_CURRENCY_CODES = """
    AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP
    BYN BZD CAD CDF CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP
    GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR
    KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK
    MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR
    SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS
    UAH UGX USD UYU UZS VED VES VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG
"""
_CURRENCIES = frozenset(_CURRENCY_CODES.split())


def amount(text: str) -> Decimal:
    """Read a price: not negative, at most two decimals."""
    if not _AMOUNT.fullmatch(text):
        raise ValueError("is not an amount such as 599.00, not negative, with at most two decimals")
    return Decimal(text)


def count(text: str) -> int:
    """Read a whole number from 0."""
    if not _COUNT.fullmatch(text):
        raise ValueError("is not a whole number from 0 to 999999999")
    return int(text)


def quantity(text: str) -> int:
    """Read a whole number from 1."""
    if not _COUNT.fullmatch(text) or not (number := int(text)):
        raise ValueError("is not a whole number from 1 to 999999999")
    return number


def optional_count(text: str) -> int | None:
    """Read a whole number from 0, or nothing."""
    return count(text) if text else None


def currency(text: str) -> str:
    """Read an ISO 4217 code."""
    if text not in _CURRENCIES:
        raise ValueError("is not an ISO 4217 currency code such as CNY")
    return text


def status(text: str) -> str:
    """Read an order's status."""
    if text not in _STATUSES:
        raise ValueError(f"is not one of {', '.join(ORDER_STATUSES)}")
    return text


def moment(text: str) -> datetime:
    """Read an ISO 8601 time with its zone; to the second, in UTC."""
    try:
        value = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("is not an ISO 8601 time such as 2024-12-01T18:15:00+08:00") from None
    if value.tzinfo is None:
        raise ValueError("has no zone; write 2024-12-01T18:15:00+08:00 or …Z")
    if not 1970 <= value.year <= 9998:
        raise ValueError("is not between the years 1970 and 9998")
    return value.astimezone(UTC).replace(microsecond=0)


def identifier(text: str) -> str:
    """Read a SKU, an order's or a customer's id: it must be there."""
    if not text:
        raise ValueError("is empty")
    return _short(text, KEY_LENGTH)


def order_number(text: str) -> str:
    """Read an order's id: something must be left of it when it is compared."""
    identifier(text)
    if not 0 < len(identifier_key(text)) <= KEY_LENGTH:
        raise ValueError("has no letters or digits, or too many")
    return text


def name(text: str) -> str:
    """Read a name; it may be empty."""
    return _short(text, NAME_LENGTH)


def optional_name(text: str) -> str | None:
    """Read a name, or nothing."""
    return _short(text, NAME_LENGTH) if text else None


def optional_identifier(text: str) -> str | None:
    """Read a tracking number, or nothing."""
    return _short(text, KEY_LENGTH) if text else None


def description(text: str) -> str:
    """Read running text; it may be empty and hold line breaks."""
    return _short(text, _DESCRIPTION_LENGTH)


def _short(text: str, longest: int) -> str:
    if len(text) > longest:
        raise ValueError(f"is longer than {longest} characters")
    if _CONTROL.search(text):
        raise ValueError("holds a control character")
    return text

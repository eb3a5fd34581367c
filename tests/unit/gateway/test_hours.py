from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from services.gateway.handoff.hours import ServiceHours, said

DAY = ServiceHours("09:00", "21:00")
NIGHT = ServiceHours("20:00", "02:00", ("fri", "sat"))


def at(text: str) -> datetime:
    """A moment by the clock of Shanghai."""
    return datetime.fromisoformat(f"{text}+08:00")


@pytest.mark.parametrize(
    ("hours", "moment", "is_open"),
    [
        (DAY, "2026-11-24T09:00", True),
        (DAY, "2026-11-24T20:59", True),
        (DAY, "2026-11-24T21:00", False),
        (DAY, "2026-11-24T08:59", False),
        (NIGHT, "2026-11-27T23:00", True),
        (NIGHT, "2026-11-29T01:59", True),
        (NIGHT, "2026-11-29T02:00", False),
        (NIGHT, "2026-11-26T23:00", False),
        (ServiceHours("00:00", "24:00", ("tue",)), "2026-11-24T23:59", True),
        (ServiceHours("00:00", "24:00", ("tue",)), "2026-11-25T00:00", False),
    ],
)
def test_when_agents_are_at_work(hours: ServiceHours, moment: str, is_open: bool) -> None:
    assert hours.open_at(at(moment)) is is_open
    assert hours.open_at(at(moment).astimezone(UTC)) is is_open


@pytest.mark.parametrize(
    ("hours", "moment", "opening", "zh", "en"),
    [
        (DAY, "2026-11-24T03:00", "2026-11-24T09:00", "今天09:00", "today at 09:00"),
        (DAY, "2026-11-24T22:00", "2026-11-25T09:00", "明天09:00", "tomorrow at 09:00"),
        (NIGHT, "2026-11-24T22:00", "2026-11-27T20:00", "周五20:00", "on Friday at 20:00"),
    ],
)
def test_when_they_are_back(
    hours: ServiceHours, moment: str, opening: str, zh: str, en: str
) -> None:
    found = hours.next_opening(at(moment))
    assert found == at(opening)
    assert said(found, at(moment), "zh") == zh
    assert said(found, at(moment), "en") == en


@pytest.mark.parametrize(
    "wrong",
    [
        {"opens": "9:00", "closes": "21:00"},
        {"opens": "09:00", "closes": "09:00"},
        {"opens": "09:00", "closes": "25:00"},
        {"opens": "09:00", "closes": "21:00", "days": []},
        {"opens": "09:00", "closes": "21:00", "days": ["funday"]},
        {"opens": "09:00", "closes": "21:00", "timezone": "Mars/Olympus"},
    ],
)
def test_wrong_hours_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(wrong, ServiceHours)

"""When a shop's agents are at work."""

import re
from datetime import datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_CLOCK = re.compile(r"([01]\d|2[0-3]):[0-5]\d\Z|24:00\Z")


class ServiceHours(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The same hours on each working day; opening after closing means overnight."""

    opens: str
    closes: str
    """`HH:MM`; `24:00` is the end of the day."""
    days: tuple[Weekday, ...] = WEEKDAYS
    timezone: str = "Asia/Shanghai"

    def __post_init__(self) -> None:
        """Check what the types do not say.

        Raises:
            ValueError: naming the field.
        """
        for name in ("opens", "closes"):
            if not _CLOCK.match(getattr(self, name)):
                raise ValueError(f"{name} must be a time such as 09:00")
        if self.opens == self.closes or self.opens == "24:00":
            raise ValueError("opens and closes must be two times of the day")
        if not self.days:
            raise ValueError("days must name at least one weekday, such as mon")
        try:
            ZoneInfo(self.timezone)
        except (ZoneInfoNotFoundError, ValueError) as exc:
            raise ValueError("timezone must be an IANA name such as Asia/Shanghai") from exc

    def open_at(self, moment: datetime) -> bool:
        """Tell whether agents are at work at a moment, which has a time zone."""
        return self.opened_since(moment) is not None

    def opened_since(self, moment: datetime) -> datetime | None:
        """Return since when agents are at work at a moment; None while they are not."""
        here = moment.astimezone(ZoneInfo(self.timezone))
        for day in (here.date() - timedelta(days=1), here.date()):
            opening, closing = self._shift(datetime.combine(day, time(), here.tzinfo))
            if WEEKDAYS[day.weekday()] in self.days and opening <= here < closing:
                return opening
        return None

    def next_opening(self, moment: datetime) -> datetime:
        """Return when agents are back after a moment, in the shop's time zone."""
        here = moment.astimezone(ZoneInfo(self.timezone))
        for ahead in range(8):
            day = here.date() + timedelta(days=ahead)
            opening, _ = self._shift(datetime.combine(day, time(), here.tzinfo))
            if opening > here and WEEKDAYS[day.weekday()] in self.days:
                return opening
        raise AssertionError("a week has at least one working day")

    def _shift(self, midnight: datetime) -> tuple[datetime, datetime]:
        opening = midnight + _since_midnight(self.opens)
        closing = midnight + _since_midnight(self.closes)
        return opening, closing if closing > opening else closing + timedelta(days=1)


def _since_midnight(clock: str) -> timedelta:
    hours, minutes = clock.split(":")
    return timedelta(hours=int(hours), minutes=int(minutes))


def said(opening: datetime, moment: datetime, language: Literal["zh", "en"]) -> str:
    """Return an opening as it is said at a moment: 明天09:00, tomorrow at 09:00."""
    days = (opening.date() - moment.astimezone(opening.tzinfo).date()).days
    clock = opening.strftime("%H:%M")
    if language == "zh":
        named = {0: "今天", 1: "明天"}.get(days, "周" + "一二三四五六日"[opening.weekday()])
        return named + clock
    named = {0: "today", 1: "tomorrow"}.get(days, "on " + opening.strftime("%A"))
    return f"{named} at {clock}"

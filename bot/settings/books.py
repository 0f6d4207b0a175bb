"""Settings of the books: when a day ends, how often an account is looked at for them, and how long that is kept."""

import re
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BeforeValidator, Field

from bot.settings.section import Section
from bot.settings.values import Optional, SomeSeconds, Whole, read_text, shown

_TIME_OF_DAY = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]", re.ASCII)


def _a_time_zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"must be a time zone such as UTC or Europe/Berlin, not {shown(value)}") from error
    return value


def _a_time_of_day(value: str) -> str:
    if not _TIME_OF_DAY.fullmatch(value):
        raise ValueError(f"must be a time of day such as 00:00, not {shown(value)}")
    return value


TimeZone = Annotated[str, BeforeValidator(read_text), AfterValidator(_a_time_zone)]
TimeOfDay = Annotated[str, BeforeValidator(read_text), AfterValidator(_a_time_of_day)]


class BooksSettings(Section):
    """What the books of an account go by (mission F1-F4)."""

    time_zone: TimeZone = Field(default="UTC", description="days begin and end by its clocks")
    day_starts_at: TimeOfDay = Field(
        default="00:00", description="time of day at which the next day begins", json_schema_extra={"unit": "HH:MM"}
    )
    cash_events_seconds: Optional[SomeSeconds] = Field(
        default=None,
        description="from one reading of deposits, withdrawals and fees to the next; null = 300 with real money, "
        "20 on paper",
    )
    equity_point_seconds: Optional[SomeSeconds] = Field(
        default=None,
        description="from one note of what an account is worth to the next; null = 300 with real money, 20 on paper",
    )
    price_max_age_seconds: SomeSeconds = Field(
        default=120.0, description="what has only an older price is shown apart and not valued"
    )
    keep_equity_points_days: Annotated[Whole, Field(ge=8, le=36_500)] = Field(
        default=400,
        description="notes of worth are kept so long; those older than a week by the hour",
        json_schema_extra={"unit": "days"},
    )

"""Days of the books: which day a moment belongs to, in a time zone, with a set start."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError


@dataclass(frozen=True)
class DayBoundary:
    """Days begin at `starts_at` on the clocks of `zone`; a day has 23 or 25 hours when those are changed.

    A start that the clocks jump over is as long after the jump as it should have been before it; of a start that comes
    twice the first counts.
    """

    zone: ZoneInfo
    starts_at: time = time(0, 0)

    @classmethod
    def of(cls, zone_name: str, starts_at: str = "00:00") -> "DayBoundary":
        """From settings. Raises ValueError, naming the setting, for an unknown zone or a start that is no HH:MM."""
        try:
            zone = ZoneInfo(zone_name)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError(f"time_zone: {zone_name!r} is no time zone; write one such as Europe/Berlin") from error
        try:
            moment = datetime.strptime(starts_at, "%H:%M").replace(tzinfo=UTC)
        except ValueError as error:
            raise ValueError(f"day_starts_at: {starts_at!r} is no time of day; write it as 00:00") from error
        return cls(zone, moment.time())

    def starts(self, day: date) -> datetime:
        """The first moment of a day, in UTC."""
        return datetime.combine(day, self.starts_at, self.zone).astimezone(UTC)

    def bounds(self, day: date) -> tuple[datetime, datetime]:
        """First moment of the day and first moment of the next, in UTC."""
        return self.starts(day), self.starts(day + timedelta(days=1))

    def day_of(self, moment: datetime) -> date:
        """The day a moment belongs to. Raises ValueError for a time without a zone."""
        if moment.tzinfo is None:
            raise ValueError("a time without a zone belongs to no day")
        day = moment.astimezone(self.zone).date() + timedelta(days=1)
        while self.starts(day) > moment:
            day -= timedelta(days=1)
        return day

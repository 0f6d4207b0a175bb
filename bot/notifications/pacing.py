"""Which of the waiting rows may be told now: often enough to be heard, and seldom enough to be read.

One cause is told of once in a while (`page`); what comes of it meanwhile is told with the next one, unless it is more
severe than what was told. In an hour only so many messages go out, of which a quarter is kept for what is critical;
the last one says that this is so, and everything else waits and is told together.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

from bot.settings.notifications import NotificationSettings
from bot.storage.notifications import Notification, Telling

OVER = "over"
RANKS: Mapping[str, int] = {OVER: 0, "info": 1, "warning": 2, "critical": 3}
HOUR = timedelta(hours=1)
FIRST_PAUSE_SECONDS = 30.0
LONGEST_PAUSE_SECONDS = 3600.0
GIVE_UP_AFTER = timedelta(hours=24)


@dataclass(frozen=True)
class Pacing:
    page: timedelta
    most_per_hour: int

    @classmethod
    def of(cls, settings: NotificationSettings) -> Self:
        return cls(timedelta(minutes=settings.page_minutes), settings.most_per_hour)

    @property
    def window(self) -> timedelta:
        """How far back must be known what was told."""
        return max(self.page, HOUR)

    def ready(
        self, waiting: Sequence[Notification], told: Sequence[Notification], now: datetime
    ) -> Sequence[Notification]:
        """Those that one message tells now, the most severe first; empty = nothing goes out now.

        `told`: what the same channel told within `window`.
        """
        if any(row.tries and row.due_at > now for row in waiting):
            return ()  # the way itself is broken: the next try is for all of them
        loud = {row.cause for row in waiting if row.severity != OVER and self._may_page(row, told, now)}
        quiet = {row.cause for row in waiting if row.severity == OVER and not self._told(row.cause, told, now)}
        chosen = [row for row in waiting if row.cause in loud | quiet or (loud and row.severity == OVER)]
        if not chosen or self._hour_is_full(chosen, told, now):
            return ()
        return sorted(chosen, key=lambda row: (-rank(row), row.id))

    def is_last_of_hour(self, chosen: Sequence[Notification], told: Sequence[Notification], now: datetime) -> bool:
        """Whether this message uses up what such messages may."""
        return self._sent(told, now) + 1 >= self._most(chosen)

    def next_free(self, told: Sequence[Notification], now: datetime) -> datetime:
        """When the hour has room again."""
        times = sorted(row.ended_at for row in told if row.state is Telling.SENT and row.ended_at is not None)
        return (times[0] if times else now) + HOUR

    def _may_page(self, row: Notification, told: Sequence[Notification], now: datetime) -> bool:
        before = self._told(row.cause, told, now)
        return not before or rank(row) > max(map(rank, before))

    def _told(self, cause: str, told: Sequence[Notification], now: datetime) -> list[Notification]:
        return [
            row
            for row in told
            if row.cause == cause
            and row.severity != OVER
            and row.ended_at is not None
            and row.ended_at > now - self.page
        ]

    def _hour_is_full(self, chosen: Sequence[Notification], told: Sequence[Notification], now: datetime) -> bool:
        return self._sent(told, now) >= self._most(chosen)

    def _sent(self, told: Sequence[Notification], now: datetime) -> int:
        return sum(
            1 for row in told if row.state is Telling.SENT and row.ended_at is not None and row.ended_at > now - HOUR
        )

    def _most(self, chosen: Sequence[Notification]) -> int:
        critical = max(map(rank, chosen)) >= RANKS["critical"]
        return self.most_per_hour if critical else self.most_per_hour * 3 // 4


def rank(row: Notification) -> int:
    return RANKS.get(row.severity, RANKS["warning"])


def pause_seconds(tries: int) -> float:
    """After so many failed tries: 30 s, a minute, two … up to an hour."""
    return float(min(FIRST_PAUSE_SECONDS * 2 ** min(max(tries - 1, 0), 20), LONGEST_PAUSE_SECONDS))

"""Writes down, beside each change of the alerts and each event, what is to be told, in the same transaction."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row

from bot.notifications.pacing import OVER, RANKS
from bot.storage.alerts import AlertNow
from bot.storage.notifications import add_notification, was_written


@dataclass(frozen=True, kw_only=True)
class Announcer:
    """Without channels nothing is written. `least` is the least severe that is told; `clean` takes secrets out."""

    channels: Sequence[str] = ()
    least: str = "info"
    clean: Callable[[str], str] = str

    def begun(self, connection: Connection, one: AlertNow, *, now: datetime) -> None:
        """An alert has begun or become more severe, or something has happened."""
        if RANKS.get(one.severity, 2) >= RANKS[self.least]:
            self._add(connection, one.cause, one.subject, one.severity, one.text, now)

    def renewed(self, connection: Connection, known: Row[Any], one: AlertNow, *, now: datetime) -> None:
        """It goes on; only what is worse than before is told again."""
        if RANKS.get(one.severity, 2) > RANKS.get(known.severity, 2):
            self.begun(connection, one, now=now)

    def over(self, connection: Connection, known: Row[Any], *, now: datetime) -> None:
        """It is over, which is told to those who were or are to be told of it."""
        if was_written(connection, known.cause, known.subject, since=known.since):
            text = f"after {_length((now - known.since).total_seconds())}"
            self._add(connection, known.cause, known.subject, OVER, text, now)

    def _add(self, connection: Connection, cause: str, subject: str, severity: str, text: str, now: datetime) -> None:
        add_notification(
            connection,
            cause=cause,
            subject=self.clean(subject),
            severity=severity,
            text=self.clean(text),
            channels=self.channels,
            now=now,
        )


def _length(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"

"""The session of the stock markets: by the calendar of New York, or as an operator wants it.

A session runs from its opening until its close. With ``always_open`` one ends and the next begins at every midnight of
New York, so that orders for the day have an end there too.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import time
from enum import StrEnum
from typing import Any

from paper_exchange.trading_calendar import (
    ONE_DAY,
    at_new_york,
    new_york_date,
    session_after,
    session_at_or_after,
)

STATE_NAME = "stock_session"
Changes = list[tuple[int, bool]]
"""Moments (nanoseconds since 1970) from which on the markets are open (True) or closed."""


class SessionMode(StrEnum):
    """By the calendar; round the clock; or open or closed until something else is said (or a time given with it)."""

    CALENDAR = "calendar"
    ALWAYS_OPEN = "always_open"
    OPEN = "open"
    CLOSED = "closed"


class BadSession(ValueError):
    """A session that makes no sense; the message names the field."""


class StockSession:
    """What the session is now and next, and which openings and closes have passed since somebody last asked."""

    def __init__(self, saved: Mapping[str, Any] | None = None) -> None:
        state = saved or {}
        self.mode = SessionMode(state.get("mode", SessionMode.CALENDAR))
        self._switches: Changes = [(int(moment), bool(opens)) for moment, opens in state.get("switches", [])]
        self._seen_ns: int | None = state.get("seen_ns")
        self._next_ns: int | None = self._seen_ns

    def set(
        self, mode: SessionMode, now_ns: int, *, next_open_ns: int | None = None, next_close_ns: int | None = None
    ) -> None:
        """Change the mode from now on. ``open`` and ``closed`` hold until the times given. Raises BadSession."""
        given = [(next_open_ns, True, "next_open"), (next_close_ns, False, "next_close")]
        switches = sorted((moment, opens) for moment, opens, _ in given if moment is not None)
        if switches and mode not in (SessionMode.OPEN, SessionMode.CLOSED):
            raise BadSession(
                f"mode: {mode.value} has times of its own; next_open and next_close go with open and closed"
            )
        for moment, _, name in given:
            if moment is not None and moment <= now_ns:
                raise BadSession(f"{name}: it has passed already")
        self.mode, self._switches = mode, switches
        self._seen_ns = self._next_ns = None

    def is_open(self, now_ns: int) -> bool:
        match self.mode:
            case SessionMode.CALENDAR:
                return session_at_or_after(now_ns).open_ns <= now_ns
            case SessionMode.ALWAYS_OPEN:
                return True
        passed = [opens for moment, opens in self._switches if moment <= now_ns]
        return passed[-1] if passed else self.mode is SessionMode.OPEN

    def next_open(self, now_ns: int) -> int:
        """When it opens next: where nobody has said so, at the calendar's first opening after now or the next close."""
        if self.mode is SessionMode.ALWAYS_OPEN:
            return _next_midnight(now_ns)
        forced = [moment for moment, opens in self._switches if opens and moment > now_ns]
        if forced:
            return forced[0]
        after_ns = self.next_close(now_ns) if self.is_open(now_ns) else now_ns
        session = session_at_or_after(after_ns)
        return session.open_ns if session.open_ns > after_ns else session_after(session).open_ns

    def next_close(self, now_ns: int) -> int:
        """When it closes next: where nobody has said so, at the end of the calendar's session now or at the opening."""
        if self.mode is SessionMode.ALWAYS_OPEN:
            return _next_midnight(now_ns)
        forced = [moment for moment, opens in self._switches if not opens and moment > now_ns]
        if forced:
            return forced[0]
        return session_at_or_after(now_ns if self.is_open(now_ns) else self.next_open(now_ns)).close_ns

    def is_due(self, now_ns: int) -> bool:
        """Whether `take_due` has something to tell."""
        return self._seen_ns is None or (self._next_ns is not None and self._next_ns <= now_ns)

    def take_due(self, now_ns: int) -> Changes:
        """What has changed since it was last asked, the earliest first; at first, how it is now."""
        if not self.is_due(now_ns):
            return []
        if self._seen_ns is None:
            due = [(now_ns, self.is_open(now_ns))]
        else:
            due = self._changes_between(self._seen_ns, now_ns)
        self._seen_ns = now_ns
        self._next_ns = next((moment for moment, _ in self._changes_after(now_ns)), None)
        return due

    def _changes_between(self, after_ns: int, until_ns: int) -> Changes:
        due: Changes = []
        while found := [change for change in self._changes_after(after_ns) if change[0] <= until_ns]:
            due += found
            after_ns = found[-1][0]
        return due

    def _changes_after(self, time_ns: int) -> Changes:
        """The next changes after a time: one, or where one session follows another the end and the beginning."""
        match self.mode:
            case SessionMode.CALENDAR:
                session = session_at_or_after(time_ns)
                return [(session.open_ns, True)] if time_ns < session.open_ns else [(session.close_ns, False)]
            case SessionMode.ALWAYS_OPEN:
                midnight = _next_midnight(time_ns)
                return [(midnight, False), (midnight, True)]
        return [change for change in self._switches if change[0] > time_ns][:1]

    def snapshot(self) -> dict[str, object]:
        switches = [[moment, opens] for moment, opens in self._switches]
        return {"mode": self.mode.value, "switches": switches, "seen_ns": self._seen_ns}


def _next_midnight(time_ns: int) -> int:
    return at_new_york(new_york_date(time_ns) + ONE_DAY, time())

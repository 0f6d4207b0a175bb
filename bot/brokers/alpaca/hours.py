"""When the venue is open, by its own clock: read by one account, known to all of them."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.brokers.replies import flag_of, iso_time, text_of
from bot.brokers.venue_clock import VenueClock
from bot.domain.errors import UnreadableReply, VenueError
from bot.domain.order import Side
from bot.domain.trading_session import Awaited, TradingSession, minute_text
from bot.seams.clock import Clock

MAX_AGE_SECONDS = 30.0
RETRY_SECONDS = 5.0
# Hours that nobody has confirmed for so long are not known any more.
UNKNOWN_AFTER_SECONDS = 900.0
# From so long before the close on nothing is sent: its acknowledgement could come after the close, and what the venue
# takes then it keeps for the next day.
CLOSING_SECONDS = 12.0
# For a buy longer: no order can be given a deadline here, and one that is late in the network is bought next morning.
BUY_CLOSING_SECONDS = 60.0


@dataclass(frozen=True)
class HoursReading:
    """One answer of the venue's clock; all times are the venue's, in UTC."""

    at: datetime
    is_open: bool
    next_open: datetime
    next_close: datetime

    def __post_init__(self) -> None:
        if self.is_open and self.next_close <= self.at:
            raise ValueError(f"open, with a close at {minute_text(self.next_close)} that is over")


def hours_from(fields: Mapping[str, object]) -> HoursReading:
    """The answer of `GET /v2/clock`. Raises `UnreadableReply`."""
    where = "Alpaca clock"
    at, next_open, next_close = (
        iso_time(text_of(fields, name, where=where), where=where) for name in ("timestamp", "next_open", "next_close")
    )
    if fields.get("is_open") is None:
        raise UnreadableReply(f"{where}: the field is_open is missing")
    try:
        return HoursReading(at, flag_of(fields, "is_open", default=False, where=where), next_open, next_close)
    except ValueError as error:
        raise UnreadableReply(f"{where}: {error}") from error


class MarketHours:
    """One per process and base URL; any thread may use it.

    `max_age_seconds`: a reading older than this is renewed by whoever needs it next. Between readings the venue's time
    goes on by the monotonic clock, so that opening and close are known to the moment.
    """

    def __init__(self, clock: Clock, *, max_age_seconds: float = MAX_AGE_SECONDS) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._reading_lock = threading.Lock()
        self._again_at: dict[str, float] = {}
        self._venue_clock = VenueClock(clock, max_age_seconds=max_age_seconds)
        self._reading: HoursReading | None = None
        self._read_at = 0.0

    def renew(self, read: Callable[[], HoursReading], *, reader: str) -> None:
        """Read if that is due and nobody else is at it. What fails leaves what is known.

        `reader` names the account that asks: after a failure it waits a little, and the others do not, because what
        has failed may be its own key.
        """
        if not self._is_due(reader) or not self._reading_lock.acquire(blocking=False):
            return
        try:
            self.take(read())
            self._again_at.pop(reader, None)
        except VenueError:
            self._again_at[reader] = self._clock.monotonic() + RETRY_SECONDS
        finally:
            self._reading_lock.release()

    def take(self, reading: HoursReading) -> None:
        """What the venue has just said."""
        with self._lock:
            self._reading, self._read_at = reading, self._clock.monotonic()
            self._venue_clock.measured(reading.at)

    def now(self) -> datetime | None:
        """The venue's time; None before the first reading."""
        with self._lock:
            return self._venue_clock.now() if self._reading is not None else None

    def not_after(self, noted_at: datetime) -> datetime:
        """No later than the venue's time at a moment that this machine's clock noted, however that clock was set."""
        with self._lock:
            return self._venue_clock.not_after(noted_at)

    def closes_in(self, side: Side) -> float | None:
        """Seconds until nothing more may leave before the close; None when it is not open, or that is not known."""
        with self._lock:
            reading, now = self._reading, self._venue_clock.now()
        if reading is None or not reading.is_open:
            return None
        return (reading.next_close - now).total_seconds() - _margin(side)

    def next_open(self) -> datetime | None:
        """The opening of the next session, if it is known and not over."""
        with self._lock:
            reading, now = self._reading, self._venue_clock.now()
        return None if reading is None or reading.next_open <= now else reading.next_open

    def session(self) -> TradingSession:
        """As far as is known now."""
        with self._lock:
            reading, now = self._reading, self._venue_clock.now()
            age = self._clock.monotonic() - self._read_at
        if reading is None:
            return _unknown("Alpaca has not told its hours yet")
        if age > UNKNOWN_AFTER_SECONDS:
            return _unknown(f"Alpaca has not told its hours for {age / 60:.0f} minutes")
        return _open_session(reading, now) if reading.is_open else _closed_session(reading, now)

    def awaited(self, side: Side) -> Awaited | None:
        """The opening, while it is closed or about to close."""
        session, left = self.session(), self.closes_in(side)
        if session.is_open and left is not None and left <= 0:
            session = _closed(self.next_open())
        if session.is_open is not False:
            return None
        when = "" if session.until is None else f" at {minute_text(session.until)}"
        return Awaited(f"the opening{when}", session.until)

    def _is_due(self, reader: str) -> bool:
        if self._clock.monotonic() < self._again_at.get(reader, 0.0):
            return False
        with self._lock:
            if self._reading is not None and self._crossed(self._reading, self._venue_clock.now()):
                self._venue_clock.doubt()
            return self._venue_clock.needs_measuring

    def _crossed(self, reading: HoursReading, now: datetime) -> bool:
        """Whether the hours it speaks of have ended since; asked anew at most each few seconds."""
        boundary = reading.next_close if reading.is_open else reading.next_open
        return now >= boundary and self._clock.monotonic() - self._read_at >= RETRY_SECONDS / 2


def _margin(side: Side) -> float:
    return BUY_CLOSING_SECONDS if side is Side.BUY else CLOSING_SECONDS


def _open_session(reading: HoursReading, now: datetime) -> TradingSession:
    if now < reading.next_close - timedelta(seconds=CLOSING_SECONDS):
        return TradingSession(True, reading.next_close)
    # Said before the close, it is the opening of the next session.
    opening = reading.next_open if reading.next_open >= reading.next_close else None
    return _closed(opening)


def _closed_session(reading: HoursReading, now: datetime) -> TradingSession:
    if now < reading.next_open:
        return _closed(reading.next_open)
    if reading.at >= reading.next_open:
        return _closed(None)  # by its own word, in spite of its own hours
    return _unknown(f"the opening at {minute_text(reading.next_open)} was not confirmed yet")


def _closed(opening: datetime | None) -> TradingSession:
    when = "; Alpaca does not say until when" if opening is None else f" until {minute_text(opening)}"
    return TradingSession(False, opening, f"market closed{when}")


def _unknown(why: str) -> TradingSession:
    return TradingSession(None, None, why)

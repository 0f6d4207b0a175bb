"""The venue's hours between two readings: opening and close to the moment, and unknown when nobody confirms them."""

from datetime import UTC, datetime, timedelta

import pytest

from bot.brokers.alpaca.hours import CLOSING_SECONDS, HoursReading, MarketHours, hours_from
from bot.domain.errors import CredentialsRejected, RetryLater, UnreadableReply
from bot.domain.order import Side
from tests.memory_broker import TestClock

OPEN_AT = datetime(2026, 1, 30, 14, 30, tzinfo=UTC)
CLOSE_AT = datetime(2026, 1, 30, 21, 0, tzinfo=UTC)
MONDAY = datetime(2026, 2, 2, 14, 30, tzinfo=UTC)


class Venue:
    """Its clock goes with the test's; `calls` counts how often it was asked."""

    def __init__(self, clock: TestClock, at: datetime) -> None:
        self.clock, self._offset = clock, at - timedelta(seconds=clock.seconds)
        self.calls = 0
        self.answers = True
        self.is_open: bool | None = None

    def now(self) -> datetime:
        return self._offset + timedelta(seconds=self.clock.seconds)

    def read(self) -> HoursReading:
        self.calls += 1
        if not self.answers:
            raise RetryLater("no connection")
        now = self.now()
        in_session = OPEN_AT <= now < CLOSE_AT
        next_open = OPEN_AT if now < OPEN_AT else MONDAY
        return HoursReading(now, in_session if self.is_open is None else self.is_open, next_open, CLOSE_AT)


@pytest.fixture
def clock() -> TestClock:
    return TestClock()


def hours_at(clock: TestClock, moment: datetime) -> tuple[MarketHours, Venue]:
    hours, venue = MarketHours(clock), Venue(clock, moment)
    hours.renew(venue.read, reader="ann")
    return hours, venue


def test_nothing_is_known_before_the_venue_was_asked(clock: TestClock) -> None:
    session = MarketHours(clock).session()
    assert session.is_open is None
    assert "not told its hours" in session.says
    assert MarketHours(clock).awaited(Side.SELL) is None, "an exit is tried while the hours are not known"


def test_within_the_session_it_is_open_until_the_close(clock: TestClock) -> None:
    hours, _ = hours_at(clock, OPEN_AT + timedelta(hours=1))
    session = hours.session()
    assert (session.is_open, session.until, session.says) == (True, CLOSE_AT, "")
    assert hours.awaited(Side.SELL) is None


def test_the_close_comes_to_the_moment_without_being_asked_for(clock: TestClock) -> None:
    hours, venue = hours_at(clock, CLOSE_AT - timedelta(seconds=20))
    assert hours.session().is_open
    clock.seconds += 20 - CLOSING_SECONDS
    session = hours.session()
    assert venue.calls == 1
    assert (session.is_open, session.until) == (False, MONDAY)
    assert session.says == "market closed until 2026-02-02 14:30 UTC"
    assert hours.awaited(Side.SELL) is not None
    assert hours.awaited(Side.SELL).sentence == "waits for the opening at 2026-02-02 14:30 UTC"


def test_an_order_that_could_be_acknowledged_after_the_close_may_not_leave(clock: TestClock) -> None:
    hours, _ = hours_at(clock, CLOSE_AT - timedelta(seconds=60))
    assert hours.closes_in(Side.SELL) == pytest.approx(60 - CLOSING_SECONDS)
    clock.seconds += 60
    assert hours.closes_in(Side.SELL) is not None and hours.closes_in(Side.SELL) < 0


def test_in_the_last_minute_nothing_is_bought_any_more_and_what_is_held_can_be_sold(clock: TestClock) -> None:
    """No order can be given a deadline here: one that is late in the network would be bought the next morning."""
    hours, _ = hours_at(clock, CLOSE_AT - timedelta(seconds=45))
    assert hours.session().is_open is True
    assert hours.awaited(Side.SELL) is None
    awaited = hours.awaited(Side.BUY)
    assert awaited is not None and awaited.until == MONDAY
    assert hours.closes_in(Side.BUY) == -15


def test_the_opening_is_known_when_the_venue_has_confirmed_it(clock: TestClock) -> None:
    hours, venue = hours_at(clock, OPEN_AT - timedelta(seconds=20))
    assert hours.session().is_open is False
    clock.seconds += 19
    hours.renew(venue.read, reader="ann")
    assert venue.calls == 1, "nothing could have changed"
    clock.seconds += 1
    assert hours.session().is_open is None
    hours.renew(venue.read, reader="ann")
    assert venue.calls == 2
    assert hours.session().is_open is True


def test_a_venue_that_stays_closed_at_its_opening_is_believed_and_asked_again(clock: TestClock) -> None:
    hours, venue = hours_at(clock, OPEN_AT - timedelta(seconds=1))
    venue.is_open = False
    clock.seconds += 2
    reading = HoursReading(venue.now(), False, OPEN_AT, CLOSE_AT)
    hours.take(reading)
    session = hours.session()
    assert (session.is_open, session.until) == (False, None)
    asked = venue.calls
    clock.seconds += 3
    hours.renew(venue.read, reader="ann")
    assert venue.calls == asked + 1


def test_hours_that_nobody_confirms_for_long_are_not_known(clock: TestClock) -> None:
    hours, venue = hours_at(clock, OPEN_AT + timedelta(hours=1))
    venue.answers = False
    clock.seconds += 600
    hours.renew(venue.read, reader="ann")
    assert hours.session().is_open is True
    clock.seconds += 400
    hours.renew(venue.read, reader="ann")
    assert hours.session().is_open is None


def test_a_venue_that_does_not_answer_is_not_asked_by_every_call(clock: TestClock) -> None:
    hours, venue = hours_at(clock, OPEN_AT + timedelta(hours=1))
    venue.answers = False
    clock.seconds += 31
    for _ in range(10):
        hours.renew(venue.read, reader="ann")
    assert venue.calls == 2


def test_an_account_that_cannot_read_the_hours_keeps_no_other_from_it(clock: TestClock) -> None:
    hours, venue = hours_at(clock, OPEN_AT + timedelta(hours=1))
    clock.seconds += 31

    def refused() -> HoursReading:
        raise CredentialsRejected("its key is refused")

    hours.renew(refused, reader="bob")
    hours.renew(venue.read, reader="ann")
    assert venue.calls == 2
    clock.seconds += 31
    hours.renew(refused, reader="bob")
    hours.renew(refused, reader="bob")
    hours.renew(venue.read, reader="ann")
    assert venue.calls == 3


def test_a_machine_that_slept_through_the_close_asks_before_it_believes_its_reading(clock: TestClock) -> None:
    hours, venue = hours_at(clock, OPEN_AT + timedelta(hours=1))
    # Asleep: the wall clock went on, the monotonic one stood still.
    clock.wall_offset += 8 * 3600
    venue._offset += timedelta(hours=8)
    hours.renew(venue.read, reader="ann")
    assert venue.calls == 2
    assert hours.session().is_open is False


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"timestamp": "2026-01-30T15:00:00Z", "is_open": None, "next_open": "", "next_close": ""},
        {
            "timestamp": "2026-01-30T22:00:00Z",
            "is_open": True,
            "next_open": "2026-02-02T14:30:00Z",
            "next_close": "2026-01-30T21:00:00Z",
        },
        {
            "timestamp": "2026-01-30T15:00:00Z",
            "is_open": "true",
            "next_open": "2026-02-02T14:30:00Z",
            "next_close": "2026-01-30T21:00:00Z",
        },
    ],
)
def test_hours_with_holes_or_contradictions_are_unreadable(fields: dict[str, object]) -> None:
    with pytest.raises(UnreadableReply):
        hours_from(fields)


def test_times_with_an_offset_and_nanoseconds_are_read() -> None:
    reading = hours_from(
        {
            "timestamp": "2026-01-30T10:00:00.123456789-05:00",
            "is_open": True,
            "next_open": "2026-02-02T09:30:00-05:00",
            "next_close": "2026-01-30T16:00:00-05:00",
        }
    )
    assert reading == HoursReading(datetime(2026, 1, 30, 15, 0, 0, 123456, tzinfo=UTC), True, MONDAY, CLOSE_AT)

"""The session of the stock markets: what is told when, in every mode and over a restart."""

from __future__ import annotations

from datetime import datetime

import pytest

from paper_exchange.stock_session import BadSession, SessionMode, StockSession

SECOND_NS = 1_000_000_000


def at(text: str) -> int:
    """Nanoseconds of a time in New York in November 2026, as in ``20T09:30`` (a Friday)."""
    return int(datetime.fromisoformat(f"2026-11-{text}:00-05:00").timestamp()) * SECOND_NS


def test_the_calendar_opens_and_closes_it() -> None:
    session = StockSession()
    assert session.take_due(at("20T09:00")) == [(at("20T09:00"), False)]
    assert session.take_due(at("20T09:29")) == []
    assert session.take_due(at("20T12:00")) == [(at("20T09:30"), True)]
    assert session.is_open(at("20T12:00")) and not session.is_open(at("20T16:00"))
    assert session.next_close(at("20T12:00")) == at("20T16:00")
    assert session.next_open(at("20T12:00")) == at("23T09:30")
    assert session.next_open(at("20T08:00")) == at("20T09:30")


def test_what_passed_unseen_is_told_in_order() -> None:
    session = StockSession()
    session.take_due(at("19T12:00"))
    assert session.take_due(at("23T10:00")) == [
        (at("19T16:00"), False), (at("20T09:30"), True), (at("20T16:00"), False), (at("23T09:30"), True),
    ]  # fmt: skip


def test_a_saved_session_goes_on_where_it_was() -> None:
    session = StockSession()
    session.take_due(at("19T12:00"))
    again = StockSession(session.snapshot())
    assert again.take_due(at("19T12:00")) == []
    assert again.take_due(at("19T17:00")) == [(at("19T16:00"), False)]


def test_round_the_clock_one_session_follows_another_at_midnight() -> None:
    session = StockSession()
    session.set(SessionMode.ALWAYS_OPEN, at("21T10:00"))
    assert session.take_due(at("21T10:00")) == [(at("21T10:00"), True)]
    assert session.next_close(at("21T10:00")) == session.next_open(at("21T10:00")) == at("22T00:00")
    assert session.take_due(at("22T09:00")) == [(at("22T00:00"), False), (at("22T00:00"), True)]
    assert session.is_open(at("22T09:00"))


def test_an_operator_closes_it_until_a_time_and_opens_it_until_another() -> None:
    session = StockSession()
    session.set(SessionMode.CLOSED, at("20T10:00"), next_open_ns=at("20T11:00"), next_close_ns=at("20T12:00"))
    assert session.take_due(at("20T10:00")) == [(at("20T10:00"), False)]
    assert (session.next_open(at("20T10:00")), session.next_close(at("20T10:00"))) == (at("20T11:00"), at("20T12:00"))
    assert session.take_due(at("20T11:30")) == [(at("20T11:00"), True)]
    assert session.take_due(at("20T18:00")) == [(at("20T12:00"), False)]
    assert session.take_due(at("25T18:00")) == []
    assert session.next_open(at("20T18:00")) == at("23T09:30")


def test_forced_without_a_time_it_stays_so_and_shows_the_calendars_times() -> None:
    session = StockSession()
    session.set(SessionMode.OPEN, at("21T10:00"))
    assert session.take_due(at("21T10:00")) == [(at("21T10:00"), True)]
    assert session.is_open(at("25T03:00")) and session.take_due(at("25T03:00")) == []
    assert session.next_close(at("21T10:00")) == at("23T16:00")
    assert session.next_open(at("21T10:00")) == at("24T09:30")


def test_closed_in_the_middle_of_a_day_it_opens_before_it_closes() -> None:
    session = StockSession()
    session.set(SessionMode.CLOSED, at("20T12:00"))
    assert session.next_open(at("20T12:00")) == at("23T09:30")
    assert session.next_close(at("20T12:00")) == at("23T16:00")


def test_times_that_make_no_sense_are_refused() -> None:
    session = StockSession()
    with pytest.raises(BadSession, match="next_open"):
        session.set(SessionMode.CLOSED, at("20T10:00"), next_open_ns=at("20T09:00"))
    with pytest.raises(BadSession, match="calendar"):
        session.set(SessionMode.CALENDAR, at("20T10:00"), next_open_ns=at("20T11:00"))
    assert session.mode is SessionMode.CALENDAR

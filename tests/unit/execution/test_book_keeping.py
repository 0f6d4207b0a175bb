"""The books of an account: what is read, what a day made, and what does not add up."""

import logging
from datetime import timedelta
from decimal import Decimal

import pytest

from bot.domain.cash_event import CashKind
from bot.domain.order import Side
from bot.seams import failpoints
from bot.storage.day_closes import DayStatus
from bot.storage.store import Store
from tests.unit.execution.book_bench import ANN, DAY, BookBench

HOUR = 3600.0


@pytest.fixture
def books(store: Store) -> BookBench:
    return BookBench(store)


def test_books_begin_with_what_the_venue_has_at_the_first_settled_reading(books: BookBench) -> None:
    books.venue.coins = Decimal("0.1")
    books.settle()
    opening = books.opening()
    assert opening is not None
    assert opening.units == {"USD": Decimal(10000), "BTC": Decimal("0.1")}
    (point,) = books.points()
    assert (point.at, point.equity, point.settled) == (opening.at, Decimal(15000), True)
    assert (point.cash_available, point.positions_value) == (Decimal(10000), Decimal(5000))
    assert point.units == {"USD": Decimal(10000), "BTC": Decimal("0.1")}


def test_an_account_that_has_nothing_has_books_all_the_same(books: BookBench) -> None:
    books.venue.cash = Decimal(0)
    books.settle()
    opening = books.opening()
    assert opening is not None
    assert opening.units == {"USD": Decimal(0)}


def test_the_first_day_begins_with_its_first_entry_though_balances_were_read_later(books: BookBench) -> None:
    books.clock.seconds = 100
    books.trade(Side.BUY, "0.01", "50000")
    books.venue.moves(CashKind.DEPOSIT, "250")
    books.settle(after=60)
    opening = books.opening()
    assert opening is not None
    assert opening.units == {"USD": Decimal(10000)}
    books.settle()
    assert books.alarms() == {}
    books.to_day(1)
    (day,) = books.days()
    assert (day.status, day.net_deposits, day.opening_equity) == (DayStatus.OK, Decimal(250), Decimal(10000))
    assert (day.trades, day.turnover) == (1, Decimal(500))


def test_the_identity_of_a_day_with_trades_fees_and_a_deposit_holds_and_a_deposit_is_no_profit(
    books: BookBench,
) -> None:
    books.venue.fee_fraction = Decimal("0.001")
    books.settle()
    books.clock.seconds += 60
    books.trade(Side.BUY, "0.02", "50000")
    books.clock.seconds += 60
    books.venue.moves(CashKind.DEPOSIT, "500")
    books.settle()
    books.clock.seconds += HOUR
    books.trade(Side.SELL, "0.01", "52000")
    books.venue.price = Decimal(51000)
    books.settle()
    books.to_day(1)
    (day,) = books.days()
    assert day.status is DayStatus.OK, day.problem
    assert day.realised == Decimal(20)
    assert day.unrealised_change == Decimal(10)
    assert day.fees == Decimal("1.52")
    assert day.net_deposits == Decimal(500)
    assert day.difference == 0
    assert day.equity is not None
    assert day.opening_equity is not None
    assert day.equity - day.opening_equity == Decimal("528.48")
    assert (day.trades, day.wins, day.losses, day.turnover) == (2, 1, 0, Decimal(1520))
    assert books.events() == [("deposit", Decimal(500))]


def test_every_day_begins_where_the_last_one_ended(books: BookBench) -> None:
    books.settle()
    for number, price in enumerate(("50000", "51000", "49000"), start=1):
        books.clock.seconds = number * DAY - HOUR
        books.trade(Side.BUY, "0.01", price)
        books.to_day(number)
    days = books.days()
    assert [day.status for day in days] == [DayStatus.OK] * 3
    assert [day.day for day in days] == ["2026-01-01", "2026-01-02", "2026-01-03"]
    assert [day.equity for day in days[:-1]] == [day.opening_equity for day in days[1:]]


def test_coins_that_left_altogether_are_a_withdrawal_at_their_price_and_no_loss(books: BookBench) -> None:
    books.settle()
    books.trade(Side.BUY, "0.02", "50000")
    books.venue.price = Decimal(60000)
    books.settle()
    books.to_day(1)
    books.venue.moves(CashKind.WITHDRAWAL, "-0.02", "BTC")
    books.settle()
    books.to_day(2)
    bought, left = books.days()
    assert (bought.status, bought.unrealised_change) == (DayStatus.OK, Decimal(200))
    assert (left.status, left.net_deposits) == (DayStatus.OK, Decimal(-1200)), left.problem
    assert (left.unrealised_change, left.realised, left.other_holdings) == (0, 0, 0)


def test_coins_that_came_in_and_were_sold_on_the_same_day_are_a_deposit(books: BookBench) -> None:
    books.settle()
    books.venue.moves(CashKind.DEPOSIT, "0.02", "BTC")
    books.clock.seconds += 60
    books.trade(Side.SELL, "0.02", "60000")
    books.settle()
    books.to_day(1)
    (day,) = books.days()
    assert (day.status, day.net_deposits, day.other_holdings) == (DayStatus.OK, Decimal(1200), 0), day.problem


def test_a_day_that_begins_without_a_price_says_so(books: BookBench) -> None:
    books.settle()
    books.trade(Side.BUY, "0.02", "50000")
    books.settle()
    books.to_day(1, after=2 * HOUR)
    books.to_day(2)
    unpriced, valued = books.days()
    assert (unpriced.equity, valued.opening_equity, valued.equity) == (Decimal(9000), Decimal(9000), Decimal(10000))
    assert (valued.status, valued.other_holdings) == (DayStatus.OK, Decimal(1000))
    assert valued.problem == "had no price at the day's beginning, so that all its worth counts as this day's: BTC"


def test_what_came_and_left_without_a_price_is_said(books: BookBench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(books.venue, "get_trading_pairs", dict)
    books.settle()
    books.venue.moves(CashKind.DEPOSIT, "0.02", "BTC")
    books.clock.seconds += 60
    books.venue.moves(CashKind.WITHDRAWAL, "-0.01", "BTC")
    books.venue.moves(CashKind.FEE, "-0.01", "BTC")
    books.settle()
    books.to_day(1)
    (day,) = books.days()
    assert day.status is DayStatus.UNPRICED
    assert day.problem == "came or left, and is not valued, for want of a price near the day's end: BTC"


def test_a_day_ends_by_the_clocks_of_the_zone_that_is_set(store: Store) -> None:
    books = BookBench(store, zone="Europe/Berlin", day_starts_at="06:00")
    books.settle()
    books.clock.seconds = 5.5 * HOUR
    books.keeper._settle_at = books.clock.seconds
    books.keeper.run_if_due()
    (day,) = books.days()
    assert day.day == "2025-12-31"
    assert f"{day.closes_at:%F %T}" == "2026-01-01 05:00:00"


def test_what_a_day_closed_with_is_rolled_back_from_a_reading_after_its_end(books: BookBench) -> None:
    books.settle()
    books.clock.seconds = DAY + 100
    books.trade(Side.BUY, "0.01", "50000")
    books.to_day(1, after=200)
    (day,) = books.days()
    assert day.status is DayStatus.OK, day.problem
    assert day.units == {"USD": Decimal(10000)}
    assert day.trades == 0


@pytest.mark.parametrize("place", ["day_closing", "day_closed"])
def test_a_day_whose_closing_broke_off_is_closed_once_and_as_if_it_had_not(books: BookBench, place: str) -> None:
    books.settle()
    books.trade(Side.BUY, "0.01", "50000")
    failpoints.install(f"{place}:raise")
    try:
        books.to_day(1)
    finally:
        failpoints.install("")
    books.settle_twice()
    (day,) = books.days()
    assert (day.status, day.trades, day.opening_equity) == (DayStatus.OK, 1, Decimal(10000))
    assert books.alarms() == {}


# -- what does not add up -------------------------------------------------------------------------------------------
def test_a_balance_that_changed_behind_the_books_is_an_alarm_that_names_the_asset_once_it_was_seen_twice(
    books: BookBench, caplog: pytest.LogCaptureFixture
) -> None:
    books.settle()
    books.venue.moves(CashKind.WITHDRAWAL, "-120", silent=True)
    with caplog.at_level(logging.CRITICAL):
        books.settle()
        assert books.alarms() == {}
        for _ in range(3):
            books.settle()
    assert books.alarms() == {"USD": "the brokerage has 120 USD less than the books say (120.00 USD)"}
    assert len(caplog.records) == 1
    assert books.differences[-1] == Decimal(120)


def test_coins_that_came_from_nowhere_are_named_in_units_and_worth(books: BookBench) -> None:
    books.settle()
    books.venue.moves(CashKind.DEPOSIT, "0.25", "BTC", silent=True)
    books.settle_twice()
    assert books.alarms() == {"BTC": "the brokerage has 0.25 BTC more than the books say (12500.00 USD)"}
    books.to_day(1)
    (day,) = books.days()
    assert day.status is DayStatus.BROKEN
    assert day.differences["BTC"] == (Decimal("0.25"), Decimal(12500))
    assert day.difference == Decimal(12500)


def test_a_fill_that_never_was_breaks_the_identity_in_both_assets(books: BookBench) -> None:
    books.settle()
    books.clock.seconds += 30
    books.trade(Side.BUY, "0.01", "50000")
    books.venue.cash += 500
    books.venue.coins -= Decimal("0.01")
    books.settle()
    books.settle_twice()
    assert set(books.alarms()) == {"USD", "BTC"}


def test_a_difference_is_of_the_day_in_which_it_came_up_and_stays_said_until_it_is_explained(books: BookBench) -> None:
    books.settle()
    books.venue.moves(CashKind.WITHDRAWAL, "-120", silent=True)
    books.settle_twice()
    books.to_day(1)
    books.to_day(2)
    first, second = books.days()
    assert (first.status, first.difference) == (DayStatus.BROKEN, Decimal(-120))
    assert (second.status, second.difference) == (DayStatus.OK, Decimal(0))
    assert "since 2026-01-01" in books.alarms()["USD"]
    assert books.differences[-1] == Decimal(120)
    books.restart()
    books.settle()
    assert set(books.alarms()) == {"USD"}


def test_an_entry_that_the_ledger_tells_late_explains_the_day_and_clears_the_alarm(books: BookBench) -> None:
    books.settle()
    event = books.venue.moves(CashKind.WITHDRAWAL, "-120", silent=True)
    books.settle_twice()
    books.to_day(1)
    assert books.days()[0].status is DayStatus.BROKEN
    books.venue.tells(event)
    books.settle()
    (day,) = books.days()
    assert (day.status, day.net_deposits, day.difference) == (DayStatus.OK, Decimal(-120), Decimal(0))
    assert "computed anew" in day.problem
    assert "withdrawal of -120 USD" in day.problem
    assert books.alarms() == {}
    assert books.differences[-1] == 0


def test_a_fee_that_is_posted_tomorrow_and_dated_today_restates_today_and_every_day_after_it(books: BookBench) -> None:
    books.settle()
    books.to_day(1)
    books.to_day(2)
    books.clock.seconds += HOUR
    books.venue.moves(CashKind.FEE, "-1.25", at=books.clock.now() - timedelta(days=1, hours=5))
    books.settle()
    books.settle()
    first, second = books.days()
    assert [first.status, second.status] == [DayStatus.OK, DayStatus.OK], second.problem
    assert (first.day, second.day) == ("2026-01-01", "2026-01-02")
    assert (first.fees, second.fees) == (Decimal("1.25"), Decimal(0))
    assert (first.equity, second.opening_equity) == (Decimal("9998.75"), Decimal("9998.75"))
    assert "fee of -1.25 USD" in first.problem
    assert books.alarms() == {}
    books.to_day(3)
    assert books.days()[2].status is DayStatus.OK


# -- readings that fail ---------------------------------------------------------------------------------------------
def test_a_ledger_that_cannot_be_read_is_a_sentence_and_no_alarm(books: BookBench) -> None:
    books.settle()
    books.venue.moves(CashKind.DEPOSIT, "900")
    books.venue.ledger_error = "503 from the edge"
    for _ in range(3):
        books.settle()
    assert books.ledger_problem() == "503 from the edge"
    assert books.alarms() == {}
    assert [point.settled for point in books.points()] == [True, False, False, False]
    books.venue.ledger_error = None
    books.settle()
    assert books.ledger_problem() == ""
    assert books.events() == [("deposit", Decimal(900))]
    assert books.alarms() == {}


def test_days_of_a_ledger_that_was_never_read_are_not_proved_until_it_is(books: BookBench) -> None:
    books.venue.ledger_error = "this key may not read it"
    books.clock.seconds = 100
    books.venue.moves(CashKind.DEPOSIT, "300")
    books.settle(after=200)
    books.clock.seconds = 5 * HOUR
    books.venue.moves(CashKind.DEPOSIT, "900")
    books.to_day(1)
    assert books.days() == []
    books.to_day(1, after=2 * HOUR)
    (day,) = books.days()
    assert day.status is DayStatus.UNPROVEN
    assert "this key may not read it" in day.problem
    books.venue.ledger_error = None
    books.settle()
    (day,) = books.days()
    assert (day.status, day.net_deposits, day.opening_equity) == (DayStatus.OK, Decimal(900), Decimal(10300))
    books.settle_twice()
    assert books.alarms() == {}


@pytest.mark.parametrize("reading", ["history_error", "balance_error"])
def test_a_reading_that_failed_writes_nothing_and_is_tried_again(books: BookBench, reading: str) -> None:
    books.settle()
    setattr(books.venue, reading, "503 from the edge")
    books.settle()
    assert "503 from the edge" in books.keeper.problem
    assert len(books.points()) == 1
    setattr(books.venue, reading, None)
    books.settle()
    assert (books.keeper.problem, len(books.points())) == ("", 2)


def test_nothing_is_compared_while_something_has_just_happened(books: BookBench) -> None:
    books.settle()
    books.clock.seconds = max(books.clock.seconds, books.keeper._settle_at)
    books.trade(Side.BUY, "0.01", "50000")
    books.keeper.run_if_due()
    assert len(books.points()) == 1
    books.settle(after=0)
    assert len(books.points()) == 2
    assert books.alarms() == {}


def test_an_account_that_trades_all_the_time_has_books_too_if_its_trades_are_booked_at_once(books: BookBench) -> None:
    for _ in range(6):
        books.clock.seconds = max(books.clock.seconds + 1, books.keeper._settle_at)
        books.trade(Side.BUY, "0.001", "50000")
        books.bench.reconcilers[books.account].read_history()
        books.keeper.run_if_due()
    opening = books.opening()
    assert opening is not None
    assert opening.units == {"USD": Decimal(10000)}
    assert books.alarms() == {}
    assert len(books.points()) == 5


def test_a_balance_that_is_behind_its_trades_is_no_beginning(books: BookBench) -> None:
    books.venue.cash -= 40
    books.clock.seconds = 1000
    books.keeper.run_if_due()
    books.venue.cash += 40
    for _ in range(2):
        books.clock.seconds = books.keeper._settle_at
        assert books.opening() is None
        books.keeper.run_if_due()
    opening = books.opening()
    assert opening is not None
    assert opening.units == {"USD": Decimal(10000)}


def test_the_keeper_gives_way_as_soon_as_the_thread_is_wanted(books: BookBench) -> None:
    books.clock.seconds = 1000
    books.keeper.run_if_due(lambda: True)
    assert books.opening() is None
    assert books.keeper.due_at <= books.clock.seconds + 10


def test_what_has_no_price_is_shown_apart_and_its_day_is_not_called_proved(books: BookBench) -> None:
    books.settle()
    books.trade(Side.BUY, "0.01", "50000")
    books.venue.get_best_bid_ask_batch = lambda _symbols: {}  # type: ignore[method-assign]
    books.settle()
    point = books.points()[-1]
    assert (point.equity, dict(point.unpriced)) == (Decimal(9500), {"BTC": Decimal("0.01")})
    books.to_day(1)
    (day,) = books.days()
    assert day.status is DayStatus.UNPRICED
    assert "0.01 BTC" in day.problem


def test_a_bot_that_was_off_over_the_end_of_days_closes_them_and_says_that_nobody_looked(books: BookBench) -> None:
    books.settle()
    books.clock.seconds = 2.5 * DAY
    books.venue.moves(CashKind.DEPOSIT, "50")
    books.restart()
    books.to_day(3)
    days = books.days()
    assert [day.day for day in days] == ["2026-01-01", "2026-01-02", "2026-01-03"]
    assert [day.status for day in days] == [DayStatus.UNPROVEN, DayStatus.UNPROVEN, DayStatus.OK]
    assert [day.net_deposits for day in days] == [Decimal(0), Decimal(0), Decimal(50)]
    assert "settled reading" in days[0].problem


def test_a_users_own_trades_are_in_the_books_of_that_user(store: Store) -> None:
    books = BookBench(store, ANN)
    books.settle()
    books.clock.seconds += 60
    books.trade(Side.BUY, "0.01", "50000")
    books.settle()
    books.to_day(1)
    (day,) = books.days()
    assert day.status is DayStatus.OK, day.problem
    assert books.alarms() == {}


def test_points_thin_out_to_hours_after_a_week_and_the_first_one_is_kept(books: BookBench) -> None:
    books.settle()
    for minute in range(0, 180, 10):
        books.clock.seconds = HOUR + minute * 60
        books.keeper._settle_at = books.clock.seconds
        books.keeper.run_if_due()
    before = len(books.points())
    books.to_day(9)
    kept = [point.at for point in books.points() if point.at.day == 1]
    assert before > 15
    assert [moment.hour for moment in kept] == [0, 1, 2, 3]


def test_an_alarm_outlives_the_process_and_is_not_said_again_by_the_next_one(
    books: BookBench, caplog: pytest.LogCaptureFixture
) -> None:
    books.settle()
    books.venue.moves(CashKind.WITHDRAWAL, "-120", silent=True)
    books.settle_twice()
    books.restart()
    caplog.clear()
    with caplog.at_level(logging.INFO):
        books.settle()
    assert set(books.alarms()) == {"USD"}
    assert not [record for record in caplog.records if "drift books" in record.getMessage()]


def test_a_second_difference_does_not_silence_the_first(books: BookBench) -> None:
    books.settle()
    books.venue.moves(CashKind.WITHDRAWAL, "-120", silent=True)
    books.settle_twice()
    books.venue.moves(CashKind.DEPOSIT, "0.1", "BTC", silent=True)
    books.settle(after=0)
    assert set(books.alarms()) == {"USD"}
    books.settle(after=0)
    assert set(books.alarms()) == {"USD", "BTC"}


def test_what_the_venue_rounds_of_many_trades_is_no_break_and_more_than_that_is(books: BookBench) -> None:
    books.settle()
    for number in range(100):
        books.clock.seconds += 60
        books.trade(Side.BUY if number % 2 == 0 else Side.SELL, "0.001", "50000")
        books.venue.cash -= Decimal("0.00008")
    books.settle_twice()
    assert books.alarms() == {}
    books.to_day(1)
    (day,) = books.days()
    assert (day.status, day.difference) == (DayStatus.OK, Decimal("-0.008"))
    assert "-0.0080 USD are roundings of 100 trades" in day.problem
    books.venue.cash -= Decimal("0.02")
    books.settle_twice()
    assert set(books.alarms()) == {"USD"}

"""A split makes more or fewer shares for the same cost: positions follow it once, or a person is called."""

import logging
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal as D

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.cash_event import CashKind
from bot.domain.order import Side
from bot.domain.position import ExitPlan, Position
from bot.execution.splits import scaled_position
from bot.storage.positions import find_position
from bot.storage.store import Store
from bot.storage.symbol_pauses import pause_reason
from tests.unit.execution.book_bench import BookBench

BTC = "BTC/USD"


@pytest.fixture
def books(store: Store) -> BookBench:
    made = BookBench(store)
    made.settle()
    made.clock.seconds += 60
    made.trade(Side.BUY, "10", "228")
    made.settle()
    made.clock.seconds += 60
    return made


def position(books: BookBench) -> Position | None:
    with books.store.read() as connection:
        return find_position(connection, books.account.label, BTC)


def pause(books: BookBench) -> str:
    with books.store.read() as connection:
        return pause_reason(connection, books.account.label, BTC)


def test_a_position_keeps_its_cost_and_takes_no_entries_until_somebody_has_looked(
    books: BookBench, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        books.venue.moves(CashKind.SPLIT, "30", "BTC")
        books.settle()
    after = position(books)
    assert after is not None
    assert (after.quantity, after.average_entry_price, after.highest_price) == (D(40), D(57), D(57))
    assert pause(books) in caplog.text and "was 10 at 228 and is 40 at 57" in pause(books)


def test_a_split_counts_once_however_often_it_is_read(books: BookBench) -> None:
    books.venue.moves(CashKind.SPLIT, "30", "BTC")
    for _ in range(3):
        books.settle()
    books.restart()
    books.settle()
    after = position(books)
    assert after is not None and after.quantity == 40


def test_a_reverse_split_leaves_fewer_shares_of_the_same_cost(books: BookBench) -> None:
    books.venue.moves(CashKind.SPLIT, "-9", "BTC")
    books.settle()
    after = position(books)
    assert after is not None and (after.quantity, after.average_entry_price) == (D(1), D(2280))


def test_shares_of_the_owner_do_not_become_ours(books: BookBench) -> None:
    books.venue.moves(CashKind.DEPOSIT, "10", "BTC")
    books.settle()
    books.venue.moves(CashKind.SPLIT, "20", "BTC")
    books.settle()
    after = position(books)
    assert after is not None and (after.quantity, after.average_entry_price) == (D(20), D(114))


def test_what_was_traded_after_a_split_that_is_read_late_is_left_to_a_person(
    books: BookBench, caplog: pytest.LogCaptureFixture
) -> None:
    split = books.venue.moves(CashKind.SPLIT, "30", "BTC", silent=True)
    books.clock.seconds += 60
    books.trade(Side.BUY, "1", "57")
    books.settle()
    with caplog.at_level(logging.CRITICAL):
        books.venue.tells(split)
        books.settle()
    after = position(books)
    assert after is not None and after.quantity == 11, "nothing is changed on a guess"
    assert "is not sure" in pause(books) and pause(books) in caplog.text


def test_books_that_were_shrunk_to_a_reverse_split_are_not_shrunk_again() -> None:
    assert scaled_position(_position("10"), after=D(10), change=D(-90)) is None


def test_a_highest_price_of_after_a_reverse_split_is_not_raised_by_it_again() -> None:
    before = replace(_position("100"), highest_price=D(2290))
    after = scaled_position(before, after=D(10), change=D(-90))
    assert after is not None and (after.average_entry_price, after.highest_price) == (D(2280), D(2290))


def test_a_split_of_a_stock_of_which_nothing_is_ours_pauses_nothing(store: Store) -> None:
    books = BookBench(store)
    books.venue.coins = D(10)
    books.settle()
    books.venue.moves(CashKind.SPLIT, "30", "BTC")
    books.settle()
    assert position(books) is None and pause(books) == ""


@given(
    quantity=st.decimals("0.001", "100000", places=3),
    others=st.decimals("0", "100000", places=3),
    factor=st.sampled_from([D(2), D(3), D(4), D(10), D("1.5"), D(1) / 10, D(1) / 25]),
)
def test_the_cost_stays_and_no_share_is_claimed_that_is_not_there(quantity: D, others: D, factor: D) -> None:
    before = quantity + others
    after = (before * factor).quantize(D("1e-9"))
    scaled = scaled_position(_position(str(quantity)), after=after, change=after - before)
    if scaled is None:
        assert factor < 1 and quantity <= after
        return
    assert 0 <= scaled.quantity <= after
    cost = quantity * 228
    assert abs(scaled.cost_quote - cost) <= cost * D("1e-6") + D("1e-5")


def _position(quantity: str) -> Position:
    return Position(
        account_id="a",
        symbol=BTC,
        quantity=D(quantity),
        average_entry_price=D(228),
        opened_at=datetime(2026, 3, 1, tzinfo=UTC),
        highest_price=D(240),
        exit_plan=ExitPlan(),
    )

"""What a private stream tells goes into the books once, in the order of trading, whatever the history says."""

from collections.abc import Sequence

import pytest
from sqlalchemy import func, select

from bot.brokers.stream_news import NO_NEWS, StreamNews
from bot.domain.account import AccountRef
from bot.domain.errors import OutcomeUnknown
from bot.domain.fill import Fill
from bot.domain.order import Side
from bot.execution.stream_booking import MOST_FILLS, StreamBooking
from bot.storage import schema
from bot.storage.store import Store
from tests.unit.copy_bench import MASTER
from tests.unit.execution.reconciler_bench import ANN, ReconcilerBench


class Streamed(ReconcilerBench):
    """`tells` is what the stream of an account says next."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.news: dict[AccountRef, list[StreamNews]] = {MASTER: [], ANN: []}
        self.bookings: dict[AccountRef, StreamBooking] = {}
        for account in (MASTER, ANN):
            broker = self.bench.brokers[account]
            news = self.news[account]
            broker.tend_stream = lambda news=news: news.pop(0) if news else NO_NEWS  # type: ignore[misc,method-assign]
            self.run(account)
            self.bookings[account] = StreamBooking(broker=broker, reconciler=self.reconcilers[account])

    def tells(self, account: AccountRef, fills: Sequence[Fill], *, missed: bool = False) -> float | None:
        self.news[account].append(StreamNews(fills=tuple(fills), missed=missed, up=True))
        self.bookings[account].hear()
        return self.bookings[account].book()

    def booked(self) -> list[str]:
        with self.store.read() as connection:
            return list(connection.scalars(select(schema.fill.c.trade_id).order_by(schema.fill.c.executed_at)))

    def signals(self) -> int:
        with self.store.read() as connection:
            return int(connection.scalar(select(func.count()).select_from(schema.signal)) or 0)

    def trades(self, side: Side = Side.BUY, quantity: str = "0.01") -> Fill:
        """The master's owner trades by hand."""
        self.clock.seconds += 1
        self.master.by_hand(side, quantity, client_order_id=f"by hand {len(self.master.fills)}")
        return self.master.fills[-1]


@pytest.fixture
def streamed(store: Store) -> Streamed:
    return Streamed(store)


def test_a_trade_by_hand_is_one_signal_however_often_it_is_told(streamed: Streamed) -> None:
    fill = streamed.trades()
    assert streamed.tells(MASTER, [fill]) is None
    assert streamed.tells(MASTER, [fill, fill]) is None
    assert streamed.tells(MASTER, [fill], missed=True) is None
    assert streamed.run(MASTER)
    assert (streamed.booked(), streamed.signals()) == ([fill.trade_id], 1)


def test_what_was_missed_is_booked_before_what_was_told(streamed: Streamed) -> None:
    bought, sold = streamed.trades(), streamed.trades(Side.SELL, "0.005")
    assert streamed.tells(MASTER, [sold], missed=True) is None
    assert streamed.booked() == [bought.trade_id, sold.trade_id]
    with streamed.store.read() as connection:
        sizes = list(connection.scalars(select(schema.signal.c.size).order_by(schema.signal.c.executed_at)))
    assert sizes[1] * 2 == 1, "half of what was held was sold"


def test_a_trade_that_no_reading_shows_yet_is_booked_and_the_cursor_waits_for_the_readings(streamed: Streamed) -> None:
    first, second = streamed.trades(), streamed.trades()
    streamed.master.fills.remove(first)  # the history lags
    assert streamed.tells(MASTER, [second]) is None
    assert streamed.booked() == [second.trade_id]
    streamed.master.fills.insert(0, first)
    assert streamed.run(MASTER)
    assert streamed.booked() == [first.trade_id, second.trade_id] and streamed.signals() == 2


def test_news_wait_while_the_history_cannot_be_read_and_nothing_of_them_is_lost(streamed: Streamed) -> None:
    missed, told = streamed.trades(), streamed.trades()
    streamed.master.history_error = "the venue does not answer"
    assert streamed.tells(MASTER, [told], missed=True) is not None
    assert streamed.booked() == []
    streamed.master.history_error = None
    assert streamed.bookings[MASTER].book() is None
    assert streamed.booked() == [missed.trade_id, told.trade_id]


def test_nothing_is_booked_past_an_order_of_the_master_whose_outcome_is_not_known(streamed: Streamed) -> None:
    streamed.master.script = [(OutcomeUnknown("no answer"), True)]
    streamed.master.lookups_fail = True
    streamed.bench.master_trades(Side.BUY, "0.01")
    fill = streamed.master.fills[-1]
    assert streamed.tells(MASTER, [fill]) is not None and streamed.booked() == []
    streamed.master.lookups_fail = False
    streamed.bench.executors[MASTER].settle(streamed.intents(MASTER)[0])
    assert streamed.bookings[MASTER].book() is None
    assert (streamed.booked(), streamed.signals()) == ([fill.trade_id], 1)


def test_a_users_copy_is_booked_under_its_order(streamed: Streamed) -> None:
    order = streamed.copied()
    fills = [fill for fill in streamed.ann.fills if fill.venue_order_id == order.venue_order_id]
    assert streamed.tells(ANN, fills, missed=True) is None
    assert streamed.position().quantity == order.filled_quantity


def test_what_a_user_trades_by_hand_pauses_the_symbol_at_once(streamed: Streamed) -> None:
    streamed.clock.seconds += 1
    streamed.ann.by_hand(Side.BUY, "0.01")
    assert streamed.tells(ANN, [streamed.ann.fills[-1]]) is None
    with streamed.store.read() as connection:
        paused = list(connection.scalars(select(schema.symbol_pause.c.symbol)))
    assert paused == ["BTC/USD"]


def test_trades_from_before_the_account_was_known_are_nobodys_business(streamed: Streamed) -> None:
    streamed.clock.seconds -= 3600
    old = streamed.trades()
    streamed.clock.seconds += 3600
    assert streamed.tells(MASTER, [old], missed=True) is None
    assert streamed.booked() == []


def test_too_much_news_becomes_a_reading_of_the_history(streamed: Streamed) -> None:
    fill = streamed.trades()
    streamed.master.history_error = "the venue does not answer"
    assert streamed.tells(MASTER, [fill] * (MOST_FILLS + 1), missed=True) is not None
    assert len(streamed.bookings[MASTER]._fills) == 0
    streamed.master.history_error = None
    assert streamed.bookings[MASTER].book() is None
    assert streamed.booked() == [fill.trade_id]

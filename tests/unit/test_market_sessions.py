"""Trading in sessions: nothing is entered while a market is closed, and what is owed is sold at the opening."""

import logging
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest

from bot.account_worker import LOOK_AGAIN_SECONDS
from bot.domain.errors import MarketClosed
from bot.domain.order import IntentState, OrderKind, OrderType, Side
from bot.domain.position import ExitPlan
from bot.domain.trading_session import ALWAYS_OPEN, TradingSession
from bot.flattening import CLOSED_WAIT_SECONDS
from bot.storage import copies
from bot.storage.flatten_results import FlattenState
from bot.storage.intents import OrderIntent
from bot.storage.store import Store
from tests.memory_broker import START, MemoryBroker
from tests.unit.copy_bench import MASTER, Bench
from tests.unit.test_account_worker import PERIOD_SECONDS
from tests.unit.test_account_worker import Bench as WorkerBench
from tests.unit.test_cycles_of_one_who_left import Cycles
from tests.unit.test_flattening import Flat

D = Decimal
NIGHT = timedelta(hours=17, minutes=30)


def closed_for(broker: MemoryBroker, time: timedelta = NIGHT) -> TradingSession:
    now = broker.venue_now()
    assert now is not None
    opening = now + time
    return TradingSession(False, opening, f"market closed until {opening:%Y-%m-%d %H:%M} UTC")


def until_opening(broker: MemoryBroker) -> None:
    assert broker.session.until is not None
    broker.clock.seconds = (broker.session.until - START).total_seconds()
    broker.session = ALWAYS_OPEN


# -- mirrored exits -------------------------------------------------------------------------------------------------
@pytest.fixture
def bench(store: Store) -> Bench:
    made = Bench(store, {"ann": "1000"})
    made.master_trades(Side.BUY, "0.01")
    made.plan()
    assert made.copy("ann") is None
    made.user("ann").received.clear()
    return made


def test_a_mirrored_exit_waits_for_the_opening_says_so_and_is_sent_then(bench: Bench) -> None:
    ann = bench.user("ann")
    ann.session = closed_for(ann)
    bench.master_trades(Side.SELL, "0.01")
    bench.plan()
    waits = [bench.copy("ann") for _ in range(5)]
    assert ann.received == []
    assert all(wait is not None and 0 < wait <= 60 for wait in waits)
    with bench.store.read() as connection:
        (row,) = copies.planned_copies(connection, ann.account.label)
    assert row.last_error == f"waits for the opening at {ann.session.until:%Y-%m-%d %H:%M} UTC"
    assert row.tries == 0, "nothing was tried"
    until_opening(ann)
    assert bench.copy("ann") is None
    assert [(request.side, request.quantity) for request in ann.received] == [(Side.SELL, D("0.001"))]
    assert bench.answers[-1] == ("ann", "copied", "")


def test_who_waits_for_the_opening_looks_again_right_then(bench: Bench) -> None:
    ann = bench.user("ann")
    ann.session = closed_for(ann, timedelta(seconds=20))
    bench.master_trades(Side.SELL, "0.01")
    bench.plan()
    assert bench.copy("ann") == 20


def test_an_opening_that_is_late_is_looked_for_every_few_seconds(bench: Bench, store: Store) -> None:
    ann = bench.user("ann")
    ann.session = TradingSession(False, None, "market closed; nobody says until when")
    bench.master_trades(Side.SELL, "0.01")
    bench.plan()
    assert bench.copy("ann") == 5
    worker = WorkerBench(store)
    worker.broker.session = ann.session
    worker.worker.step()
    assert worker.worker._cycle_at - worker.clock.seconds == LOOK_AGAIN_SECONDS


def test_a_sale_that_the_close_has_overtaken_stays_owed(bench: Bench) -> None:
    """The session ended between the look and the wire: the broker itself sends nothing any more."""
    ann = bench.user("ann")
    ann.script = [MarketClosed("market closed", opens_at=None)]
    bench.master_trades(Side.SELL, "0.01")
    bench.plan()
    assert bench.copy("ann") is not None
    ann.session = closed_for(ann)
    bench.clock.seconds += 60
    bench.copy("ann")
    until_opening(ann)
    assert bench.copy("ann") is None
    assert sum(fill.quantity for fill in ann.fills if fill.side is Side.SELL) == D("0.001")


# -- own exits and entries ------------------------------------------------------------------------------------------
def test_a_stop_waits_for_the_opening_and_is_said_once(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    cycles = Cycles(store)
    ann = cycles.bench.ann
    ann.price = D(48_000)
    ann.session = closed_for(ann)
    with caplog.at_level(logging.INFO, logger="bot"):
        for _ in range(4):
            cycles.cycle(None)
    assert cycles.sales() == []
    said = [record.getMessage() for record in caplog.records if "market closed" in record.getMessage()]
    assert said == [f"ann_kraken: exits of 1 positions wait: {ann.session.says}"]
    until_opening(ann)
    cycles.cycle(None)
    (sale,) = cycles.sales()
    assert sale.state is IntentState.FILLED
    assert cycles.held() == 0


def test_a_stop_decided_by_yesterdays_price_is_decided_anew_at_the_opening(store: Store) -> None:
    cycles = Cycles(store)
    ann = cycles.bench.ann
    ann.price, ann.session = D(48_000), closed_for(ann)
    cycles.cycle(None)
    until_opening(ann)
    ann.price = D(50_500)
    cycles.cycle(None)
    assert cycles.sales() == []


def test_the_next_cycle_comes_with_the_opening_and_not_a_period_later(store: Store) -> None:
    bench = WorkerBench(store)
    bench.broker.session = closed_for(bench.broker, timedelta(seconds=40))
    bench.worker.step()
    begun = bench.clock.seconds
    assert begun + 40 <= bench.worker._cycle_at <= begun + 43
    bench.broker.session = closed_for(bench.broker)
    bench.clock.seconds += 43
    bench.worker.step()
    assert bench.worker._cycle_at - bench.clock.seconds <= PERIOD_SECONDS


# -- flattening -----------------------------------------------------------------------------------------------------
def test_a_flatten_waits_for_the_opening_without_asking_all_night(store: Store) -> None:
    flat = Flat(store)
    flat.ann.session = closed_for(flat.ann)
    assert flat.step() == CLOSED_WAIT_SECONDS
    assert flat.ann.received == []
    row = flat.row()
    assert row.state is FlattenState.WORKING
    assert "waits for the opening at" in row.why
    until_opening(flat.ann)
    flat.until_done()
    assert flat.ann.coins == 0


# -- limits that should end at once ---------------------------------------------------------------------------------
def a_bounded_entry(bench: Bench) -> OrderIntent:
    return OrderIntent(
        client_order_id=bench.ids.token(),
        account_id=MASTER.label,
        signal_id=None,
        decision="test",
        symbol="BTC/USD",
        side=Side.BUY,
        kind=OrderKind.ENTRY,
        order_type=OrderType.LIMIT_IOC,
        quantity=D("0.01"),
        limit_price=D(50_000),
        balance_before=None,
        exit_plan=ExitPlan(),
        created_at=bench.clock.now(),
    )


@pytest.mark.parametrize(("seconds", "ends"), [(0.5, True), (30.0, False)])
def test_a_limit_that_should_end_at_once_is_cancelled_as_soon_as_the_broker_says(
    store: Store, seconds: float, ends: bool
) -> None:
    """Where the venue has no such orders for fractions, they stand for the day until they are cancelled from here."""
    bench = Bench(store, {})
    master = bench.brokers[MASTER]
    master.fillable, master.stays_open = D("0.004"), True
    master.immediate_limit_seconds = seconds
    result = bench.executors[MASTER].place(a_bounded_entry(bench))
    assert (result.state is IntentState.CANCELLED) is ends
    assert result.filled_quantity == D("0.004")


@pytest.mark.parametrize(
    "make",
    [lambda: TradingSession(False, None), lambda: TradingSession(True, START.replace(tzinfo=None))],
)
def test_a_session_says_why_it_is_not_open_and_dates_its_end(make: Callable[[], TradingSession]) -> None:
    with pytest.raises(ValueError, match="session"):
        make()

"""One order whose report makes no sense costs the account neither its cycles nor its other orders."""

from dataclasses import replace
from decimal import Decimal

import pytest
from sqlalchemy import Connection, select, update

from bot.account_desk import AccountDesk
from bot.domain.order import IntentState, Side, VenueOrderStatus
from bot.domain.position import ExitPlan
from bot.master_rules import MasterRules
from bot.position_sizer import PositionSizer
from bot.seams.ids import SeededIds
from bot.storage import schema, symbol_pauses
from bot.storage.process import set_restored
from bot.storage.store import Store
from bot.trading_strategy import TradingStrategy
from tests.unit.execution.reconciler_bench import ANN, ReconcilerBench


class CyclingBench(ReconcilerBench):
    """Runs whole cycles of ann's account."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.strategy = TradingStrategy(
            strategies={},
            rules=MasterRules(
                max_positions=0,
                max_entries_per_cycle=0,
                order_percent_of_cash=Decimal(1),
                exit_plan=ExitPlan(),
                scan_symbols_limit=0,
            ),
            sizer=PositionSizer(),
            store=store,
            clock=self.clock,
            ids=SeededIds(1),
            install_id="test",
            announce=lambda _broker: None,
            status_lines=list,
        )

    def cycle(self) -> None:
        self.clock.seconds += 1
        desk = AccountDesk(
            broker=self.ann,
            status=self.statuses[ANN],
            recorder=self.bench.recorders[ANN],
            executor=self.bench.executors[ANN],
            reconciler=self.reconcilers[ANN],
            copier=None,
            candles=None,
        )
        self.strategy.add_desk(desk)
        self.strategy.run_cycle(self.ann, user_mode=True)


@pytest.fixture
def bench(store: Store) -> CyclingBench:
    return CyclingBench(store)


def _poison(bench: ReconcilerBench) -> str:
    """Ann's last order: filled in part in the books, and then reported as refused. Returns its venue's id."""
    intent = bench.copied()
    assert intent.venue_order_id is not None
    bench.rewrite(intent, state="partly_filled")
    order = bench.ann.orders[intent.venue_order_id]
    bench.ann.orders[intent.venue_order_id] = replace(order, status=VenueOrderStatus.REJECTED)
    return intent.venue_order_id


def _stop(bench: ReconcilerBench) -> None:
    """Give ann's position a stop of one percent."""

    def work(connection: Connection) -> None:
        connection.execute(update(schema.position).values(stop_loss_percent=Decimal(1)))

    bench.store.write(work)


def test_an_order_that_cannot_be_settled_is_reported_and_the_cycle_goes_on(bench: CyclingBench) -> None:
    venue_order_id = _poison(bench)
    for _ in range(3):
        bench.cycle()
    assert "cannot be booked: IllegalMove" in bench.drifts()["phantom"]
    assert bench.reconcilers[ANN].hydrated
    healed = bench.ann.orders[venue_order_id]
    bench.ann.orders[venue_order_id] = replace(healed, status=VenueOrderStatus.FILLED)
    bench.cycle()
    assert bench.run()
    assert bench.drifts() == {}
    assert bench.intents()[-1].state is IntentState.FILLED


def test_a_copy_that_cannot_be_settled_does_not_keep_the_others_waiting(bench: CyclingBench) -> None:
    _poison(bench)

    def work(connection: Connection) -> None:
        connection.execute(update(schema.copy_result).values(status="planned"))

    bench.store.write(work)
    assert bench.bench.copy("ann") is not None
    with bench.store.read() as connection:
        (error,) = connection.execute(select(schema.copy_result.c.last_error)).scalars()
    assert error.startswith("unexpected: IllegalMove")


def test_a_symbol_paused_after_its_copy_was_planned_is_not_entered(bench: CyclingBench) -> None:
    bench.clock.seconds += 1
    bench.bench.master_trades(Side.BUY, "0.01")
    bench.bench.plan()
    bench.store.write(
        lambda connection: symbol_pauses.pause_symbol(
            connection, ANN.label, "BTC/USD", reason="traded by hand", now=bench.clock.now()
        )
    )
    assert bench.bench.copy("ann") is None
    assert bench.bench.rows() == [("ann", "skipped", "symbol_paused")]
    assert bench.ann.received == []


def test_exits_wait_for_no_hydration(bench: CyclingBench) -> None:
    bench.copied()
    bench.ann.open_orders_error = bench.ann.history_error = "503"
    _stop(bench)
    bench.ann.price = Decimal(40000)
    bench.cycle()
    assert not bench.reconcilers[ANN].hydrated
    assert bench.ann.coins == 0


def test_with_an_older_copy_of_the_books_the_account_looks_before_it_sells(bench: CyclingBench) -> None:
    """What was sold in the time that the books have lost must not be sold again out of the owner's own coins."""
    bench.copied()
    bench.ann.coins += 1
    bench.clock.seconds += 1
    _stop(bench)
    assert not bench.reconcilers[ANN].must_come_first()
    bench.store.write(lambda connection: set_restored(connection, now=bench.clock.now()))
    assert bench.reconcilers[ANN].must_come_first()
    looks: list[bool] = []
    bench.ann.on_place = lambda _request: looks.append(bench.reconcilers[ANN].hydrated)
    bench.ann.price = Decimal(40000)
    bench.cycle()
    assert looks == [True]

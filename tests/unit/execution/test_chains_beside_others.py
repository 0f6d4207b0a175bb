"""Orders that rest, beside whatever else the account does: a flatten, a copy, a user who leaves, the worker's loop."""

from decimal import Decimal
from typing import cast

from sqlalchemy import Connection

from bot.account_worker import AccountWorker, CycleTimes, Note
from bot.domain.account import AccountRef, BrokerType
from bot.domain.halt import HaltScope, HaltSource, HaltStrength
from bot.domain.leaving import WhenDisabled
from bot.domain.order import OrderKind, OrderType, Side
from bot.domain.position import ExitPlan
from bot.domain.signal import CopyStatus, TradeSignal
from bot.execution.repositioner import OrderRules, Policy
from bot.flattening import Flattening
from bot.position_sizer import PositionSizer
from bot.storage import accounts, copies, halts, signals
from bot.storage.store import Store
from bot.trading_strategy import TradingStrategy
from tests.unit.execution.chain_bench import SYMBOL, ChainBench

RESTING = OrderRules(entry=Policy.RESTING, exit=Policy.RESTING)
PERIOD_SECONDS = 10_000.0


class Cycles:
    """Stands where the strategy stands: compares with the venue, and counts."""

    def __init__(self, bench: ChainBench) -> None:
        self._bench = bench
        self.number = 0

    def run_cycle(self, **_others: object) -> None:
        self.number += 1
        self._bench.desk.reconciler.run_if_due()


def _worker(bench: ChainBench, cycles: Cycles) -> AccountWorker:
    return AccountWorker(
        desk=bench.desk,
        strategy=cast(TradingStrategy, cycles),
        times=CycleTimes(PERIOD_SECONDS, 0.0, PERIOD_SECONDS),
        clock=bench.clock,
        ids=bench.ids,
        stop=bench.stop,
        on_cycle=lambda _account, _result, _seconds: None,
    )


def test_the_accounts_thread_looks_after_what_rests_long_before_its_next_cycle(store: Store) -> None:
    bench = ChainBench(store, RESTING)
    cycles = Cycles(bench)
    worker = _worker(bench, cycles)
    worker.tell(Note.REFRESH)
    worker.step()
    bench.enter("1")
    before = cycles.number
    for _ in range(70):
        worker.tell(Note.REFRESH)
        bench.clock.seconds += 1
        worker.step()
    assert len(bench.steps()) == 2
    assert cycles.number == before


def test_an_accounts_thread_that_is_told_to_end_cancels_its_resting_entries(store: Store) -> None:
    bench = ChainBench(store, RESTING)
    bench.enter("1")
    bench.stop.set()
    _worker(bench, Cycles(bench)).run()
    assert bench.venue.live() == []


def test_a_flatten_sells_what_rested_once(store: Store) -> None:
    bench = ChainBench(store, RESTING)
    bench.holds("1")
    bench.exit("1")
    bench.venue.fill_part(Decimal("0.5"))
    store.write(
        lambda connection: halts.set_halt(
            connection,
            scope=HaltScope.ALL,
            target="",
            strength=HaltStrength.FLATTEN,
            reason="news",
            set_by="anna",
            source=HaltSource.COMMAND,
            now=bench.clock.now(),
        )
    )
    bench.look(1)
    assert (bench.venue.live(), bench.steps()[-1].chain_end) == ([], "a flatten sells it")
    Flattening(
        broker=bench.venue,
        store=store,
        clock=bench.clock,
        install_id="test",
        executor=bench.executor,
        sizer=PositionSizer(),
    ).step()
    bench.look(60)
    assert bench.lots() == bench.venue.coins == 0


def test_a_user_who_left_and_keeps_what_he_has_is_not_sold_out(store: Store) -> None:
    bench = ChainBench(store, RESTING)
    bench.holds("1")
    bench.exit("1")
    bench.leaving = WhenDisabled.KEEP
    bench.restart()
    bench.look(60)
    assert (bench.venue.live(), bench.lots()) == ([], 1)
    assert bench.chains.due_at is None


def test_a_users_exit_rests_no_longer_when_the_master_has_left(store: Store) -> None:
    bench = ChainBench(store, RESTING)
    bench.holds("1")
    bench.exit("1")
    _master_exits(bench)
    bench.look(2)
    assert [step.order_type for step in bench.steps()] == [OrderType.LIMIT_GTC, OrderType.MARKET]
    assert bench.lots() == 0


def _master_exits(bench: ChainBench) -> None:
    """A signal with a copy of this account that has no answer yet."""
    master, now = AccountRef.master(BrokerType.KRAKEN), bench.clock.now()
    signal = TradeSignal(
        signal_id="s1",
        broker=master.broker,
        symbol=SYMBOL,
        side=Side.SELL,
        kind=OrderKind.EXIT,
        size=Decimal(1),
        quantity=Decimal(1),
        reference_price=Decimal(50_000),
        master_balance=None,
        executed_at=now,
        exit_plan=ExitPlan(),
    )

    def work(connection: Connection) -> None:
        accounts.remember_account(connection, master, name="master", enabled=True, now=now)
        signals.add_signal(connection, signal, account_id=master.label, venue_order_id=None, batch=0, now=now)
        copies.add_copy(
            connection,
            signal_id="s1",
            account_id=bench.account.label,
            planned_at=now,
            status=str(CopyStatus.PLANNED),
            reason="",
            detail="",
        )

    bench.store.write(work)


def test_once_the_bot_stops_no_more_exits_are_cancelled_to_be_moved(store: Store) -> None:
    bench = ChainBench(store, RESTING)
    bench.holds("2")
    bench.exit("1")
    bench.exit("1")
    cancel = bench.venue.cancel_order

    def cancel_and_stop(venue_order_id: str) -> bool:
        bench.stop.set()
        return cancel(venue_order_id)

    bench.venue.cancel_order = cancel_and_stop  # type: ignore[method-assign]
    bench.look(60)
    assert len(bench.venue.live()) == 1, "what protects a position while nobody is there stays where it is"

"""What the cycles of a user who is switched off sell: nothing, what a stop says, or everything."""

from decimal import Decimal

import pytest

from bot.account_desk import AccountDesk
from bot.domain.account import AccountRef, BrokerType
from bot.domain.errors import RetryLater
from bot.domain.leaving import WhenDisabled
from bot.domain.order import IntentState, OrderType, Side
from bot.domain.position import ExitPlan
from bot.master_rules import MasterRules
from bot.position_sizer import PositionSizer
from bot.storage import intents, positions
from bot.storage.intents import OrderIntent
from bot.storage.store import Store
from bot.trading_strategy import TradingStrategy
from tests.unit.execution.reconciler_bench import ReconcilerBench

ANN = AccountRef.user(BrokerType.KRAKEN, "ann")


class Cycles:
    """Ann holds a copy with a stop 2 % below its price of 50,000; `cycle(wish)` is one cycle of her thread."""

    def __init__(self, store: Store) -> None:
        self.bench = ReconcilerBench(store)
        self.store = store
        self.bench.copied()
        store.write(lambda connection: connection.exec_driver_sql("UPDATE position SET stop_loss_percent = '2'"))
        self.stop_loss_percent: Decimal | None = None
        self._strategies: dict[Decimal | None, TradingStrategy] = {}

    @property
    def strategy(self) -> TradingStrategy:
        """One for each of the account's own stops that a test has set; it keeps what it has said."""
        if self.stop_loss_percent not in self._strategies:
            self._strategies[self.stop_loss_percent] = self._made(ExitPlan(stop_loss_percent=self.stop_loss_percent))
        return self._strategies[self.stop_loss_percent]

    def _made(self, exit_plan: ExitPlan) -> TradingStrategy:
        return TradingStrategy(
            strategies={},
            rules=MasterRules(
                max_positions=0,
                max_entries_per_cycle=0,
                order_percent_of_cash=Decimal(10),
                exit_plan=exit_plan,
                scan_symbols_limit=0,
            ),
            sizer=PositionSizer(),
            store=self.store,
            clock=self.bench.clock,
            ids=self.bench.bench.ids,
            install_id="test",
            announce=lambda _broker: None,
            status_lines=list,
        )

    def cycle(self, wish: WhenDisabled | None, *, after: float = 150) -> None:
        self.bench.clock.seconds += after
        self.strategy.add_desk(
            AccountDesk(
                broker=self.bench.ann,
                status=self.bench.statuses[ANN],
                recorder=self.bench.bench.recorders[ANN],
                executor=self.bench.bench.executors[ANN],
                reconciler=self.bench.reconcilers[ANN],
                copier=None,
                candles=None,
                leaving=wish,
            )
        )
        self.strategy.run_cycle(broker=self.bench.ann, user_mode=True)

    def sales(self) -> list[OrderIntent]:
        with self.store.read() as connection:
            made = intents.intents_in(connection, ANN.label, list(IntentState))
        return [intent for intent in made if intent.side is Side.SELL]

    def held(self) -> Decimal:
        with self.store.read() as connection:
            position = positions.find_position(connection, ANN.label, "BTC/USD")
        return Decimal(0) if position is None else position.quantity


@pytest.fixture
def cycles(store: Store) -> Cycles:
    return Cycles(store)


def test_who_wants_to_be_closed_out_is_sold_at_the_market_whatever_the_price(cycles: Cycles) -> None:
    bought = cycles.held()
    cycles.cycle(WhenDisabled.CLOSE_NOW)
    (sale,) = cycles.sales()
    assert (sale.order_type, sale.quantity, sale.decision) == (OrderType.MARKET, bought, "left: the user left")
    assert cycles.held() == 0
    cycles.cycle(WhenDisabled.CLOSE_NOW)
    assert len(cycles.sales()) == 1


def test_a_refused_sale_of_one_who_left_is_tried_again_until_it_is_done(cycles: Cycles) -> None:
    cycles.bench.ann.script = [RetryLater("busy"), RetryLater("busy")]
    for _ in range(2):
        cycles.cycle(WhenDisabled.CLOSE_NOW)
        assert cycles.held() > 0
    cycles.cycle(WhenDisabled.CLOSE_NOW)
    assert cycles.held() == 0
    assert [sale.state for sale in cycles.sales()] == [
        IntentState.ABANDONED,
        IntentState.ABANDONED,
        IntentState.FILLED,
    ]


@pytest.mark.parametrize("wish", [None, WhenDisabled.CLOSE_ONLY])
def test_a_stop_sells_also_for_one_who_left_and_nothing_else_does(cycles: Cycles, wish: WhenDisabled | None) -> None:
    cycles.cycle(wish)
    assert cycles.sales() == []
    cycles.bench.ann.price = Decimal(48_000)
    cycles.cycle(wish)
    assert cycles.held() == 0


def test_for_one_who_keeps_its_coins_no_stop_sells(cycles: Cycles) -> None:
    cycles.bench.ann.price = Decimal(1_000)
    cycles.cycle(WhenDisabled.KEEP)
    assert cycles.sales() == []
    assert cycles.held() > 0

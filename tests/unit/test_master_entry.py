"""A master's wish to buy: what it becomes, and which rule is in its way, with the numbers."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select

from bot.account_desk import AccountDesk
from bot.domain.account import BrokerType
from bot.domain.decision import EntryOutcome
from bot.domain.errors import OrderRefused
from bot.domain.order import IntentState
from bot.domain.position import ExitPlan
from bot.domain.quote import Candle
from bot.domain.veto import VetoRule
from bot.execution.account_status import AccountStatus
from bot.execution.reconciliation import Reconciler
from bot.market.candle_cache import CandleCache
from bot.master_entry import SAY_AGAIN_SECONDS, Capacity, MasterEntry
from bot.master_rules import MasterRules
from bot.master_sizer import Sizing
from bot.own_orders import OwnOrders
from bot.risk.case import LimitRules
from bot.risk.safe_mode import SafeModeRules
from bot.seams.ids import SeededIds
from bot.storage.schema import veto
from bot.storage.store import Store
from bot.strategies.interface import EntryIntent
from tests.memory_broker import START, TestClock
from tests.unit.risk.desk import KRAKEN, RiskDesk

RULES = MasterRules(
    max_positions=8,
    max_entries_per_cycle=1,
    order_percent_of_cash=Decimal(5),
    exit_plan=ExitPlan(stop_loss_percent=Decimal(2), take_profit_percent=Decimal(5)),
    scan_symbols_limit=None,
)
WISH = EntryIntent("BTC/USD", Decimal("0.5"), "a wish")


class Candles:
    """A market whose price moves by 1 % in each minute, up and down."""

    def __init__(self, clock: TestClock) -> None:
        self._clock = clock

    def get_candles(self, symbol: str, *, interval_minutes: int, limit: int) -> Sequence[Candle]:
        opened = [START + timedelta(minutes=place) for place in range(-limit, 0)]
        low, high = Decimal("99.5"), Decimal("100.5")
        return [Candle(at, Decimal(100), high, low, Decimal(100), Decimal(1)) for at in opened]


@dataclass(frozen=True)
class Verdict:
    quantity: Decimal
    sentence: str = ""


class EntryBench:
    """One master with a million in cash in a market that costs 100; `enter` tries a wish."""

    def __init__(
        self,
        store: Store,
        rules: MasterRules = RULES,
        *,
        limits: LimitRules | None = None,
        capacity: Capacity | None = None,
        fee_percent: str | None = "0.4",
    ) -> None:
        self.risk = RiskDesk(store, limits or LimitRules())
        self.store, self.clock, self.broker = store, self.risk.clock, self.risk.brokers[KRAKEN]
        if fee_percent is not None:
            self.broker._fees._percents[""], self.broker._fees._due_at[""] = Decimal(fee_percent), float("inf")
        orders = OwnOrders(
            store=store, clock=self.clock, ids=SeededIds(7), install_id="test", announce=lambda _broker: None
        )
        self.entry = MasterEntry(
            rules=rules,
            store=store,
            clock=self.clock,
            orders=orders,
            price_age_seconds=lambda _broker, _symbol: None,
            rooms=self.risk.limits.rooms,
            capacity=capacity,
            safe_mode=SafeModeRules(below_percent=Decimal(50)),
        )
        self.desk = self._desk()
        self.broker.refresh_balance()

    def enter(self, **changes: Any) -> EntryOutcome:
        return self.entry.enter(self.desk, replace(WISH, **changes))

    def bought(self) -> list[Decimal]:
        return [request.quantity for request in self.broker.received]

    def rows(self) -> list[tuple[str, Mapping[str, str]]]:
        with self.store.read() as connection:
            query = select(veto.c.rule, veto.c.numbers_json).order_by(veto.c.id)
            return [(rule, json.loads(numbers)) for rule, numbers in connection.execute(query)]

    def _desk(self) -> AccountDesk:
        status = AccountStatus(store=self.store, clock=self.clock, account=KRAKEN, mode="paper")
        executor, recorder = self.risk.executors[KRAKEN], self.risk.recorders[KRAKEN]
        candles = CandleCache(Candles(self.clock), clock=self.clock, interval_minutes=1, candles_needed=20)
        candles.refresh(["BTC/USD"])
        reconciler = Reconciler(
            broker=self.broker,
            store=self.store,
            clock=self.clock,
            ids=SeededIds(1),
            status=status,
            recorder=recorder,
            executor=executor,
            install_id="test",
            period_seconds=120.0,
        )
        return AccountDesk(
            broker=self.broker,
            status=status,
            recorder=recorder,
            executor=executor,
            reconciler=reconciler,
            copier=None,
            candles=candles,
        )


def test_a_wish_becomes_an_order_and_the_outcome_has_its_numbers(store: Store) -> None:
    bench = EntryBench(store)
    outcome = bench.enter()
    assert outcome.ordered
    assert outcome.client_order_id is not None
    assert bench.bought() == [Decimal(500)]  # 5 % of a million at 100
    assert outcome.numbers["set_by"] == "fixed_fraction"
    assert bench.rows() == []


def test_a_stop_twice_as_far_buys_about_half(store: Store) -> None:
    rules = replace(RULES, sizing=Sizing.RISK_PER_TRADE, exit_plan=ExitPlan(take_profit_percent=Decimal(50)))
    bench = EntryBench(store, rules, fee_percent="0")
    near = bench.enter(stop_loss_percent=Decimal(4))
    assert (near.ordered, bench.bought()) == (True, [Decimal(2500)])  # 1 % of a million is 4 % of 250,000
    bench.risk.exit("BTC/USD", "2500")
    bench.broker.refresh_balance(max_age_seconds=0)
    assert bench.enter(stop_loss_percent=Decimal(8)).ordered
    assert bench.bought()[-1] == Decimal(1250)
    none = bench.enter(stop_loss_percent=None)
    assert (none.ordered, none.rule) == (False, "no_stop")


def test_a_market_that_moves_much_is_bought_little_of(store: Store) -> None:
    bench = EntryBench(store, replace(RULES, sizing=Sizing.VOLATILITY_TARGET))
    outcome = bench.enter()
    assert outcome.ordered
    # 1 % a minute is the square root of 1,440 times as much a day.
    assert Decimal(outcome.numbers["daily_move_percent"]).quantize(Decimal("0.01")) == Decimal("37.95")
    assert bench.bought() == [pytest.approx(Decimal(10_000) / Decimal("37.947"), rel=Decimal("0.001"))]


@pytest.mark.parametrize(("sizing", "rule"), [(Sizing.RISK_PER_TRADE, ""), (Sizing.FIXED_FRACTION, "account_notional")])
def test_a_computed_size_fits_into_what_the_limits_leave_and_a_named_one_is_vetoed(
    store: Store, sizing: Sizing, rule: str
) -> None:
    bench = EntryBench(
        store, replace(RULES, sizing=sizing), limits=LimitRules(max_account_notional_quote=Decimal(1005))
    )
    outcome = bench.enter()
    assert (outcome.ordered, outcome.rule) == (not rule, rule)
    assert bench.bought() == ([] if rule else [Decimal(10)])
    if not rule:
        assert outcome.numbers["set_by"] == "max_account_notional_usd"


@pytest.mark.parametrize(("fee", "ordered"), [("0.4", True), ("2.6", False), (None, True)])
def test_a_target_that_does_not_pay_for_its_trades_is_vetoed_with_the_numbers(
    store: Store, fee: str | None, ordered: bool
) -> None:
    bench = EntryBench(store, fee_percent=fee)
    outcome = bench.enter()
    assert outcome.ordered is ordered
    if ordered:
        return
    assert outcome.rule == "fees_exceed_target"
    assert bench.bought() == []
    ((rule, numbers),) = bench.rows()
    assert (rule, numbers["taker_fee_percent"], numbers["take_profit_percent"]) == ("fees_exceed_target", "2.6", "5")
    # The same of the same market is not written down again and again, but it is not forgotten either.
    assert bench.enter().rule == "fees_exceed_target"
    assert len(bench.rows()) == 1
    bench.clock.seconds += SAY_AGAIN_SECONDS
    bench.enter()
    assert len(bench.rows()) == 2


def test_what_the_followers_cannot_take_is_bought_less_of_or_not_at_all(store: Store) -> None:
    room = [Decimal("7.5"), Decimal(0)]
    bench = EntryBench(
        store, capacity=lambda _desk, _symbol, _quantity, _price: Verdict(room.pop(0), "the book is thin")
    )
    outcome = bench.enter()
    assert (outcome.ordered, outcome.numbers["set_by"], bench.bought()) == (True, "capacity", [Decimal("7.5")])
    refused = bench.enter()
    assert (refused.ordered, refused.rule, refused.detail) == (False, "capacity", "the book is thin")
    assert bench.rows()[-1][0] == VetoRule.CAPACITY


def test_in_safe_mode_nothing_is_entered_and_the_row_says_why(store: Store) -> None:
    bench = EntryBench(store)
    safe = bench.entry.safe_mode_of(bench.desk)
    safe.look("the balance is stale")
    safe.look("the balance is stale")
    outcome = bench.enter()
    assert (outcome.ordered, outcome.rule) == (False, "safe_mode")
    assert "the balance is stale" in outcome.detail
    assert [rule for rule, _ in bench.rows()] == ["safe_mode"]
    for _ in range(4):
        bench.clock.seconds += 20
        safe.look("")
    assert bench.enter().ordered


def test_what_a_limit_holds_back_as_it_is_sent_comes_back_under_its_rule(store: Store) -> None:
    bench = EntryBench(store, limits=LimitRules(max_order_notional_quote=Decimal(10)))
    outcome = bench.enter()
    assert (outcome.ordered, outcome.rule) == (False, "order_notional")
    assert outcome.client_order_id is not None
    assert bench.bought() == []


def test_an_order_that_the_venue_refuses_was_an_order_all_the_same(store: Store) -> None:
    bench = EntryBench(store)
    bench.broker.script = [OrderRefused("no")]
    outcome = bench.enter()
    assert outcome.ordered
    with store.read() as connection:
        state = connection.exec_driver_sql("SELECT state FROM order_intent").scalar_one()
    assert state == IntentState.REJECTED


def test_what_the_account_is_worth_is_its_cash_or_its_mark_and_otherwise_unknown(store: Store) -> None:
    rules = replace(RULES, sizing=Sizing.RISK_PER_TRADE)
    bench = EntryBench(store, rules, fee_percent="0")
    bench.risk.enter("A/USD", "1000")
    bench.broker.refresh_balance(max_age_seconds=0)
    unknown = bench.enter()
    assert (unknown.ordered, unknown.rule) == (False, "equity_unknown")
    bench.risk.mark(prices={"A/USD": "150"})
    known = bench.enter()
    assert known.ordered
    # 900,000 in cash, and 1000 at 150.
    assert known.numbers["equity_quote"] == "1050000"
    bench.clock.seconds += 700
    bench.broker.refresh_balance(max_age_seconds=0)
    assert bench.enter().rule == "equity_unknown"


def test_a_bot_that_stops_enters_nothing_and_blames_no_market(store: Store) -> None:
    bench = EntryBench(store)
    bench.desk.executor._stop.set()
    outcome = bench.enter()
    assert (outcome.ordered, outcome.rule, outcome.detail) == (False, "not_sent", "the bot is stopping")
    assert (bench.rows(), bench.bought()) == ([], [])


def test_two_masters_have_a_safe_mode_each(store: Store) -> None:
    bench = EntryBench(store)
    bench.entry.safe_mode_of(bench.desk).look("trouble")
    bench.entry.safe_mode_of(bench.desk).look("trouble")
    other = bench.entry._safe_modes.of(str(BrokerType.COINBASE))
    assert bench.entry.safe_mode_of(bench.desk).is_on
    assert not other.is_on

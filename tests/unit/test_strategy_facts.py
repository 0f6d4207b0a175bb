"""What a strategy is told of the account: the same at entries and exits, with the fee as far as it is known."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

import pytest

from bot.domain.account import BrokerType
from bot.domain.order import Side
from bot.domain.position import Position
from bot.dust_keeping import DustKeeping
from bot.market.universe import ScanRules
from bot.market_look import MarketLook
from bot.observability.last_said import LastSaid
from bot.own_orders import OwnOrders
from bot.position_keeping import PositionKeeping
from bot.position_sizer import PositionSizer
from bot.seams.ids import SeededIds
from bot.storage.store import Store
from bot.strategies.interface import AccountFacts, ExitIntent, MarketView, NoEntry
from bot.strategy_facts import StrategyFacts
from tests.unit.test_master_entry import RULES, EntryBench

FEE = Decimal("0.26")


@dataclass
class Curious:
    """Notes what it is told."""

    name = "curious"
    parameters = ()
    candles_needed = 5
    told: list[AccountFacts | None] = field(default_factory=list)

    def entry(self, view: MarketView) -> NoEntry:
        self.told.append(view.account)
        return NoEntry("only looking")

    def exit(self, view: MarketView, position: Position) -> ExitIntent | None:
        self.told.append(view.account)
        return None


class Looks:
    """A master with a curious strategy in a market whose venue tells its fee to who asks."""

    def __init__(self, store: Store, *, fees_by_market: bool = False) -> None:
        self.bench = EntryBench(store, fee_percent=None)
        self.broker, clock = self.bench.broker, self.bench.clock
        self.broker.fees_by_market = fees_by_market
        self.asked: list[str] = []
        self.broker.fetch_taker_fee_percent = self._tell_fee  # type: ignore[method-assign]
        self.strategy = Curious()
        strategies: Mapping[BrokerType, Curious] = {BrokerType.KRAKEN: self.strategy}
        orders = OwnOrders(store=store, clock=clock, ids=SeededIds(3), install_id="test", announce=lambda _broker: None)
        self.keeping = PositionKeeping(
            strategies=strategies,
            sizer=PositionSizer(),
            store=store,
            clock=clock,
            orders=orders,
            said=LastSaid(),
            dust=DustKeeping(store=store, clock=clock, plan=RULES.exit_plan, retry_minutes=60),
            default_stop_percent=None,
            max_positions=8,
        )
        self.facts = StrategyFacts(store=store, clock=clock, max_positions=8)
        self.market = MarketLook(
            strategy_of=strategies.__getitem__,
            rules=ScanRules(),
            clock=clock,
            paused=frozenset,
            movers=lambda _broker: (),
        )

    def _tell_fee(self, symbol: str) -> Decimal:
        self.asked.append(symbol)
        return FEE

    def look(self) -> AccountFacts | None:
        """What the strategy is told at a question about an entry."""
        self.market.look(self.bench.desk, frozenset(), self.facts.now(self.bench.desk, []))
        return self.strategy.told[-1]

    def keep(self) -> AccountFacts | None:
        """What it is told at a question about an exit."""
        self.keeping.manage(self.bench.desk)
        return self.strategy.told[-1]


def test_with_one_fee_for_all_markets_it_is_known_at_the_first_question_and_asked_once(store: Store) -> None:
    looks = Looks(store)
    told = looks.look()
    assert told is not None
    assert (told.taker_fee_percent, told.cash_quote) == (FEE, Decimal(10**6))
    assert (told.open_positions, told.max_positions) == (0, 8)
    looks.look()
    assert len(looks.asked) == 1


def test_with_a_fee_for_each_market_only_what_was_told_is_told_on(store: Store) -> None:
    looks = Looks(store, fees_by_market=True)
    told = looks.look()
    assert told is not None
    assert (told.taker_fee_percent, looks.asked) == (None, [])
    looks.broker.taker_fee_percent("BTC/USD")
    told = looks.look()
    assert told is not None
    assert told.taker_fee_percent == FEE


@pytest.mark.parametrize("fees_by_market", [False, True])
def test_a_strategy_that_is_asked_to_exit_knows_the_account_and_the_fee_of_what_is_held(
    store: Store, fees_by_market: bool
) -> None:
    looks = Looks(store, fees_by_market=fees_by_market)
    assert looks.bench.enter().ordered
    looks.broker.refresh_balance(max_age_seconds=0)
    looks.keep()
    told = looks.keep()
    assert told is not None
    cash = looks.broker.balance_book.reading().holdings
    assert cash is not None
    assert (told.taker_fee_percent, told.open_positions, told.cash_quote) == (FEE, 1, cash.of("USD").available)
    assert [fill.side for fill in looks.broker.fills] == [Side.BUY]


def test_before_any_balance_was_read_nothing_is_told_and_the_question_is_asked_all_the_same(store: Store) -> None:
    looks = Looks(store)
    assert looks.bench.enter().ordered
    looks.broker.balance_book._holdings = None
    told_before = len(looks.strategy.told)
    assert looks.keep() is None
    assert len(looks.strategy.told) == told_before + 1

"""Sizes and funding of accounts that are not counted in dollars."""

from decimal import Decimal
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.brokers.base import BaseBroker
from bot.copy_planner import CopyPlanner
from bot.domain.account import AccountRef
from bot.domain.balance import AssetBalance, Holdings
from bot.domain.health import HealthState
from bot.domain.instrument import Instrument
from bot.domain.signal import CopyReason
from bot.followers import CopyLimits, Followers
from bot.position_sizer import CopyMode, CopyRules, EntryToCopy, NoSize, PositionSizer, Size
from bot.storage.store import Store
from tests.unit.test_broker_registry import KRAKEN, Bench, FailingBroker, trader_over

AT_PAR = frozenset({"USD", "USDT", "USDC"})
SIZER = PositionSizer()
CAPS = ("max_trade_notional_quote", "max_symbol_notional_quote", "max_total_notional_quote")


def market(symbol: str) -> Instrument:
    return Instrument(
        symbol=symbol,
        venue_symbol=symbol,
        lot_step=Decimal("0.00000001"),
        tick_size=Decimal("0.1"),
        minimum_quantity=Decimal(0),
        minimum_notional=Decimal(0),
    )


def entry(symbol: str, *, held: dict[str, Decimal] | None = None) -> EntryToCopy:
    """The master bought for 500 of its 10,000; the user has 1,000."""
    return EntryToCopy(
        symbol=symbol,
        quantity=Decimal(5),
        price=Decimal(100),
        master_balance=Decimal(10_000),
        user_balance=Decimal(1_000),
        user_available=Decimal(1_000),
        reserve_percent=Decimal(1),
        user_exposure_by_symbol=held or {},
        at_par=AT_PAR,
    )


@pytest.mark.parametrize("cap", CAPS)
def test_a_cap_in_dollars_holds_for_a_stablecoin_and_stops_what_nobody_can_compare(cap: str) -> None:
    rules = CopyRules(**{cap: Decimal(30)})
    capped = SIZER.size_entry(entry("BTC/USDT"), rules, market("BTC/USDT"))
    assert isinstance(capped, Size) and capped.quantity * 100 == 30
    stopped = SIZER.size_entry(entry("BTC/EUR"), rules, market("BTC/EUR"))
    assert isinstance(stopped, NoSize) and stopped.reason is CopyReason.CAP_REACHED
    assert stopped.detail == f"{cap[:-5]}usd cannot be held: what BTC/EUR is worth in USD is not known"


def test_a_copy_without_caps_is_a_ratio_in_whatever_currency() -> None:
    size = SIZER.size_entry(entry("BTC/EUR"), CopyRules(), market("BTC/EUR"))
    assert isinstance(size, Size) and size.quantity * 100 == 50


def test_a_fixed_amount_of_dollars_is_not_spent_as_so_many_bitcoins() -> None:
    rules = CopyRules(mode=CopyMode.FIXED_AMOUNT, fixed_amount_quote=Decimal(30))
    assert isinstance(SIZER.size_entry(entry("ETH/USDC"), rules, market("ETH/USDC")), Size)
    stopped = SIZER.size_entry(entry("ETH/BTC"), rules, market("ETH/BTC"))
    assert isinstance(stopped, NoSize) and "fixed_amount_usd cannot be held" in stopped.detail


SYMBOLS = st.sampled_from(["A/USD", "A/USDT", "B/USDC", "B/EUR", "C/BTC"])


@given(
    symbol=SYMBOLS,
    held=st.dictionaries(SYMBOLS, st.decimals(min_value="0.01", max_value=900, places=2)),
    cap=st.integers(1, 2000),
)
def test_the_cap_in_total_counts_what_is_at_par_and_never_adds_up_anything_else(
    symbol: str, held: dict[str, Decimal], cap: int
) -> None:
    rules = CopyRules(max_total_notional_quote=Decimal(cap))
    size = SIZER.size_entry(entry(symbol, held=held), rules, market(symbol))
    known = all(one.partition("/")[2] in AT_PAR for one in (symbol, *held))
    room = cap - sum(held.values(), Decimal(0))
    if known and room > 0:
        assert isinstance(size, Size) and size.quantity * 100 <= room
    else:
        assert isinstance(size, NoSize) and size.reason is CopyReason.CAP_REACHED


# -- funding ----------------------------------------------------------------------------------------------------------
class CountedIn(FailingBroker):
    """Has 15,000 of this currency, and more dollars, which are not what it is counted in."""

    currency = "USDT"

    @property
    def quote_currency(self) -> str:
        return self.currency

    def fetch_holdings(self) -> Holdings:
        much = AssetBalance(Decimal(15_000), Decimal(0))
        return Holdings({self.currency: much, "USD": AssetBalance(Decimal(99_000), Decimal(0))}, self.clock.now())


class CurrencyBench(Bench):
    def __init__(self, currency: str) -> None:
        super().__init__()
        self.currency = currency

    def build(self, account: AccountRef) -> BaseBroker:
        broker = CountedIn(account, self.clock, None, self.closed.append)
        broker.currency = self.currency
        return broker


@pytest.mark.parametrize(
    ("currency", "why"),
    [
        ("USDT", "not funded: 15000.00 is below 20000 USDT"),
        ("EUR", "not known to be funded: it has 15000.00 EUR, and what that is in USD is not known; "
         "name EUR in risk.at_par_with_usd to count it one to one, or set minimum_funded_usd to 0"),
    ],
)  # fmt: skip
def test_an_account_is_funded_by_what_it_has_of_its_own_currency(store: Store, currency: str, why: str) -> None:
    bench = CurrencyBench(currency)
    bench.manager.connect_brokerage(KRAKEN)
    trader, (master, *_) = trader_over(bench, store, troubled="nobody", at_par=AT_PAR)
    trader.step(KRAKEN)
    assert (master.health.state, master.health.reason) == (HealthState.STARTING, why)


# -- copies -----------------------------------------------------------------------------------------------------------
def a_planner(minimum: str) -> CopyPlanner:
    limits = CopyLimits(
        max_copy_slippage_percent=Decimal("0.5"),
        max_signal_age_seconds=60.0,
        minimum_funded_quote=Decimal(minimum),
        at_par=AT_PAR,
    )
    return CopyPlanner(install_id="test", sizer=SIZER, followers=cast(Followers, None), limits=limits)


@pytest.mark.parametrize(
    ("quote", "cash", "held", "why"),
    [
        ("USDT", "12", {}, ""),
        ("USDT", "6", {"A/USD": "3", "B/USDC": "1"}, ""),
        ("USDT", "6", {"A/USD": "3"}, "not funded: 9.00 is below 10"),
        ("USDT", "6", {"A/USD": "3", "B/EUR": "1"}, ""),
        ("EUR", "5000", {}, "not known to be funded: what its EUR are worth in USD is not known"),
    ],
)
def test_a_copy_asks_whether_its_account_is_funded_by_what_is_known_of_it(
    quote: str, cash: str, held: dict[str, str], why: str
) -> None:
    costs = {symbol: Decimal(cost) for symbol, cost in held.items()}
    assert a_planner("10")._not_funded(quote, Decimal(cash), costs) == why
    assert a_planner("0")._not_funded(quote, Decimal(cash), costs) == ""

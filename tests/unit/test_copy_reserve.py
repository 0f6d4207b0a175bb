"""What a copy keeps back for its fee is the fee of its own account, and the dearest of its venue while none is told."""

from decimal import Decimal

import pytest

from bot.brokers.dearest_fees import dearest_taker_fee_percent
from bot.domain.account import AccountRef, BrokerType
from bot.domain.order import Side
from bot.position_sizer import CopyMode, CopyRules
from bot.storage import copies
from bot.storage.store import Store
from tests.unit.copy_bench import KRAKEN, Bench
from tests.unit.test_broker_registry import Bench as Registry

D = Decimal
# More than any cash buys.
ALL_CASH = CopyRules(mode=CopyMode.FIXED_RATIO, fixed_ratio=D(1000))


@pytest.fixture
def bench(store: Store) -> Bench:
    return Bench(store, {"ann": "1000", "bob": "1000", "cleo": "1000"}, rules=ALL_CASH)


def tell_fee(bench: Bench, user: str, percent: str) -> None:
    broker = bench.user(user)
    broker.fetch_taker_fee_percent = lambda _symbol: D(percent)  # type: ignore[method-assign]
    assert broker.taker_fee_percent("BTC/USD") == D(percent)


def planned(bench: Bench, user: str) -> Decimal:
    with bench.store.read() as connection:
        (row,) = copies.planned_copies(connection, AccountRef.user(KRAKEN, user).label)
    quantity: Decimal = row.planned_quantity
    return quantity


def test_each_user_keeps_back_its_own_fee_and_no_other_users(bench: Bench) -> None:
    tell_fee(bench, "ann", "1.2")
    tell_fee(bench, "bob", "0.1")
    bench.master_trades(Side.BUY, "0.01")
    bench.plan()
    # By hand: 1,000 USD at 50,000, half a percent for the price bound, and the fee; 0.4 % where none was told.
    assert planned(bench, "ann") == D("0.01966452")
    assert planned(bench, "bob") == D("0.01988061")
    assert planned(bench, "cleo") == D("0.01982121")


def test_with_the_reserve_of_its_own_fee_the_whole_cash_pays_for_the_copy_at_its_bound(bench: Bench) -> None:
    tell_fee(bench, "ann", "1.2")
    bench.master_trades(Side.BUY, "0.01")
    bench.plan()
    cost = planned(bench, "ann") * D("50250") * D("1.012")
    assert D("999.99") < cost <= 1000


def test_a_fee_that_was_not_told_is_the_dearest_of_that_brokerage() -> None:
    registry = Registry("anna")
    registry.manager.connect_brokerage(KRAKEN)
    anna = AccountRef.user(KRAKEN, "anna")
    assert registry.manager.taker_fee_percent(anna, "BTC/USD") == D("0.4")
    broker = registry.manager.broker_of(anna)
    assert broker is not None
    broker.fetch_taker_fee_percent = lambda _symbol: D("0.26")  # type: ignore[method-assign]
    broker.taker_fee_percent("BTC/USD")
    assert registry.manager.taker_fee_percent(anna, "BTC/USD") == D("0.26")
    # Of an account that is not connected nobody has told anything.
    assert registry.manager.taker_fee_percent(AccountRef.user(BrokerType.COINBASE, "bob"), "BTC/USD") == D("1.2")


def test_no_brokerage_that_nobody_knows_is_cheaper_than_those_that_are_known() -> None:
    unknown = dearest_taker_fee_percent(BrokerType("bitvavo"))
    assert all(dearest_taker_fee_percent(each) <= unknown for each in BrokerType)

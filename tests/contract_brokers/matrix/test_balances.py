"""C10–C15: balances are exact, or they are unknown."""

import json
from decimal import Decimal

import pytest

from bot.brokers.base import BaseBroker
from bot.domain.account import AccountRef
from bot.domain.balance import BalanceStatus
from bot.domain.errors import BalanceUnknown
from bot.domain.order import OrderType, Side
from tests.contract_brokers.matrix.orders import market_order, received, resting_order
from tests.contract_brokers.matrix.rigs import Rig
from tests.contract_brokers.orders import an_order, now
from tests.exchange_process import ExchangeProcess

D = Decimal
NONSENSE = ("NaN", "Infinity", "1e999", "1e-400000", "٣", "true", "1_0", "9" * 400, "")


def test_c10_cash_is_exact_and_what_an_open_order_holds_is_not_available(broker: BaseBroker, rig: Rig) -> None:
    assert broker.quote_currency == rig.cash
    assert broker.get_account_balance() == D(10000)
    order = resting_order(rig, broker)
    broker.place_order(order)
    assert order.limit_price is not None
    cash = broker.fetch_holdings().of(rig.cash)
    assert cash.total == D(10000)
    assert cash.held >= order.limit_price * order.quantity
    assert broker.fetch_holdings().of(rig.base).available == D(rig.held)
    assert broker.fetch_holdings().of("NOBODY").total == 0


def test_c11_what_an_open_sale_holds_is_not_available(broker: BaseBroker, rig: Rig) -> None:
    instrument = broker.get_trading_pairs()[rig.symbol]
    far_above = instrument.sell_floor(broker.get_best_bid_ask(rig.symbol).ask * D("1.5"))
    broker.place_order(
        an_order(Side.SELL, rig.quantity, price=far_above, order_type=OrderType.LIMIT_GTC, symbol=rig.symbol)
    )
    coins = broker.fetch_holdings().of(rig.base)
    assert (coins.available, coins.held) == (D(rig.held) - D(rig.quantity), D(rig.quantity))


@pytest.mark.parametrize("action", ["5xx", "html", "malformed", "reset", "hang", "drop_response"])
def test_c12_a_balance_that_cannot_be_read_is_unknown_and_never_zero(
    broker: BaseBroker, exchange: ExchangeProcess, account: AccountRef, rig: Rig, action: str
) -> None:
    exchange.fault(action, times=None, account=account.user_id, endpoint=rig.endpoints.balance)
    reading = broker.get_account_balance_detailed()
    assert reading.status is BalanceStatus.UNKNOWN
    assert reading.holdings is None
    assert reading.error_count == 1
    with pytest.raises(BalanceUnknown, match=account.label):
        broker.get_account_balance()


def test_c13_after_three_failures_in_a_row_the_account_is_unavailable_until_one_succeeds(
    broker: BaseBroker, exchange: ExchangeProcess, account: AccountRef, rig: Rig
) -> None:
    good = broker.get_account_balance()
    exchange.fault("html", times=3, account=account.user_id, endpoint=rig.endpoints.balance)
    for _ in range(3):
        assert broker.get_account_balance_detailed().holdings is not None, "the last known value is kept"
    assert broker.get_error_count() == 3
    assert not broker.is_available()
    assert broker.get_account_balance() == good
    assert broker.is_available()


def test_c14_numbers_that_are_none_are_not_believed(
    broker: BaseBroker, exchange: ExchangeProcess, account: AccountRef, rig: Rig
) -> None:
    good = rig.balances % json.dumps("12.5")
    match = {"account": account.user_id, "endpoint": rig.endpoints.balance}
    exchange.fault({"kind": "body", "text": good}, **match)
    assert broker.fetch_holdings().of(rig.cash).total == D("12.5"), "the answer that is spoiled below is a good one"
    negative = () if rig.debts else ("-1", '"-1"')
    for nonsense in (*map(json.dumps, NONSENSE), "null", "true", "[]", "NaN", "1e999", *negative):
        exchange.clear_faults()
        exchange.fault({"kind": "body", "text": rig.balances % nonsense}, times=None, **match)
        before = broker.get_error_count()
        assert broker.get_account_balance_detailed().reason, nonsense
        assert broker.get_error_count() == before + 1, nonsense


def test_c15_what_is_held_of_each_market_is_told_in_base_units(broker: BaseBroker, rig: Rig) -> None:
    before = now()
    ack = broker.place_order(market_order(rig))
    bought = sum(received(fill, rig.base) for fill in broker.get_order_fills(ack.venue_order_id, since=before))
    assert broker.get_positions() == {rig.symbol: D(rig.held) + bought}

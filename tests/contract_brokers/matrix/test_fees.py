"""C83–C84: the fee that a brokerage tells of an account is the one that it takes, and unknown is never free."""

from decimal import Decimal

from bot.brokers.base import BaseBroker
from bot.domain.account import AccountRef
from bot.domain.symbol import quote_of
from tests.contract_brokers.matrix.orders import market_order
from tests.contract_brokers.matrix.rigs import Rig
from tests.contract_brokers.orders import now
from tests.exchange_process import ExchangeProcess

D = Decimal


def test_c87_the_taker_fee_that_is_told_is_what_a_trade_costs(broker: BaseBroker, rig: Rig) -> None:
    told, before = broker.taker_fee_percent(rig.symbol), now()
    assert told is not None
    assert 0 <= told <= broker.dearest_taker_fee_percent
    assert broker.known_taker_fee_percent(rig.symbol) == told
    ack = broker.place_order(market_order(rig))
    fills = broker.get_order_fills(ack.venue_order_id, since=before)
    assert fills
    for fill in fills:
        paid = fill.fee if fill.fee_currency == quote_of(rig.symbol) else fill.fee * fill.price
        # Fees are rounded to the digits that the brokerage keeps of a currency.
        assert abs(paid - fill.quantity * fill.price * told / 100) <= D("0.01")
        assert told == 0 or paid > 0


def test_c88_a_fee_that_cannot_be_read_is_unknown(
    broker: BaseBroker, account: AccountRef, rig: Rig, exchange: ExchangeProcess
) -> None:
    broker.get_trading_pairs()
    for text in ("html", {"kind": "body", "text": '{"fees": {"A": {"fee": "NaN"}}, "data": [], "fee_tier": 3}'}):
        exchange.fault(text, times=None, account=account.user_id)
        read = broker.taker_fee_percent(rig.symbol)
        exchange.clear_faults()
        assert read is None or read == broker.dearest_taker_fee_percent == 0
        broker._fees._due_at.clear()
    assert broker.taker_fee_percent(rig.symbol) is not None

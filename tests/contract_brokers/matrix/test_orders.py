"""C30–C38: every kind of order there is, from its sending to its end."""

from decimal import Decimal

import pytest

from bot.brokers.base import BaseBroker
from bot.domain.account import AccountRef
from bot.domain.order import OrderKind, OrderType, Side, VenueOrderStatus
from bot.seams.ids import SystemIds
from tests.contract_brokers.conftest import Wiring
from tests.contract_brokers.matrix.orders import hopeless_order, market_order, paid, received, resting_order
from tests.contract_brokers.matrix.rigs import ORDER_TYPES, Rig
from tests.contract_brokers.orders import an_order, now
from tests.exchange_process import ExchangeProcess, wait_until

D = Decimal
CENT = D("0.01")


@pytest.mark.parametrize("order_type", ORDER_TYPES)
def test_c30_every_kind_of_order_the_brokerage_says_it_has_is_taken_and_no_other(
    broker: BaseBroker, rig: Rig, order_type: OrderType
) -> None:
    price = None
    if order_type is not OrderType.MARKET:
        price = broker.get_trading_pairs()[rig.symbol].buy_cap(broker.get_best_bid_ask(rig.symbol).ask * D("1.01"))
    request = an_order(quantity=rig.quantity, price=price, order_type=order_type, symbol=rig.symbol)
    if order_type not in broker.capabilities.order_types:
        assert broker.capabilities.refusal_of(request)
        return
    assert broker.capabilities.refusal_of(request) == ""
    before = now()
    ack = broker.place_order(request)
    assert ack.client_order_id == request.client_order_id
    order = broker.get_order(ack.venue_order_id)
    assert order is not None and order.status is VenueOrderStatus.FILLED
    assert order.filled_quantity == order.quantity == request.quantity
    fills = broker.get_order_fills(ack.venue_order_id, since=before)
    assert all(price is None or fill.price <= price for fill in fills)


def test_c31_an_order_is_found_by_our_id_with_its_fills(broker: BaseBroker, rig: Rig) -> None:
    before = now()
    request = market_order(rig)
    ack = broker.place_order(request)
    order = broker.find_order(request.client_order_id, symbol=rig.symbol, sent_at=before)
    assert order is not None
    assert order.venue_order_id == ack.venue_order_id
    assert order.client_order_id == request.client_order_id
    assert (order.status, order.symbol, order.side) == (VenueOrderStatus.FILLED, rig.symbol, Side.BUY)
    fills = broker.get_order_fills(ack.venue_order_id, since=before)
    assert sum(fill.quantity for fill in fills) == request.quantity == order.filled_quantity
    assert {(fill.venue_order_id, fill.symbol, fill.side) for fill in fills} == {
        (ack.venue_order_id, rig.symbol, Side.BUY)
    }


def test_c32_what_was_bought_and_sold_moves_the_balances_to_the_last_digit(broker: BaseBroker, rig: Rig) -> None:
    before = now()
    bought = broker.get_order_fills(broker.place_order(market_order(rig)).venue_order_id, since=before)
    spent = sum((paid(fill, rig.cash) for fill in bought), D(0))
    coins = D(rig.held) + sum(received(fill, rig.base) for fill in bought)
    holdings = broker.fetch_holdings()
    assert abs(holdings.of(rig.cash).total - (D(10000) - spent)) < CENT
    assert holdings.of(rig.base).total == coins
    sale = broker.place_order(market_order(rig, Side.SELL))
    sold = broker.get_order_fills(sale.venue_order_id, since=before)
    taken = sum((fill.notional - (fill.fee if fill.fee_currency == rig.cash else 0) for fill in sold), D(0))
    holdings = broker.fetch_holdings()
    assert abs(holdings.of(rig.cash).total - (D(10000) - spent + taken)) < CENT
    assert holdings.of(rig.base).total == coins - D(rig.quantity)


def test_c33_an_order_by_notional_is_rounded_down_to_the_lot(broker: BaseBroker, rig: Rig) -> None:
    request = broker.request_by_notional(
        client_order_id=SystemIds().token(),
        symbol=rig.symbol,
        side=Side.BUY,
        kind=OrderKind.ENTRY,
        notional_quote=D(rig.notional),
    )
    ask = broker.get_best_bid_ask(rig.symbol).ask
    assert request.quantity == broker.get_trading_pairs()[rig.symbol].floor_quantity(request.quantity)
    assert abs(request.quantity * ask - D(rig.notional)) < D(rig.notional) / 20
    assert broker.place_order(request).venue_order_id


def test_c34_an_order_by_notional_below_the_minimum_is_not_made(broker: BaseBroker, rig: Rig) -> None:
    with pytest.raises(ValueError, match="minimum"):
        broker.request_by_notional(
            client_order_id="a" * 32,
            symbol=rig.symbol,
            side=Side.BUY,
            kind=OrderKind.ENTRY,
            notional_quote=D("0.00001"),
        )


def test_c35_an_immediate_order_that_finds_no_price_ends_without_a_fill(broker: BaseBroker, rig: Rig) -> None:
    before = now()
    request = hopeless_order(rig, broker)
    ack = broker.place_order(request)
    order = broker.find_order(request.client_order_id, symbol=rig.symbol, sent_at=before)
    assert order is not None
    assert order.status in (VenueOrderStatus.CANCELLED, VenueOrderStatus.EXPIRED)
    assert order.filled_quantity == 0
    assert broker.get_order_fills(ack.venue_order_id, since=before) == []
    assert broker.get_open_orders() == []
    assert broker.fetch_holdings().of(rig.cash).held == 0


def test_c36_an_immediate_order_larger_than_what_is_offered_is_filled_in_part_and_ends(
    wiring: Wiring, account: AccountRef, exchange: ExchangeProcess, rig: Rig
) -> None:
    broker, before = wiring.broker(account, balance="1000000000"), now()
    broker.connect()
    exchange.pause()
    price = broker.get_best_bid_ask(rig.symbol).ask
    request = an_order(quantity=rig.more_than_offered, price=price, symbol=rig.symbol)
    ack = broker.place_order(request)
    order = broker.get_order(ack.venue_order_id)
    assert order is not None and order.status.ended and order.status is not VenueOrderStatus.FILLED
    assert 0 < order.filled_quantity < request.quantity == order.quantity
    fills = broker.get_order_fills(ack.venue_order_id, since=before)
    assert sum(fill.quantity for fill in fills) == order.filled_quantity
    assert broker.fetch_holdings().of(rig.cash).held == 0


def test_c37_a_resting_order_is_open_until_it_is_cancelled(broker: BaseBroker, rig: Rig) -> None:
    before = now()
    request = resting_order(rig, broker)
    ack = broker.place_order(request)
    (shown,) = broker.get_open_orders()
    assert (shown.venue_order_id, shown.client_order_id) == (ack.venue_order_id, request.client_order_id)
    assert (shown.quantity, shown.filled_quantity, shown.side) == (request.quantity, 0, Side.BUY)
    found = broker.find_order(request.client_order_id, symbol=rig.symbol, sent_at=before)
    assert found is not None and found.status is VenueOrderStatus.OPEN
    assert broker.cancel_order(ack.venue_order_id) is True
    order = broker.get_order(ack.venue_order_id)
    assert order is not None and order.status is VenueOrderStatus.CANCELLED
    assert broker.get_open_orders() == []


def test_c38_a_resting_order_is_filled_when_the_price_comes(
    broker: BaseBroker, exchange: ExchangeProcess, rig: Rig
) -> None:
    quote = broker.get_best_bid_ask(rig.second)
    instrument = broker.get_trading_pairs()[rig.second]
    price = instrument.buy_cap(quote.bid * D("0.97"))
    quantity = instrument.floor_quantity(D(100) / price)
    ack = broker.place_order(
        an_order(quantity=f"{quantity:f}", price=price, order_type=OrderType.LIMIT_GTC, symbol=rig.second)
    )
    exchange.set_price(rig.second, price * D("0.98"))
    try:
        wait_until(lambda: broker.get_open_orders() == [], what="the end of the order")
    finally:
        exchange.set_price(rig.second, quote.bid)
    order = broker.get_order(ack.venue_order_id)
    assert order is not None and order.status is VenueOrderStatus.FILLED
    assert order.filled_quantity == quantity

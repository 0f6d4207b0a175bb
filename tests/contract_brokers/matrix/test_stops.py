"""C97–C99: a stop waits at the brokerage, is found and taken back, and sells when the market comes to it."""

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

import pytest

from bot.brokers.base import BaseBroker
from bot.domain.money import floor_to_step
from bot.domain.order import OrderRequest, OrderType, Side, VenueOrderStatus
from tests.contract_brokers.matrix.orders import market_order
from tests.contract_brokers.matrix.rigs import Rig
from tests.contract_brokers.orders import now
from tests.exchange_process import ExchangeProcess, wait_until

D = Decimal


def a_stop(rig: Rig, broker: BaseBroker, percent_of_bid: str) -> OrderRequest:
    """To sell a rig's quantity at so much of the best bid."""
    tick = broker.get_trading_pairs()[rig.symbol].tick_size
    level = floor_to_step(broker.get_best_bid_ask(rig.symbol).bid * D(percent_of_bid) / 100, tick)
    limit = floor_to_step(level * D("0.95"), tick) if broker.capabilities.stops_have_limits else None
    sale = market_order(rig, Side.SELL)
    return replace(sale, order_type=OrderType.STOP, stop_price=level, limit_price=limit)


@pytest.fixture
def stopping(broker: BaseBroker, rig: Rig) -> BaseBroker:
    """Of a brokerage that says it has stops; the others refuse one before it is sent, and that is all there is."""
    if OrderType.STOP not in broker.capabilities.order_types:
        assert "there are no stop orders" in broker.capabilities.refusal_of(a_stop(rig, broker, "90"))
        pytest.skip("no stops here")
    return broker


@pytest.fixture
def price(exchange: ExchangeProcess, broker: BaseBroker, rig: Rig) -> Iterator[Decimal]:
    """As it is now; it is put back for the others."""
    before = broker.get_best_bid_ask(rig.symbol).mid
    yield before
    exchange.set_price(rig.symbol, format(before, "f"))


def test_c97_a_stop_below_the_market_waits_and_is_listed_and_found_by_our_id(stopping: BaseBroker, rig: Rig) -> None:
    before, request = now(), a_stop(rig, stopping, "90")
    ack = stopping.place_order(request)
    shown = [
        stopping.get_order(ack.venue_order_id),
        stopping.find_order(request.client_order_id, symbol=rig.symbol, sent_at=before),
        *stopping.get_open_orders(),
    ]
    assert len(shown) == 3
    for order in shown:
        assert order is not None and not order.status.ended
        assert (order.venue_order_id, order.client_order_id) == (ack.venue_order_id, request.client_order_id)
        assert (order.symbol, order.side, order.quantity) == (rig.symbol, Side.SELL, request.quantity)
        assert order.filled_quantity == 0


def test_c98_a_stop_that_is_taken_back_sells_nothing_and_gives_back_what_it_held(
    stopping: BaseBroker, rig: Rig
) -> None:
    ack = stopping.place_order(a_stop(rig, stopping, "90"))
    assert stopping.cancel_order(ack.venue_order_id) is True
    order = stopping.get_order(ack.venue_order_id)
    assert order is not None and (order.status, order.filled_quantity) == (VenueOrderStatus.CANCELLED, 0)
    coins = stopping.fetch_holdings().of(rig.base)
    assert (coins.available, coins.held) == (D(rig.held), 0)
    assert stopping.cancel_order(ack.venue_order_id) is False


def test_c99_a_stop_sells_when_the_market_comes_to_it_under_the_same_number(
    stopping: BaseBroker, rig: Rig, exchange: ExchangeProcess, price: Decimal
) -> None:
    before, request = now(), a_stop(rig, stopping, "97")
    ack = stopping.place_order(request)
    exchange.set_price(rig.symbol, format(floor_to_step(price * D("0.96"), D("0.01")), "f"))

    def ended() -> bool:
        order = stopping.get_order(ack.venue_order_id)
        return order is not None and order.status is VenueOrderStatus.FILLED

    wait_until(ended, seconds=20, what="the stop is filled")
    fills = stopping.get_order_fills(ack.venue_order_id, since=before)
    assert sum(fill.quantity for fill in fills) == request.quantity
    assert {(fill.venue_order_id, fill.side) for fill in fills} == {(ack.venue_order_id, Side.SELL)}
    assert stopping.get_open_orders() == []

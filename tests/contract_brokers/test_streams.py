"""Kraken's private stream and orders over it, against the real exchange and its faults."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from bot.domain.account import AccountRef, BrokerType
from bot.domain.balance import BalanceStatus
from bot.domain.order import OrderType, Side, VenueOrderStatus
from tests.bot_process import wait_until
from tests.contract_brokers.conftest import Wiring
from tests.contract_brokers.streamed import Streamed, StreamedAccount


@pytest.fixture
def streamed(wiring: Wiring) -> Iterator[Streamed]:
    made = Streamed(wiring)
    yield made
    for broker in wiring.brokers:
        broker.close()
    made.close()


@pytest.fixture
def user(streamed: Streamed, request: pytest.FixtureRequest) -> StreamedAccount:
    name = f"s{abs(hash(request.node.name)) % 10**9}"
    return streamed.account(AccountRef.user(BrokerType.KRAKEN, name))


def test_an_order_goes_over_the_socket_and_is_followed_without_a_call(user: StreamedAccount) -> None:
    user.live()
    before = len(user.rest_calls())
    ack = user.broker.place_order(user.request())
    order = user.broker.get_order(ack.venue_order_id)
    assert order is not None and order.status is VenueOrderStatus.FILLED
    fills = user.broker.get_order_fills(ack.venue_order_id, since=user.broker.venue_clock.now())
    assert sum(fill.quantity for fill in fills) == order.filled_quantity == Decimal("0.01")
    assert user.rest_calls()[before:] == []
    assert user.streamed.seen.orders == [("websocket", "ok")]


def test_what_the_stream_shows_is_what_the_readings_show(user: StreamedAccount) -> None:
    user.live()
    ack = user.broker.place_order(user.request())
    shown = user.broker.get_order(ack.venue_order_id)
    fills = user.broker.get_order_fills(ack.venue_order_id, since=user.broker.venue_clock.now())
    read = user.by_rest().get_order(ack.venue_order_id)
    assert shown is not None and read is not None
    for name in ("symbol", "side", "quantity", "filled_quantity", "fee_quote", "client_order_id", "status"):
        assert getattr(shown, name) == getattr(read, name), name
    listed = user.by_rest().get_order_fills(ack.venue_order_id, since=user.broker.venue_clock.now())
    for one, other in zip(fills, listed, strict=True):
        assert replace(one, executed_at=other.executed_at) == other
        assert abs(one.executed_at - other.executed_at) < timedelta(milliseconds=1)


def test_a_trade_by_hand_wakes_the_account_and_is_told_once(user: StreamedAccount) -> None:
    user.live()
    user.woken.clear()
    ack = user.by_rest().place_order(user.request())
    wait_until(lambda: user.tend() and user.fills, seconds=10, what="the trade is told")
    assert user.woken.is_set()
    for _ in range(3):
        user.tend()
    assert {fill.venue_order_id for fill in user.fills} == {ack.venue_order_id}
    assert sum(fill.quantity for fill in user.fills) == Decimal("0.01")
    assert len({fill.trade_id for fill in user.fills}) == len(user.fills)


def test_balances_are_those_of_now_without_a_call(user: StreamedAccount) -> None:
    user.live()
    before = len(user.rest_calls())
    user.broker.place_order(user.request(side=Side.SELL))
    wait_until(
        lambda: user.broker.refresh_balance().holdings.of("BTC").total == Decimal("0.49"),  # type: ignore[union-attr]
        seconds=10,
        what="the balance is that after the sale",
    )
    reading = user.broker.refresh_balance()
    assert (reading.status, reading.error_count) == (BalanceStatus.FRESH, 0)
    assert reading.age_seconds is not None and reading.age_seconds < 1
    assert user.rest_calls()[before:] == []
    assert reading.holdings is not None
    assert reading.holdings.of("USD").total == user.by_rest().fetch_holdings().of("USD").total


def test_open_orders_hold_their_money(user: StreamedAccount) -> None:
    user.live()
    price = Decimal(10_000)
    request = user.request("0.1", order_type=OrderType.LIMIT_GTC, limit_price=price)
    ack = user.broker.place_order(request)
    wait_until(
        lambda: user.broker.refresh_balance().holdings.of("USD").held > 0,  # type: ignore[union-attr]
        seconds=10,
        what="the hold is known",
    )
    held = user.broker.refresh_balance().holdings.of("USD")  # type: ignore[union-attr]
    read = user.by_rest().fetch_holdings().of("USD")
    assert (held.held, held.total) == (Decimal(1000), read.total)
    assert user.broker.cancel_order(ack.venue_order_id)
    wait_until(
        lambda: user.broker.refresh_balance().holdings.of("USD").held == 0,  # type: ignore[union-attr]
        seconds=10,
        what="the hold is gone",
    )
    order = user.broker.get_order(ack.venue_order_id)
    assert order is not None and order.status is VenueOrderStatus.CANCELLED

"""The engine and the market while the markets with sessions are closed."""

from __future__ import annotations

from decimal import Decimal

import pytest

from paper_exchange.catalogue import Catalogue
from paper_exchange.engine import Engine
from paper_exchange.ids import Ids
from paper_exchange.market import Market
from paper_exchange.orders import OrderKind, OrderStatus, Refusal, RefusalCode, TimeInForce
from tests.paper_exchange.engine_bench import ORIGIN_NS, SECOND_NS, EngineBench

DAVE = "alpaca:dave"
AAPL = "AAPL/USD"


@pytest.fixture
def bench() -> EngineBench:
    """Dave has 10,000 dollars and 10 shares of AAPL, whose market is closed."""
    bench = EngineBench(price=None)
    bench.open(DAVE, USD="10000", AAPL="10")
    bench.wait(5)
    bench.market.set_closed(True)
    return bench


def _held(bench: EngineBench, asset: str) -> Decimal:
    return bench.engine.balances(DAVE)[asset].held


def test_a_closed_market_stands_still_while_the_others_move(bench: EngineBench) -> None:
    before = bench.market.quote(AAPL), bench.market.quote("BTC/USD").last
    bench.wait(3600)
    after = bench.market.quote(AAPL), bench.market.quote("BTC/USD").last
    assert (before[0].bid, before[0].ask, before[0].last) == (after[0].bid, after[0].ask, after[0].last)
    assert before[1] != after[1]


def test_it_moves_on_from_where_it_stood(bench: EngineBench) -> None:
    stood = bench.market.last(AAPL)
    bench.wait(3600)
    bench.market.set_closed(False)
    bench.wait(1)
    assert abs(bench.market.last(AAPL) / stood - 1) < Decimal("0.01")
    prices = set()
    for _ in range(60):
        bench.wait(7)
        prices.add(bench.market.last(AAPL))
    assert len(prices) > 5


def test_a_market_order_waits_for_the_opening_with_a_hold(bench: EngineBench) -> None:
    last = bench.market.last(AAPL)
    buy = bench.place(DAVE, "buy", "10", symbol=AAPL)
    sell = bench.place(DAVE, "sell", "4", symbol=AAPL)
    assert (buy.status, sell.status) == (OrderStatus.PENDING, OrderStatus.PENDING)
    assert _held(bench, "USD") == 10 * last * Decimal("1.04") and _held(bench, "AAPL") == 4
    bench.wait(3600)
    assert buy.status is OrderStatus.PENDING
    bench.market.set_closed(False)
    bench.wait(2)
    assert (buy.status, sell.status) == (OrderStatus.FILLED, OrderStatus.FILLED)
    assert _held(bench, "USD") == 0 == _held(bench, "AAPL")


def test_an_order_in_money_waits_with_its_money(bench: EngineBench) -> None:
    order = bench.place(DAVE, "buy", amount="500", symbol=AAPL)
    assert _held(bench, "USD") == 500
    with pytest.raises(Refusal) as refused:
        bench.place(DAVE, "buy", amount="9501", symbol=AAPL)
    assert refused.value.code is RefusalCode.INSUFFICIENT_FUNDS
    bench.market.set_closed(False)
    bench.wait(2)
    assert order.status is OrderStatus.FILLED and Decimal("499") < order.filled_cost <= 500


def test_a_limit_that_rested_is_not_filled_while_the_market_is_closed(bench: EngineBench) -> None:
    bench.market.set_closed(False)
    last = bench.market.last(AAPL)
    order = bench.place(DAVE, "buy", "1", last - 5, symbol=AAPL)
    bench.market.set_closed(True)
    bench.market.set_price(AAPL, last - 20)
    bench.wait(60)
    assert order.status is OrderStatus.OPEN
    bench.market.set_closed(False)
    bench.wait(3)
    assert order.status is OrderStatus.FILLED


def test_stops_are_not_triggered_while_the_market_is_closed(bench: EngineBench) -> None:
    last = bench.market.last(AAPL)
    stop = bench.place(DAVE, "sell", "1", kind=OrderKind.STOP_LOSS, trigger=last - 5, symbol=AAPL)
    bench.market.set_price(AAPL, last - 20)
    bench.wait(60)
    assert stop.status is OrderStatus.PENDING
    bench.market.set_closed(False)
    bench.wait(3)
    assert stop.status is OrderStatus.FILLED


def test_a_waiting_limit_rests_after_the_opening_if_it_does_not_cross(bench: EngineBench) -> None:
    last = bench.market.last(AAPL)
    order = bench.place(DAVE, "buy", "1", last - 30, symbol=AAPL)
    assert order.status is OrderStatus.PENDING and _held(bench, "USD") == last - 30
    bench.market.set_closed(False)
    bench.wait(2)
    assert order.status is OrderStatus.OPEN and _held(bench, "USD") == last - 30


def test_a_waiting_order_can_be_cancelled_or_expire(bench: EngineBench) -> None:
    first = bench.place(DAVE, "buy", "1", symbol=AAPL)
    second = bench.place(DAVE, "buy", "1", symbol=AAPL)
    bench.engine.cancel(DAVE, first.order_id, bench.now_ns)
    bench.engine.expire(DAVE, second.order_id, bench.now_ns)
    assert (first.status, second.status) == (OrderStatus.CANCELED, OrderStatus.EXPIRED)
    assert _held(bench, "USD") == 0 and bench.engine.open_orders(DAVE) == []


def test_waiting_orders_and_the_closing_survive_a_restart(bench: EngineBench) -> None:
    order = bench.place(DAVE, "buy", "1", symbol=AAPL, tif=TimeInForce.GTC)
    catalogue = Catalogue()
    market = Market.restored(catalogue, bench.market.snapshot())
    engine = Engine(catalogue, market, ids=Ids(seed=1, epoch=2))
    engine.restore(bench.engine.snapshot(), bench.now_ns)
    assert market.is_closed(AAPL) and not market.is_closed("BTC/USD")
    assert engine.open_orders(DAVE)[0].order_id == order.order_id
    market.set_closed(False)
    engine.advance(market.now_ns + 3 * SECOND_NS)
    assert engine.order(order.order_id).status is OrderStatus.FILLED


def test_a_market_that_is_looked_at_late_stood_still_as_long_as_the_others() -> None:
    def prices(*, early: bool) -> list[Decimal]:
        market = Market(Catalogue(), 1, origin_ns=ORIGIN_NS)
        if early:
            market.last(AAPL)
        spans = [(10, market.set_closed, True), (50, market.pause, None), (90, market.set_closed, False)]
        for minute, act, argument in [*spans, (130, market.resume, None)]:
            market.advance(ORIGIN_NS + minute * 60 * SECOND_NS)
            act() if argument is None else act(argument)
        found = []
        for minute in (131, 200, 300):
            market.advance(ORIGIN_NS + minute * 60 * SECOND_NS)
            found.append(market.last(AAPL))
        return found

    assert prices(early=True) == prices(early=False)


def test_a_fee_by_itself_leaves_the_account_and_keeps_the_books_even(bench: EngineBench) -> None:
    bench.engine.charge(DAVE, "USD", Decimal("1.25"), "REG fee", bench.now_ns)
    assert bench.engine.balances(DAVE)["USD"].total == Decimal("9998.75")
    clearing, fees, outside = bench.engine.house_balances()["USD"]
    assert bench.engine.balances(DAVE)["USD"].total + clearing + fees == outside
    with pytest.raises(Refusal):
        bench.engine.charge(DAVE, "USD", Decimal("99999"), "REG fee", bench.now_ns)


def test_an_order_runs_out_while_the_market_is_closed_at_its_own_time(bench: EngineBench) -> None:
    expires_ns = bench.now_ns + 30 * SECOND_NS
    order = bench.place(DAVE, "buy", "1", Decimal(50), symbol=AAPL, tif=TimeInForce.GTD, expires_at_ns=expires_ns)
    bench.wait(3 * 86_400)
    assert order.status is OrderStatus.EXPIRED and order.closed_at_ns == expires_ns

"""Changing live orders in place. The market stands still at 50,000 unless a test moves it."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from paper_exchange.engine import Engine
from paper_exchange.ids import Ids
from paper_exchange.market import Market
from paper_exchange.orders import (
    Amended,
    AmendRequest,
    Canceled,
    Filled,
    Order,
    OrderAlreadyClosed,
    OrderKind,
    OrderStatus,
    Refusal,
    RefusalCode,
    UnknownOrder,
)
from tests.paper_exchange.engine_bench import ALICE, BOB, CAROL, SECOND_NS, EngineBench

TICK = Decimal("0.1")


@pytest.fixture
def bench() -> EngineBench:
    bench = EngineBench()
    bench.open(ALICE, USD="100000", BTC="2")
    bench.open(BOB, USD="1000000", BTC="20")
    bench.open(CAROL, USD="100000", BTC="2")
    return bench


def amend(bench: EngineBench, order: Order, **change: str | bool | int) -> Order:
    amounts = {name: Decimal(value) if isinstance(value, str) else value for name, value in change.items()}
    return bench.engine.amend(order.account_id, order.order_id, AmendRequest(**amounts), bench.now_ns)  # type: ignore[arg-type]


def refusal(bench: EngineBench, order: Order, **change: str | bool | int) -> RefusalCode:
    before = bench.engine.snapshot()
    with pytest.raises(Refusal) as caught:
        amend(bench, order, **change)
    assert bench.engine.snapshot() == before, "a refusal must change nothing"
    return caught.value.code


def inside(bench: EngineBench) -> Decimal:
    """A price above the best bid and below the best ask."""
    return bench.engine.quote("BTC/USD").bid + TICK


def test_an_amended_order_is_the_same_order_with_other_terms_and_another_hold(bench: EngineBench) -> None:
    order = bench.place(ALICE, "buy", "0.1", "40000", client_order_id="mine")
    same = amend(bench, order, quantity="0.2", limit_price="30000")
    assert same is order and order.status is OrderStatus.OPEN
    assert (order.quantity, order.limit_price, order.client_order_id) == (Decimal("0.2"), Decimal(30000), "mine")
    assert bench.balance(ALICE, "USD") == (Decimal(100000), Decimal("6024.0000"))
    bench.engine.cancel(ALICE, order.order_id, bench.now_ns)
    assert bench.balance(ALICE, "USD") == (Decimal(100000), 0)


def test_the_terms_an_order_had_are_kept_in_order(bench: EngineBench) -> None:
    order = bench.place(ALICE, "buy", "0.1", "40000")
    bench.wait(7)
    amend(bench, order, limit_price="41000")
    bench.wait(2)
    amend(bench, order, quantity="0.05")
    first, second, third = order.amendments
    assert [entry.quantity for entry in order.amendments] == [Decimal("0.1"), Decimal("0.1"), Decimal("0.05")]
    assert [entry.limit_price for entry in order.amendments] == [40000, 41000, 41000]
    assert first.amend_id is None and second.amend_id != third.amend_id and second.amend_id and third.amend_id
    assert first.time_ns == order.opened_at_ns < second.time_ns < third.time_ns == order.touched_at_ns


def test_less_quantity_keeps_the_place_in_the_queue(bench: EngineBench) -> None:
    price = inside(bench)
    first = bench.place(ALICE, "buy", "0.2", price)
    second = bench.place(CAROL, "buy", "0.2", price)
    amend(bench, first, quantity="0.1")
    bench.place(BOB, "sell", "0.1")
    assert (first.filled_quantity, second.filled_quantity) == (Decimal("0.1"), 0)


@pytest.mark.parametrize("change", [{"quantity": "0.11"}, {"limit_price": "same"}, {"limit_price": "there and back"}])
def test_more_quantity_or_another_price_goes_to_the_back_of_the_queue(
    bench: EngineBench, change: dict[str, str]
) -> None:
    price = inside(bench)
    first = bench.place(ALICE, "buy", "0.1", price)
    second = bench.place(CAROL, "buy", "0.1", price)
    match change.get("limit_price"):
        case "same":
            amend(bench, first, limit_price=str(price))
        case "there and back":
            amend(bench, first, limit_price=str(price - 5))
            amend(bench, first, limit_price=str(price))
        case _:
            amend(bench, first, **change)
    bench.place(BOB, "sell", "0.1")
    kept = change.get("limit_price") == "same"
    filled = (first.filled_quantity, second.filled_quantity)
    assert filled == ((Decimal("0.1"), 0) if kept else (0, Decimal("0.1")))


def test_an_order_amended_to_cross_trades_at_once_as_taker(bench: EngineBench) -> None:
    order = bench.place(ALICE, "buy", "0.1", "40000")
    ask = bench.engine.quote("BTC/USD").ask
    amend(bench, order, limit_price=str(ask + 50))
    assert (order.status, order.filled_quantity) == (OrderStatus.FILLED, Decimal("0.1"))
    assert order.average_price is not None and ask <= order.average_price <= ask + 50
    assert not any(bench.engine.trade(trade_id).maker for trade_id in order.trades)
    bench.assert_conserved()


def test_a_post_only_change_never_takes(bench: EngineBench) -> None:
    ask = bench.engine.quote("BTC/USD").ask
    plain, careful = (
        bench.place(ALICE, "buy", "0.1", "40000"),
        bench.place(ALICE, "buy", "0.1", "40000", post_only=True),
    )
    assert refusal(bench, plain, limit_price=str(ask), post_only=True) is RefusalCode.POST_ONLY_WOULD_CROSS
    assert refusal(bench, careful, limit_price=str(ask)) is RefusalCode.POST_ONLY_WOULD_CROSS


def test_the_rest_gives_way_when_an_amended_order_meets_one_of_its_own_account(bench: EngineBench) -> None:
    price = inside(bench)
    bench.place(ALICE, "sell", "0.1", price)
    order = bench.place(ALICE, "buy", "0.1", "40000")
    amend(bench, order, limit_price=str(price))
    assert (order.status, order.close_reason) == (OrderStatus.CANCELED, "Self trade prevention")
    assert bench.balance(ALICE, "USD") == (Decimal(100000), 0)


@pytest.mark.parametrize("quantity", ["0.05", "0.1"])
def test_an_amendment_to_what_is_filled_or_less_cancels_the_rest(bench: EngineBench, quantity: str) -> None:
    order = bench.place(ALICE, "buy", "0.3", inside(bench))
    bench.place(BOB, "sell", "0.1")
    bench.engine.drain_events()
    amend(bench, order, quantity=quantity)
    assert (order.status, order.quantity, order.filled_quantity) == (OrderStatus.CANCELED, *[Decimal("0.1")] * 2)
    assert [type(event) for event in bench.engine.drain_events()] == [Amended, Canceled]
    assert bench.balance(ALICE, "USD")[1] == 0


def test_fills_stay_and_the_hold_covers_just_the_rest_at_the_new_price(bench: EngineBench) -> None:
    order = bench.place(ALICE, "buy", "0.2", inside(bench))
    bench.place(BOB, "sell", "0.1")
    spent = order.filled_cost + order.fee
    amend(bench, order, limit_price="20000")
    assert order.filled_quantity == Decimal("0.1")
    total, held = bench.balance(ALICE, "USD")
    assert total == 100000 - spent
    assert Decimal("2008") <= held <= Decimal("2008.0002"), "0.1 at 20,000 with the taker's fee"
    bench.set_price("19000")
    assert order.status is OrderStatus.FILLED and bench.balance(ALICE, "USD")[1] == 0
    bench.assert_conserved()


def test_a_sale_may_grow_as_far_as_there_is_something_to_sell(bench: EngineBench) -> None:
    order = bench.place(ALICE, "sell", "1.5", "60000")
    assert refusal(bench, order, quantity="2.00000001") is RefusalCode.INSUFFICIENT_FUNDS
    amend(bench, order, quantity="2")
    assert bench.balance(ALICE, "BTC") == (2, 2)


def test_what_the_order_holds_already_counts_towards_its_new_terms(bench: EngineBench) -> None:
    order = bench.place(ALICE, "buy", "2", "49000")
    amend(bench, order, limit_price="49500")
    assert refusal(bench, order, quantity="2.1") is RefusalCode.INSUFFICIENT_FUNDS


def test_new_terms_obey_the_rules_of_the_listing(bench: EngineBench) -> None:
    order = bench.place(ALICE, "buy", "0.1", "40000")
    assert refusal(bench, order, limit_price="40000.05") is RefusalCode.TICK_SIZE
    assert refusal(bench, order, quantity="0.000000001") is RefusalCode.LOT_SIZE
    assert refusal(bench, order, quantity="0") is RefusalCode.INVALID_QUANTITY
    assert refusal(bench, order, trigger_price="41000") is RefusalCode.INVALID_COMBINATION
    bench.market.set_halted("BTC/USD", True)
    assert refusal(bench, order, limit_price="41000") is RefusalCode.MARKET_HALTED


def test_a_change_after_its_deadline_is_refused(bench: EngineBench) -> None:
    order = bench.place(ALICE, "buy", "0.1", "40000")
    deadline_ns = bench.now_ns + SECOND_NS
    bench.wait(2)
    assert refusal(bench, order, quantity="0.2", deadline_ns=deadline_ns) is RefusalCode.DEADLINE_ELAPSED


def test_a_waiting_stop_takes_another_trigger_unless_it_would_trigger_at_once(bench: EngineBench) -> None:
    stop = bench.place(ALICE, "sell", "0.1", kind=OrderKind.STOP_LOSS, trigger="45000")
    assert refusal(bench, stop, trigger_price="50001") is RefusalCode.STOP_WOULD_TRIGGER
    amend(bench, stop, trigger_price="47000")
    bench.set_price("47500")
    assert stop.status is OrderStatus.PENDING
    bench.set_price("46900")
    assert stop.status is OrderStatus.FILLED


def test_a_closed_order_or_somebody_elses_is_not_amended(bench: EngineBench) -> None:
    order = bench.place(ALICE, "buy", "0.1", "40000")
    with pytest.raises(UnknownOrder):
        bench.engine.amend(BOB, order.order_id, AmendRequest(quantity=Decimal("0.2")), bench.now_ns)
    bench.engine.cancel(ALICE, order.order_id, bench.now_ns)
    with pytest.raises(OrderAlreadyClosed):
        amend(bench, order, quantity="0.2")


def test_a_saved_amended_order_goes_on_as_the_same(bench: EngineBench) -> None:
    order = bench.place(ALICE, "buy", "0.2", inside(bench))
    bench.place(BOB, "sell", "0.1")
    amend(bench, order, limit_price="20000")
    saved = json.loads(json.dumps(bench.engine.snapshot()))
    again = Engine(bench.catalogue, Market.restored(bench.catalogue, bench.market.snapshot()), ids=Ids(seed=1, epoch=2))
    again.restore(saved, bench.now_ns)
    assert again.snapshot() == bench.engine.snapshot()
    assert again.order(order.order_id).amendments == order.amendments


def test_an_amendment_is_told_before_the_fills_it_causes(bench: EngineBench) -> None:
    order = bench.place(ALICE, "buy", "0.1", "40000")
    bench.engine.drain_events()
    amend(bench, order, limit_price="51000")
    events = bench.engine.drain_events()
    assert isinstance(events[0], Amended) and events[0].order.limit_price == 51000
    assert events[0].order.filled_quantity == 0
    assert len(events) > 1 and all(isinstance(event, Filled) for event in events[1:])

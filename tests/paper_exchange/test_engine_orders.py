"""What orders do: matching, holds, fees, refusals. The market stands still at 50,000 unless a test lets it go."""

from __future__ import annotations

from decimal import ROUND_DOWN, Decimal

import pytest

from paper_exchange.orders import (
    Accepted,
    Filled,
    OrderAlreadyClosed,
    OrderKind,
    OrderStatus,
    Refusal,
    RefusalCode,
    TimeInForce,
    UnknownOrder,
)
from tests.paper_exchange.engine_bench import ALICE, BOB, CAROL, SECOND_NS, EngineBench


@pytest.fixture
def bench() -> EngineBench:
    bench = EngineBench()
    bench.open(ALICE, USD="100000", BTC="2")
    bench.open(BOB, USD="1000000", BTC="20")
    bench.open(CAROL, USD="100000", BTC="2")
    return bench


def refusal(bench: EngineBench, *args: object, **more: object) -> RefusalCode:
    before = bench.engine.snapshot()
    with pytest.raises(Refusal) as caught:
        bench.place(*args, **more)  # type: ignore[arg-type]
    assert bench.engine.snapshot() == before, "a refusal must change nothing"
    return caught.value.code


def test_a_market_buy_pays_the_ask_and_the_taker_fee(bench: EngineBench) -> None:
    ask = bench.engine.quote("BTC/USD").ask
    order = bench.place(ALICE, "buy", "0.01")
    assert (order.status, order.filled_quantity, order.average_price) == (OrderStatus.FILLED, Decimal("0.01"), ask)
    cost = Decimal("0.01") * ask
    assert (order.filled_cost, order.fee) == (cost, cost * Decimal("0.004"))
    assert bench.balance(ALICE, "USD") == (Decimal(100000) - cost * Decimal("1.004"), 0)
    assert bench.balance(ALICE, "BTC") == (Decimal("2.01"), 0)


def test_a_sale_credits_cost_less_fee_and_writes_two_ledger_rows(bench: EngineBench) -> None:
    order = bench.place(ALICE, "sell", "0.01")
    base, quote = bench.engine.ledger(ALICE)[-2:]
    assert base.reference_id == quote.reference_id == order.trades[0]
    assert (base.amount, base.fee) == (Decimal("-0.01"), 0)
    assert (quote.amount, quote.fee) == (order.filled_cost, order.fee)
    assert quote.balance_after == bench.balance(ALICE, "USD")[0] == 100000 + order.filled_cost - order.fee


def test_a_large_market_order_walks_the_book_and_a_small_one_does_not(bench: EngineBench) -> None:
    ask = bench.engine.quote("BTC/USD").ask
    small = bench.place(BOB, "buy", amount="500")
    assert small.average_price == ask
    large = bench.place(BOB, "buy", amount="500000")
    assert large.average_price is not None and ask < large.average_price < ask * Decimal("1.01")
    assert len(large.trades) > 3


def test_liquidity_taken_is_gone_until_the_next_second(bench: EngineBench) -> None:
    ask, quantity = bench.engine.quote("BTC/USD").ask, bench.engine.quote("BTC/USD").ask_quantity
    bench.place(BOB, "buy", str(quantity))
    assert bench.engine.quote("BTC/USD").ask > ask
    bench.wait(1)
    assert bench.engine.quote("BTC/USD").ask == ask


def test_a_buy_by_notional_spends_no_more_than_its_amount_and_with_the_fee_inside_no_more_in_all(
    bench: EngineBench,
) -> None:
    plain = bench.place(ALICE, "buy", amount="500")
    assert Decimal("499.99") < plain.filled_cost <= 500
    inclusive = bench.place(CAROL, "buy", amount="500", quote_includes_fee=True)
    assert Decimal("499.98") < inclusive.filled_cost + inclusive.fee <= 500


def test_a_resting_buy_holds_price_times_quantity_and_the_taker_fee_until_it_is_canceled(bench: EngineBench) -> None:
    order = bench.place(ALICE, "buy", "0.1", "40000")
    assert order.status is OrderStatus.OPEN
    assert bench.balance(ALICE, "USD") == (Decimal(100000), Decimal("4016.0000"))
    bench.engine.cancel(ALICE, order.order_id, bench.now_ns)
    assert bench.balance(ALICE, "USD") == (Decimal(100000), 0)
    assert (order.status, order.close_reason) == (OrderStatus.CANCELED, "User requested")


def test_what_is_held_cannot_be_spent_twice(bench: EngineBench) -> None:
    bench.place(ALICE, "sell", "1.5", "60000")
    assert refusal(bench, ALICE, "sell", "0.6") is RefusalCode.INSUFFICIENT_FUNDS
    bench.place(ALICE, "sell", "0.5")


def test_accounts_trade_with_each_other_at_the_resting_price_and_the_maker_pays_the_maker_fee(
    bench: EngineBench,
) -> None:
    quote = bench.engine.quote("BTC/USD")
    inside = quote.bid + (quote.ask - quote.bid) / 2 // Decimal("0.1") * Decimal("0.1")
    resting = bench.place(ALICE, "buy", "0.2", inside)
    bench.place(BOB, "sell", "0.2")
    assert (resting.status, resting.average_price) == (OrderStatus.FILLED, inside)
    trade = bench.engine.trades(ALICE)[-1]
    assert trade.maker and trade.fee == (trade.cost * Decimal("0.0025")).quantize(Decimal("0.0001"), ROUND_DOWN)
    assert not bench.engine.trades(BOB)[-1].maker


def test_the_better_price_goes_first_and_then_the_earlier_order(bench: EngineBench) -> None:
    bid = bench.engine.quote("BTC/USD").bid
    step = Decimal("0.1")
    first = bench.place(ALICE, "buy", "0.1", bid + step)
    second = bench.place(CAROL, "buy", "0.1", bid + step)
    best = bench.place(CAROL, "buy", "0.1", bid + 2 * step)
    bench.place(BOB, "sell", "0.15")
    assert (best.filled_quantity, first.filled_quantity, second.filled_quantity) == (
        Decimal("0.1"), Decimal("0.05"), 0,
    )  # fmt: skip
    bench.place(BOB, "sell", "0.1")
    assert (first.filled_quantity, second.filled_quantity) == (Decimal("0.1"), Decimal("0.05"))


def test_an_order_at_the_generated_bid_stands_behind_the_quantity_that_was_there(bench: EngineBench) -> None:
    quote = bench.engine.quote("BTC/USD")
    order = bench.place(ALICE, "buy", "0.1", quote.bid)
    bench.place(BOB, "sell", str(quote.bid_quantity))
    assert order.filled_quantity == 0
    bench.place(BOB, "sell", "0.05")
    assert order.filled_quantity == Decimal("0.05")


def test_an_account_never_trades_with_itself_the_newest_order_gives_way(bench: EngineBench) -> None:
    bid = bench.engine.quote("BTC/USD").bid
    resting = bench.place(ALICE, "buy", "0.1", bid + Decimal("0.1"))
    taker = bench.place(ALICE, "sell", "0.1")
    assert (taker.status, taker.close_reason) == (OrderStatus.CANCELED, "Self trade prevention")
    assert resting.is_live and resting.filled_quantity == 0


def test_post_only_is_refused_when_it_would_take_and_rests_otherwise(bench: EngineBench) -> None:
    quote = bench.engine.quote("BTC/USD")
    crossing = refusal(bench, ALICE, "buy", "0.1", quote.ask, post_only=True)
    assert crossing is RefusalCode.POST_ONLY_WOULD_CROSS
    assert bench.place(ALICE, "buy", "0.1", quote.bid, post_only=True).is_live


def test_ioc_takes_what_is_there_and_cancels_the_rest(bench: EngineBench) -> None:
    quote = bench.engine.quote("BTC/USD")
    order = bench.place(ALICE, "buy", "1.5", quote.ask, tif=TimeInForce.IOC)
    assert (order.status, order.filled_quantity) == (OrderStatus.CANCELED, quote.ask_quantity)
    assert bench.balance(ALICE, "USD")[1] == 0


def test_fok_fills_wholly_or_not_at_all(bench: EngineBench) -> None:
    quote = bench.engine.quote("BTC/USD")
    none = bench.place(ALICE, "buy", "1.5", quote.ask, tif=TimeInForce.FOK)
    assert (none.status, none.filled_quantity, none.close_reason) == (OrderStatus.CANCELED, 0, "Fill or kill")
    whole = bench.place(ALICE, "buy", "0.1", quote.ask, tif=TimeInForce.FOK)
    assert whole.status is OrderStatus.FILLED


def test_gtd_expires_at_its_time_with_its_fills_kept(bench: EngineBench) -> None:
    bid = bench.engine.quote("BTC/USD").bid
    expiry = bench.market.now_ns + 90 * SECOND_NS
    order = bench.place(ALICE, "buy", "0.2", bid + Decimal("0.1"), tif=TimeInForce.GTD, expires_at_ns=expiry)
    bench.place(BOB, "sell", "0.05")
    bench.wait(89)
    assert order.is_live
    bench.wait(2)
    assert (order.status, order.closed_at_ns, order.filled_quantity) == (OrderStatus.EXPIRED, expiry, Decimal("0.05"))
    assert bench.balance(ALICE, "USD")[1] == 0


def test_a_resting_order_fills_as_maker_at_its_price_when_the_market_comes_through(bench: EngineBench) -> None:
    order = bench.place(ALICE, "buy", "0.1", "49000")
    bench.set_price("48500")
    assert (order.status, order.average_price) == (OrderStatus.FILLED, Decimal(49000))
    assert bench.engine.trades(ALICE)[-1].maker


def test_a_living_market_fills_an_order_near_the_price_within_minutes() -> None:
    bench = EngineBench(price=None)
    bench.open(ALICE, USD="100000")
    order = bench.place(ALICE, "buy", "0.01", bench.engine.quote("BTC/USD").bid)
    for _ in range(60):
        bench.wait(60)
    assert order.status is OrderStatus.FILLED


@pytest.mark.parametrize(
    ("side", "kind", "trigger", "to"),
    [
        ("sell", OrderKind.STOP_LOSS, "49000", "48990"),
        ("buy", OrderKind.STOP_LOSS, "51000", "51010"),
        ("sell", OrderKind.TAKE_PROFIT, "51000", "51010"),
        ("buy", OrderKind.TAKE_PROFIT, "49000", "48990"),
    ],
)
def test_stops_wait_and_trigger_on_the_last_price(
    bench: EngineBench, side: str, kind: OrderKind, trigger: str, to: str
) -> None:
    order = bench.place(ALICE, side, "0.1", kind=kind, trigger=trigger)
    bench.wait(5)
    assert order.status is OrderStatus.PENDING
    bench.set_price(to)
    assert (order.status, order.filled_quantity) == (OrderStatus.FILLED, Decimal("0.1"))
    assert order.triggered_at_ns is not None


def test_a_triggered_stop_limit_rests_at_its_limit(bench: EngineBench) -> None:
    order = bench.place(ALICE, "sell", "0.1", "48900", kind=OrderKind.STOP_LOSS_LIMIT, trigger="49000")
    bench.set_price("48500")
    assert (order.status, order.filled_quantity) == (OrderStatus.OPEN, 0)
    assert bench.balance(ALICE, "BTC")[1] == Decimal("0.1")
    bench.set_price("48950")
    assert (order.status, order.average_price) == (OrderStatus.FILLED, Decimal(48900))


def test_stops_hold_nothing_at_kraken_and_their_funds_at_coinbase(bench: EngineBench) -> None:
    for account in (ALICE, CAROL):
        bench.place(account, "sell", "2", "48900", kind=OrderKind.STOP_LOSS_LIMIT, trigger="49000")
    assert (bench.balance(ALICE, "BTC")[1], bench.balance(CAROL, "BTC")[1]) == (0, 2)


def test_a_stop_without_funds_is_canceled_when_it_triggers(bench: EngineBench) -> None:
    order = bench.place(ALICE, "sell", "2", kind=OrderKind.STOP_LOSS, trigger="49000")
    bench.place(ALICE, "sell", "1")
    bench.set_price("48000")
    assert (order.status, order.close_reason) == (OrderStatus.CANCELED, "Insufficient funds")


def test_a_stop_that_would_trigger_at_once_is_canceled_at_kraken_and_refused_at_coinbase(bench: EngineBench) -> None:
    order = bench.place(ALICE, "sell", "0.1", kind=OrderKind.STOP_LOSS, trigger="51000")
    assert (order.status, order.close_reason) == (OrderStatus.CANCELED, "Order would trigger immediately")
    code = refusal(bench, CAROL, "sell", "0.1", "50900", kind=OrderKind.STOP_LOSS_LIMIT, trigger="51000")
    assert code is RefusalCode.STOP_WOULD_TRIGGER


@pytest.mark.parametrize(
    ("quantity", "limit", "more", "code"),
    [
        ("0.000001", None, {}, RefusalCode.QUANTITY_BELOW_MINIMUM),
        ("0.0001", "1000", {}, RefusalCode.NOTIONAL_BELOW_MINIMUM),
        ("0.123456789", None, {}, RefusalCode.LOT_SIZE),
        ("0.1", "40000.05", {}, RefusalCode.TICK_SIZE),
        ("0.1", "-1", {}, RefusalCode.INVALID_PRICE),
        ("0.1", "NaN", {}, RefusalCode.INVALID_PRICE),
        ("NaN", None, {}, RefusalCode.INVALID_QUANTITY),
        ("-1", None, {}, RefusalCode.INVALID_QUANTITY),
        ("0", None, {}, RefusalCode.INVALID_QUANTITY),
        ("1e30", None, {}, RefusalCode.INVALID_QUANTITY),
        ("Infinity", None, {}, RefusalCode.INVALID_QUANTITY),
        ("10", None, {}, RefusalCode.INSUFFICIENT_FUNDS),
        (None, None, {}, RefusalCode.INVALID_COMBINATION),
        ("0.1", None, {"amount": "5"}, RefusalCode.INVALID_COMBINATION),
        ("0.1", None, {"post_only": True}, RefusalCode.INVALID_COMBINATION),
        ("0.1", "40000", {"trigger": "41000"}, RefusalCode.INVALID_COMBINATION),
        ("0.1", "40000", {"deadline_ns": 1}, RefusalCode.DEADLINE_ELAPSED),
        ("0.1", "40000", {"tif": TimeInForce.GTD}, RefusalCode.INVALID_EXPIRY),
        ("0.1", "40000", {"tif": TimeInForce.GTD, "expires_at_ns": 5}, RefusalCode.INVALID_EXPIRY),
        ("0.1", "40000", {"symbol": "NOPE/USD"}, RefusalCode.UNKNOWN_SYMBOL),
        ("100", "1", {"symbol": "ACA/USD"}, RefusalCode.CANCEL_ONLY),
    ],
)
def test_what_the_listing_does_not_take_is_refused_and_changes_nothing(
    bench: EngineBench, quantity: str | None, limit: str | None, more: dict[str, object], code: RefusalCode
) -> None:
    assert refusal(bench, ALICE, "buy", quantity, limit, **more) is code


@pytest.mark.parametrize(
    ("mode", "code"),
    [
        ("halted", RefusalCode.MARKET_HALTED),
        ("cancel_only", RefusalCode.CANCEL_ONLY),
        ("post_only", RefusalCode.POST_ONLY_MODE),
        ("limit_only", RefusalCode.LIMIT_ONLY_MODE),
    ],
)
def test_a_market_in_a_mode_takes_only_what_the_mode_allows_and_always_cancels(
    bench: EngineBench, mode: str, code: RefusalCode
) -> None:
    resting = bench.place(ALICE, "buy", "0.1", "40000")
    bench.market.set_rules("BTC/USD", {"mode": mode})
    assert refusal(bench, ALICE, "buy", "0.1") is code
    assert not bench.engine.cancel(ALICE, resting.order_id, bench.now_ns).is_live


def test_a_halted_market_matches_nothing_until_it_goes_on(bench: EngineBench) -> None:
    order = bench.place(ALICE, "buy", "0.1", "49000")
    bench.market.set_halted("BTC/USD", True)
    bench.set_price("48000")
    assert order.filled_quantity == 0
    bench.market.set_halted("BTC/USD", False)
    bench.wait(1)
    assert order.status is OrderStatus.FILLED


def test_canceling_tells_unknown_foreign_and_closed_orders_apart(bench: EngineBench) -> None:
    order = bench.place(ALICE, "buy", "0.1", "40000")
    for account, order_id in ((ALICE, "ONEVER-MINTE-DDDDDD"), (BOB, order.order_id)):
        with pytest.raises(UnknownOrder):
            bench.engine.cancel(account, order_id, bench.now_ns)
    bench.engine.cancel(ALICE, order.order_id, bench.now_ns)
    with pytest.raises(OrderAlreadyClosed):
        bench.engine.cancel(ALICE, order.order_id, bench.now_ns)


def test_the_fee_falls_with_the_volume_of_thirty_days_and_rises_again_when_it_ages(bench: EngineBench) -> None:
    assert bench.engine.fee_rates(BOB, "BTC/USD") == (Decimal("0.0025"), Decimal("0.0040"))
    bench.place(BOB, "buy", "0.3")
    assert bench.engine.fee_rates(BOB, "BTC/USD") == (Decimal("0.0020"), Decimal("0.0035"))
    bench.wait(31 * 86400)
    assert bench.engine.fee_rates(BOB, "BTC/USD") == (Decimal("0.0025"), Decimal("0.0040"))


def test_events_tell_the_story_in_order_and_are_given_once(bench: EngineBench) -> None:
    bench.place(ALICE, "sell", "0.1", kind=OrderKind.STOP_LOSS, trigger="49000")
    bench.set_price("48000")
    events = bench.engine.drain_events()
    assert [type(event).__name__ for event in events] == ["Accepted", "Triggered", "Filled"]
    assert isinstance(events[-1], Filled) and events[-1].order.status is OrderStatus.FILLED
    assert bench.engine.drain_events() == []


def test_the_acceptance_of_an_order_by_notional_says_how_much_it_buys(bench: EngineBench) -> None:
    order = bench.place(ALICE, "buy", amount="500")
    accepted = bench.engine.drain_events()[0]
    assert isinstance(accepted, Accepted)
    assert accepted.quantity == order.filled_quantity


def test_too_many_open_orders_of_a_symbol_are_refused(bench: EngineBench) -> None:
    bench.engine.open_account("kraken:small", "kraken", {"USD": Decimal(100000)}, "starter")
    for _ in range(60):
        bench.place("kraken:small", "buy", "0.001", "40000")
    assert refusal(bench, "kraken:small", "buy", "0.001", "40000") is RefusalCode.TOO_MANY_OPEN_ORDERS


def test_validate_refuses_as_placing_would_and_places_nothing(bench: EngineBench) -> None:
    bench.engine.validate(bench.place(ALICE, "buy", "0.1", "40000").new, bench.now_ns)
    assert len(bench.engine.open_orders(ALICE)) == 1


def test_the_public_book_shows_accounts_orders(bench: EngineBench) -> None:
    bid = bench.engine.quote("BTC/USD").bid + Decimal("0.1")
    bench.place(ALICE, "buy", "0.1", bid)
    assert bench.engine.book("BTC/USD", 5)[0][0] == (bid, Decimal("0.1"))
    assert (bench.engine.quote("BTC/USD").bid, bench.engine.quote("BTC/USD").bid_quantity) == (bid, Decimal("0.1"))

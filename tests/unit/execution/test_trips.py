"""Round trips: one row for every position that has ended, of what it has cost and brought."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import pytest

from bot.domain.account import AccountRef
from bot.domain.fill import Fill
from bot.domain.order import Side
from bot.storage.round_trips import RoundTrip, round_trips_of
from bot.storage.store import Store
from tests.unit.copy_bench import KRAKEN, MASTER, Bench

D = Decimal


@pytest.fixture
def bench(store: Store) -> Bench:
    made = Bench(store, {"ann": "1000"})
    for broker in made.brokers.values():
        broker.fee_fraction = D("0.002")
    return made


def trips(bench: Bench, account: AccountRef = MASTER) -> Sequence[RoundTrip]:
    with bench.store.read() as connection:
        return round_trips_of(connection, account.label)


def trade(bench: Bench, side: Side, quantity: str, price: str) -> None:
    bench.clock.seconds += 10
    bench.brokers[MASTER].price = D(price)
    bench.master_trades(side, quantity)


def test_a_position_bought_in_two_and_sold_in_two_is_one_trip(bench: Bench) -> None:
    trade(bench, Side.BUY, "0.01", "50000")
    trade(bench, Side.BUY, "0.01", "52000")
    trade(bench, Side.SELL, "0.005", "53000")
    assert trips(bench) == []
    trade(bench, Side.SELL, "0.015", "54000")
    (trip,) = trips(bench)
    assert (trip.bought_quantity, trip.bought_quote, trip.sold_quote) == (D("0.02"), D(1020), D(1075))
    assert trip.fees_quote == D("0.002") * (1020 + 1075)
    assert trip.result_quote == 55 - trip.fees_quote
    assert trip.closed_at > trip.opened_at
    assert trip.exit_rule == "test"


def test_the_next_position_of_the_same_market_is_a_trip_of_its_own(bench: Bench) -> None:
    for price in ("50000", "60000"):
        trade(bench, Side.BUY, "0.01", price)
        trade(bench, Side.SELL, "0.01", "55000")
    later, earlier = trips(bench)
    assert (earlier.is_loss, later.is_loss) == (False, True)
    assert (later.bought_quote, later.sold_quote) == (D(600), D(550))


def test_coins_beyond_the_lots_that_were_sold_along_are_none_of_the_trip(bench: Bench) -> None:
    trade(bench, Side.BUY, "0.01", "50000")
    trade(bench, Side.SELL, "0.03", "60000")
    (trip,) = trips(bench)
    assert (trip.bought_quantity, trip.bought_quote, trip.sold_quote) == (D("0.01"), D(500), D(600))


def test_a_users_trip_ends_by_the_masters_exit_and_leaves_out_the_users_own_trades(bench: Bench) -> None:
    ann = AccountRef.user(KRAKEN, "ann")
    trade(bench, Side.BUY, "0.01", "50000")
    bench.plan()
    bench.copy("ann")
    bench.brokers[ann].by_hand(Side.BUY, "0.001")
    bench.recorders[ann].note_foreign(bench.brokers[ann].fills[-1:])
    trade(bench, Side.SELL, "0.01", "55000")
    bench.brokers[ann].price = D(55_000)
    bench.plan()
    bench.copy("ann")
    (trip,) = trips(bench, ann)
    assert trip.exit_rule == "master_exit"
    assert trip.signal_id is not None
    assert trip.bought_quantity * 5000 == trip.sold_quote - trip.bought_quote


def test_a_fee_in_a_third_currency_leaves_the_result_unknown(bench: Bench) -> None:
    trade(bench, Side.BUY, "0.01", "50000")
    broker = bench.brokers[MASTER]
    sale: Fill = replace(
        broker.fills[-1], trade_id="T99", venue_order_id="O99", side=Side.SELL, fee=D("0.001"), fee_currency="BNB"
    )
    bench.recorders[MASTER].book_history([sale])
    (trip,) = trips(bench)
    assert (trip.fees_quote, trip.result_quote, trip.exit_rule) == (None, None, "by_hand")

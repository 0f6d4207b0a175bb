"""An order that its brokerage can never take is given up before it is sent, with the reason."""

from dataclasses import replace

import pytest

from bot.brokers.capabilities import UNSTATED
from bot.domain.order import IntentState, OrderType, Side
from bot.storage.store import Store
from tests.unit.copy_bench import MASTER, Bench


@pytest.fixture
def bench(store: Store) -> Bench:
    return Bench(store, {"ann": "1000"})


def test_an_order_of_a_kind_that_the_brokerage_does_not_have_is_given_up_unsent(bench: Bench) -> None:
    broker = bench.brokers[MASTER]
    broker.capabilities = replace(UNSTATED, order_types={OrderType.LIMIT_GTC: "limit"})
    intent = bench.master_trades(Side.BUY, "0.01")
    assert intent.state is IntentState.ABANDONED
    assert "there are no market orders" in intent.reason
    assert broker.received == []


def test_an_order_under_an_id_that_the_brokerage_does_not_take_is_given_up_unsent(bench: Bench) -> None:
    broker = bench.brokers[MASTER]
    broker.capabilities = replace(UNSTATED, client_id="[A-Z]{4}")
    intent = bench.master_trades(Side.BUY, "0.01")
    assert intent.state is IntentState.ABANDONED
    assert "client order id" in intent.reason
    assert broker.received == []


def test_a_copy_of_a_kind_that_the_brokerage_does_not_have_is_answered_with_that(bench: Bench) -> None:
    user = bench.user("ann")
    user.capabilities = replace(UNSTATED, order_types={OrderType.MARKET: "market"})
    bench.master_trades(Side.BUY, "0.01")
    bench.copy("ann")
    assert user.received == []
    assert bench.rows() == [("ann", "skipped", "refused_by_venue")]

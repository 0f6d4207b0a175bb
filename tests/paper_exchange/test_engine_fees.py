"""Fees taken from what a fill brings: base for a buy, quote for a sell; a hold then needs nothing for them."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from paper_exchange.catalogue import Catalogue
from paper_exchange.engine import Engine
from paper_exchange.ids import Ids
from paper_exchange.market import Market
from paper_exchange.orders import LedgerKind, Refusal
from tests.paper_exchange.engine_bench import DORA, EngineBench

SYMBOL = "BTC/USDT"
TAKER = Decimal("0.001")


@pytest.fixture
def bench() -> EngineBench:
    """Bitcoin stands still at 50,000 tethers."""
    bench = EngineBench()
    bench.market.set_price(SYMBOL, Decimal(50000))
    bench.open(DORA, USDT="1000", BTC="1")
    return bench


def _conserved(bench: EngineBench) -> bool:
    balances = bench.engine.balances(DORA)
    return all(
        (balances[asset].total if asset in balances else 0) + clearing + fees == outside
        for asset, (clearing, fees, outside) in bench.engine.house_balances().items()
    )


def test_a_buys_fee_is_base_and_its_cost_is_all_it_spends(bench: EngineBench) -> None:
    order = bench.place(DORA, "buy", "0.01", symbol=SYMBOL)
    assert order.fee_in_base and order.fee == Decimal("0.01") * TAKER
    assert bench.balance(DORA, "BTC") == (Decimal("1.01") - order.fee, 0)
    assert bench.balance(DORA, "USDT") == (1000 - order.filled_cost, 0)
    base = next(entry for entry in bench.engine.ledger(DORA) if entry.kind is LedgerKind.TRADE)
    assert (base.asset, base.fee) == ("BTC", bench.engine.trades(DORA)[0].fee)
    assert _conserved(bench)


def test_a_sells_fee_is_quote(bench: EngineBench) -> None:
    order = bench.place(DORA, "sell", "0.01", symbol=SYMBOL)
    assert not order.fee_in_base and order.fee == (order.filled_cost * TAKER).quantize(Decimal("1E-8"))
    assert bench.balance(DORA, "USDT") == (1000 + order.filled_cost - order.fee, 0)
    assert _conserved(bench)


def test_the_whole_balance_can_be_spent(bench: EngineBench) -> None:
    bench.place(DORA, "buy", "0.025", "40000", symbol=SYMBOL)
    assert bench.balance(DORA, "USDT") == (1000, 1000)
    with pytest.raises(Refusal):
        bench.place(DORA, "buy", "0.0001", "40000", symbol=SYMBOL)


def test_a_resting_buy_that_fills_leaves_no_hold(bench: EngineBench) -> None:
    order = bench.place(DORA, "buy", "0.02", "49000", symbol=SYMBOL)
    bench.market.set_price(SYMBOL, Decimal(48000))
    bench.wait(2)
    bench.wait(2)
    assert order.filled_quantity == Decimal("0.02") and order.fee == Decimal("0.02") * order.maker_rate
    assert bench.balance(DORA, "USDT") == (1000 - order.filled_cost, 0)
    assert _conserved(bench)


def test_where_a_fee_is_charged_survives_a_restart(bench: EngineBench) -> None:
    bench.place(DORA, "buy", "0.01", symbol=SYMBOL)
    resting = bench.place(DORA, "buy", "0.01", "40000", symbol=SYMBOL)
    saved = json.loads(json.dumps([bench.engine.snapshot(), bench.market.snapshot()]))
    catalogue = Catalogue()
    market = Market.restored(catalogue, saved[1])
    again = Engine(catalogue, market, ids=Ids(seed=1, epoch=2))
    again.restore(saved[0], market.now_ns)
    assert again.trades(DORA) == bench.engine.trades(DORA)
    assert again.order(resting.order_id).fee_in_base and again.snapshot() == bench.engine.snapshot()

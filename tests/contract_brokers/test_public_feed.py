"""The public feed of Kraken's markets against the paper exchange's sockets, well-behaved and misbehaving."""

from collections.abc import Iterator
from decimal import Decimal

import pytest

from tests.contract_brokers.market_rig import MarketRig, market_rig
from tests.exchange_process import ExchangeProcess, wait_until

PATIENCE_SECONDS = 30.0
BTC, ETH = "BTC/USD", "ETH/USD"


@pytest.fixture
def rig(exchange: ExchangeProcess) -> Iterator[MarketRig]:
    with market_rig(exchange) as made:
        made.look_at(BTC, ETH)
        yield made


def come_true(condition: object, what: str) -> None:
    assert callable(condition)
    wait_until(condition, seconds=PATIENCE_SECONDS, what=what)


def set_price(exchange: ExchangeProcess, symbol: str, price: str) -> tuple[Decimal, Decimal]:
    """Hold the market there; returns its bid and ask."""
    exchange.pause()
    quote = exchange.set_price(symbol, price)
    return Decimal(quote["bid"]), Decimal(quote["ask"])


def test_a_new_price_reaches_everybody_who_reads(exchange: ExchangeProcess, rig: MarketRig) -> None:
    bid, ask = set_price(exchange, BTC, "54321")

    def shown() -> bool:
        quote = rig.values.quote(BTC, max_age_seconds=10)
        return quote is not None and (quote.bid, quote.ask) == (bid, ask)

    come_true(shown, "the new price")


def test_all_markets_have_a_ticker_over_few_connections(exchange: ExchangeProcess) -> None:
    with market_rig(exchange) as rig:
        come_true(
            lambda: rig.step() and rig.market.instruments() and len(rig.values.rows()) == len(rig.market.instruments()),
            "a ticker of every market",
        )
        assert rig.feed.state().sockets <= 2 + len(rig.market.instruments()) // 500


def test_a_wrong_checksum_costs_one_market_one_snapshot(exchange: ExchangeProcess, rig: MarketRig) -> None:
    before = rig.values.messages
    exchange.fault("bad_checksum", endpoint="ws/book")
    come_true(lambda: rig.feed.state().mismatches == 1, "a mismatch")
    come_true(lambda: rig.feed.state().books == 2, "both books again")
    assert rig.feed.state().sockets_up == rig.feed.state().sockets
    assert rig.values.messages > before


def test_a_lost_update_of_a_book_is_noticed_and_mended(exchange: ExchangeProcess, rig: MarketRig) -> None:
    exchange.fault("gap", endpoint="ws/book")
    come_true(lambda: rig.feed.state().mismatches >= 1, "a mismatch after the lost update")
    bid, ask = set_price(exchange, BTC, "51000")

    def right() -> bool:
        top = rig.values.top(BTC)
        return top is not None and (top.bid, top.ask) == (bid, ask)

    come_true(right, "the right book")


def test_after_a_silence_the_connection_is_made_anew_and_everything_is_there_again(
    exchange: ExchangeProcess, rig: MarketRig
) -> None:
    exchange.fault({"kind": "silence", "seconds": 60}, endpoint="ws/book")
    come_true(lambda: rig.values.top(BTC) is None, "nothing of the silent connection's books to be seen")
    come_true(lambda: rig.feed.state().books == 2, "the books of a new connection")


def test_after_a_closed_connection_prices_go_on(exchange: ExchangeProcess, rig: MarketRig) -> None:
    exchange.fault("close", endpoint="ws/ticker")
    bid, _ = set_price(exchange, ETH, "2500")

    def shown() -> bool:
        row = rig.values.row(ETH)
        return row is not None and row.bid == bid

    come_true(shown, "the price of the new connection")


def test_a_market_that_stops_and_comes_back_is_known_at_once_both_ways(
    exchange: ExchangeProcess, rig: MarketRig
) -> None:
    exchange.market(symbol=BTC, rules={"mode": "cancel_only"})
    try:
        come_true(lambda: not rig.market.instruments()[BTC].tradable, "a stopped market")
        assert rig.market.instruments()[BTC].status == "cancel_only"
        assert rig.market.instruments()[ETH].tradable
    finally:
        exchange.market(symbol=BTC, rules={"mode": "online"})
    come_true(lambda: rig.market.instruments()[BTC].tradable, "the market's return")


def test_without_a_feed_prices_of_all_markets_come_in_one_call(exchange: ExchangeProcess) -> None:
    with market_rig(exchange, feed=False) as rig:
        rig.step()
        traded = {symbol for symbol, instrument in rig.market.instruments().items() if instrument.tradable}
        assert traded <= set(rig.values.rows())
        assert rig.values.quote(BTC, max_age_seconds=10) is not None
        assert "market_feed is off" in rig.market.source()

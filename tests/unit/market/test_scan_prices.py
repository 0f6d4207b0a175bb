"""Prices that a scan has asked for are in the store, changes alone, and never in the way of an order."""

from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select

from bot.domain.quote import Quote, Ticker
from bot.market.scan_prices import SOURCE, ScanPrices
from bot.storage import market_rows
from bot.storage.schema import market_catalogue, market_scout
from bot.storage.store import Store
from tests.unit.brokers.clocks import TurnedClock
from tests.unit.market.test_market_watch import BTC, ETH, instrument

D = Decimal
LISTED = {BTC: instrument(BTC), ETH: instrument(ETH)}


@pytest.fixture
def clock() -> TurnedClock:
    return TurnedClock()


@pytest.fixture
def prices(store: Store, clock: TurnedClock) -> ScanPrices:
    return ScanPrices(store, clock, broker="coinbase")


def ticker(clock: TurnedClock, symbol: str, bid: str, ask: str) -> Ticker:
    return Ticker(Quote(symbol, D(bid), D(ask), clock.now()))


def scouted(store: Store) -> dict[str, Any]:
    with store.read() as connection:
        return {row.symbol: row for row in connection.execute(select(market_scout))}


def test_rules_and_prices_of_a_scan_are_read_by_whoever_asks(
    store: Store, clock: TurnedClock, prices: ScanPrices
) -> None:
    prices.note(LISTED, {BTC: ticker(clock, BTC, "99", "101")})
    (row,) = scouted(store).values()
    assert (row.broker, row.symbol, row.bid, row.ask, row.last_price) == ("coinbase", BTC, D(99), D(101), D(100))
    assert abs((row.priced_at - clock.now()).total_seconds()) < 1
    with store.read() as connection:
        assert market_rows.listed_instruments(connection, "coinbase") == LISTED
        assert [each.source for each in market_rows.sources(connection)] == [SOURCE]


def test_what_has_not_changed_is_not_written_again(store: Store, clock: TurnedClock, prices: ScanPrices) -> None:
    tickers = {BTC: ticker(clock, BTC, "99", "101"), ETH: ticker(clock, ETH, "9", "10")}
    prices.note(LISTED, tickers)
    # A row that somebody else has changed shows whether it is written again.
    for table, change in ((market_scout, {"bid": D(1)}), (market_catalogue, {"status": "seen"})):
        store.write(lambda connection, table=table, change=change: connection.execute(table.update().values(change)))  # type: ignore[misc]
    clock.advance(5)
    prices.note(LISTED, {**tickers, ETH: ticker(clock, ETH, "8", "10")})
    assert {symbol: row.bid for symbol, row in scouted(store).items()} == {BTC: D(1), ETH: D(8)}
    with store.read() as connection:
        assert {each.status for each in market_rows.listed_instruments(connection, "coinbase").values()} == {"seen"}


def test_a_store_that_takes_nothing_costs_the_scan_nothing_and_gets_it_later(
    store: Store, clock: TurnedClock, prices: ScanPrices, monkeypatch: pytest.MonkeyPatch
) -> None:
    tickers = {BTC: ticker(clock, BTC, "99", "101")}
    with monkeypatch.context() as busy:
        busy.setattr(Store, "queue_depth", property(lambda _store: 1))
        prices.note(LISTED, tickers)
    assert scouted(store) == {}
    prices.note(LISTED, tickers)
    assert list(scouted(store)) == [BTC]


def test_what_nobody_has_foreseen_ends_no_cycle(store: Store, clock: TurnedClock, prices: ScanPrices) -> None:
    prices.note({BTC: instrument(BTC)}, {BTC: None})  # type: ignore[dict-item]
    prices.note({BTC: instrument(BTC)}, {BTC: ticker(clock, BTC, "99", "101")})
    assert list(scouted(store)) == [BTC]

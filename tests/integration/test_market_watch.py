"""The bot on the one feed of prices: it trades by it alone, and enters nothing at a price that has grown old."""

import dataclasses
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from bot.brokers.kraken.broker import KrakenBroker
from bot.domain.errors import RetryLater
from bot.domain.quote import Quote
from bot.market.watch import MarketWatch
from bot.strategies.interface import EntryIntent, MarketView, NoEntry
from tests.bot_process import REST_ONLY, wait_until
from tests.integration.composed_bot import ComposedBot

PATIENCE_SECONDS = 60.0
# The first symbols of the exchange's list, in the order of the scan.
CONFIGURATION = """\
masters:
  - {broker: kraken}
strategy:
  plugin: tests.integration.test_market_watch:WishfulStrategy
pace:
  paper: {cycle_seconds: 0.5}
risk: {scan_symbols_limit: 4, duplicate_entry_seconds: null}
market_watch: {max_price_age_seconds: 3, scout_seconds: 2, favourites: [BTC/USD]}
kraken: {order_deadline_seconds: 5, settle_margin_seconds: 1, websocket_silence_seconds: 2}
"""
FED = {**REST_ONLY, "NIJA__KRAKEN__MARKET_FEED": "true", "NIJA__MARKET_WATCH__ENABLED": "true"}


class WishfulStrategy:
    """Enters what a test tells it to."""

    name = "wishful"
    parameters = ()
    candles_needed = 1
    wishes: frozenset[str] = frozenset()

    def __init__(self, _values: object) -> None:
        pass

    def entry(self, view: MarketView) -> EntryIntent | NoEntry:
        if view.symbol in WishfulStrategy.wishes:
            return EntryIntent(symbol=view.symbol, confidence=Decimal(1), reason="a test's wish")
        return NoEntry("nobody wishes it")

    def exit(self, _view: object, _position: object) -> None:
        return None


class Watched(ComposedBot):
    def __init__(self, directory: Path) -> None:
        WishfulStrategy.wishes = frozenset()
        super().__init__(directory, [], configuration=CONFIGURATION, wire=FED)
        assert self.parts.market_watch is not None
        self.watch: MarketWatch = self.parts.market_watch

    def start_watch(self) -> None:
        self.watch.start()
        self.come_true(lambda: len(self.rows("SELECT * FROM market_scout")) > 60, "tickers")
        self.come_true(lambda: len(self.scanned()) == 4, "the catalogue")
        self.come_true(self.all_trade, "cycles")

    def come_true(self, condition: object, what: str) -> None:
        assert callable(condition)
        wait_until(condition, seconds=PATIENCE_SECONDS, what=what)

    def scanned(self) -> list[str]:
        rows = self.rows("SELECT symbol FROM market_catalogue WHERE tradable AND symbol LIKE '%/USD' ORDER BY symbol")
        return [str(row["symbol"]) for row in rows[:4]]

    def bought(self) -> set[str]:
        return {line["symbol"] for line in self.exchange.journal(type="fill", account="master")}

    def says_why_not(self) -> bool:
        """The entry was vetoed for its old price, or the account says that no price can be read for its holdings."""
        vetoes = [veto for veto in self.rows("SELECT * FROM veto") if veto["rule"] == "stale_price"]
        return bool(vetoes) or any("Ticker" in status.health.reason for status in self.parts.statuses.values())


@pytest.fixture
def bot(tmp_path: Path) -> Iterator[Watched]:
    with Watched(tmp_path) as made:
        try:
            made.start_watch()
            yield made
        finally:
            WishfulStrategy.wishes = frozenset()
            assert made.watch.stop(20)


def test_entries_wait_while_no_price_is_fresh_and_go_by_the_feed_alone(bot: Watched) -> None:
    symbol = bot.scanned()[0]
    bot.exchange.pause(paused=False)  # prices come each second
    bot.exchange.fault({"kind": "5xx", "status": 503}, endpoint="Ticker", times=None)
    silent = [
        bot.exchange.fault({"kind": "silence", "seconds": 600}, endpoint=f"ws/{channel}", times=None)
        for channel in ("ticker", "book")
    ]
    age = bot.parts.shared.kraken_values.age_seconds
    bot.come_true(lambda: (age(symbol) or 0) > 4, "old prices")
    WishfulStrategy.wishes = frozenset({symbol})
    bot.come_true(bot.says_why_not, "an answer to why it does not enter")

    for fault in silent:
        bot.exchange.control("DELETE", f"/faults/{fault}")
    bot.come_true(lambda: symbol in bot.bought(), "the entry by the feed's prices, which are the only ones")


def test_an_entry_at_a_price_that_nobody_can_tell_is_a_recorded_veto(
    bot: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(_broker: KrakenBroker, symbol: str) -> Quote:
        raise RetryLater(f"nobody tells {symbol}")

    monkeypatch.setattr(KrakenBroker, "get_best_bid_ask", unknown)
    symbol = bot.scanned()[0]
    WishfulStrategy.wishes = frozenset({symbol})
    bot.come_true(lambda: bot.rows("SELECT * FROM veto"), "a veto")
    (veto, *_) = bot.rows("SELECT * FROM veto")
    assert (veto["rule"], veto["symbol"], veto["side"]) == ("stale_price", symbol, "buy")
    assert f"nobody tells {symbol}" in str(veto["detail"])
    assert symbol not in bot.bought()


def test_an_entry_at_an_old_price_is_a_recorded_veto_with_its_age(
    bot: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    def old(broker: KrakenBroker, symbol: str) -> Quote:
        (quote,) = broker.get_best_bid_ask_batch([symbol]).values()
        return dataclasses.replace(quote, taken_at=quote.taken_at - timedelta(seconds=60))

    monkeypatch.setattr(KrakenBroker, "get_best_bid_ask", old)
    symbol = bot.scanned()[0]
    WishfulStrategy.wishes = frozenset({symbol})
    bot.come_true(lambda: bot.rows("SELECT * FROM veto"), "a veto")
    (veto, *_) = bot.rows("SELECT * FROM veto")
    assert (veto["rule"], veto["symbol"], veto["side"]) == ("stale_price", symbol, "buy")
    assert "s old" in str(veto["detail"])
    assert symbol not in bot.bought()


def test_a_market_that_the_venue_stops_is_not_entered_until_it_comes_back(bot: Watched) -> None:
    symbol = bot.scanned()[0]
    bot.exchange.market(symbol=symbol, rules={"mode": "cancel_only"})

    def status() -> str:
        return str(bot.rows("SELECT status FROM market_catalogue WHERE symbol = :s", s=symbol)[0]["status"])

    bot.come_true(lambda: status() == "cancel_only", "the stop")
    WishfulStrategy.wishes = frozenset({symbol})
    before = bot.cycles(next(iter(bot.parts.statuses)))
    bot.come_true(lambda: bot.cycles(next(iter(bot.parts.statuses))) > before + 2, "cycles")
    assert bot.exchange.journal(type="refuse", account="master") == []
    assert symbol not in bot.bought()
    bot.exchange.market(symbol=symbol, rules={"mode": "online"})
    bot.come_true(lambda: symbol in bot.bought(), "the entry after its return")


def test_what_is_entered_and_liked_is_looked_at_closely(bot: Watched) -> None:
    symbol = bot.scanned()[0]
    WishfulStrategy.wishes = frozenset({symbol})

    def why(market: str) -> str:
        rows = bot.rows("SELECT reasons FROM market_focus WHERE symbol = :s AND bid IS NOT NULL", s=market)
        return str(rows[0]["reasons"]) if rows else ""

    bot.come_true(lambda: why(symbol) == "held,candidate", "the focus on what is held")
    bot.come_true(lambda: why("BTC/USD") == "favourite", "the focus on the favourite")

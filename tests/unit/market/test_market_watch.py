"""The watch over a venue's markets, step by step, on a real store and a venue in memory."""

import threading
from collections.abc import Iterable, Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import insert, select

from bot.brokers.market_values import BookTop, FeedState, MarketValues, PriceRow, TradePrint
from bot.domain.instrument import Instrument
from bot.market.watch import MarketWatch
from bot.settings.model import MarketWatchSettings
from bot.storage import market_rows
from bot.storage.schema import account, market_catalogue, market_focus, market_mover, market_scout, position
from bot.storage.store import Store
from tests.bot_process import wait_until
from tests.unit.brokers.clocks import TurnedClock

BTC, ETH, SOL = "BTC/USD", "ETH/USD", "SOL/USD"


def instrument(symbol: str, status: str = "online") -> Instrument:
    return Instrument(
        symbol=symbol,
        venue_symbol=symbol.replace("/", ""),
        lot_step=Decimal("0.00000001"),
        tick_size=Decimal("0.1"),
        minimum_quantity=Decimal("0.0001"),
        minimum_notional=Decimal("0.5"),
        tradable=status == "online",
        status=status,
    )


class MemoryMarket:
    """A venue whose prices the test sets."""

    def __init__(self, clock: TurnedClock, *symbols: str) -> None:
        self.clock = clock
        self.values = MarketValues(clock)
        self.listed: Mapping[str, Instrument] = {symbol: instrument(symbol) for symbol in symbols}
        self.focused: frozenset[str] = frozenset()

    def open(self) -> None:
        return

    def close(self) -> None:
        return

    def keep(self) -> None:
        return

    def focus(self, symbols: Iterable[str]) -> None:
        self.focused = frozenset(symbols)

    def instruments(self) -> Mapping[str, Instrument]:
        return self.listed

    def source(self) -> str:
        return "a test"

    def state(self) -> FeedState | None:
        return None

    def closed(self) -> str:
        return ""

    def price(self, symbol: str, last: str, volume: str = "2400") -> None:
        price = Decimal(last)
        row = PriceRow(price, price * Decimal("1.001"), price, Decimal(volume), self.clock.monotonic())
        assert self.values.set_row(symbol, row)


class Bench:
    def __init__(self, store: Store, **settings: Any) -> None:
        self.clock = TurnedClock()
        self.store = store
        self.market = MemoryMarket(self.clock, BTC, ETH, SOL)
        self.settings = MarketWatchSettings(**settings)
        self.watch = self.new_watch()

    def new_watch(self) -> MarketWatch:
        return MarketWatch(self.market, broker="kraken", store=self.store, clock=self.clock, settings=self.settings)

    def step(self, seconds: float = 1.0) -> None:
        self.watch.step()
        self.clock.advance(seconds)

    def rows(self, table: Any) -> dict[str, Any]:
        with self.store.read() as connection:
            return {row.symbol: row for row in connection.execute(select(table))}

    def hold(self, symbol: str) -> None:
        now = self.clock.now()

        def work(connection: Any) -> None:
            connection.execute(
                insert(account).values(
                    account_id="kraken:master",
                    broker="kraken",
                    account_type="master",
                    name="master",
                    enabled=True,
                    first_seen_at=now,
                )
            )
            amounts = {
                name: Decimal(1)
                for name in (
                    "quantity",
                    "average_entry_price",
                    "highest_price",
                    "stop_loss_percent",
                    "take_profit_percent",
                    "trailing_stop_percent",
                )
            }
            connection.execute(
                insert(position).values(
                    account_id="kraken:master", symbol=symbol, opened_at=now, owed_quantity=Decimal(0), **amounts
                )
            )

        self.store.write(work)


@pytest.fixture
def bench(store: Store) -> Bench:
    return Bench(store)


def test_what_is_held_wanted_or_liked_is_in_focus_and_says_why(store: Store) -> None:
    bench = Bench(store, favourites=(ETH, "NOBODY/USD"))
    bench.hold(BTC)
    bench.watch.candidates([SOL, BTC])
    bench.step()
    assert bench.market.focused == {BTC, ETH, SOL}
    reasons = {symbol: row.reasons for symbol, row in bench.rows(market_focus).items()}
    assert reasons == {BTC: "held,candidate", ETH: "favourite", SOL: "candidate"}


def test_a_candidate_that_nobody_wants_any_more_leaves_the_focus(bench: Bench) -> None:
    bench.watch.candidates([SOL])
    bench.step(601)
    bench.step()
    assert bench.market.focused == set()
    assert bench.rows(market_focus) == {}


def test_when_there_are_too_many_what_is_held_stays(store: Store) -> None:
    bench = Bench(store, max_focus=2, favourites=(ETH,))
    bench.hold(SOL)
    bench.watch.candidates([BTC])
    bench.step()
    assert bench.market.focused == {SOL, ETH}


def test_the_focus_shows_the_checked_book_the_last_trade_and_their_age(bench: Bench) -> None:
    bench.watch.candidates([BTC])
    seen = bench.clock.monotonic()
    top = BookTop(Decimal("100.1"), Decimal("100.2"), Decimal(3), Decimal("0.00000001"), seen)
    bench.market.values.set_top(BTC, top)
    trade = TradePrint(Decimal("100.15"), Decimal(1), "sell", 7, "2026-01-01T00:00:00Z")
    bench.market.values.tape_of(BTC).add(trade, seen_at=seen)
    bench.clock.advance(3)
    bench.step()
    row = bench.rows(market_focus)[BTC]
    assert (row.bid, row.ask, row.ask_quantity) == (Decimal("100.1"), Decimal("100.2"), Decimal("0.00000001"))
    assert (row.last_price, row.last_side, row.trades) == (Decimal("100.15"), "sell", 1)
    assert row.updated_at - row.priced_at == timedelta(seconds=3)


def test_all_markets_are_scouted_at_their_pace_and_only_changes_are_written(bench: Bench) -> None:
    for symbol in (BTC, ETH, SOL):
        bench.market.price(symbol, "100")
    bench.step()
    bench.market.price(BTC, "101")
    bench.step()
    assert bench.rows(market_scout)[BTC].last_price == Decimal(100)
    bench.clock.advance(30)
    bench.step()
    row = bench.rows(market_scout)[BTC]
    assert row.last_price == Decimal(101)
    assert bench.clock.now() - row.priced_at == timedelta(seconds=32)


def test_the_list_of_markets_is_written_down_with_every_change_of_status(bench: Bench) -> None:
    bench.step()
    assert {symbol: row.status for symbol, row in bench.rows(market_catalogue).items()} == {
        BTC: "online",
        ETH: "online",
        SOL: "online",
    }
    bench.market.listed = {BTC: instrument(BTC, "cancel_only"), ETH: instrument(ETH)}
    bench.step()
    rows = bench.rows(market_catalogue)
    assert (rows[BTC].status, rows[BTC].tradable) == ("cancel_only", False)
    assert set(rows) == {BTC, ETH}


def run_for_an_hour(bench: Bench, *, last: str, volume: str) -> None:
    for minute in range(61):
        done = Decimal(minute) / 60
        bench.market.price(ETH, "50")
        bench.market.price(BTC, str(100 + (Decimal(last) - 100) * done), str(2400 + (Decimal(volume) - 2400) * done))
        bench.step(60)


def test_a_market_that_runs_up_on_volume_is_promoted_comes_into_focus_and_expires(bench: Bench) -> None:
    run_for_an_hour(bench, last="105", volume="2700")
    assert set(bench.watch.movers) == {BTC}
    row = bench.rows(market_mover)[BTC]
    assert Decimal("4.5") < row.momentum_percent < Decimal("5.5")
    assert row.volume_ratio > 3
    bench.step()
    assert bench.market.focused == {BTC}
    bench.clock.advance(3 * 3600)
    bench.market.price(BTC, "105", "2700")
    bench.step()
    assert bench.rows(market_mover) == {}


def test_the_same_run_without_volume_promotes_nobody(bench: Bench) -> None:
    run_for_an_hour(bench, last="105", volume="2410")
    assert bench.watch.movers == {}


def test_after_a_restart_the_kept_line_still_finds_the_mover(bench: Bench) -> None:
    run_for_an_hour(bench, last="105", volume="2700")
    line = bench.rows(market_scout)[BTC].sparkline_json
    assert line.count("[") > 25
    bench.watch = bench.new_watch()
    bench.market.price(BTC, "105", "2700")
    bench.step()
    assert set(bench.watch.movers) == {BTC}


def test_what_an_earlier_process_looked_at_is_not_shown_as_the_present(bench: Bench) -> None:
    bench.watch.candidates([BTC])
    bench.step()
    bench.watch = bench.new_watch()
    bench.step()
    assert bench.rows(market_focus) == {}


def test_prices_do_not_queue_up_while_the_store_has_other_work(bench: Bench) -> None:
    bench.step()
    written = bench.rows(market_scout)
    release, begun = threading.Event(), threading.Event()

    def slow(_connection: Any) -> None:
        begun.set()
        release.wait(20)

    writers = [threading.Thread(target=bench.store.write, args=(slow,)) for _ in range(2)]
    writers[0].start()
    assert begun.wait(10)
    # Only now: started together, both can be gathered into one commit, and then nothing waits behind it.
    writers[1].start()
    wait_until(lambda: bench.store.queue_depth > 0, seconds=10, what="the second waits behind the first")
    bench.market.price(BTC, "100")
    bench.clock.advance(30)
    bench.step()
    assert bench.watch.skipped_writes
    release.set()
    for writer in writers:
        writer.join(10)
    assert bench.rows(market_scout) == written
    bench.step()
    with bench.store.read() as connection:
        (source,) = market_rows.sources(connection)
    assert source.looked_at == bench.clock.now() - timedelta(seconds=1), "told as soon as there is room"
    bench.clock.advance(30)
    bench.step()
    assert BTC in bench.rows(market_scout)


def test_no_write_is_so_large_that_an_order_would_wait_behind_it(bench: Bench) -> None:
    rows = [{"broker": "kraken", "symbol": f"C{number}/USD"} for number in range(101)]
    with pytest.raises(ValueError, match="hold up orders"):
        bench.store.write(lambda connection: market_rows.put(connection, market_focus, rows))

"""The generated market: the same for ever for the same seed, one story at every interval, as lively as a real one."""

from __future__ import annotations

import hashlib
import json
import statistics
from decimal import Decimal
from itertools import pairwise

import pytest

from paper_exchange.catalogue import Catalogue, UnknownSymbol
from paper_exchange.market import Market
from paper_exchange.tape import KEPT_MINUTES, TAPE_VERSION, Bar, CommonFactor, SymbolTape, Temper
from paper_exchange.ticks import divide, minute_ticks
from tests.paper_exchange.engine_bench import ORIGIN_NS, SECOND_NS

MINUTE_NS = 60 * SECOND_NS
INTERVALS = (60, 300, 900, 1800, 3600, 14400, 86400, 604800, 1296000)


def a_market(seed: int = 1, *, later_minutes: float = 0) -> Market:
    market = Market(Catalogue(), seed, origin_ns=ORIGIN_NS)
    market.advance(ORIGIN_NS + int(later_minutes * MINUTE_NS))
    return market


def test_the_tape_of_version_1_is_what_it_always_was() -> None:
    """If this fails the tape has changed: raise TAPE_VERSION and put the new hash here."""
    market = a_market(seed=7, later_minutes=30.4)
    digest = hashlib.sha256()
    for symbol in ("BTC/USD", "PEPE/USD", "ETH/BTC", "USDT/USD"):
        for interval in (60, 3600, 86400):
            digest.update(repr(market.candles(symbol, interval, None, 720)).encode())
        digest.update(repr([market.quote(symbol), market.book(symbol, 20)]).encode())
        trades = [(one.time_ns, one.price, one.quantity, one.side) for one in market.recent_trades(symbol, 200)]
        digest.update(repr(trades).encode())
    assert (TAPE_VERSION, digest.hexdigest()) == (1, "f043a81d6a0c0942b2aac4efef386843f73969278a275dc79ef3327ed14c4ff4")


def test_a_symbol_does_not_depend_on_other_symbols_nor_on_when_one_asks() -> None:
    patient, busy = a_market(), a_market()
    for minute in range(0, 40, 7):
        busy.advance(ORIGIN_NS + minute * MINUTE_NS)
        for symbol in ("SOL/USD", "BTC/USD", "XRP/USD"):
            busy.candles(symbol, 60, None, 10)
    for market in (patient, busy):
        market.advance(ORIGIN_NS + 41 * MINUTE_NS)
    assert patient.candles("BTC/USD", 60, None, 720) == busy.candles("BTC/USD", 60, None, 720)
    assert patient.book("BTC/USD", 50) == busy.book("BTC/USD", 50)


def test_seeds_differ() -> None:
    assert a_market(1).candles("BTC/USD", 60, None, 5) != a_market(2).candles("BTC/USD", 60, None, 5)


def test_twelve_hours_of_minutes_and_weeks_of_coarser_candles_exist_at_the_start() -> None:
    market = a_market()
    for interval in INTERVALS:
        candles = market.candles("ETH/USD", interval, None, 720)
        opens = [candle.open_ns for candle in candles]
        assert opens == [opens[0] + index * interval * SECOND_NS for index in range(len(opens))]
        assert opens[-1] == ORIGIN_NS // (interval * SECOND_NS) * interval * SECOND_NS, "the last one is forming"
        assert len(candles) == 720 or interval > 86400
        assert all(c.low <= min(c.open, c.close) <= max(c.open, c.close) <= c.high for c in candles)
        assert all(c.low <= c.vwap <= c.high for c in candles)


@pytest.mark.parametrize("interval", INTERVALS[1:])
def test_coarse_candles_are_the_fine_ones_folded(interval: int) -> None:
    market = a_market(later_minutes=12.3)
    for coarse in market.candles("BTC/USD", interval, None, 4)[1:]:
        width_ns = interval * SECOND_NS
        end_ns = min(coarse.open_ns + width_ns, market.now_ns) - 1
        fine = market.candles("BTC/USD", 60, coarse.open_ns, interval // 60, end_ns)
        assert (fine[0].open, fine[-1].close) == (coarse.open, coarse.close)
        assert (max(c.high for c in fine), min(c.low for c in fine)) == (coarse.high, coarse.low)
        assert sum(c.volume for c in fine) == coarse.volume


def test_the_forming_candle_becomes_the_closed_one_and_agrees_with_the_trades() -> None:
    market = a_market(later_minutes=1)
    start_ns = market.now_ns // MINUTE_NS * MINUTE_NS
    market.advance(start_ns + MINUTE_NS - 1)
    forming = market.candles("BTC/USD", 60, None, 1)[0]
    trades = [trade for trade in market.recent_trades("BTC/USD", 1000) if trade.time_ns >= start_ns]
    market.advance(start_ns + MINUTE_NS)
    closed = market.candles("BTC/USD", 60, None, 2)[0]
    assert forming == closed
    assert (trades[-1].price, sum(trade.quantity for trade in trades)) == (closed.close, closed.volume)
    assert (max(trade.price for trade in trades), len(trades)) == (closed.high, closed.trades)
    assert len({trade.number for trade in trades}) == len(trades)


def test_closed_candles_never_change() -> None:
    market = a_market()
    before = {candle.open_ns: candle for candle in market.candles("SOL/USD", 60, None, 100)[:-1]}
    market.advance(ORIGIN_NS + 20 * MINUTE_NS)
    after = {candle.open_ns: candle for candle in market.candles("SOL/USD", 60, None, 720)}
    assert all(after[open_ns] == candle for open_ns, candle in before.items())


def test_minutes_move_as_much_as_real_ones_and_volatility_comes_in_clusters() -> None:
    market = a_market(later_minutes=600)
    for symbol in ("BTC/USD", "PEPE/USD", "YFI/USD"):
        closes = [float(candle.close) for candle in market.candles(symbol, 60, None, 1900)]
        moves = [after / before - 1 for before, after in pairwise(closes)]
        assert 0.0005 < statistics.pstdev(moves) < 0.004
        sizes = [abs(move) for move in moves]
        assert statistics.correlation(sizes[:-1], sizes[1:]) > 0.02


def test_symbols_move_together_but_not_alike() -> None:
    market = a_market()
    moves = []
    for symbol in ("BTC/USD", "ETH/USD"):
        closes = [float(candle.close) for candle in market.candles(symbol, 60, None, 1200)]
        moves.append([after / before - 1 for before, after in pairwise(closes)])
    assert 0.15 < statistics.correlation(*moves) < 0.9


def test_quotes_are_narrow_on_the_tick_and_around_the_last_price() -> None:
    market = a_market()
    for symbol in market.symbols_trading():
        listing = market._catalogue.listing(symbol)
        for _ in range(3):
            market.advance(market.now_ns + 7 * SECOND_NS)
            quote = market.quote(symbol)
            assert 0 < quote.bid < quote.ask
            assert quote.bid <= quote.last <= quote.ask
            gap = quote.ask - quote.bid
            assert gap == listing.tick_size or gap / quote.ask < Decimal("0.0015")
            assert not quote.bid % listing.tick_size and not quote.ask % listing.tick_size
            assert (
                quote.ask_quantity * quote.ask
                > 500 * listing.reference_price / market._catalogue.asset(listing.base).reference_usd / 2
            )


def test_setting_the_price_is_seen_at_once_in_quote_and_candle_and_the_market_goes_on_from_there() -> None:
    market = a_market()
    market.set_price("BTC/USD", Decimal("12345.67"))
    assert market.last("BTC/USD") == Decimal("12345.7")
    assert market.candles("BTC/USD", 60, None, 1)[0].low == Decimal("12345.7")
    market.advance(market.now_ns + 300 * SECOND_NS)
    assert 12000 < market.last("BTC/USD") < 12700


def test_a_paused_market_stands_still_and_goes_on_without_a_jump() -> None:
    market = a_market()
    market.pause()
    quote = market.quote("BTC/USD")
    market.advance(market.now_ns + 500 * SECOND_NS)
    still = market.quote("BTC/USD")
    assert (still.bid, still.ask, still.bid_quantity) == (quote.bid, quote.ask, quote.bid_quantity)
    assert market.candles("BTC/USD", 60, None, 3)[1].volume == 0
    late = market.last("LINK/USD")
    market.resume()
    assert (market.last("BTC/USD"), market.last("LINK/USD")) == (quote.last, late)
    market.advance(market.now_ns + 500 * SECOND_NS)
    assert market.last("BTC/USD") != quote.last


def test_a_symbol_without_a_tape_says_so() -> None:
    market = a_market()
    for symbol in ("ACA/USD", "NOPE/USD"):
        with pytest.raises(UnknownSymbol):
            market.quote(symbol)
    with pytest.raises(ValueError, match="must be at least"):
        market.set_price("BTC/USD", Decimal("NaN"))


def test_the_day_is_that_of_its_candles() -> None:
    market = a_market(later_minutes=3)
    stats = market.day_stats("BTC/USD")
    day = market.candles("BTC/USD", 60, None, 1440)
    assert (stats.high_day, stats.low_day) == (max(c.high for c in day), min(c.low for c in day))
    assert stats.volume_day == sum(c.volume for c in day)
    assert stats.open == market.candles("BTC/USD", 86400, None, 1)[0].open


def test_a_restored_market_goes_on_with_the_same_tape() -> None:
    market = a_market(later_minutes=2)
    market.set_price("BTC/USD", Decimal(50000))
    market.set_rules("ETH/USD", {"minimum_quantity": "0.5", "mode": "limit_only"})
    market.pause()
    market.advance(market.now_ns + 99 * SECOND_NS)
    market.resume()
    again = Market.restored(Catalogue(), json.loads(json.dumps(market.snapshot())))
    for each in (market, again):
        each.advance(ORIGIN_NS + 30 * MINUTE_NS)
    for symbol in ("BTC/USD", "ETH/USD", "DOT/USD"):
        assert again.candles(symbol, 60, None, 60) == market.candles(symbol, 60, None, 60)
        assert again.quote(symbol) == market.quote(symbol)
    assert again.snapshot() == market.snapshot()


@pytest.mark.parametrize("state", [{}, {"tape_version": 0}, {"tape_version": 1, "seed": "x"}])
def test_a_state_that_is_none_is_refused_with_a_sentence(state: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="market"):
        Market.restored(Catalogue(), state)


def test_a_week_of_uptime_keeps_the_coarse_story_and_folds_old_minutes() -> None:
    market = a_market()
    hours = {candle.open_ns: candle for candle in market.candles("SOL/USD", 3600, None, 100)[:-1]}
    market.advance(ORIGIN_NS + 7 * 1440 * MINUTE_NS)
    later = {candle.open_ns: candle for candle in market.candles("SOL/USD", 3600, None, 720)}
    assert all(later[open_ns].volume == candle.volume for open_ns, candle in hours.items())
    assert all((later[at].high, later[at].low) == (candle.high, candle.low) for at, candle in hours.items())
    fresh = Market(Catalogue(), 1, origin_ns=ORIGIN_NS)
    fresh.advance(market.now_ns)
    assert fresh.candles("SOL/USD", 60, None, 720) == market.candles("SOL/USD", 60, None, 720)
    tape = market._market("SOL/USD")._tape
    assert len(tape._bars) <= KEPT_MINUTES


def test_bars_divide_into_minutes_and_seconds_that_fold_back_to_them() -> None:
    temper = Temper(500000.0, 0.001, 0.5, 1e9)
    tape = SymbolTape(3, "X", temper, CommonFactor(3), epoch_minute=29_000_000)
    for coarse in tape.deep_bars()[-40:]:
        minutes = divide(coarse, 5)
        assert len(minutes) == coarse.minutes
        assert (minutes[0].open, minutes[-1].close) == (coarse.open, coarse.close)
        assert sum(bar.volume for bar in minutes) == coarse.volume
        if coarse.minutes > 1:
            assert (max(b.high for b in minutes), min(b.low for b in minutes)) == (coarse.high, coarse.low)
    for minute in range(-1440, -1400):
        bar: Bar = tape.bar(minute)
        ticks = minute_ticks(bar, 9, temper)
        assert (ticks.last[0], ticks.last[-1]) == (bar.open, bar.close)
        assert (max(ticks.last), min(ticks.last), sum(ticks.volume)) == (bar.high, bar.low, bar.volume)

from dataclasses import replace
from decimal import Decimal

import pytest

from bot.domain.instrument import Instrument
from bot.domain.quote import Quote, Ticker
from bot.market.funnel import Stage
from bot.market.universe import ScanRules, filtered_by_fee, filtered_by_listing, filtered_by_ticker
from tests.memory_broker import BTC, START

RULES = ScanRules(min_daily_volume=Decimal(100_000), max_spread_percent=Decimal("0.5"), max_ticker_age_seconds=60.0)


def listed(*symbols: str, status: str = "online") -> dict[str, Instrument]:
    tradable = status == "online"
    return {symbol: replace(BTC, symbol=symbol, status=status, tradable=tradable) for symbol in symbols}


def ticker(bid: str = "99.9", ask: str = "100.1", volume: str | None = "2e5", *, tells_volume: bool = True) -> Ticker:
    quote = Quote("BTC/USD", Decimal(bid), Decimal(ask), START)
    return Ticker(quote, None if volume is None else Decimal(volume), tells_volume)


def test_a_market_that_is_halted_is_left_out_in_the_venues_own_words() -> None:
    markets = listed("BTC/USD") | listed("LUNA/USD", status="cancel_only") | listed("XYZ/USD", status="delisted")
    words = filtered_by_listing(markets, ScanRules(), currency="USD")
    assert {symbol: (word.stage, word.rule, word.detail) for symbol, word in words.items()} == {
        "LUNA/USD": (Stage.FILTERED, "status", "the venue says: cancel_only"),
        "XYZ/USD": (Stage.FILTERED, "status", "the venue says: delisted"),
    }


def test_lists_pauses_and_the_currency_each_have_their_word() -> None:
    markets = listed("A/USD", "B/USD", "C/USD", "D/EUR", "E/USD")
    rules = ScanRules(only=frozenset({"A/USD", "B/USD", "C/USD", "D/EUR"}), skip=frozenset({"B/USD"}))
    words = filtered_by_listing(markets, rules, currency="USD", paused=frozenset({"C/USD"}))
    assert {symbol: word.rule for symbol, word in words.items()} == {
        "B/USD": "skipped",
        "C/USD": "paused",
        "D/EUR": "currency",
        "E/USD": "not_chosen",
    }


def test_a_limit_keeps_the_first_by_name_of_those_that_could_be_traded() -> None:
    markets = listed("C/USD", "A/USD", "D/USD") | listed("B/USD", status="halted")
    words = filtered_by_listing(markets, ScanRules(limit=2), currency="USD")
    assert {symbol: word.rule for symbol, word in words.items()} == {"B/USD": "status", "D/USD": "limit"}


@pytest.mark.parametrize(
    ("shown", "age", "stage", "rule"),
    [
        (None, None, Stage.MISSING, "ticker_unknown"),
        (ticker(), 61.0, Stage.MISSING, "ticker_stale"),
        (ticker(volume=None), 1.0, Stage.MISSING, "volume_unknown"),
        (ticker(volume="99999.99"), 1.0, Stage.FILTERED, "volume"),
        (ticker(bid="99", ask="100"), 1.0, Stage.FILTERED, "spread"),
    ],
)
def test_what_is_not_known_is_missing_and_what_is_too_thin_is_filtered(
    shown: Ticker | None, age: float | None, stage: Stage, rule: str
) -> None:
    word = filtered_by_ticker(shown, RULES, age_seconds=age, why="")
    assert word is not None
    assert (word.stage, word.rule) == (stage, rule)


def test_a_market_at_the_limits_passes() -> None:
    at_the_limits = ticker(bid="99.75", ask="100.25", volume="100000")
    assert at_the_limits.spread_percent == Decimal("0.5")
    assert filtered_by_ticker(at_the_limits, RULES, age_seconds=60.0, why="") is None


def test_a_venue_that_tells_no_volumes_is_judged_by_the_spread_alone() -> None:
    assert filtered_by_ticker(ticker(volume=None, tells_volume=False), RULES, age_seconds=1.0, why="") is None
    wide = ticker(bid="90", volume=None, tells_volume=False)
    word = filtered_by_ticker(wide, RULES, age_seconds=1.0, why="")
    assert word is not None
    assert word.rule == "spread"


def test_a_volume_in_a_currency_that_is_not_at_par_is_not_compared_and_says_so() -> None:
    euros = Ticker(replace(ticker().quote, symbol="BTC/EUR"), Decimal("9e9"))
    word = filtered_by_ticker(euros, RULES, age_seconds=1.0, why="")
    assert word is not None
    assert (word.stage, word.rule) == (Stage.FILTERED, "volume_currency")
    assert word.detail.startswith("its volume is counted in EUR, and what that is in USD is not known; name EUR in")
    at_par = replace(RULES, at_par=frozenset({"USD", "EUR"}))
    assert filtered_by_ticker(euros, at_par, age_seconds=1.0, why="") is None


def test_without_limits_on_volume_and_spread_no_ticker_is_needed() -> None:
    assert not ScanRules().needs_tickers
    assert filtered_by_ticker(None, ScanRules(), age_seconds=None, why="") is None


def test_a_fee_that_is_not_known_holds_no_market_back() -> None:
    rules = ScanRules(max_taker_fee_percent=Decimal("0.3"))
    assert filtered_by_fee(None, rules) is None
    assert filtered_by_fee(Decimal("0.3"), rules) is None
    word = filtered_by_fee(Decimal("0.4"), rules)
    assert word is not None
    assert (word.rule, word.detail) == ("fee", "a taker fee of 0.4000 % is above 0.3 %")

"""The catalogue: enough pairs, sane rules, and one truth for all brokerages."""

from __future__ import annotations

from decimal import Decimal

import pytest

from paper_exchange.assets import STOCKS, WHOLE_SHARES_ONLY
from paper_exchange.catalogue import Catalogue, TradingMode, UnknownSymbol


def test_about_1500_pairs_are_listed_and_more_than_40_trade() -> None:
    catalogue = Catalogue().for_brokerage("kraken")
    assert 1300 <= len(catalogue) <= 1700
    assert len(catalogue.trading()) >= 40
    assert sum(1 for listing in catalogue.trading() if listing.quote == "USD") >= 45


def test_every_listing_can_be_traded_by_its_own_rules() -> None:
    for listing in Catalogue():
        assert listing.symbol == f"{listing.base}/{listing.quote}"
        assert listing.reference_price > 50 * listing.tick_size
        assert not listing.minimum_quantity % listing.lot_step
        assert listing.tick_size == Decimal(1).scaleb(-listing.price_decimals)
        assert "E" not in str(listing.minimum_quantity) or listing.minimum_quantity < 1


def test_coinbase_shows_fewer_pairs_and_knows_no_others() -> None:
    catalogue = Catalogue()
    view = catalogue.for_brokerage("coinbase")
    assert 500 < len(view) < len(catalogue.for_brokerage("kraken")) == len(catalogue) - len(STOCKS)
    with pytest.raises(UnknownSymbol):
        view.listing("BTC/JPY")


def test_stocks_are_shown_by_the_stock_brokerage_and_by_no_other() -> None:
    catalogue = Catalogue()
    stocks = catalogue.for_brokerage("alpaca")
    assert {listing.base for listing in stocks} == set(STOCKS) == set(stocks.assets()) - {"USD"}
    assert all(listing.quote == "USD" and listing.trades for listing in stocks)
    for brokerage in ("kraken", "coinbase", "okx", "binance", "another"):
        view = catalogue.for_brokerage(brokerage)
        assert "AAPL/USD" not in view and not STOCKS.keys() & view.assets().keys()


def test_most_stocks_are_sold_in_fractions_for_a_dollar_and_some_as_whole_shares() -> None:
    stocks = Catalogue().for_brokerage("alpaca")
    apple, whole = stocks.listing("AAPL/USD"), stocks.listing("NOK/USD")
    assert (apple.lot_step, apple.minimum_notional, apple.tick_size) == (Decimal("1E-9"), 1, Decimal("0.01"))
    assert (whole.lot_step, whole.minimum_quantity) == (1, 1)
    assert {listing.base for listing in stocks if listing.lot_step == 1} == WHOLE_SHARES_ONLY
    assert stocks.listing("TLRY/USD").tick_size == Decimal("0.0001")


@pytest.mark.parametrize("brokerage", ["okx", "binance"])
def test_where_stablecoins_pay_there_are_no_dollars_and_fifteen_coins_trade_against_tether(brokerage: str) -> None:
    view = Catalogue().for_brokerage(brokerage)
    assert {listing.quote for listing in view} == {"USDT", "USDC", "BTC", "ETH", "EUR"}
    assert "USD" not in view.assets()
    against_tether = {listing.base for listing in view.trading() if listing.quote == "USDT"}
    assert len(against_tether) == 15 and {"BTC", "ETH", "SOL", "XLM"} <= against_tether


def test_a_changed_rule_is_seen_through_every_view() -> None:
    catalogue = Catalogue()
    view = catalogue.for_brokerage("coinbase")
    catalogue.set_rules("BTC/USD", {"tick_size": "0.5", "minimum_quantity": "0.2", "mode": "post_only"})
    changed = view.listing("BTC/USD")
    assert (changed.tick_size, changed.price_decimals) == (Decimal("0.5"), 1)
    assert (changed.minimum_quantity, changed.mode) == (Decimal("0.2"), TradingMode.POST_ONLY)
    assert catalogue.original("BTC/USD").mode is TradingMode.ONLINE


@pytest.mark.parametrize(
    "rules", [{"mode": "sleepy"}, {"tick_size": "0"}, {"lot_step": "NaN"}, {"minimum_notional": "x"}, {"colour": "red"}]
)
def test_a_rule_that_is_none_is_refused_and_changes_nothing(rules: dict[str, str]) -> None:
    catalogue = Catalogue()
    before = catalogue.listing("BTC/USD")
    with pytest.raises(ValueError, match=next(iter(rules))):
        catalogue.set_rules("BTC/USD", {"minimum_quantity": "3", **rules})
    assert catalogue.listing("BTC/USD") == before
    assert catalogue.rule_changes() == {}

"""The catalogue: enough pairs, sane rules, and one truth for all brokerages."""

from __future__ import annotations

from decimal import Decimal

import pytest

from paper_exchange.catalogue import Catalogue, TradingMode, UnknownSymbol


def test_about_1500_pairs_are_listed_and_more_than_40_trade() -> None:
    catalogue = Catalogue()
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
    assert 500 < len(view) < len(catalogue) == len(catalogue.for_brokerage("kraken"))
    with pytest.raises(UnknownSymbol):
        view.listing("BTC/JPY")


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

"""Kraken's names and ours, for every market."""

from decimal import Decimal

import pytest

from bot.brokers.kraken.symbols import catalogue_from
from bot.domain.errors import UnreadableReply

ASSETS: dict[str, object] = {
    "XXBT": {"altname": "XBT"},
    "XXDG": {"altname": "XDG"},
    "XETH": {"altname": "ETH"},
    "ZUSD": {"altname": "USD"},
    "ZEUR": {"altname": "EUR"},
    "SOL": {"altname": "SOL"},
    "USDT": {"altname": "USDT"},
    "XBT.F": {"altname": "XBT.F"},
}


def a_pair(altname: str, wsname: str, base: str, quote: str, **more: object) -> dict[str, object]:
    return {
        "altname": altname,
        "wsname": wsname,
        "base": base,
        "quote": quote,
        "pair_decimals": 1,
        "lot_decimals": 8,
        "ordermin": "0.00005",
        "costmin": "0.5",
        "tick_size": "0.1",
        "status": "online",
        **more,
    }


PAIRS: dict[str, object] = {
    "XXBTZUSD": a_pair("XBTUSD", "XBT/USD", "XXBT", "ZUSD"),
    "XXBTZEUR": a_pair("XBTEUR", "XBT/EUR", "XXBT", "ZEUR"),
    "XETHXXBT": a_pair("ETHXBT", "ETH/XBT", "XETH", "XXBT"),
    "XDGUSD": a_pair("XDGUSD", "XDG/USD", "XXDG", "ZUSD", tick_size=None, pair_decimals=7),
    "SOLUSD": a_pair("SOLUSD", "SOL/USD", "SOL", "ZUSD", status="cancel_only"),
    "USDTZUSD": a_pair("USDTUSD", "USDT/USD", "USDT", "ZUSD"),
}


def test_every_market_keeps_its_identity_through_each_of_its_names() -> None:
    catalogue = catalogue_from(ASSETS, PAIRS)
    assert set(catalogue.pairs) == {"BTC/USD", "BTC/EUR", "ETH/BTC", "DOGE/USD", "SOL/USD", "USDT/USD"}
    for symbol, pair in catalogue.pairs.items():
        for name in (pair.symbol, pair.rest_id, pair.altname, pair.wsname):
            assert catalogue.symbol_of(name) == symbol
        assert PAIRS[pair.rest_id]["wsname"] == pair.wsname  # type: ignore[index]


def test_rules_come_from_the_venue_and_a_missing_tick_from_the_decimals() -> None:
    instruments = catalogue_from(ASSETS, PAIRS).instruments
    assert instruments["BTC/USD"].tick_size == Decimal("0.1")
    assert instruments["DOGE/USD"].tick_size == Decimal("1e-7")
    assert instruments["BTC/USD"].minimum_quantity == Decimal("0.00005")
    assert instruments["BTC/USD"].minimum_notional == Decimal("0.5")
    assert not instruments["SOL/USD"].tradable


@pytest.mark.parametrize(
    ("venue", "ours"),
    [
        ("XXBT", "BTC"),
        ("ZUSD", "USD"),
        ("XXDG", "DOGE"),
        ("SOL", "SOL"),
        ("XBT.F", "BTC.F"),
        ("SOL.S", "SOL.S"),
        ("ZUSD.HOLD", "USD.HOLD"),
        ("XXMR", "XMR"),
        ("ZGBP", "GBP"),
        ("NEWCOIN", "NEWCOIN"),
    ],
)
def test_assets_have_our_names_and_what_cannot_be_spent_stays_apart(venue: str, ours: str) -> None:
    assert catalogue_from(ASSETS, PAIRS).asset_of(venue) == ours


@pytest.mark.parametrize(
    "broken",
    [
        {"ordermin": "-1"},
        {"ordermin": "NaN"},
        {"lot_decimals": "8"},
        {"lot_decimals": 400},
        {"tick_size": "0"},
        {"altname": None},
        {"base": 5},
    ],
)
def test_a_market_that_cannot_be_read_is_left_out_by_name_and_the_others_stay(broken: dict[str, object]) -> None:
    pairs = {**PAIRS, "BADUSD": {**a_pair("BADUSD", "BAD/USD", "BAD", "ZUSD"), **broken}}
    catalogue = catalogue_from(ASSETS, pairs)
    assert set(catalogue.unreadable) == {"BADUSD"}
    assert len(catalogue.pairs) == len(PAIRS)


def test_a_second_market_of_the_same_symbol_is_left_out() -> None:
    catalogue = catalogue_from(ASSETS, {**PAIRS, "XXBTZUSD.d": a_pair("XBTUSD.d", "XBT/USD", "XXBT", "ZUSD")})
    assert catalogue.pairs["BTC/USD"].rest_id == "XXBTZUSD"
    assert "XXBTZUSD.d" in catalogue.unreadable


def test_a_list_without_any_readable_market_is_unreadable() -> None:
    with pytest.raises(UnreadableReply):
        catalogue_from(ASSETS, {})

from __future__ import annotations

import pytest

from paper_exchange.catalogue import Catalogue
from paper_exchange.kraken.naming import Names, asset_id, cost_decimals, result_key


@pytest.fixture(scope="module")
def names() -> Names:
    return Names(Catalogue())


@pytest.mark.parametrize(
    ("symbol", "pair_id", "altname", "wsname"),
    [
        ("BTC/USD", "XXBTZUSD", "XBTUSD", "XBT/USD"),
        ("ETH/USD", "XETHZUSD", "ETHUSD", "ETH/USD"),
        ("ETH/BTC", "XETHXXBT", "ETHXBT", "ETH/XBT"),
        ("SOL/USD", "SOLUSD", "SOLUSD", "SOL/USD"),
        ("BTC/USDT", "XBTUSDT", "XBTUSDT", "XBT/USDT"),
        ("DOGE/USD", "XDGUSD", "XDGUSD", "XDG/USD"),
        ("BTC/EUR", "XXBTZEUR", "XBTEUR", "XBT/EUR"),
    ],
)
def test_pairs_have_the_names_kraken_gives_them(
    names: Names, symbol: str, pair_id: str, altname: str, wsname: str
) -> None:
    pair = names.pairs[symbol]
    assert (pair.pair_id, pair.altname, pair.wsname) == (pair_id, altname, wsname)
    assert all(names.pair(text) == pair for text in (pair_id, altname, symbol, pair_id.lower()))


def test_no_two_pairs_share_a_name(names: Names) -> None:
    ids = [pair.pair_id for pair in names.pairs.values()]
    altnames = [pair.altname for pair in names.pairs.values()]
    assert len(set(ids)) == len(ids) > 1000
    assert len(set(altnames)) == len(altnames)
    assert all(names.pair(pair.altname) == pair for pair in names.pairs.values())


def test_the_old_slash_name_is_refused_in_strict_mode(names: Names) -> None:
    assert names.pair("XBT/USD") == names.pairs["BTC/USD"]
    assert names.pair("XBT/USD", strict=True) is None
    assert names.pair("BTC/USD", strict=True) == names.pairs["BTC/USD"]


def test_results_go_by_the_canonical_id_unless_asked_with_a_slash(names: Names) -> None:
    pair = names.pairs["BTC/USD"]
    assert [result_key(pair, text) for text in ("XBTUSD", "XXBTZUSD", "BTC/USD")] == ["XXBTZUSD", "XXBTZUSD", "BTC/USD"]


@pytest.mark.parametrize(
    ("asset", "text"),
    [("BTC", "XXBT"), ("USD", "ZUSD"), ("DOGE", "XXDG"), ("SOL", "SOL"), ("USDT", "USDT"), ("ETH", "XETH")],
)
def test_assets_have_the_ids_kraken_gives_them(names: Names, asset: str, text: str) -> None:
    assert asset_id(asset) == text
    assert names.asset(text) == asset
    assert names.asset("XBT") == "BTC"


def test_average_prices_never_have_fewer_digits_than_prices(names: Names) -> None:
    assert cost_decimals(names.listing(names.pairs["BTC/USD"])) == 5
    for pair in names.pairs.values():
        listing = names.listing(pair)
        assert cost_decimals(listing) >= listing.price_decimals

"""One spelling inside: every market that Kraken lists, under each of its names, there and back."""

import asyncio
import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from websockets.asyncio.client import connect

from bot.brokers.kraken.symbols import KrakenCatalogue, KrakenPair, catalogue_from
from tests.exchange_process import ExchangeProcess

ASKED_AT_ONCE = 120
"""Names in one request: an address has its limits."""
ANSWER_SECONDS = 20
NASTY = {
    "BTC/USD": ("XXBTZUSD", "XBTUSD", "XBT/USD"),
    "DOGE/USD": ("XDGUSD", "XDGUSD", "XDG/USD"),
    "DOGE/BTC": ("XXDGXXBT", "XDGXBT", "XDG/XBT"),
    "ETH/BTC": ("XETHXXBT", "ETHXBT", "ETH/XBT"),
    "BTC/USDT": ("XBTUSDT", "XBTUSDT", "XBT/USDT"),
    "1INCH/USD": ("1INCHUSD", "1INCHUSD", "1INCH/USD"),
    "X/USD": ("XUSD", "XUSD", "X/USD"),
    "XUSD/USD": ("XUSDUSD", "XUSDUSD", "XUSD/USD"),
    "USDX/USD": ("USDXUSD", "USDXUSD", "USDX/USD"),
    "PYUSD/USD": ("PYUSDUSD", "PYUSDUSD", "PYUSD/USD"),
    "ZETA/EUR": ("ZETAEUR", "ZETAEUR", "ZETA/EUR"),
    "ZUSDX/USD": ("ZUSDXUSD", "ZUSDXUSD", "ZUSDX/USD"),
}


@pytest.fixture(scope="module")
def ask(exchange_process: ExchangeProcess) -> Iterator[Any]:
    """The result of a public endpoint."""
    with requests.Session() as session:
        session.trust_env = False

        def call(method: str, **query: str) -> dict[str, Any]:
            address = f"{exchange_process.rest_url('kraken')}/0/public/{method}"
            envelope = session.get(address, params=query, timeout=ANSWER_SECONDS).json()
            assert envelope["error"] == [], f"{method}: {envelope['error']}"
            result: dict[str, Any] = envelope["result"]
            return result

        yield call


@pytest.fixture(scope="module")
def listed(ask: Any) -> dict[str, Any]:
    pairs: dict[str, Any] = ask("AssetPairs")
    return pairs


@pytest.fixture(scope="module")
def catalogue(ask: Any, listed: dict[str, Any]) -> KrakenCatalogue:
    return catalogue_from(ask("Assets"), listed)


def test_the_whole_listing_is_read(catalogue: KrakenCatalogue, listed: dict[str, Any]) -> None:
    assert len(listed) > 1_480, "a venue's whole catalogue"
    assert catalogue.unreadable == {}
    assert {pair.rest_id for pair in catalogue.pairs.values()} == set(listed)


def test_each_name_leads_to_the_one_symbol_and_the_symbol_to_each_name(
    catalogue: KrakenCatalogue, listed: dict[str, Any]
) -> None:
    for symbol, pair in catalogue.pairs.items():
        entry = listed[pair.rest_id]
        assert (pair.symbol, pair.altname, pair.wsname) == (symbol, entry["altname"], entry["wsname"])
        for name in (pair.rest_id, pair.altname, pair.wsname, symbol):
            assert catalogue.symbol_of(name) == symbol, f"{name} is {catalogue.symbol_of(name)}, not {symbol}"
        assert (catalogue.pair(symbol), pair.instrument.symbol) == (pair, symbol)


def test_no_name_is_that_of_two_markets(catalogue: KrakenCatalogue) -> None:
    owners = Counter(name for pair in catalogue.pairs.values() for name in _names(pair))
    assert [name for name, owned in owners.items() if owned > 1] == []


def test_the_venue_means_the_same_market_by_each_name(catalogue: KrakenCatalogue, ask: Any) -> None:
    """Asked by any name, it answers with the market whose symbol we hold that name for."""
    pairs = list(catalogue.pairs.values())
    for start in range(0, len(pairs), ASKED_AT_ONCE):
        some = pairs[start : start + ASKED_AT_ONCE]
        for name_of in ("rest_id", "altname", "symbol"):
            answer = ask("AssetPairs", pair=",".join(getattr(pair, name_of) for pair in some))
            told = [(entry["base"], entry["quote"], entry["altname"]) for entry in answer.values()]
            expected = [(*_sides(pair), pair.altname) for pair in some]
            assert [(catalogue.asset_of(base), catalogue.asset_of(quote), alt) for base, quote, alt in told] == expected


def test_the_sockets_spell_all_markets_as_we_do(catalogue: KrakenCatalogue, exchange_process: ExchangeProcess) -> None:
    pairs = asyncio.run(_instruments(exchange_process.addresses["kraken"]["ws"]))
    assert {pair["symbol"] for pair in pairs} == set(catalogue.pairs)
    for pair in pairs:
        assert f"{pair['base']}/{pair['quote']}" == pair["symbol"]


@pytest.mark.parametrize(("symbol", "names"), list(NASTY.items()))
def test_names_that_invite_mistakes_are_understood(
    catalogue: KrakenCatalogue, symbol: str, names: tuple[str, str, str]
) -> None:
    pair = catalogue.pairs[symbol]
    assert (pair.rest_id, pair.altname, pair.wsname) == names


def test_every_asset_has_one_name_and_a_rewarded_balance_is_told_from_it(catalogue: KrakenCatalogue, ask: Any) -> None:
    ours = [catalogue.asset_of(asset) for asset in ask("Assets")]
    assert len(set(ours)) == len(ours)
    assert not {"XBT", "XDG", "XXBT", "ZUSD"} & set(ours)
    assert [catalogue.asset_of(name) for name in ("XBT.F", "XXBT.F", "ZUSD.F", "XDG.S", "SOL.F")] == [
        "BTC.F", "BTC.F", "USD.F", "DOGE.S", "SOL.F",
    ]  # fmt: skip


def _names(pair: KrakenPair) -> set[str]:
    return {pair.symbol, pair.rest_id, pair.altname, pair.wsname}


def _sides(pair: KrakenPair) -> tuple[str, str]:
    base, _, quote = pair.symbol.partition("/")
    return base, quote


async def _instruments(address: str) -> list[dict[str, Any]]:
    async with connect(f"{address}/v2", max_size=None) as socket:
        await socket.send(json.dumps({"method": "subscribe", "params": {"channel": "instrument"}}))
        async with asyncio.timeout(ANSWER_SECONDS):
            async for text in socket:
                message = json.loads(text)
                if message.get("channel") == "instrument" and message["type"] == "snapshot":
                    pairs: list[dict[str, Any]] = message["data"]["pairs"]
                    return pairs
    raise AssertionError("the socket closed without a snapshot")

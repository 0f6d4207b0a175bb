"""The market watch's rows are overwritten in place, on either database."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from bot.storage import market_rows
from bot.storage.schema import market_catalogue, market_focus, market_scout
from bot.storage.store import Store

ON_BOTH_DATABASES = True
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
TINY = Decimal("0.00000001")


def listing(symbol: str, status: str = "online") -> dict[str, Any]:
    steps = dict.fromkeys(("lot_step", "tick_size", "minimum_quantity", "minimum_notional"), TINY)
    words = {"broker": "kraken", "symbol": symbol, "venue_symbol": symbol, "status": status}
    return words | steps | {"tradable": status == "online", "changed_at": NOW}


def ticker(symbol: str, last: str, **more: Any) -> dict[str, Any]:
    prices = {"bid": TINY, "ask": Decimal(last), "last_price": Decimal(last), "volume_base": None}
    return {"broker": "kraken", "symbol": symbol, "priced_at": NOW, **prices, **more}


def write(store: Store, table: Any, *rows: dict[str, Any]) -> None:
    store.write(lambda connection: market_rows.put(connection, table, rows))


def test_a_market_has_one_row_and_what_is_not_written_stays(store: Store) -> None:
    write(
        store,
        market_scout,
        ticker("A/USD", "1", sparkline_json="[[1,2.0,3.0]]"),
        ticker("B/USD", "1") | {"sparkline_json": "[]"},
    )
    write(store, market_scout, ticker("A/USD", "2"))
    with store.read() as connection:
        first, second = market_rows.scout_rows(connection)
        assert market_rows.sparklines(connection, "kraken") == {"A/USD": [[1.0, 2.0, 3.0]]}
    assert (first.symbol, first.last_price, first.bid, second.last_price) == ("A/USD", Decimal(2), TINY, Decimal(1))


def test_the_list_of_markets_comes_back_as_it_was_written(store: Store) -> None:
    write(store, market_catalogue, listing("A/USD"), listing("B/USD", "cancel_only"))
    with store.read() as connection:
        known = market_rows.listed_instruments(connection, "kraken")
        assert market_rows.listed_instruments(connection, "coinbase") == {}
    assert (known["A/USD"].tick_size, known["A/USD"].tradable) == (TINY, True)
    assert (known["B/USD"].status, known["B/USD"].tradable) == ("cancel_only", False)


def test_markets_are_removed_of_one_brokerage_alone(store: Store) -> None:
    write(store, market_catalogue, listing("A/USD"), listing("A/USD") | {"broker": "coinbase"})
    store.write(lambda connection: market_rows.remove(connection, market_catalogue, "kraken", ["A/USD"]))
    with store.read() as connection:
        (left,) = market_rows.catalogue_rows(connection, ["A/USD"])
    assert left.broker == "coinbase"


def test_lines_that_cannot_be_read_are_left_out(store: Store) -> None:
    for number, text in enumerate(("nonsense", "[[1,2]]", '[["a",1,2]]', "[[1,2,3]]")):
        write(store, market_scout, ticker(f"{number}/USD", "1", sparkline_json=text))
    with store.read() as connection:
        assert market_rows.sparklines(connection, "kraken") == {"3/USD": [[1.0, 2.0, 3.0]]}


def test_where_prices_come_from_is_one_row_a_brokerage(store: Store) -> None:
    for words in ("WebSocket", "REST"):
        store.write(
            lambda connection, words=words: market_rows.note_source(connection, "kraken", source=words, now=NOW)
        )
    with store.read() as connection:
        (row,) = market_rows.sources(connection)
        assert market_rows.symbols_of(connection, market_focus, "kraken") == frozenset()
    assert (row.source, row.looked_at) == ("REST", NOW)

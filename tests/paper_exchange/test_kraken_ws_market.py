"""The market channels: acks, snapshots, updates, and that they tell the same story as REST."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from zlib import crc32

import pytest

from tests.exchange_process import ExchangeProcess, wait_until
from tests.paper_exchange.kraken_client import KrakenClient
from tests.paper_exchange.socket_client import Message, SocketClient, private_socket

LEVEL = re.compile(r'\{"price":([0-9.]+),"qty":([0-9.]+)\}')


@pytest.fixture
def public(exchange: ExchangeProcess) -> Iterator[SocketClient]:
    with SocketClient(exchange.addresses["kraken"]["ws"] + "/v2") as client:
        yield client


class KeptBook:
    """A book as a client keeps it, by Kraken's rules: texts as on the wire."""

    def __init__(self, depth: int) -> None:
        self._depth = depth
        self._sides: dict[str, dict[Decimal, tuple[str, str]]] = {"bids": {}, "asks": {}}

    def apply(self, text: str) -> bool:
        """Apply a message; whether its checksum agrees."""
        for name, levels in self._sides.items():
            found = re.search(rf'"{name}":\[(.*?)\]', text)
            assert found is not None
            for price, quantity in LEVEL.findall(found[1]):
                levels[Decimal(price)] = (price, quantity)
                if not Decimal(quantity):
                    del levels[Decimal(price)]
            self._sides[name] = {price: levels[price] for price in self._ordered(name, levels)[: self._depth]}
        checksum = re.search(r'"checksum":([0-9]+)', text)
        assert checksum is not None
        return int(checksum[1]) == self._checksum()

    def side(self, name: str) -> list[tuple[Decimal, Decimal]]:
        return [(price, Decimal(quantity)) for price, (_, quantity) in self._sides[name].items()]

    def _ordered(self, name: str, levels: dict[Decimal, tuple[str, str]]) -> list[Decimal]:
        return sorted(levels, reverse=name == "bids")

    def _checksum(self) -> int:
        best = [*list(self._sides["asks"].values())[:10], *list(self._sides["bids"].values())[:10]]
        return crc32("".join(text.replace(".", "").lstrip("0") for level in best for text in level).encode())


def _texts(public: SocketClient, channel: str, count: int) -> list[str]:
    """The next messages of a channel, as they came."""
    start = f'{{"channel":"{channel}","type":'
    while sum(text.startswith(start) for text in public.texts) < count:
        public.receive()
    return [text for text in public.texts if text.startswith(start)][:count]


def test_each_symbol_has_its_own_answer(public: SocketClient) -> None:
    req_id = public.request("subscribe", channel="ticker", symbol=["BTC/USD", "XBT/USD", "ETH/USD"])
    answers = [public.wait_for(lambda one: one.get("req_id") == req_id) for _ in range(3)]
    assert [answer["success"] for answer in answers] == [True, False, True]
    assert answers[0]["result"] == {
        "channel": "ticker", "symbol": "BTC/USD", "event_trigger": "trades", "snapshot": True,
    }  # fmt: skip
    assert (answers[1]["error"], answers[1]["symbol"]) == ("Currency pair not supported XBT/USD", "XBT/USD")
    assert {public.push("ticker", "snapshot")["data"][0]["symbol"] for _ in range(2)} == {"BTC/USD", "ETH/USD"}


def test_the_ticker_agrees_with_rest(exchange: ExchangeProcess, public: SocketClient, kraken: KrakenClient) -> None:
    exchange.pause()
    try:
        public.ok("subscribe", channel="ticker", symbol=["BTC/USD"])
        item = public.push("ticker", "snapshot")["data"][0]
        shown = kraken.public("Ticker", pair="XBTUSD")["XXBTZUSD"]
    finally:
        exchange.pause(paused=False)
    assert [item[name] for name in ("bid", "ask", "last")] == [Decimal(shown[name][0]) for name in "bac"]
    assert [item[name] for name in ("low", "high", "volume", "vwap")] == [Decimal(shown[name][1]) for name in "lhvp"]
    change = item["change"] / (item["last"] - item["change"]) * 100
    assert abs(item["change_pct"] - change) < Decimal("0.01")


def test_a_new_price_is_told_within_seconds(exchange: ExchangeProcess, public: SocketClient) -> None:
    public.ok("subscribe", channel="ticker", symbol=["SOL/USD"])
    before = public.push("ticker", "snapshot")["data"][0]["last"]
    exchange.set_price("SOL/USD", before * 2)
    update = public.wait_for(lambda one: one.get("channel") == "ticker" and one["data"][0]["last"] > before * 3 / 2)
    assert update["type"] == "update"


def test_by_the_best_prices_a_ticker_comes_without_trades(public: SocketClient) -> None:
    public.ok("subscribe", channel="ticker", symbol=["BTC/USD"], event_trigger="bbo", snapshot=False)
    first, second = (public.push("ticker", "update")["data"][0] for _ in range(2))
    assert (first["bid"], first["bid_qty"], first["ask_qty"]) != (second["bid"], second["bid_qty"], second["ask_qty"])


@pytest.mark.parametrize("depth", [10, 25, 100])
def test_a_book_kept_by_its_messages_agrees_with_every_checksum(public: SocketClient, depth: int) -> None:
    public.ok("subscribe", channel="book", symbol=["BTC/USD"], depth=depth)
    book = KeptBook(depth)
    assert [book.apply(text) for text in _texts(public, "book", 5)] == [True] * 5
    assert len(book.side("bids")) == len(book.side("asks")) == depth


def test_the_books_of_depth_agree_with_each_other_and_with_rest(
    exchange: ExchangeProcess, public: SocketClient, kraken: KrakenClient
) -> None:
    exchange.pause()
    try:
        public.ok("subscribe", channel="book", symbol=["ETH/USD"], depth=10)
        book = KeptBook(10)
        assert book.apply(_texts(public, "book", 1)[0])
        shown = kraken.public("Depth", pair="ETHUSD", count=10)["XETHZUSD"]
    finally:
        exchange.pause(paused=False)
    for name in ("bids", "asks"):
        assert [price for price, _ in book.side(name)] == [Decimal(row[0]) for row in shown[name]]


def test_a_resting_order_is_in_the_book(exchange: ExchangeProcess, public: SocketClient, kraken: KrakenClient) -> None:
    bid = Decimal(exchange.control("GET", "/market?symbol=BTC/USD")[0]["bid"])
    price = bid - Decimal("0.1")
    with private_socket(exchange.addresses, kraken) as socket:
        exchange.pause()
        try:
            # The market may have bids of its own at this price: the order comes on top of them.
            shown = kraken.public("Depth", pair="XBTUSD", count=25)["XXBTZUSD"]["bids"]
            before = sum((Decimal(row[1]) for row in shown if Decimal(row[0]) == price), Decimal(0))
            order = {"order_type": "limit", "side": "buy", "symbol": "BTC/USD", "order_qty": 0.012345}
            socket.ok("add_order", order, limit_price=float(price))
            public.ok("subscribe", channel="book", symbol=["BTC/USD"], depth=25)
            (text,) = _texts(public, "book", 1)
        finally:
            exchange.pause(paused=False)
        socket.ok("cancel_all")
    book = KeptBook(25)
    assert book.apply(text)
    (quantity,) = [quantity for level, quantity in book.side("bids") if level == price]
    # REST shows three digits of a quantity, the socket eight.
    assert 0 <= quantity - before - Decimal("0.012345") < Decimal("0.001")
    assert f'"price":{price},"qty":{quantity:.8f}' in text


def test_who_joins_later_sees_the_same_book(exchange: ExchangeProcess, public: SocketClient) -> None:
    public.ok("subscribe", channel="book", symbol=["BTC/USD"])
    books = [KeptBook(10), KeptBook(10)]
    assert [books[0].apply(text) for text in _texts(public, "book", 3)] == [True] * 3
    with SocketClient(exchange.addresses["kraken"]["ws"] + "/v2") as later:
        later.ok("subscribe", channel="book", symbol=["BTC/USD"])
        assert [books[1].apply(text) for text in _texts(later, "book", 3)] == [True] * 3


def test_a_wrong_checksum_comes_on_command(exchange: ExchangeProcess, public: SocketClient) -> None:
    public.ok("subscribe", channel="book", symbol=["LTC/USD"])
    book = KeptBook(10)
    assert book.apply(_texts(public, "book", 1)[0])
    exchange.fault("bad_checksum", endpoint="ws/book")
    results = [book.apply(text) for text in _texts(public, "book", 6)[1:]]
    assert results.count(False) == 1


def test_trades_follow_each_other_without_a_gap_and_are_those_of_rest(
    public: SocketClient, kraken: KrakenClient
) -> None:
    public.ok("subscribe", channel="trade", symbol=["BTC/USD"], snapshot=True)
    trades: list[Message] = public.push("trade", "snapshot")["data"]
    assert len(trades) == 50
    while len(trades) < 53:
        trades += public.push("trade", "update")["data"]
    numbers = [trade["trade_id"] for trade in trades]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    shown = {row[6]: row for row in kraken.public("Trades", pair="XBTUSD")["XXBTZUSD"]}
    for trade in trades:
        row = shown[trade["trade_id"]]
        assert (Decimal(row[0]), Decimal(row[1]), row[3]) == (trade["price"], trade["qty"], trade["side"][0])


def test_trades_come_without_a_snapshot_unless_asked_for(public: SocketClient) -> None:
    assert public.ok("subscribe", channel="trade", symbol=["BTC/USD"])["snapshot"] is False
    assert public.push("trade")["type"] == "update"


def test_candles_form_and_agree_with_rest(public: SocketClient, kraken: KrakenClient) -> None:
    public.ok("subscribe", channel="ohlc", symbol=["BTC/USD"], interval=5)
    snapshot = public.push("ohlc", "snapshot")
    rows = {row[0]: row for row in kraken.public("OHLC", pair="XBTUSD", interval=5)["XXBTZUSD"]}
    closed = snapshot["data"][-2]
    begin = closed["interval_begin"]
    assert begin.endswith(":00.000000000Z") and snapshot["timestamp"][-1] == "Z"
    matching = [row for row in rows.values() if Decimal(row[1]) == closed["open"] and row[7] == closed["trades"]]
    assert [[Decimal(row[i]) for i in (2, 3, 4, 6)] for row in matching] == [
        [closed[name] for name in ("high", "low", "close", "volume")]
    ]
    update = public.push("ohlc", "update")["data"][-1]
    assert update["interval_begin"] >= snapshot["data"][-1]["interval_begin"] and update["interval"] == 5


def test_one_interval_of_candles_for_each_symbol(public: SocketClient) -> None:
    public.ok("subscribe", channel="ohlc", symbol=["BTC/USD"], interval=5)
    text = "Already subscribed to one ohlc interval on this symbol"
    assert public.refused("subscribe", channel="ohlc", symbol=["BTC/USD"], interval=1) == text
    assert public.refused("subscribe", channel="ohlc", symbol=["BTC/USD"], interval=5) == "Already subscribed"


def test_instruments_are_all_assets_and_pairs_with_their_rules(public: SocketClient, kraken: KrakenClient) -> None:
    assert public.ok("subscribe", channel="instrument") == {"channel": "instrument", "snapshot": True}
    data = public.push("instrument", "snapshot")["data"]
    rest = kraken.public("AssetPairs")
    assert len(data["pairs"]) == len(rest) and len(data["assets"]) == len(kraken.public("Assets"))
    pair = next(pair for pair in data["pairs"] if pair["symbol"] == "BTC/USD")
    terms = rest["XXBTZUSD"]
    assert pair["price_increment"] == Decimal(terms["tick_size"]) and pair["price_precision"] == terms["pair_decimals"]
    assert pair["qty_min"] == Decimal(terms["ordermin"]) and pair["cost_min"] == Decimal(terms["costmin"])
    assert (pair["base"], pair["quote"], pair["status"]) == ("BTC", "USD", terms["status"])


def test_a_pair_whose_rules_change_is_told(exchange: ExchangeProcess, public: SocketClient) -> None:
    public.ok("subscribe", channel="instrument", snapshot=False)
    exchange.market(symbol="ADA/USD", rules={"mode": "cancel_only"})
    try:
        (pair,) = public.push("instrument", "update")["data"]["pairs"]
        assert (pair["symbol"], pair["status"]) == ("ADA/USD", "cancel_only")
    finally:
        exchange.market(symbol="ADA/USD", rules={"mode": "online"})


def test_after_unsubscribing_nothing_comes(public: SocketClient) -> None:
    public.ok("subscribe", channel="book", symbol=["BTC/USD"])
    assert public.ok("unsubscribe", channel="book", symbol=["BTC/USD"]) == {
        "channel": "book", "symbol": "BTC/USD", "depth": 10,
    }  # fmt: skip
    public.ok("subscribe", channel="ticker", symbol=["BTC/USD"])
    public.messages.clear()
    for _ in range(2):
        public.push("ticker", "update")
    assert [one for one in public.messages if one.get("channel") == "book"] == []
    answer = public.ask("unsubscribe", channel="book", symbol=["BTC/USD"])
    assert (answer["error"], answer["symbol"]) == ("Subscription Not Found", "BTC/USD")


def test_a_pair_that_is_listed_but_does_not_trade_has_a_quiet_ticker(public: SocketClient) -> None:
    public.ok("subscribe", channel="instrument")
    pairs = public.push("instrument", "snapshot")["data"]["pairs"]
    quiet = next(pair["symbol"] for pair in reversed(pairs) if pair["status"] == "cancel_only")
    for channel in ("ticker", "book", "trade", "ohlc"):
        public.ok("subscribe", channel=channel, symbol=[quiet])
    item = public.push("ticker", "snapshot")["data"][0]
    assert item["last"] > 0 and item["volume"] == 0


@pytest.mark.parametrize(
    ("params", "error"),
    [
        ({"channel": "weather"}, "Unsupported channel"),
        ({"channel": "book", "symbol": ["BTC/USD"], "depth": 11}, "Unsupported value for the field: depth"),
        ({"channel": "ohlc", "symbol": ["BTC/USD"], "interval": 2}, "Unsupported value for the field: interval"),
        ({"channel": "ticker", "symbol": "BTC/USD"}, "Symbol field must be a array"),
        ({"channel": "ticker"}, "Symbol(s) not found"),
        (
            {"channel": "ticker", "symbol": ["BTC/USD"], "depth": 10},
            "Unsupported field: 'depth' for the given msg type: subscribe",
        ),
    ],
)
def test_a_mistake_is_refused(public: SocketClient, params: dict[str, Any], error: str) -> None:
    assert public.refused("subscribe", params) == error


def test_the_market_is_not_for_the_private_socket(exchange: ExchangeProcess, kraken: KrakenClient) -> None:
    with private_socket(exchange.addresses, kraken) as socket:
        socket.token = None
        text = "Public market data subscriptions are unavailable on this endpoint. Try ws.kraken.com"
        assert socket.refused("subscribe", channel="ticker", symbol=["BTC/USD"]) == text


def test_a_market_that_stands_still_sends_heartbeats_only(exchange: ExchangeProcess, public: SocketClient) -> None:
    public.ok("subscribe", channel="book", symbol=["BTC/USD"])
    exchange.pause()
    try:
        wait_until(lambda: public.receive() == {"channel": "heartbeat"}, what="a heartbeat")
        public.messages.clear()
        public.push("heartbeat")
        assert public.messages == []
    finally:
        exchange.pause(paused=False)

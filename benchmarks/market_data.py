"""Market data of a whole venue in one thread: messages read, applied, and books proved by their checksum.

    python benchmarks/market_data.py --markets 1500 --messages 60000 [--json]

The messages are Kraken's (WebSocket v2): tickers, trades, and updates of books of depth 10 with true checksums, spread
over all markets. Timed is what the feed's loop does with each text, without the socket. Anchors of the same run: three
JSON libraries that only parse the same texts, and a plain book (dicts, sorted for each checksum) fed by `json`.
Messages per second
of the thread's own time (what other programs take of the machine does not count), medians over the rounds.
"""

import argparse
import importlib
import json
import sys
import time
import zlib
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import msgspec

from benchmarks.report import Report
from bot.brokers.kraken.market_reader import MarketReader
from bot.brokers.kraken.public_messages import read_envelope
from bot.brokers.market_values import MarketValues
from bot.seams.clock import SystemClock

GOAL_MESSAGES = 100_000
GOAL_BOOKS = 50_000
PRICE_DECIMALS, QUANTITY_DECIMALS, DEPTH = 2, 8, 10
MOMENT = "2026-01-01T00:00:00.000000Z"
COLUMNS = ("way", "messages/s", "µs each", "goal")
Levels = dict[Decimal, Decimal]


def symbol(number: int) -> str:
    return f"M{number}/USD"


def digits(number: Decimal, decimals: int) -> str:
    return f"{number:.{decimals}f}".replace(".", "").lstrip("0")


def checksum(asks: Levels, bids: Levels) -> int:
    """The venue's rule, the plain way."""
    best = [(price, asks[price]) for price in sorted(asks)[:10]]
    best += [(price, bids[price]) for price in sorted(bids, reverse=True)[:10]]
    text = "".join(digits(price, PRICE_DECIMALS) + digits(quantity, QUANTITY_DECIMALS) for price, quantity in best)
    return zlib.crc32(text.encode())


class Market:
    """A market whose book changes by chance, as the venue tells it."""

    def __init__(self, number: int, chance: Random) -> None:
        self.symbol, self._chance = symbol(number), chance
        self.middle = 1000 + number * 37
        self.asks: Levels = {self._price(1 + step): self._quantity() for step in range(DEPTH)}
        self.bids: Levels = {self._price(-1 - step): self._quantity() for step in range(DEPTH)}
        self.trade_id = 0

    def _price(self, ticks: int) -> Decimal:
        return Decimal(self.middle * 100 + ticks).scaleb(-PRICE_DECIMALS)

    def _quantity(self) -> Decimal:
        return Decimal(self._chance.randrange(1, 10**9)).scaleb(-QUANTITY_DECIMALS)

    def snapshot(self) -> bytes:
        return self._book("snapshot", self.asks, self.bids)

    def change(self) -> bytes:
        """One to three levels get another quantity, as in most updates of a live book."""
        changed: tuple[Levels, Levels] = ({}, {})
        for _ in range(self._chance.randrange(1, 4)):
            side = self._chance.randrange(2)
            levels = (self.asks, self.bids)[side]
            price = self._chance.choice(list(levels))
            levels[price] = changed[side][price] = self._quantity()
        return self._book("update", *changed)

    def _book(self, kind: str, asks: Levels, bids: Levels) -> bytes:
        def side(levels: Levels) -> str:
            return ",".join(f'{{"price":{price:.2f},"qty":{quantity:.8f}}}' for price, quantity in levels.items())

        return (
            f'{{"channel":"book","type":"{kind}","data":[{{"symbol":"{self.symbol}","bids":[{side(bids)}],'
            f'"asks":[{side(asks)}],"checksum":{checksum(self.asks, self.bids)},"timestamp":"{MOMENT}"}}]}}'
        ).encode()

    def ticker(self) -> bytes:
        bid, ask = max(self.bids), min(self.asks)
        return (
            f'{{"channel":"ticker","type":"update","data":[{{"symbol":"{self.symbol}","bid":{bid},"bid_qty":'
            f'{self.bids[bid]:.8f},"ask":{ask},"ask_qty":{self.asks[ask]:.8f},"last":{bid},"volume":1234.56789012,'
            f'"vwap":{bid},"low":{bid},"high":{ask},"change":-1.25,"change_pct":-0.12,"timestamp":"{MOMENT}"}}]}}'
        ).encode()

    def trade(self) -> bytes:
        self.trade_id += 1
        return (
            f'{{"channel":"trade","type":"update","data":[{{"symbol":"{self.symbol}","side":"buy","price":'
            f'{min(self.asks)},"qty":{self._quantity():.8f},"ord_type":"limit","trade_id":{self.trade_id},'
            f'"timestamp":"{MOMENT}"}}]}}'
        ).encode()


class Feed:
    """All messages of a run, made before anything is timed."""

    def __init__(self, markets: int, messages: int) -> None:
        chance = Random(11)
        made = [Market(number, chance) for number in range(markets)]
        self.snapshots = [market.snapshot() for market in made]
        self.books = [made[number % markets].change() for number in range(messages)]
        self.tickers = [made[number % markets].ticker() for number in range(messages)]
        self.trades = [made[number % markets].trade() for number in range(messages)]
        thirds = zip(self.books, self.tickers, self.trades, strict=True)
        self.mixed = [text for three in thirds for text in three][:messages]


class Ours:
    """What the feed's loop does with a text."""

    def __init__(self, snapshots: Sequence[bytes]) -> None:
        self.values = MarketValues(SystemClock())
        self.reader = MarketReader(
            self.values, clock=SystemClock(), decimals_of=lambda _symbol: (PRICE_DECIMALS, QUANTITY_DECIMALS)
        )
        self.take_all(snapshots)

    def take_all(self, texts: Sequence[bytes]) -> None:
        take = self.reader.take
        for text in texts:
            take(read_envelope(text))

    def prove(self) -> None:
        if self.reader.mismatches or self.reader.unreadable:
            raise SystemExit(f"{self.reader.mismatches} wrong books, {self.reader.unreadable} unreadable messages")


class Plain:
    """Books of dicts, sorted for every checksum, fed by the standard library."""

    def __init__(self, snapshots: Sequence[bytes]) -> None:
        self.books: dict[str, tuple[Levels, Levels]] = {}
        self.take_all(snapshots)

    def take_all(self, texts: Sequence[bytes]) -> None:
        for text in texts:
            item = json.loads(text, parse_float=Decimal)["data"][0]
            asks, bids = self.books.setdefault(item["symbol"], ({}, {}))
            for levels, changes in ((asks, item["asks"]), (bids, item["bids"])):
                for change in changes:
                    levels[change["price"]] = change["qty"]
            if checksum(asks, bids) != item["checksum"]:
                raise SystemExit(f"the plain book of {item['symbol']} is wrong")


def rate(work: Callable[[], Callable[[], object]], messages: int, rounds: int) -> float:
    """Median messages per second of the thread's own time; `work` makes anew what a round needs, outside the timing."""
    rates = []
    for _ in range(rounds):
        timed = work()
        began = time.thread_time()
        timed()
        rates.append(messages / (time.thread_time() - began))
    return median(rates)


def parse_only(loads: Callable[[bytes], Any], texts: Sequence[bytes]) -> Callable[[], Callable[[], object]]:
    def once() -> None:
        for text in texts:
            loads(text)

    return lambda: once


def ours(feed: Feed, texts: Sequence[bytes]) -> Callable[[], Callable[[], object]]:
    def fresh() -> Callable[[], object]:
        made = Ours(feed.snapshots)

        def once() -> None:
            made.take_all(texts)
            made.prove()

        return once

    return fresh


def plain(feed: Feed, texts: Sequence[bytes]) -> Callable[[], Callable[[], object]]:
    def fresh() -> Callable[[], object]:
        made = Plain(feed.snapshots)
        return lambda: made.take_all(texts)

    return fresh


def parsers() -> dict[str, Callable[[bytes], Any]]:
    """By name; orjson only where it is installed."""
    found: dict[str, Callable[[bytes], Any]] = {"json": json.loads, "msgspec": msgspec.json.Decoder().decode}
    try:
        found["orjson"] = importlib.import_module("orjson").loads
    except ImportError:
        print("orjson is not installed: its anchor is left out", file=sys.stderr)
    return found


def main(argv: Sequence[str] | None = None) -> int:
    arguments = _parser().parse_args(argv)
    feed, messages, rounds = Feed(arguments.markets, arguments.messages), arguments.messages, arguments.rounds
    figures: list[tuple[str, float, int | None]] = [
        (f"{name}, parse alone", rate(parse_only(loads, feed.mixed), messages, rounds), None)
        for name, loads in parsers().items()
    ]
    figures += [
        ("plain books, checksum verified", rate(plain(feed, feed.books), messages, rounds), None),
        ("the feed: tickers", rate(ours(feed, feed.tickers), messages, rounds), GOAL_MESSAGES),
        ("the feed: trades", rate(ours(feed, feed.trades), messages, rounds), GOAL_MESSAGES),
        ("the feed: a third of each", rate(ours(feed, feed.mixed), messages, rounds), GOAL_MESSAGES),
        ("the feed: books, checksum verified", rate(ours(feed, feed.books), messages, rounds), GOAL_BOOKS),
    ]
    met = all(goal is None or reached >= goal for _, reached, goal in figures)
    rows = [
        {
            "way": way,
            "messages/s": f"{reached:,.0f}",
            "µs each": f"{1e6 / reached:.2f}",
            "goal": "" if goal is None else f"{goal:,} {'met' if reached >= goal else 'MISSED'}",
        }
        for way, reached, goal in figures
    ]
    settings = {"markets": arguments.markets, "messages": messages, "rounds": rounds}
    notes = ("All books were proved right by their checksums, and no message was unreadable.",)
    Report(f"Market data of {arguments.markets} markets in one thread", COLUMNS, rows, notes, settings).say(
        as_json=arguments.json
    )
    return 0 if met else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--markets", type=int, default=1500, help="how many markets (default 1500)")
    parser.add_argument("--messages", type=int, default=60_000, help="how many a round (default 60000)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of which the median counts (default 5)")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())

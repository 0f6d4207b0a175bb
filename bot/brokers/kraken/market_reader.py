"""Applies what Kraken's public sockets say to the values everybody reads, and notices what cannot be right.

Public channels have no sequence numbers. What shows a lost, doubled or swapped message is the checksum of a book and
the number of a trade; either makes the market's subscription begin anew, with a snapshot.
"""

import logging
from collections.abc import Callable, Mapping
from typing import NamedTuple

from bot.brokers.kraken.book import Book
from bot.brokers.kraken.public_messages import (
    BookItem,
    Envelope,
    PairItem,
    TickerItem,
    TradeItem,
    UnreadableMessage,
    read_books,
    read_instruments,
    read_statuses,
    read_tickers,
    read_trades,
)
from bot.brokers.market_values import BookTop, MarketValues, PriceRow, TradePrint
from bot.seams.clock import Clock

log = logging.getLogger(__name__)

# Decimals of a price, and of a quantity.
Decimals = tuple[int, int]


class Damage(NamedTuple):
    """A subscription that shows something wrong and has to begin anew."""

    channel: str
    symbol: str


class MarketReader:
    """On the feed's loop only. `decimals_of` gives a market's decimals of price and quantity, None if not known.

    `on_statuses` is told the status of each market that the venue names, `on_system` the venue's own.
    """

    def __init__(
        self,
        values: MarketValues,
        *,
        clock: Clock,
        decimals_of: Callable[[str], Decimals | None],
        on_statuses: Callable[[Mapping[str, str]], None] = lambda _statuses: None,
        on_system: Callable[[str], None] = lambda _system: None,
        depth: int = 10,
    ) -> None:
        self._values = values
        self._clock = clock
        self._decimals_of = decimals_of
        self._on_statuses = on_statuses
        self._on_system = on_system
        self._depth = depth
        self._books: dict[str, Book] = {}
        self._decimals: dict[str, Decimals] = {}
        self.mismatches = 0
        self.unreadable = 0
        self._readers: Mapping[str, Callable[[Envelope], list[Damage]]] = {
            "ticker": self._tickers,
            "book": self._book_messages,
            "trade": self._trades,
            "instrument": self._instruments,
            "status": self._statuses,
        }

    def take(self, message: Envelope) -> list[Damage]:
        """Apply one push; returns what has to begin anew. One unreadable message costs nothing but itself."""
        reader = self._readers.get(message.channel)
        if reader is None:
            return []  # heartbeats, and whatever the venue adds
        self._values.messages += 1
        try:
            return reader(message)
        except (UnreadableMessage, ArithmeticError) as error:
            self.unreadable += 1
            log.debug("Kraken: a message was not used: %s", error)
            return []

    def has_book(self, symbol: str) -> bool:
        return symbol in self._books

    def book(self, symbol: str) -> Book | None:
        return self._books.get(symbol)

    def drop_book(self, symbol: str) -> None:
        """Its subscription ends or begins anew: nobody sees the old book meanwhile."""
        self._books.pop(symbol, None)
        self._values.set_top(symbol, None)
        self._values.set_levels(symbol, None)

    def drop_books(self) -> None:
        for symbol in list(self._books):
            self.drop_book(symbol)

    # -- channels ---------------------------------------------------------------------------------------------------
    def _tickers(self, message: Envelope) -> list[Damage]:
        now = self._clock.monotonic()
        for item in read_tickers(message):
            self._ticker(item, now)
        return []

    def _ticker(self, item: TickerItem, now: float) -> None:
        if not self._values.set_row(item.symbol, PriceRow(item.bid, item.ask, item.last, item.volume, now)):
            self.unreadable += 1

    def _book_messages(self, message: Envelope) -> list[Damage]:
        damaged = []
        for item in read_books(message):
            if not self._book_is_right(item, snapshot=message.is_snapshot):
                self.mismatches += 1
                self.drop_book(item.symbol)
                damaged.append(Damage("book", item.symbol))
        return damaged

    def _book_is_right(self, item: BookItem, *, snapshot: bool) -> bool:
        """Apply it and show it; False when the book cannot be the venue's any more."""
        try:
            if snapshot:
                book = self._new_book(item.symbol)
                right = book.replace(item)
                self._books[item.symbol] = book
            else:
                known = self._books.get(item.symbol)
                if known is None:
                    return False  # an update to a snapshot that never came
                book, right = known, known.update(item)
        except (UnreadableMessage, ArithmeticError, ValueError):
            return False
        if right:
            self._show(book)
        return right

    def _show(self, book: Book) -> None:
        best = book.best()
        if best is None:
            self._values.set_top(book.symbol, None)
            return
        bid, ask = best
        self._values.set_top(book.symbol, BookTop(bid.price, ask.price, bid.qty, ask.qty, self._clock.monotonic()))

    def _new_book(self, symbol: str) -> Book:
        decimals = self._decimals.get(symbol) or self._decimals_of(symbol)
        price, quantity = decimals if decimals is not None else (None, None)
        book = Book(symbol, price_decimals=price, quantity_decimals=quantity, depth=self._depth)
        self._values.set_levels(symbol, book)
        return book

    def _trades(self, message: Envelope) -> list[Damage]:
        now = self._clock.monotonic()
        items = read_trades(message)
        if message.is_snapshot:
            for symbol in dict.fromkeys(item.symbol for item in items):
                latest = [_print_of(item) for item in items if item.symbol == symbol]
                self._values.tape_of(symbol).fill_in(latest, seen_at=now)
            return []
        missed = {
            item.symbol: None for item in items if self._values.tape_of(item.symbol).add(_print_of(item), seen_at=now)
        }
        return [Damage("trade", symbol) for symbol in missed]

    def _instruments(self, message: Envelope) -> list[Damage]:
        pairs = read_instruments(message).pairs
        for pair in pairs:
            self._take_rules(pair)
        self._on_statuses({pair.symbol: pair.status for pair in pairs})
        return []

    def _take_rules(self, pair: PairItem) -> None:
        if 0 <= pair.price_precision <= 20 and 0 <= pair.qty_precision <= 20:
            self._decimals[pair.symbol] = (pair.price_precision, pair.qty_precision)

    def _statuses(self, message: Envelope) -> list[Damage]:
        for item in read_statuses(message):
            self._on_system(item.system)
        return []


def _print_of(item: TradeItem) -> TradePrint:
    return TradePrint(item.price, item.qty, item.side, item.trade_id, item.timestamp)

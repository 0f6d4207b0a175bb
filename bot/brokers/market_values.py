"""The public values of one venue's markets as they are now: written by its feed alone, read by everybody.

Reading takes no lock and asks nobody: each value is one immutable tuple, replaced as a whole.
"""

import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple, Protocol

from bot.domain.quote import Quote
from bot.seams.clock import Clock

# No price of a real market comes near; what is beyond it is a broken message.
HIGHEST_PRICE = Decimal(10) ** 15
RECENT_TRADES = 50


class PriceRow(NamedTuple):
    """Best bid and ask, last traded price, volume of 24 h in base units, and when it came (monotonic seconds)."""

    bid: Decimal
    ask: Decimal
    last: Decimal
    volume_base: Decimal | None
    seen_at: float


class BookTop(NamedTuple):
    """The best prices of a book whose checksum was right, what is there within its depth, and when it came."""

    bid: Decimal
    ask: Decimal
    bid_quantity: Decimal
    ask_quantity: Decimal
    seen_at: float


class TradePrint(NamedTuple):
    """One trade of anybody's: base units, `side` of the taker, the venue's own time as text."""

    price: Decimal
    quantity: Decimal
    side: str
    trade_id: int
    traded_at: str


class TradeTape:
    """The latest trades of one market, each once, and how many there were since the tape began."""

    def __init__(self) -> None:
        self.recent: deque[TradePrint] = deque(maxlen=RECENT_TRADES)
        self.count = 0
        self.last_id = -1
        self.seen_at = -math.inf

    def add(self, trade: TradePrint, *, seen_at: float) -> bool:
        """Put it on the tape unless it was there; True when trades before it were never seen."""
        if trade.trade_id <= self.last_id:
            return False  # doubled, or overtaken by a later one
        missed = self.last_id >= 0 and trade.trade_id > self.last_id + 1
        self.recent.append(trade)
        self.count += 1
        self.last_id = trade.trade_id
        self.seen_at = seen_at
        return missed

    def fill_in(self, trades: Sequence[TradePrint], *, seen_at: float) -> None:
        """The venue's own latest trades: those that were missed take their place, each once."""
        known = {trade.trade_id for trade in self.recent}
        # What was dropped from the full tape is older than all that is on it.
        floor = self.recent[0].trade_id if len(self.recent) == RECENT_TRADES else -1
        new = {trade.trade_id: trade for trade in trades if trade.trade_id > floor and trade.trade_id not in known}
        if new:
            merged = sorted([*self.recent, *new.values()], key=lambda trade: trade.trade_id)
            self.recent = deque(merged, maxlen=RECENT_TRADES)
            self.count += len(new)
            self.last_id = max(self.last_id, *new)
            self.seen_at = seen_at


@dataclass(frozen=True, kw_only=True)
class FeedState:
    """How much of what is wanted is there now: sockets up of those wanted, confirmed tickers, books proved right."""

    sockets_up: int
    sockets: int
    tickers: int
    books: int
    books_wanted: int
    mismatches: int
    unreadable: int
    messages: int


class BookLevels(Protocol):
    """The levels of a book, the best first; each has `price` and `qty` (base units)."""

    @property
    def bids(self) -> Sequence[Any]: ...

    @property
    def asks(self) -> Sequence[Any]: ...


class MarketValues:
    """Prices by symbol. Ages are of the message that brought a value: what may have changed unseen grows old."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._rows: dict[str, PriceRow] = {}
        self._tops: dict[str, BookTop] = {}
        self._tapes: dict[str, TradeTape] = {}
        self._levels: dict[str, BookLevels] = {}
        self.messages = 0

    # -- written by the feed ----------------------------------------------------------------------------------------
    def set_row(self, symbol: str, row: PriceRow) -> bool:
        """False (and nothing is changed) when the prices make no sense."""
        if not 0 < row.bid <= row.ask < HIGHEST_PRICE or not 0 < row.last < HIGHEST_PRICE:
            return False
        self._rows[symbol] = row
        return True

    def set_top(self, symbol: str, top: BookTop | None) -> None:
        """None = there is no book to be trusted."""
        if top is None:
            self._tops.pop(symbol, None)
        else:
            self._tops[symbol] = top

    def set_levels(self, symbol: str, book: BookLevels | None) -> None:
        """Where the levels of a market's book are read, for showing them; None = nowhere any more."""
        if book is None:
            self._levels.pop(symbol, None)
        else:
            self._levels[symbol] = book

    def tape_of(self, symbol: str) -> TradeTape:
        tape = self._tapes.get(symbol)
        if tape is None:
            tape = self._tapes[symbol] = TradeTape()
        return tape

    def forget_focus(self, symbol: str) -> None:
        """Nobody looks at this market's book and trades any more."""
        self._tops.pop(symbol, None)
        self._tapes.pop(symbol, None)
        self._levels.pop(symbol, None)

    def forget(self, symbol: str) -> None:
        """The market is gone."""
        self.forget_focus(symbol)
        self._rows.pop(symbol, None)

    # -- read by everybody ------------------------------------------------------------------------------------------
    def quote(self, symbol: str, *, max_age_seconds: float) -> Quote | None:
        """Best bid and ask, not older than `max_age_seconds`; None when there is no such value."""
        newest = self._newest(symbol)
        if newest is None:
            return None
        age = self._clock.monotonic() - newest.seen_at
        if age > max_age_seconds:
            return None
        return Quote(symbol, newest.bid, newest.ask, self._taken_at(age))

    def age_seconds(self, symbol: str) -> float | None:
        """Age of the newest price; None when there never was one."""
        newest = self._newest(symbol)
        return None if newest is None else max(0.0, self._clock.monotonic() - newest.seen_at)

    def rows(self) -> Mapping[str, PriceRow]:
        """All tickers at this moment."""
        return dict(self._rows)

    def row(self, symbol: str) -> PriceRow | None:
        return self._rows.get(symbol)

    def top(self, symbol: str) -> BookTop | None:
        return self._tops.get(symbol)

    def levels(self, symbol: str, *, depth: int) -> tuple[Sequence[Any], Sequence[Any]] | None:
        """The best bids and asks of a book that is trusted now, for showing them: the sides may be a message apart."""
        book = self._levels.get(symbol)
        return None if book is None or symbol not in self._tops else (book.bids[:depth], book.asks[:depth])

    def book_symbols(self) -> Sequence[str]:
        """Markets whose book is followed."""
        return list(self._levels)

    def tape(self, symbol: str) -> TradeTape | None:
        return self._tapes.get(symbol)

    def _newest(self, symbol: str) -> PriceRow | BookTop | None:
        row, top = self._rows.get(symbol), self._tops.get(symbol)
        if row is None or top is None:
            return row or top
        return top if top.seen_at >= row.seen_at else row

    def _taken_at(self, age_seconds: float) -> datetime:
        return self._clock.now() - timedelta(seconds=age_seconds)

"""What a master has traded, market by market, and what a unit that was held after each trade is worth."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Row, bindparam, select

from bot.books.fidelity import MasterTrade, Reference, references
from bot.domain.order import OrderKind
from bot.domain.symbol import base_of, quote_of
from bot.storage.equity_points import newest_point
from bot.storage.schema import account, market_focus, market_scout, signal
from bot.storage.signals import newest_sequence

_SIGNALS = (
    select(signal)
    # Joined to nothing, so that no index by account is taken: it would lead through all signals ever made.
    .where(signal.c.sequence >= bindparam("first"), signal.c.account_id.concat("") == bindparam("account_id"))
    .order_by(signal.c.sequence)
)
_MADE_AT = (
    select(signal.c.created_at).where(signal.c.sequence >= bindparam("first")).order_by(signal.c.sequence).limit(1)
)
_TRADED_BEFORE = (
    select(signal.c.signal_id)
    .where(signal.c.account_id == bindparam("account_id"), signal.c.symbol == bindparam("symbol"))
    .limit(1)
)
# A signal is made when its trade was told: so much earlier than the trade at most, by whatever clock.
CLOCKS_APART = timedelta(days=1)
_MASTER = select(account.c.account_id).where(account.c.broker == bindparam("broker"), account.c.user_id.is_(None))


@dataclass(frozen=True)
class Mark:
    """A price of now, and when it was that."""

    price: Decimal
    at: datetime


class MasterTrades:
    """The master of a user (`account_id`) at one brokerage. `label` is None when there never was one.

    `signals` are rows of all its trades from `since` on, and perhaps of some before: what a trade is worth is told by
    those after it.
    """

    def __init__(self, connection: Connection, account_id: str, broker: str, *, since: datetime) -> None:
        self._connection = connection
        self._account_id = account_id
        self._broker = broker
        self.label: str | None = connection.execute(_MASTER, {"broker": broker}).scalar()
        key = {"account_id": self.label, "first": first_sequence(connection, since)}
        self.signals: Sequence[Row[Any]] = connection.execute(_SIGNALS, key).all()
        self._trades = self._by_market()
        self._before: dict[str, bool] = {}
        self._marks: dict[str, Mark | None] = {}
        self._references: dict[str, Mapping[str, Reference]] = {}

    def traded(self, symbol: str) -> bool:
        """Whether the master has ever traded this market."""
        if symbol not in self._trades and symbol not in self._before:
            found = self._connection.execute(_TRADED_BEFORE, {"account_id": self.label, "symbol": symbol}).first()
            self._before[symbol] = found is not None
        return symbol in self._trades or self._before[symbol]

    def reference(self, symbol: str, signal_id: str) -> Reference:
        if symbol not in self._references:
            mark = self._mark(symbol)
            self._references[symbol] = references(self._trades[symbol], None if mark is None else mark.price)
        return self._references[symbol][signal_id]

    def reference_at(self, symbol: str, moment: datetime) -> Reference:
        """Of a trade at some moment: as of a trade of the master's own then."""
        mark = self._mark(symbol)
        later = [trade for trade in self._trades.get(symbol, ()) if trade.at >= moment]
        then = MasterTrade("", Decimal(1), None, moment)
        return references([then, *later], None if mark is None else mark.price)[""]

    def marked_at(self, symbol: str, reference: Reference) -> datetime | None:
        mark = self._mark(symbol)
        return mark.at if mark is not None and reference.open_fraction else None

    def _mark(self, symbol: str) -> Mark | None:
        if symbol not in self._marks:
            self._marks[symbol] = newest_mark(self._connection, self._account_id, self.label, self._broker, symbol)
        return self._marks[symbol]

    def _by_market(self) -> Mapping[str, Sequence[MasterTrade]]:
        found: dict[str, list[MasterTrade]] = {}
        for row in self.signals:
            fraction = row.size if row.kind == OrderKind.EXIT else None
            trade = MasterTrade(row.signal_id, row.reference_price, fraction, row.executed_at)
            found.setdefault(row.symbol, []).append(trade)
        return found


def first_sequence(connection: Connection, since: datetime) -> int:
    """A number that no signal of a trade at or after `since` is below. Signals are numbered as they are made."""
    low, high = 0, newest_sequence(connection) + 1
    while low < high:
        middle = (low + high) // 2
        made_at = connection.execute(_MADE_AT, {"first": middle}).scalar()
        if made_at is not None and made_at < since - CLOCKS_APART:
            low = middle + 1
        else:
            high = middle
    return low


def newest_mark(connection: Connection, account_id: str, master: str | None, broker: str, symbol: str) -> Mark | None:
    """The newest price that was written down: of the user's equity, of the master's, or of the market watch."""
    found = [*_marks_of_equity(connection, [account_id, master], symbol)]
    for table, price in ((market_focus, market_focus.c.last_price), (market_scout, market_scout.c.last_price)):
        query = select(price, table.c.priced_at).where(table.c.broker == broker, table.c.symbol == symbol)
        row = connection.execute(query).first()
        if row is not None and row[0] is not None and row[1] is not None:
            found.append(Mark(row[0], row[1]))
    return max(found, key=lambda mark: mark.at, default=None)


def _marks_of_equity(connection: Connection, labels: Iterable[str | None], symbol: str) -> Iterator[Mark]:
    for label in labels:
        point = None if label is None else newest_point(connection, label)
        if point is not None and point.currency == quote_of(symbol) and base_of(symbol) in point.marks:
            mark = point.marks[base_of(symbol)]
            yield Mark(mark.price, mark.at)

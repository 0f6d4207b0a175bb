"""What a master has traded, market by market, and what a unit that was held after each trade is worth."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import BindParameter, Connection, bindparam, select

from bot.books.fidelity import MasterTrade, Reference, references
from bot.domain.order import OrderKind
from bot.domain.symbol import base_of, quote_of
from bot.storage.equity_points import newest_point
from bot.storage.schema import account, market_focus, market_scout, signal

_ACCOUNT: BindParameter[str] = bindparam("account_id")
_TRADES = (
    select(
        signal.c.signal_id,
        signal.c.symbol,
        signal.c.kind,
        signal.c.size,
        signal.c.reference_price,
        signal.c.executed_at,
    )
    .where(signal.c.account_id == _ACCOUNT)
    .order_by(signal.c.sequence)
)
_MASTER = select(account.c.account_id).where(account.c.broker == bindparam("broker"), account.c.user_id.is_(None))


@dataclass(frozen=True)
class Mark:
    """A price of now, and when it was that."""

    price: Decimal
    at: datetime


class MasterTrades:
    """The master of a user (`account_id`) at one brokerage. `label` is None when there never was one."""

    def __init__(self, connection: Connection, account_id: str, broker: str) -> None:
        self._connection = connection
        self._account_id = account_id
        self._broker = broker
        self.label: str | None = connection.execute(_MASTER, {"broker": broker}).scalar()
        self._trades = self._by_market()
        self._marks: dict[str, Mark | None] = {}
        self._references: dict[str, Mapping[str, Reference]] = {}

    def traded(self, symbol: str) -> bool:
        """Whether the master has ever traded this market."""
        return symbol in self._trades

    def reference(self, symbol: str, signal_id: str) -> Reference:
        if symbol not in self._references:
            mark = self._mark(symbol)
            self._references[symbol] = references(self._trades[symbol], None if mark is None else mark.price)
        return self._references[symbol][signal_id]

    def reference_at(self, symbol: str, moment: datetime) -> Reference:
        """Of a trade at some moment: as of a trade of the master's own then."""
        mark = self._mark(symbol)
        later = [trade for trade in self._trades[symbol] if trade.at >= moment]
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
        """All of them: what a trade is worth is told by those after it."""
        found: dict[str, list[MasterTrade]] = defaultdict(list)
        for row in self._connection.execute(_TRADES, {"account_id": self.label}):
            fraction = row.size if row.kind == OrderKind.EXIT else None
            found[row.symbol].append(MasterTrade(row.signal_id, row.reference_price, fraction, row.executed_at))
        return found


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

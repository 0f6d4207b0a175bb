"""Rows of marks: what an account's own trades have made, for the limits on loss. One row per account, and its own."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, bindparam, func, insert, select, update

from bot.domain.money import plain
from bot.storage.schema import account, fill, risk_mark


@dataclass(frozen=True)
class Lot:
    """What is held of one market: base units, and their average price in quote."""

    quantity: Decimal
    price: Decimal


@dataclass(frozen=True, kw_only=True)
class RiskMark:
    """Amounts are in `quote_currency`. `profit` counts from the first mark; None = not known (`problem`).

    An equity is what percents are of: cash and marked lots when the day began and when the profit was highest, less
    what was withdrawn since. `realised_profit` is what the fills up to number `counted_fills` made, `lots` what they
    left, by symbol.
    """

    account_id: str
    quote_currency: str
    day: str
    day_start_profit: Decimal
    peak_profit: Decimal
    profit: Decimal | None
    day_start_equity: Decimal | None
    peak_equity: Decimal | None
    equity: Decimal | None
    realised_profit: Decimal
    counted_fills: int
    lots: Mapping[str, Lot] = field(default_factory=dict)
    marked_at: datetime
    problem: str
    reset_by: str = ""
    reset_reason: str = ""
    reset_at: datetime | None = None


class LossMark(NamedTuple):
    """Of a `RiskMark` what tells how much was lost."""

    account_id: str
    day: str
    day_start_profit: Decimal
    peak_profit: Decimal
    profit: Decimal | None
    day_start_equity: Decimal | None
    peak_equity: Decimal | None
    marked_at: datetime
    problem: str
    quote_currency: str


@dataclass(frozen=True)
class BookedFill:
    """A fill as the ledger has it; `ours` is False for a user's own trade by hand, which makes no lots."""

    sequence: int
    symbol: str
    side: str
    quantity: Decimal
    price: Decimal
    fee: Decimal
    fee_currency: str
    ours: bool


_PLAIN = [column.name for column in risk_mark.c if column.name not in ("lots_json", "realised_profit")]
_ONE = select(risk_mark).where(risk_mark.c.account_id == bindparam("account_id"))
_ALL = select(risk_mark)
_LOSS_OF_ONE = select(*(risk_mark.c[name] for name in LossMark._fields)).where(
    risk_mark.c.account_id == bindparam("account_id")
)
_ADD = insert(risk_mark)
_CHANGE = update(risk_mark).where(risk_mark.c.account_id == bindparam("the_account"))
_NEWEST = select(func.coalesce(func.max(fill.c.sequence), 0))
_FILLS = (
    select(
        fill.c.sequence,
        fill.c.symbol,
        fill.c.side,
        fill.c.quantity,
        fill.c.price,
        fill.c.fee,
        fill.c.fee_currency,
        fill.c.client_order_id,
        account.c.user_id,
    )
    .join(account, account.c.account_id == fill.c.account_id)
    .where(fill.c.sequence > bindparam("after"), fill.c.account_id == bindparam("account_id"))
    .order_by(fill.c.sequence)
)


def find_mark(connection: Connection, account_id: str) -> RiskMark | None:
    row = connection.execute(_ONE, {"account_id": account_id}).first()
    return None if row is None else _mark(row)


def find_loss_mark(connection: Connection, account_id: str) -> LossMark | None:
    """As far as limits on loss need the mark."""
    row = connection.execute(_LOSS_OF_ONE, {"account_id": account_id}).first()
    return None if row is None else LossMark._make(row)


def all_marks(connection: Connection) -> Mapping[str, RiskMark]:
    """By account."""
    return {row.account_id: _mark(row) for row in connection.execute(_ALL)}


def save_mark(connection: Connection, mark: RiskMark) -> None:
    """Insert or overwrite the account's mark."""
    lots = {symbol: [plain(lot.quantity), plain(lot.price)] for symbol, lot in mark.lots.items()}
    values = asdict(mark) | {"lots_json": json.dumps(lots)}
    del values["lots"]
    if not connection.execute(_CHANGE, {"the_account": mark.account_id} | values).rowcount:
        connection.execute(_ADD, values)


def newest_fill(connection: Connection) -> int:
    """The number of the fill that was booked last, of any account; 0 = there is none."""
    return int(connection.execute(_NEWEST).scalar_one())


def fills_after(connection: Connection, account_id: str, after: int) -> Sequence[BookedFill]:
    """The account's fills with a higher number, in the order of booking.

    All of a master's are its lots'; of a user's those of orders of ours.
    """
    rows = connection.execute(_FILLS, {"account_id": account_id, "after": after})
    return [BookedFill(*row[:7], ours=row.user_id is None or row.client_order_id is not None) for row in rows]


def _mark(row: Row[Any]) -> RiskMark:
    lots = {symbol: Lot(Decimal(one), Decimal(two)) for symbol, (one, two) in json.loads(row.lots_json).items()}
    realised = Decimal(0) if row.realised_profit is None else row.realised_profit
    return RiskMark(lots=lots, realised_profit=realised, **{name: getattr(row, name) for name in _PLAIN})

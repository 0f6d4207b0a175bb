"""Rows of marks: what an account's own trades have made, for the limits on loss. One row per account, and its own."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import Connection, bindparam, insert, select, update

from bot.storage.schema import account, fill, risk_mark


@dataclass(frozen=True, kw_only=True)
class RiskMark:
    """Amounts are in `quote_currency`. `profit` counts from the account's first trade; None = not known (`problem`).

    An equity is what percents are of: cash and marked lots when the day began and when the profit was highest, less
    what was withdrawn since.
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
    marked_at: datetime
    problem: str
    reset_by: str = ""
    reset_reason: str = ""
    reset_at: datetime | None = None


@dataclass(frozen=True)
class BookedFill:
    """A fill as the ledger has it; `ours` is False for a user's own trade by hand, which makes no lots."""

    symbol: str
    trade_id: str
    side: str
    quantity: Decimal
    price: Decimal
    fee: Decimal
    fee_currency: str
    recorded_at: datetime
    ours: bool


_COLUMNS = [column.name for column in risk_mark.c]
_ONE = select(risk_mark).where(risk_mark.c.account_id == bindparam("account_id"))
_ADD = insert(risk_mark)
_CHANGE = update(risk_mark).where(risk_mark.c.account_id == bindparam("the_account"))
_FILLS = (
    select(
        fill.c.symbol,
        fill.c.trade_id,
        fill.c.side,
        fill.c.quantity,
        fill.c.price,
        fill.c.fee,
        fill.c.fee_currency,
        fill.c.recorded_at,
        fill.c.client_order_id,
        account.c.user_id,
    )
    .join(account, account.c.account_id == fill.c.account_id)
    .where(fill.c.account_id == bindparam("account_id"))
    .order_by(fill.c.recorded_at, fill.c.executed_at)
)
_FILLS_SINCE = _FILLS.where(fill.c.recorded_at >= bindparam("since"))


def find_mark(connection: Connection, account_id: str) -> RiskMark | None:
    row = connection.execute(_ONE, {"account_id": account_id}).first()
    return None if row is None else RiskMark(**{name: getattr(row, name) for name in _COLUMNS})


def save_mark(connection: Connection, mark: RiskMark) -> None:
    """Insert or overwrite the account's mark."""
    values = asdict(mark)
    if not connection.execute(_CHANGE, {"the_account": mark.account_id} | values).rowcount:
        connection.execute(_ADD, values)


def fills_booked(connection: Connection, account_id: str, *, since: datetime | None = None) -> Sequence[BookedFill]:
    """The account's fills in the order in which they were booked; `since`: only those booked at or after it.

    All of a master's are its lots'; of a user's those of orders of ours.
    """
    keys = {"account_id": account_id}
    rows = (
        connection.execute(_FILLS, keys) if since is None else connection.execute(_FILLS_SINCE, keys | {"since": since})
    )
    return [BookedFill(*row[:8], ours=row.user_id is None or row.client_order_id is not None) for row in rows]

"""What an account is worth now, as far as sizes may be derived from it."""

from datetime import datetime, timedelta
from decimal import Decimal

from sqlalchemy import Connection

from bot.storage import risk_marks
from bot.storage.positions import positions_of

# Of the account's mark, which is made each cycle.
MAX_AGE = timedelta(minutes=10)


def worth_of(connection: Connection, account_id: str, *, cash: Decimal, now: datetime) -> Decimal | None:
    """Cash and what is held at the last prices, in quote units; None where a part of it is not known.

    An account that holds nothing of its own trades is worth its cash, whatever else lies there.
    """
    if not positions_of(connection, account_id):
        return cash
    mark = risk_marks.find_mark(connection, account_id)
    if mark is None or mark.problem or now - mark.marked_at > MAX_AGE:
        return None
    return mark.equity

"""The entries of a brokerage's master as they were signalled, for those who ask what would have become of them."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, select

from bot.domain.account import BrokerType
from bot.domain.order import OrderKind
from bot.storage.schema import equity_point, signal

# What the master was worth, as last written down before it traded.
_EQUITY_BEFORE = (
    select(equity_point.c.equity)
    .where(equity_point.c.account_id == signal.c.account_id, equity_point.c.at <= signal.c.executed_at)
    .order_by(equity_point.c.at.desc(), equity_point.c.id.desc())
    .limit(1)
    .scalar_subquery()
)


def latest_entries(connection: Connection, broker: BrokerType, *, most: int) -> Sequence[Row[Any]]:
    """The newest entry signals, newest first, each with `master_equity` (None = it was not written down before)."""
    query = (
        select(signal, _EQUITY_BEFORE.label("master_equity"))
        .where(signal.c.broker == str(broker), signal.c.kind == str(OrderKind.ENTRY))
        .order_by(signal.c.sequence.desc())
        .limit(most)
    )
    return connection.execute(query).all()

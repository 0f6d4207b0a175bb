"""The rows an operator takes away: fills, orders, cash events and days, in the order of time, a few at a time."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any

from sqlalchemy import Column, Connection, Row, Table, select

from bot.storage.schema import cash_event, day_close, fill, order_intent
from bot.storage.streaming import stream

# By the word of the command: the table, the column of its time, and the columns that are taken.
_FILLS = "executed_at broker account_id symbol side quantity price fee fee_currency trade_id venue_order_id"
_ORDERS = "created_at account_id signal_id decision symbol side kind order_type quantity limit_price state reason"
_CASH = "at broker account_id kind asset amount fee reference detail event_id recorded_at"
_DAYS = "day closes_at account_id currency opening_equity equity realised unrealised_change fees net_deposits income"
LEDGERS: Mapping[str, tuple[Table, str, Sequence[str]]] = MappingProxyType(
    {
        "fills": (fill, "executed_at", (*_FILLS.split(), "client_order_id", "recorded_at")),
        "orders": (
            order_intent,
            "created_at",
            (*_ORDERS.split(), "filled_quantity", "average_price", "venue_order_id", "client_order_id", "sent_at"),
        ),
        "cash": (cash_event, "at", _CASH.split()),
        "days": (
            day_close,
            "closes_at",
            (
                *_DAYS.split(),
                "other_holdings",
                "difference",
                "trades",
                "wins",
                "losses",
                "turnover",
                "status",
                "problem",
            ),
        ),
    }
)


def ledger_rows(
    connection: Connection,
    ledger: str,
    *,
    accounts: Collection[str] | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Iterator[Row[Any]]:
    """The rows of `ledger` (a key of `LEDGERS`) of these accounts (None: all) from `since` on and before `until`.

    A day belongs to the stretch in which it ends: its close lies after `since` and not after `until`.
    """
    table, time_name, names = LEDGERS[ledger]
    moment: Column[Any] = table.c[time_name]
    query = select(*[table.c[name] for name in names]).order_by(moment, *table.primary_key.columns)
    if accounts is not None:
        query = query.where(table.c.account_id.in_(sorted(accounts)))
    if since is not None:
        query = query.where(moment > since if ledger == "days" else moment >= since)
    if until is not None:
        query = query.where(moment <= until if ledger == "days" else moment < until)
    yield from stream(connection, query)

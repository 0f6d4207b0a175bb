"""What entries would be added to, for many accounts at once: a query or two for all of them, none for each."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar

from sqlalchemy import Connection, Select, Text, bindparam, exists, func, select, type_coerce

from bot.domain.order import IntentState
from bot.storage.exposure import (
    ANSWERED,
    ENTRY_COLUMNS,
    IS_ENTRY,
    OPEN,
    SENT_SINCE,
    Held,
    OpenEntry,
    Twin,
)
from bot.storage.parts_of_order import IS_MASTERS, MASTERS_WISH, masters_intent
from bot.storage.risk_marks import LossMark
from bot.storage.schema import account, fill, order_intent, position, risk_mark, signal

T = TypeVar("T", Held, OpenEntry)

# More names in one statement would have the database plan for longer than it reads.
ACCOUNTS_AT_ONCE = 500
_AMONG = order_intent.c.account_id.in_(bindparam("accounts", expanding=True))
# As text: a thousand accounts have thousands of positions, and a column's own conversion costs more than the reading.
_HELD_AMONG = select(
    position.c.account_id,
    position.c.symbol,
    type_coerce(position.c.quantity, Text),
    type_coerce(position.c.average_entry_price, Text),
).where(position.c.account_id.in_(bindparam("accounts", expanding=True)))
_OPEN_AMONG = select(*ENTRY_COLUMNS).where(_AMONG, IS_ENTRY, order_intent.c.state.in_(OPEN))
_SENT_AMONG = (
    select(order_intent.c.account_id, func.count())
    .where(_AMONG, SENT_SINCE, IS_ENTRY)
    .group_by(order_intent.c.account_id)
)
_TWINS_AMONG = (
    select(
        order_intent.c.account_id,
        order_intent.c.symbol,
        order_intent.c.side,
        order_intent.c.quantity,
        order_intent.c.client_order_id,
        order_intent.c.sent_at,
        MASTERS_WISH,
    )
    .join(signal, signal.c.signal_id == order_intent.c.signal_id, isouter=True)
    .join(masters_intent, IS_MASTERS, isouter=True)
    .where(_AMONG, SENT_SINCE, IS_ENTRY, order_intent.c.symbol.in_(bindparam("symbols", expanding=True)))
)
_LAST_ANSWER = (
    select(order_intent.c.state)
    .where(
        order_intent.c.account_id == account.c.account_id,
        order_intent.c.sent_at.is_not(None),
        IS_ENTRY,
        order_intent.c.state.in_(ANSWERED),
    )
    .order_by(order_intent.c.sent_at.desc(), order_intent.c.sequence.desc())
    .limit(1)
    .scalar_subquery()
)
_IS_REFUSED = _LAST_ANSWER.is_not_distinct_from(str(IntentState.REJECTED))
_LAST_REFUSED = select(account.c.account_id).where(
    account.c.account_id.in_(bindparam("accounts", expanding=True)), _IS_REFUSED
)
_ANY_TRADE = exists().where(fill.c.broker == account.c.broker, fill.c.account_id == account.c.account_id)
_TRADED_AMONG = select(account.c.account_id).where(
    account.c.account_id.in_(bindparam("accounts", expanding=True)), _ANY_TRADE
)
_LOSSES = select(*(risk_mark.c[name] for name in LossMark._fields)).where(
    risk_mark.c.account_id.in_(bindparam("accounts", expanding=True))
)


def held_of_many(connection: Connection, accounts: Sequence[str]) -> Mapping[str, Sequence[Held]]:
    """By account; who holds nothing is not in it."""
    rows = _among(connection, _HELD_AMONG, accounts)
    return _by_account(Held(label, symbol, Decimal(held), Decimal(price)) for label, symbol, held, price in rows)


def open_entries_of_many(connection: Connection, accounts: Sequence[str]) -> Mapping[str, Sequence[OpenEntry]]:
    """By account; who enters nothing is not in it."""
    return _by_account(OpenEntry._make(row) for row in _among(connection, _OPEN_AMONG, accounts))


def entries_sent_of_many(connection: Connection, accounts: Sequence[str], *, since: datetime) -> Mapping[str, int]:
    """How many entries each account sent after `since`; who sent none is not in it."""
    return {row[0]: int(row[1]) for row in _among(connection, _SENT_AMONG, accounts, since=since)}


def twins_of_many(
    connection: Connection, accounts: Sequence[str], *, symbols: Sequence[str], since: datetime
) -> Mapping[tuple[str, str, str, Decimal], Sequence[Twin]]:
    """Entries in these markets that were sent after `since`, by (account, symbol, side, quantity)."""
    found: dict[tuple[str, str, str, Decimal], list[Twin]] = defaultdict(list)
    for row in _among(connection, _TWINS_AMONG, accounts, since=since, symbols=list(symbols)):
        label, symbol, side, quantity, client_order_id, sent_at, masters_order = row
        found[label, symbol, side, quantity].append(Twin(client_order_id, sent_at, masters_order))
    return found


def last_refused_among(connection: Connection, accounts: Sequence[str]) -> frozenset[str]:
    """Accounts whose last answered entry was refused."""
    return frozenset(row[0] for row in _among(connection, _LAST_REFUSED, accounts))


def traded_among(connection: Connection, accounts: Sequence[str]) -> frozenset[str]:
    """Accounts of which a trade was ever booked."""
    return frozenset(row[0] for row in _among(connection, _TRADED_AMONG, accounts))


def loss_marks_of_many(connection: Connection, accounts: Sequence[str]) -> Mapping[str, LossMark]:
    """By account; who has no mark is not in it."""
    return {row.account_id: LossMark._make(row) for row in _among(connection, _LOSSES, accounts)}


def _among(connection: Connection, query: Select[Any], accounts: Sequence[str], **keys: Any) -> Sequence[Any]:
    """All rows at once: one by one they take several times as long."""
    rows: list[Any] = []
    for start in range(0, len(accounts), ACCOUNTS_AT_ONCE):
        some = {"accounts": accounts[start : start + ACCOUNTS_AT_ONCE], **keys}
        rows += connection.execute(query, some).all()
    return rows


def _by_account(rows: Iterable[T]) -> Mapping[str, Sequence[T]]:
    found: dict[str, list[T]] = defaultdict(list)
    for row in rows:
        found[row.account_id].append(row)
    return found

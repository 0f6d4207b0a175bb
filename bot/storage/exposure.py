"""What an entry would be added to: positions, open entries, and what was sent lately.

Amounts are text on SQLite, so sums that decide are made of Decimals; `rough_of_all` is only a way to see quickly that
a sum is far from its limit.
"""

import math
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Float,
    Select,
    Text,
    bindparam,
    case,
    cast,
    false,
    func,
    literal_column,
    or_,
    select,
)

from bot.domain.order import IntentState, OrderKind, Side
from bot.storage.parts_of_order import IS_MASTERS, MASTERS_WISH, masters_intent
from bot.storage.schema import account, fill, order_intent, position, signal
from bot.storage.waiting_stops import IS_WAITING_STOP

# Sent, and not known to have ended: what is not filled of them may be filled at any moment.
OPEN = ("submitted", "acknowledged", "partly_filled", "unknown")
# The venue has said yes or no.
ANSWERED = ("acknowledged", "partly_filled", "filled", "cancelled", "expired", "rejected")
IS_ENTRY = order_intent.c.kind == str(OrderKind.ENTRY)
_OTHERS = order_intent.c.client_order_id != bindparam("besides")
_OF_ACCOUNT = order_intent.c.account_id == bindparam("account_id")
SENT_SINCE = order_intent.c.sent_at > bindparam("since")

_HELD_COLUMNS = (position.c.account_id, position.c.symbol, position.c.quantity, position.c.average_entry_price)
_HELD = select(*_HELD_COLUMNS).where(position.c.account_id == bindparam("account_id"))
_ALL_HELD = select(*_HELD_COLUMNS)
ENTRY_COLUMNS = (
    order_intent.c.account_id,
    order_intent.c.client_order_id,
    order_intent.c.symbol,
    order_intent.c.quantity,
    order_intent.c.filled_quantity,
    order_intent.c.limit_price,
    order_intent.c.reference_price,
)
_OPEN_ENTRIES = select(*ENTRY_COLUMNS).where(_OF_ACCOUNT, IS_ENTRY, order_intent.c.state.in_(OPEN), _OTHERS)
# Account by account, because that is what the index is by: the table itself has every order that ever was.
_ALL_OPEN_ENTRIES = select(*ENTRY_COLUMNS).where(
    order_intent.c.account_id.in_(select(account.c.account_id)), IS_ENTRY, order_intent.c.state.in_(OPEN), _OTHERS
)
_ANY_OPEN = (
    select(order_intent.c.client_order_id).where(_OF_ACCOUNT, order_intent.c.state.in_(OPEN), ~IS_WAITING_STOP).limit(1)
)
_SENT = select(func.count()).where(_OF_ACCOUNT, SENT_SINCE, IS_ENTRY, _OTHERS)
_ALL_SENT = select(func.count()).where(
    order_intent.c.account_id.in_(select(account.c.account_id)), SENT_SINCE, IS_ENTRY, _OTHERS
)
_ANSWERS = (
    select(order_intent.c.state, order_intent.c.updated_at, order_intent.c.reason)
    .where(_OF_ACCOUNT, order_intent.c.sent_at.is_not(None), IS_ENTRY, order_intent.c.state.in_(ANSWERED))
    .order_by(order_intent.c.sent_at.desc(), order_intent.c.sequence.desc())
    .limit(bindparam("most"))
)
_TWINS = (
    select(order_intent.c.client_order_id, order_intent.c.sent_at, MASTERS_WISH)
    .join(signal, signal.c.signal_id == order_intent.c.signal_id, isouter=True)
    .join(masters_intent, IS_MASTERS, isouter=True)
    .where(
        _OF_ACCOUNT,
        SENT_SINCE,
        IS_ENTRY,
        order_intent.c.symbol == bindparam("symbol"),
        order_intent.c.side == bindparam("side"),
        order_intent.c.quantity == bindparam("quantity"),
        _OTHERS,
    )
)
_MASTERS_TRADE = (
    select(MASTERS_WISH, signal.c.reference_price)
    .join(masters_intent, IS_MASTERS, isouter=True)
    .where(signal.c.signal_id == bindparam("signal_id"))
)
# Short enough that no product of two leaves the range of a float, which PostgreSQL takes for an error too.
_NUMBER = r"^-?[0-9]{1,100}(\.[0-9]{1,100})?$"
_TRADED = select(fill.c.trade_id).join(account, account.c.broker == fill.c.broker).where(
    account.c.account_id == bindparam("account_id"), fill.c.account_id == bindparam("account_id")
).limit(1)  # fmt: skip


class Held(NamedTuple):
    """A position. `quantity` in base, `average_entry_price` in quote per base."""

    account_id: str
    symbol: str
    quantity: Decimal
    average_entry_price: Decimal


class OpenEntry(NamedTuple):
    """An entry that was sent and has no end yet. What it has filled is in the position already."""

    account_id: str
    client_order_id: str
    symbol: str
    quantity: Decimal
    filled_quantity: Decimal
    limit_price: Decimal | None
    reference_price: Decimal | None


@dataclass(frozen=True)
class Answer:
    """How the venue answered an entry, and when we knew."""

    state: IntentState
    at: datetime
    reason: str


@dataclass(frozen=True)
class Twin:
    """An order of the same shape; `masters_order` names the order or chain that it copies, if it does."""

    client_order_id: str
    sent_at: datetime
    masters_order: str | None


@dataclass(frozen=True)
class Rough:
    """Of all accounts: how many positions and open entries there are, and about what they cost.

    None = no sum could be made: a row is no positive amount, has no price, or is in a currency that does not count.
    """

    places: int
    cost: float | None


def held_of(connection: Connection, account_id: str) -> Sequence[Held]:
    return [Held(*row) for row in connection.execute(_HELD, {"account_id": account_id})]


def held_by_all(connection: Connection) -> Sequence[Held]:
    return [Held(*row) for row in connection.execute(_ALL_HELD)]


def rough_of_all(connection: Connection, *, currencies: AbstractSet[str], besides: str = "") -> Rough:
    """A binary floating-point sum over all accounts, good to about 1e-12 of itself; `currencies` count one to one."""
    places, cost = 0, 0.0
    held, entered = _rough_queries(tuple(sorted(currencies)), connection.dialect.name)
    for query in (held, entered):
        keys = {"besides": besides} if query is entered else {}
        number, total, smallest, counted = connection.execute(query, keys).one()
        places += number
        # What is no number counts as 0 on SQLite, and as NaN on PostgreSQL, where it is the greatest.
        sound = number == 0 or (counted == number and smallest > 0)
        cost += float(total or 0) if sound else math.nan
    return Rough(places, None if math.isnan(cost) else cost)


@lru_cache(maxsize=8)  # the settings name one set of currencies
def _rough_queries(
    currencies: tuple[str, ...], dialect: str
) -> tuple[Select[Any, Any, Any, Any], Select[Any, Any, Any, Any]]:
    """Of positions and of open entries: how many, their sum, the least, and how many are paid in these currencies."""
    roughly = _or_nan if dialect == "postgresql" else _or_zero
    cost = roughly(position.c.quantity) * roughly(position.c.average_entry_price)
    at = roughly(func.coalesce(order_intent.c.limit_price, order_intent.c.reference_price))
    ordered = roughly(order_intent.c.quantity)
    paid_so = or_(false(), *(position.c.symbol.like(f"%/{one}") for one in currencies))
    held = select(
        func.count(), func.sum(cost), func.min(cost), func.count().filter(paid_so)
    ).select_from(position)  # fmt: skip
    paid_so = or_(false(), *(order_intent.c.symbol.like(f"%/{one}") for one in currencies))
    entered = select(
        func.count(),
        func.sum((ordered - roughly(order_intent.c.filled_quantity)) * at),
        func.min(ordered * at),
        func.count(at).filter(paid_so),
    ).where(
        order_intent.c.account_id.in_(select(account.c.account_id)), IS_ENTRY, order_intent.c.state.in_(OPEN), _OTHERS
    )
    return held, entered


def _or_zero(amount: ColumnElement[Any]) -> ColumnElement[float]:
    return cast(amount, Float)


def _or_nan(amount: ColumnElement[Any]) -> ColumnElement[float]:
    """PostgreSQL ends the transaction over a text that is no number."""
    text = cast(amount, Text)
    return case(
        (text.op("~", is_comparison=True)(_NUMBER), cast(amount, Float)),
        (amount.is_not(None), cast(literal_column("'NaN'"), Float)),
    )


def open_entries_of(connection: Connection, account_id: str, *, besides: str = "") -> Sequence[OpenEntry]:
    """The account's open entries but the one named `besides`."""
    keys = {"account_id": account_id, "besides": besides}
    return [OpenEntry(*row) for row in connection.execute(_OPEN_ENTRIES, keys)]


def open_entries_of_all(connection: Connection, *, besides: str = "") -> Sequence[OpenEntry]:
    return [OpenEntry(*row) for row in connection.execute(_ALL_OPEN_ENTRIES, {"besides": besides})]


def has_open_orders(connection: Connection, account_id: str) -> bool:
    """Whether any order of the account, entry or exit, was sent and has no end yet; but for stops that wait."""
    return connection.execute(_ANY_OPEN, {"account_id": account_id}).first() is not None


def entries_sent(connection: Connection, account_id: str, *, since: datetime, besides: str = "") -> int:
    """How many entries of the account were sent after `since`, whatever became of them."""
    keys = {"account_id": account_id, "since": since, "besides": besides}
    return int(connection.execute(_SENT, keys).scalar_one())


def entries_sent_by_all(connection: Connection, *, since: datetime, besides: str = "") -> int:
    return int(connection.execute(_ALL_SENT, {"since": since, "besides": besides}).scalar_one())


def answers_to_entries(connection: Connection, account_id: str, *, most: int) -> Sequence[Answer]:
    """What the venue said to the account's last entries, the last sent first. What it never saw is not among them."""
    rows = connection.execute(_ANSWERS, {"account_id": account_id, "most": most})
    return [Answer(IntentState(state), at, reason) for state, at, reason in rows]


def twins_of(
    connection: Connection,
    account_id: str,
    *,
    symbol: str,
    side: Side,
    quantity: Decimal,
    since: datetime,
    besides: str,
) -> Sequence[Twin]:
    """Entries of exactly this shape that were sent after `since`."""
    shape = {"symbol": symbol, "side": str(side), "quantity": quantity}
    keys = {"account_id": account_id, "since": since, "besides": besides, **shape}
    return [Twin(*row) for row in connection.execute(_TWINS, keys)]


def masters_trade(connection: Connection, signal_id: str) -> tuple[str | None, Decimal | None]:
    """(what names its order or chain of orders, the price) of the master's trade behind a signal."""
    row = connection.execute(_MASTERS_TRADE, {"signal_id": signal_id}).first()
    return (None, None) if row is None else (row[0], row[1])


def has_traded(connection: Connection, account_id: str) -> bool:
    """Whether any trade of the account was ever booked."""
    return connection.execute(_TRADED, {"account_id": account_id}).first() is not None

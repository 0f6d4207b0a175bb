"""Holds quantities against the ledger of fills: signals against the master's trades, orders against their own."""

from collections.abc import Iterator
from decimal import Decimal

from sqlalchemy import Connection, Text, and_, func, select, type_coerce

from bot.domain.account import AccountType
from bot.domain.order import Side
from bot.storage.audits import Finding, Scope
from bot.storage.schema import account, drift, dust, fill, order_intent, signal

# Account and venue order id.
Order = tuple[str, str]


def wrong_signals(connection: Connection, scope: Scope) -> Iterator[Finding]:
    """(c) The signals of each order of a master add up to what was booked of it, and a booked trade has its signal.

    A sale of what was not bought here makes none: the position is followed through the ledger, and what is sold while
    there is none is left out. Where the books themselves were made smaller (dust, a shortfall), nothing is said of the
    sales of that account.
    """
    mirrored, booked = _mirrored(connection), _booked(connection)
    shrunken = _shrunken(connection)
    signalled, in_scope = _signalled(connection, scope)
    for order in sorted(in_scope):
        has, total, due = signalled.get(order, Decimal(0)), booked.get(order, Decimal(0)), mirrored.get(order)
        if has == due or (order[0] in shrunken and has <= total and order in signalled):
            continue
        text = f"the signals of order {order[1]} of {order[0]} say {has:f}, its booked fills say {due or Decimal(0):f}"
        yield Finding(text, {"account": order[0], "venue_order": order[1]})
    if scope != Scope():
        return
    for order in sorted(mirrored.keys() - signalled.keys()):
        if mirrored[order] and order[0] not in shrunken:
            text = f"{order[0]} traded {mirrored[order]:f} with order {order[1]}, and no signal says so"
            yield Finding(text, {"account": order[0], "venue_order": order[1]})


def _signalled(connection: Connection, scope: Scope) -> tuple[dict[Order, Decimal], set[Order]]:
    """Per order the sum over its signals, and the orders with one in the scope. Signals made by hand have no order."""
    query = select(signal.c.account_id, signal.c.venue_order_id, signal.c.quantity, signal.c.sequence).where(
        signal.c.venue_order_id.is_not(None)
    )
    sums: dict[Order, Decimal] = {}
    in_scope: set[Order] = set()
    for label, order_id, quantity, sequence in connection.execute(query):
        sums[label, order_id] = sums.get((label, order_id), Decimal(0)) + quantity
        if sequence > scope.after_signal:
            in_scope.add((label, order_id))
    return sums, in_scope


def _masters_fills(connection: Connection) -> Iterator[tuple[str, str, str, str, Decimal, str]]:
    """(account, order, symbol, side, quantity, time of booking) in the order of booking."""
    query = (
        select(
            fill.c.account_id,
            fill.c.venue_order_id,
            fill.c.symbol,
            fill.c.side,
            fill.c.quantity,
            type_coerce(fill.c.recorded_at, Text),
        )
        .join(account, account.c.account_id == fill.c.account_id)
        .where(account.c.account_type == str(AccountType.MASTER))
        # Numbered in the order of booking; clocks may be set back.
        .order_by(fill.c.sequence)
    )
    for row in connection.execute(query):
        yield tuple(row)


def _mirrored(connection: Connection) -> dict[Order, Decimal]:
    """Per order what must have become signals: all that was bought, and sold while the books had a position."""
    held: dict[tuple[str, str], Decimal] = {}
    sums: dict[Order, Decimal] = {}
    batch: tuple[str, str, str] | None = None
    sells_something = False
    for label, order_id, symbol, side, quantity, booked_at in _masters_fills(connection):
        before = held.get((label, symbol), Decimal(0))
        if batch != (label, order_id, booked_at):
            batch, sells_something = (label, order_id, booked_at), before > 0
        bought = side == Side.BUY
        if bought or sells_something:
            sums[label, order_id] = sums.get((label, order_id), Decimal(0)) + quantity
        held[label, symbol] = before + quantity if bought else max(Decimal(0), before - quantity)
    return sums


def _booked(connection: Connection) -> dict[Order, Decimal]:
    sums: dict[Order, Decimal] = {}
    for label, order_id, _symbol, _side, quantity, _at in _masters_fills(connection):
        sums[label, order_id] = sums.get((label, order_id), Decimal(0)) + quantity
    return sums


def _shrunken(connection: Connection) -> set[str]:
    """Accounts whose positions were made smaller by other things than trades."""
    labels = set(connection.execute(select(dust.c.account_id).distinct()).scalars())
    query = select(drift.c.account_id).where(drift.c.kind.in_(["shortfall", "dust"])).distinct()
    return labels | set(connection.execute(query).scalars())


def wrong_orders(connection: Connection, scope: Scope) -> Iterator[Finding]:
    """(e) What an order says was filled is what is booked of it."""
    number = func.count(fill.c.trade_id)
    one = func.max(type_coerce(fill.c.quantity, Text))
    said = type_coerce(order_intent.c.filled_quantity, Text)
    query = (
        select(
            order_intent.c.client_order_id,
            order_intent.c.account_id,
            order_intent.c.filled_quantity,
            func.aggregate_strings(type_coerce(fill.c.quantity, Text), " ").label("fills"),
        )
        .outerjoin(
            fill,
            and_(
                fill.c.account_id == order_intent.c.account_id,
                fill.c.venue_order_id == order_intent.c.venue_order_id,
            ),
        )
        .where(order_intent.c.sequence >= scope.from_intent)
        .group_by(order_intent.c.client_order_id)
        # Equal texts are equal numbers: mostly an order has one fill or none, and no number has to be read.
        .having(~(((number == 0) & (said == "0")) | ((number == 1) & (said == one))))
    )
    for row in connection.execute(query):
        booked = sum((Decimal(text) for text in (row.fills or "").split()), Decimal(0))
        if booked != row.filled_quantity:
            text = (
                f"order {row.client_order_id} of {row.account_id} says {row.filled_quantity:f} was filled, its booked "
                f"fills say {booked:f}"
            )
            yield Finding(text, {"account": row.account_id, "order": row.client_order_id})

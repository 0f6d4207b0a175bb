"""From any id to all that belongs together: the master's decision, its signal, the copies, orders and fills."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Table, and_, or_, select

from bot.diagnostics.listing import SHORT_ID
from bot.diagnostics.why_subject import Unknown
from bot.storage.schema import copy_result, entry_decision, exit_decision, fill, order_intent, round_trip, signal

# Shorter beginnings would name half of the store.
SHORTEST = 6
_FULL_ID = 32
_CANDIDATES = 6


@dataclass(frozen=True)
class Chain:
    """What belongs together. `signal` is None for an order that no signal came of, or that came of none."""

    signal: Row[Any] | None
    decisions: Sequence[Row[Any]]
    copies: Sequence[Row[Any]]
    orders: Sequence[Row[Any]]
    fills: Sequence[Row[Any]]
    trips: Sequence[Row[Any]]

    @property
    def ids(self) -> Collection[str]:
        """What lines of the log may name of it: whole ids, and the beginnings that stand in sentences."""
        whole = {order.client_order_id for order in self.orders}
        whole |= {self.signal.signal_id} if self.signal is not None else set()
        whole |= {order.venue_order_id for order in self.orders if order.venue_order_id}
        return whole | {one[:SHORT_ID] for one in whole if len(one) == _FULL_ID}


def chain_of(connection: Connection, typed: str) -> Chain:
    """All that belongs to a signal, an order of ours, an order of a brokerage or a trade.

    Raises `Unknown` when there is no such id, or when it is the beginning of several.
    """
    found = _signals(connection, typed) or _orders(connection, typed) or _venue_orders(connection, typed)
    if not found:
        raise Unknown(
            f"No signal, order or trade {typed!r} is known: python bot.py orders and copies list what there is"
        )
    if len(found) > 1:
        raise Unknown(f"{typed!r} may be any of {', '.join(sorted(_name(one) for one in found))}: say more of it")
    only = found[0]
    return _of_signal(connection, only) if "planned_at" in only._mapping else _of_order(connection, only)


def _name(row: Row[Any]) -> str:
    if "planned_at" in row._mapping:
        return f"signal {row.signal_id}"
    return f"order {row.client_order_id} of {row.account_id}"


# -- what was typed -----------------------------------------------------------------------------------------------
def _signals(connection: Connection, typed: str) -> Sequence[Row[Any]]:
    return _rows(connection, signal, _begins(signal.c.signal_id, typed), limit=_CANDIDATES)


def _orders(connection: Connection, typed: str) -> Sequence[Row[Any]]:
    return _rows(connection, order_intent, _begins(order_intent.c.client_order_id, typed), limit=_CANDIDATES)


def _venue_orders(connection: Connection, typed: str) -> Sequence[Row[Any]]:
    """By the brokerage's id of the order, or of one of its trades."""
    trades = select(fill.c.client_order_id).where(fill.c.trade_id == typed)
    its = or_(order_intent.c.venue_order_id == typed, order_intent.c.client_order_id.in_(trades))
    return _rows(connection, order_intent, its, limit=_CANDIDATES)


def _begins(column: Any, typed: str) -> ColumnElement[bool]:
    if len(typed) < SHORTEST or not typed.isalnum():
        exact: ColumnElement[bool] = column == typed
        return exact
    # A range and not LIKE: it uses the index, and letters that LIKE means something by are taken as they are.
    return and_(column >= typed.lower(), column < typed.lower() + "\U0010ffff")


def _rows(connection: Connection, table: Table, where: ColumnElement[bool], *, limit: int = -1) -> Sequence[Row[Any]]:
    query = select(table).where(where)
    return connection.execute(query.limit(limit) if limit > 0 else query).all()


# -- what belongs to it -------------------------------------------------------------------------------------------
def _of_order(connection: Connection, order: Row[Any]) -> Chain:
    """Of the signal it came of, or that came of it; else of this order and those that it was moved from and to."""
    if order.signal_id is not None:
        return _of_signal(connection, _rows(connection, signal, signal.c.signal_id == order.signal_id)[0])
    siblings = _with_its_moves(connection, [order])
    venue_ids = [one.venue_order_id for one in siblings if one.venue_order_id]
    made = and_(signal.c.account_id == order.account_id, signal.c.venue_order_id.in_(venue_ids))
    signals = _rows(connection, signal, made)
    # An order that is filled in parts can be told of in several signals: the order alone then, with them all in sight.
    if len(signals) == 1:
        return _of_signal(connection, signals[0])
    return _chain(connection, None, siblings)


def _of_signal(connection: Connection, one: Row[Any]) -> Chain:
    copied = _rows(connection, order_intent, order_intent.c.signal_id == one.signal_id)
    its = and_(order_intent.c.account_id == one.account_id, order_intent.c.venue_order_id == one.venue_order_id)
    mastered = _rows(connection, order_intent, its) if one.venue_order_id is not None else []
    return _chain(connection, one, _with_its_moves(connection, [*mastered, *copied]))


def _with_its_moves(connection: Connection, orders: Sequence[Row[Any]]) -> Sequence[Row[Any]]:
    """An order that rests is moved by cancelling it and sending the next one of the same chain."""
    chains = {order.chain_id for order in orders if order.chain_id is not None}
    moved = _rows(connection, order_intent, order_intent.c.chain_id.in_(chains)) if chains else []
    by_id = {order.client_order_id: order for order in [*orders, *moved]}
    return sorted(by_id.values(), key=lambda order: order.sequence)


def _chain(connection: Connection, one: Row[Any] | None, orders: Sequence[Row[Any]]) -> Chain:
    ids = [order.client_order_id for order in orders]
    decided = [_rows(connection, table, table.c.client_order_id.in_(ids)) for table in (entry_decision, exit_decision)]
    copies = [] if one is None else _rows(connection, copy_result, copy_result.c.signal_id == one.signal_id)
    fills = sorted(_fills(connection, orders), key=lambda row: row.sequence)
    trips = list(_trips(connection, one, orders, fills))
    return Chain(one, [row for rows in decided for row in rows], copies, orders, fills, trips)


def _fills(connection: Connection, orders: Sequence[Row[Any]]) -> Iterator[Row[Any]]:
    for order in orders:
        if order.venue_order_id is not None:
            its = and_(fill.c.account_id == order.account_id, fill.c.venue_order_id == order.venue_order_id)
            yield from _rows(connection, fill, its)


def _trips(
    connection: Connection, one: Row[Any] | None, orders: Sequence[Row[Any]], fills: Sequence[Row[Any]]
) -> Iterator[Row[Any]]:
    """Round trips that a copied entry began, or that one of the fills has ended."""
    seen = set()
    where = [round_trip.c.signal_id == one.signal_id] if one is not None else []
    for order in orders:
        ended = [row.executed_at for row in fills if row.account_id == order.account_id and row.side == "sell"]
        its = and_(round_trip.c.account_id == order.account_id, round_trip.c.symbol == order.symbol)
        where += [and_(its, round_trip.c.closed_at == max(ended))] if ended else []
    for each in where:
        for row in _rows(connection, round_trip, each):
            if row.id not in seen:
                seen.add(row.id)
                yield row

"""Rows of the chain: which rows of history are sealed, and their digests.

A row is sealed by what it says for good. What changes in a row as a matter of course is no part of it: when a signal
was planned, how far the lifting of a halt or a control asked for on the page is. The lifting and the end of a control
are sealed as kinds of their own.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Dialect, Row, Select, Table, Text, bindparam, select, type_coerce
from sqlalchemy.types import TypeDecorator, TypeEngine

from bot.books.chain import Link, next_link, row_digest
from bot.books.chain import Row as ChainRow
from bot.seams.clock import format_time, parse_time
from bot.storage.bulk_insert import BulkInsert
from bot.storage.process import get_meta, set_meta
from bot.storage.schema import (
    cash_event,
    chain_link,
    control_request,
    cost_entry,
    entry_decision,
    fill,
    halt,
    order_event,
    signal,
    veto,
)
from bot.storage.streaming import stream
from bot.storage.types import Amount, UtcTime

# So many rows of a long history are in memory at once.
AT_ONCE = 2000
_NO_NUMBER = 2**63
# Key of `meta`: the number of the newest sealed row of each kind.
SEALED_UP_TO = "sealed_up_to"


@dataclass(frozen=True)
class SealedKind:
    """One kind of rows: its table, the column that numbers it, those that name it, and all that a seal covers.

    Rows are numbered in the order in which they are committed, because one transaction writes at a time.
    """

    name: str
    table: Table
    position: str
    columns: Sequence[str]
    names: Sequence[str] = ()
    # Rows that become one of this kind later than others that were numbered after them.
    only: ColumnElement[bool] | None = None

    @property
    def ordered(self) -> bool:
        return self.only is None

    def rows(self, *, after: int = 0) -> Select[Any]:
        """What a seal covers, by number."""
        table = self.table
        number = table.c[self.position]
        query = select(number, *[_text(table.c[name]) for name in (*self.names, *self.columns)])
        query = query.order_by(number, *[table.c[name] for name in self.names])
        return query.where(number > after) if self.only is None else query.where(self.only)

    def row(self, row: Row[Any]) -> ChainRow:
        """A row of `rows` with its digest. SQLite takes any text for a number: what is none comes after all numbers."""
        position = row[0] if isinstance(row[0], int) else _NO_NUMBER
        values = [_as_text(value) for value in tuple(row)[1:]]
        key = " ".join([str(position), *(str(name) for name in values[: len(self.names)])])
        return ChainRow(position, key, row_digest(self.name, [str(position), *values]))


class _TimeAsText(TypeDecorator[str]):
    """A `UtcTime` as its text, which is the same on both databases."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return UtcTime().load_dialect_impl(dialect)

    def process_result_value(self, value: Any, _dialect: Dialect) -> str | None:
        return format_time(value) if isinstance(value, datetime) else value


def _text(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """Amounts and times as the text they are: one that is neither, because somebody wrote it, can still be read."""
    if isinstance(column.type, UtcTime):
        return type_coerce(column, _TimeAsText)
    return type_coerce(column, Text) if isinstance(column.type, Amount) else column


def _as_text(value: object) -> str | None:
    return value if value is None or isinstance(value, str) else str(value)


# These alone are let go of when they are old (`storage.keep_decisions_days`); their links stay.
ENTRY_DECISION = "entry_decision"

KINDS = (
    SealedKind(
        "signal",
        signal,
        "sequence",
        (
            *("signal_id", "broker", "account_id", "symbol", "side", "kind", "size", "quantity", "reference_price"),
            *("master_balance", "venue_order_id", "batch", "stop_loss_percent", "take_profit_percent"),
            *("trailing_stop_percent", "executed_at", "created_at"),
        ),
    ),
    SealedKind("order_event", order_event, "id", ("client_order_id", "at", "old", "new", "detail")),
    SealedKind(
        "fill",
        fill,
        "sequence",
        (
            *("venue_order_id", "client_order_id", "side", "quantity", "price", "fee", "fee_currency"),
            *("executed_at", "recorded_at"),
        ),
        names=("broker", "account_id", "symbol", "trade_id"),
    ),
    SealedKind(
        "cash_event",
        cash_event,
        "sequence",
        ("broker", "kind", "asset", "amount", "fee", "at", "reference", "detail", "recorded_at"),
        names=("account_id", "event_id"),
    ),
    SealedKind(
        "cost_entry",
        cost_entry,
        "id",
        ("account_id", "asset", "quantity", "cost", "currency", "acquired_at", "said_by", "reason", "written_at"),
    ),
    SealedKind(
        "veto",
        veto,
        "id",
        ("at", "account_id", "symbol", "side", "rule", "detail", "numbers_json", "signal_id", "client_order_id"),
    ),
    SealedKind(
        ENTRY_DECISION,
        entry_decision,
        "id",
        (
            *("at", "account_id", "scan_id", "symbol", "strategy", "confidence", "reason", "outcome", "rule", "detail"),
            *("numbers_json", "client_order_id"),
        ),
    ),
    SealedKind("halt", halt, "id", ("scope", "target", "strength", "reason", "set_by", "source", "set_at")),
    SealedKind(
        "halt_lifted", halt, "id", ("lifted_by", "lift_reason", "lifted_at"), only=halt.c.lifted_at.is_not(None)
    ),
    SealedKind(
        "control_request",
        control_request,
        "id",
        ("nonce", "at", "action", "target", "details_json", "reason", "actor", "role", "address"),
    ),
    SealedKind(
        "control_ended",
        control_request,
        "id",
        ("state", "ended_at", "result_json"),
        only=control_request.c.ended_at.is_not(None),
    ),
)
UNORDERED = frozenset(kind.name for kind in KINDS if not kind.ordered)

_LINK = select(*[_text(column) for column in chain_link.c])
_HEAD = _LINK.order_by(chain_link.c.sequence.desc()).limit(1)
_LINKS = _LINK.order_by(chain_link.c.sequence)
_KEYS = select(chain_link.c.row_key).where(chain_link.c.kind == bindparam("kind"))
_ADD_MANY = BulkInsert(chain_link)


def head_of(connection: Connection) -> Link | None:
    """The newest link; None before the first."""
    row = connection.execute(_HEAD).first()
    return None if row is None else _link(row)


def links(connection: Connection) -> Iterator[Link]:
    """Every link in its order, a few at a time."""
    for row in stream(connection, _LINKS, at_once=AT_ONCE):
        yield _link(row)


def rows_of(connection: Connection, kind: SealedKind) -> Iterator[ChainRow]:
    """Every row of a kind with its digest, in the order of their numbers, a few at a time."""
    for row in stream(connection, kind.rows(), at_once=AT_ONCE):
        yield kind.row(row)


@dataclass(frozen=True)
class Batch:
    """Links that follow on `after` (None = the first ones), and up to which number each kind is sealed with them."""

    after: Link | None
    links: Sequence[Link]
    sealed_up_to: Mapping[str, int]


def next_batch(connection: Connection, *, now: datetime, limit: int) -> Batch:
    """The oldest rows of each kind that are not sealed, at most `limit` in all, and the links that would seal them."""
    after, up_to = head_of(connection), dict(_sealed_up_to(connection))
    made: list[Link] = []
    for kind in KINDS:
        for row in _unsealed(connection, kind, up_to.get(kind.name, 0), limit - len(made)):
            last = made[-1] if made else after
            made.append(next_link(last, kind.name, row, sealed_at=format_time(now)))
            up_to[kind.name] = max(row.position, up_to.get(kind.name, 0))
    return Batch(after, made, up_to)


def append(connection: Connection, batch: Batch) -> int:
    """Write a batch; returns how many links that were. 0 when somebody else has sealed since it was made."""
    if not batch.links or head_of(connection) != batch.after:
        return 0
    columns: dict[str, Sequence[Any]] = {
        "sequence": [link.sequence for link in batch.links],
        "kind": [link.kind for link in batch.links],
        "row_key": [link.key for link in batch.links],
        "row_sha256": [link.row_sha256 for link in batch.links],
        "link_sha256": [link.link_sha256 for link in batch.links],
        "at": [parse_time(link.sealed_at) for link in batch.links],
    }
    _ADD_MANY.add(connection, columns)
    set_meta(connection, SEALED_UP_TO, json.dumps(dict(batch.sealed_up_to)))
    return len(batch.links)


def _unsealed(connection: Connection, kind: SealedKind, after: int, limit: int) -> Sequence[ChainRow]:
    if limit <= 0:
        return ()
    if kind.ordered:
        rows = map(kind.row, connection.execute(kind.rows(after=after).limit(limit)))
        return [row for row in rows if row.position != _NO_NUMBER]
    sealed = frozenset(connection.execute(_KEYS, {"kind": kind.name}).scalars())
    return [row for row in rows_of(connection, kind) if row.key not in sealed][:limit]


def _sealed_up_to(connection: Connection) -> Mapping[str, int]:
    """As it was noted with the last batch; where that cannot be read, as the links themselves say."""
    try:
        noted = json.loads(get_meta(connection, SEALED_UP_TO) or "")
        return {str(kind): int(number) for kind, number in noted.items()}
    except (ValueError, TypeError, AttributeError):
        found: dict[str, int] = {}
        for link in links(connection):
            found[link.kind] = max(found.get(link.kind, 0), link.position or 0)
        return found


def _link(row: Row[Any]) -> Link:
    return Link(row.sequence, row.kind, row.row_key, row.row_sha256, row.link_sha256, row.at)

"""All rows of one database into an empty one, SQLite or PostgreSQL alike: all of them or none, and compared after."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import Connection, Integer, Row, Table, func, insert, select, text

from bot.domain.money import plain
from bot.storage.schema import metadata

# Rows read and written at once.
PORTION = 1000
_ALL_DIGESTS = 2**256


class NotCopied(Exception):
    """Nothing was written; the message says why."""


@dataclass(frozen=True)
class TableSum:
    """How many rows a table has, and the sum of their digests, whatever order they come in."""

    name: str
    rows: int
    digest: int


def copy_rows(source: Connection, target: Connection, *, tell: Callable[[str, int], None]) -> Sequence[TableSum]:
    """Copy every table inside the caller's transaction at `target`, read it again there, and compare.

    Both have the present schema. `tell` hears of a table and how many of its rows are copied. Raises `NotCopied` when
    the target has rows, or when what it has afterwards is not the same.
    """
    _refuse_rows(target)
    sums = [_copy_table(source, target, table, tell) for table in metadata.sorted_tables]
    for table, copied in zip(metadata.sorted_tables, sums, strict=True):
        found = sum_of(target, table)
        if found != copied:
            raise NotCopied(f"{table.name} has {found.rows} rows there and {copied.rows} here, or they differ")
    _go_on_counting(target)
    return sums


def sum_of(connection: Connection, table: Table) -> TableSum:
    """Of a table as it is now."""
    rows = digest = 0
    for portion in _portions(connection, table):
        rows += len(portion)
        digest += sum(map(_digest, portion))
    return TableSum(table.name, rows, digest % _ALL_DIGESTS)


def count_by_table(connection: Connection) -> dict[str, int]:
    """Rows of each table."""
    return {
        table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
        for table in metadata.sorted_tables
    }


def _refuse_rows(target: Connection) -> None:
    full = [
        table.name for table in metadata.sorted_tables if target.execute(select(table).limit(1)).first() is not None
    ]
    if full:
        raise NotCopied(f"it has rows already (in {', '.join(full[:3])}{' and more' if len(full) > 3 else ''})")


def _copy_table(source: Connection, target: Connection, table: Table, tell: Callable[[str, int], None]) -> TableSum:
    rows = digest = 0
    for portion in _portions(source, table):
        target.execute(insert(table), [dict(row._mapping) for row in portion])
        rows += len(portion)
        digest += sum(map(_digest, portion))
        tell(table.name, rows)
    return TableSum(table.name, rows, digest % _ALL_DIGESTS)


def _portions(connection: Connection, table: Table) -> Iterator[Sequence[Row[tuple[object, ...]]]]:
    # Options of the statement: those of a connection stay with it, also when the caller goes on with it.
    with connection.execute(select(table), execution_options={"yield_per": PORTION}) as result:
        yield from result.partitions()


def _digest(row: Row[tuple[object, ...]]) -> int:
    words = "\x1f".join(map(_text, row))
    return int.from_bytes(hashlib.sha256(words.encode()).digest(), "big")


def _text(value: object) -> str:
    """The same for the same value, whichever database it comes from."""
    if value is None:
        return "\x00"
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, datetime):
        return value.isoformat()
    return str(int(value)) if isinstance(value, bool) else str(value)


def _go_on_counting(target: Connection) -> None:
    """PostgreSQL numbers rows from a counter of its own, which knows nothing of numbers that were written."""
    if target.dialect.name != "postgresql":
        return
    for table in metadata.sorted_tables:
        for column in table.primary_key.columns:
            if isinstance(column.type, Integer):
                counter = target.execute(
                    text("SELECT pg_get_serial_sequence(:table, :column)"), {"table": table.name, "column": column.name}
                ).scalar()
                newest = target.execute(select(func.max(column))).scalar()
                if counter is not None and newest is not None:
                    target.execute(text("SELECT setval(:counter, :newest)"), {"counter": counter, "newest": newest})

"""Many rows of one table in one statement, when most of a row is the same for all of them.

SQLAlchemy composes and converts every value of every row; with a thousand rows of forty columns that takes longer than
the database does. Here a column that is the same in all rows is converted once.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Dialect, Table, Text

Convert = Callable[[Any], Any]


class BulkInsert:
    """Inserts into `table`; with `unless_there` (its key) a row that is there already stays as it is."""

    def __init__(self, table: Table, *, unless_there: str = "") -> None:
        self._table = table
        self._unless_there = unless_there

    def add(self, connection: Connection, columns: Mapping[str, Sequence[Any]]) -> int:
        """Insert the rows that these columns make, all of one length; returns how many rows were new.

        Raises what a value that its column does not take raises (`TypeError` for an amount that is none), and what the
        database says.
        """
        dialect = connection.dialect
        converted = [_converted(self._convert(name, dialect), values) for name, values in columns.items()]
        rows = list(zip(*converted, strict=True))
        if not rows:
            return 0
        return connection.exec_driver_sql(self._statement(columns, dialect), rows).rowcount

    def _convert(self, name: str, dialect: Dialect) -> Convert:
        kind = self._table.c[name].type
        # A member of an enum is text to Python, but not to every driver.
        return kind.dialect_impl(dialect).bind_processor(dialect) or (_text if isinstance(kind, Text) else _as_it_is)

    def _statement(self, columns: Collection[str], dialect: Dialect) -> str:
        mark = "?" if dialect.paramstyle == "qmark" else "%s"
        conflict = f" ON CONFLICT ({self._unless_there}) DO NOTHING" if self._unless_there else ""
        # Names of our own schema, never a value.
        marks = ", ".join([mark] * len(columns))
        return f"INSERT INTO {self._table.name} ({', '.join(columns)}) VALUES ({marks}){conflict}"


def _converted(convert: Convert, values: Sequence[Any]) -> Sequence[Any]:
    """Most of what the orders of one signal say is the same in all of them."""
    if values and values.count(values[0]) == len(values):
        return [convert(values[0])] * len(values)
    return [convert(value) for value in values]


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _as_it_is(value: Any) -> Any:
    return value

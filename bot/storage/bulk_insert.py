"""Many rows of one table in one statement, when most of a row is the same for all of them.

SQLAlchemy composes and converts every value of every row; with a thousand rows of forty columns that takes longer than
the database does. Here what is shared is converted once.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Dialect, Table, Text

Convert = Callable[[Any], Any]


class BulkInsert:
    """Inserts into `table`; with `unless_there` (its key) a row that is there already stays as it is."""

    def __init__(self, table: Table, *, unless_there: str = "") -> None:
        self._table = table
        self._unless_there = unless_there

    def add(
        self,
        connection: Connection,
        *,
        shared: Mapping[str, Any],
        columns: Sequence[str],
        rows: Sequence[Sequence[Any]],
    ) -> int:
        """Each row gives the values of `columns`, `shared` those of the others; returns how many rows were new.

        Raises what a value that its column does not take raises (`TypeError` for an amount that is none), and what the
        database says.
        """
        if not rows:
            return 0
        dialect = connection.dialect
        same = tuple(self._convert(name, dialect)(value) for name, value in shared.items())
        converts = [self._convert(name, dialect) for name in columns]
        values = [(*same, *(convert(value) for convert, value in zip(converts, row, strict=True))) for row in rows]
        return connection.exec_driver_sql(self._statement([*shared, *columns], dialect), values).rowcount

    def _convert(self, name: str, dialect: Dialect) -> Convert:
        kind = self._table.c[name].type
        # A member of an enum is text to Python, but not to every driver.
        return kind.dialect_impl(dialect).bind_processor(dialect) or (_text if isinstance(kind, Text) else _as_it_is)

    def _statement(self, columns: Sequence[str], dialect: Dialect) -> str:
        mark = "?" if dialect.paramstyle == "qmark" else "%s"
        conflict = f" ON CONFLICT ({self._unless_there}) DO NOTHING" if self._unless_there else ""
        # Names of our own schema, never a value.
        marks = ", ".join([mark] * len(columns))
        return f"INSERT INTO {self._table.name} ({', '.join(columns)}) VALUES ({marks}){conflict}"


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _as_it_is(value: Any) -> Any:
    return value

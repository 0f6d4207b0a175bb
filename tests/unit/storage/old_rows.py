"""Rows in every table of a database of any earlier schema, made from what its columns are."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Boolean, Column, Connection, Float, Integer, LargeBinary, Table, inspect, select
from sqlalchemy import types as kinds

from bot.storage.process import INSTALL_ID
from bot.storage.schema import metadata
from bot.storage.types import Amount, UtcTime

EACH = 3
BEGUN = datetime(2025, 6, 1, 12, tzinfo=UTC)
Rows = Mapping[str, Sequence[tuple[Any, ...]]]


def tables_of(connection: Connection) -> Mapping[str, Sequence[Column[Any]]]:
    """The tables that are there, each with the columns that it has, parents first."""
    found = inspect(connection)
    there = set(found.get_table_names())
    return {
        table.name: [table.c[column["name"]] for column in found.get_columns(table.name)]
        for table in metadata.sorted_tables
        if table.name in there
    }


def fill(connection: Connection, install_id: str) -> Rows:
    """Put `EACH` rows into every table; returns all that there is afterwards."""
    for columns in tables_of(connection).values():
        table = columns[0].table
        assert isinstance(table, Table)
        # As text, so that no default of a later version is put in.
        names = ", ".join(column.name for column in columns)
        marks = ", ".join(f":{column.name}" for column in columns)
        for number in range(1, EACH + 1):
            values = {column.name: _stored(connection, column, number) for column in columns}
            if table.name == "meta" and number == 1:
                values = {"key": INSTALL_ID, "value": install_id}
            connection.execute(_text(f"INSERT INTO {table.name} ({names}) VALUES ({marks})", columns), values)
    return read(connection)


def read(connection: Connection, like: Mapping[str, Sequence[str]] | None = None) -> Rows:
    """Every row of every table, by its first columns; `like`: of these tables these columns alone."""
    found = {}
    for name, columns in tables_of(connection).items():
        wanted = [column for column in columns if like is None or column.name in like.get(name, ())]
        if wanted:
            found[name] = sorted((tuple(row) for row in connection.execute(select(*wanted))), key=repr)
    return found


def names_of(connection: Connection) -> Mapping[str, Sequence[str]]:
    return {table: [column.name for column in columns] for table, columns in tables_of(connection).items()}


def _text(statement: str, columns: Sequence[Column[Any]]) -> Any:
    from sqlalchemy import bindparam, text

    return text(statement).bindparams(*(bindparam(column.name, type_=column.type) for column in columns))


def _stored(connection: Connection, column: Column[Any], number: int) -> Any:
    if column.foreign_keys:
        (key,) = column.foreign_keys
        return _stored(connection, key.column, number)
    return _value(column, number)


def _value(column: Column[Any], number: int) -> Any:
    kind = column.type
    if isinstance(kind, UtcTime):
        return BEGUN + timedelta(hours=number, microseconds=number)
    if isinstance(kind, Amount):
        return Decimal(number) + Decimal("0.00000001")
    if isinstance(kind, Boolean):
        return number % 2 == 1
    if isinstance(kind, Integer):
        return number
    if isinstance(kind, (Float, kinds.Numeric)):
        return number + 0.5
    if isinstance(kind, LargeBinary):
        return bytes([number])
    return "{}" if column.name.endswith("_json") else f"{column.name}-{number}"

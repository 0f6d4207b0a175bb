"""One SQLite database in memory, spoken to without SQLAlchemy's engine: the bot's own statements, several times faster.

Statements are compiled by SQLAlchemy and values pass its types, as in the program; only pool, events and result
buffering are left out. That both ways make the same world is a test of its own.
"""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import exc
from sqlalchemy.dialects.sqlite import pysqlite
from sqlalchemy.engine.result import IteratorResult, SimpleResultMetaData
from sqlalchemy.sql.compiler import SQLCompiler

DIALECT = pysqlite.dialect()


class Prepared:
    """A statement as text, with what turns values into SQLite's and back."""

    def __init__(self, compiled: SQLCompiler) -> None:
        self.compiled = compiled
        self.text = str(compiled)
        self.names: Sequence[str] = compiled.positiontup or ()
        self.binds = {name: bind for name, bind in compiled._bind_processors.items() if bind is not None}
        columns = compiled._result_columns
        self.metadata = SimpleResultMetaData([column.keyname for column in columns]) if columns else None
        self.results = [column.type._cached_result_processor(DIALECT, None) for column in columns]
        self.expands = bool(compiled.post_compile_params or compiled.literal_execute_params)
        self.defaults = {column.key: column.default.arg for column in compiled.insert_prefetch if column.default}

    def expanded(self, values: Mapping[str, Any]) -> tuple[str, list[Any]]:
        """Text and values of a statement whose IN lists get as many places as they have values."""
        state = self.compiled._process_parameters_for_postcompile(values)  # type: ignore[arg-type]
        binds = {**self.binds, **state.processors}
        assert state.positiontup is not None
        return state.statement, [_bound(binds, name, state.parameters[name]) for name in state.positiontup]


def _bound(binds: Mapping[str, Any], name: str, value: Any) -> Any:
    bind = binds.get(name)
    return value if bind is None else bind(value)


class ChangeResult:
    """What the bot asks of an insert, update or delete."""

    def __init__(self, rowcount: int, row_id: int | None = None) -> None:
        self.rowcount = rowcount
        self.inserted_primary_key = (row_id,)


class Savepoint:
    """A part of a transaction that may fail alone."""

    def __init__(self, raw: sqlite3.Connection) -> None:
        self._raw = raw
        raw.execute("SAVEPOINT part")

    def commit(self) -> None:
        self._raw.execute("RELEASE part")

    def rollback(self) -> None:
        # SQLite means the innermost one of this name.
        self._raw.execute("ROLLBACK TO part")
        self._raw.execute("RELEASE part")

    def __enter__(self) -> "Savepoint":
        return self

    def __exit__(self, error: object, *_rest: object) -> None:
        if error is None:
            self.commit()
        else:
            self.rollback()


class MemoryConnection:
    """Stands for SQLAlchemy's `Connection` as far as the bot's rows use it."""

    def __init__(self, raw: sqlite3.Connection) -> None:
        self._raw = raw
        self._prepared: dict[Any, Prepared] = {}

    def execute(self, statement: Any, parameters: Any = None) -> Any:
        if isinstance(parameters, list | tuple):
            return [self.execute(statement, each) for each in parameters][-1]
        key = statement._generate_cache_key()
        names = tuple(sorted(parameters)) if parameters else ()
        prepared = self._prepared.get((key.key, names))
        if prepared is None:
            compiled = statement._compiler(DIALECT, cache_key=key, column_keys=list(names))
            prepared = self._prepared[key.key, names] = Prepared(compiled)
        if prepared.defaults:
            parameters = prepared.defaults | (parameters or {})
        values = prepared.compiled.construct_params(
            parameters, extracted_parameters=key.bindparams, _no_postcompile=True
        )
        if prepared.expands:
            text, bound = prepared.expanded(values)
        else:
            binds = prepared.binds
            text = prepared.text
            bound = [binds[name](values[name]) if name in binds else values[name] for name in prepared.names]
        return self._run(prepared, text, bound)

    @property
    def dialect(self) -> Any:
        return DIALECT

    def exec_driver_sql(self, text: str, parameters: Sequence[Any] = ()) -> Any:
        try:
            if isinstance(parameters, list):
                return ChangeResult(self._raw.executemany(text, parameters).rowcount)
            return self._raw.execute(text, parameters)
        except sqlite3.IntegrityError as error:
            raise exc.IntegrityError(text, parameters, error) from error
        except sqlite3.Error as error:
            raise exc.OperationalError(text, parameters, error) from error

    def begin_nested(self) -> Savepoint:
        return Savepoint(self._raw)

    def _run(self, prepared: Prepared, text: str, bound: Sequence[Any]) -> Any:
        try:
            cursor = self._raw.execute(text, bound)
        except sqlite3.IntegrityError as error:
            raise exc.IntegrityError(text, bound, error) from error
        except sqlite3.Error as error:
            raise exc.OperationalError(text, bound, error) from error
        if prepared.metadata is None:
            return ChangeResult(cursor.rowcount, cursor.lastrowid)
        results = prepared.results
        rows = [
            tuple([value if result is None else result(value) for value, result in zip(row, results, strict=True)])
            for row in cursor
        ]
        return IteratorResult(prepared.metadata, iter(rows))


class MemoryEngine:
    """Stands for SQLAlchemy's `Engine`; reader and writer are one connection, as there is one thread."""

    def __init__(self) -> None:
        # Threads may take turns at it; never two at once.
        self._raw = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        self._raw.execute("PRAGMA foreign_keys=ON")
        self._connection = MemoryConnection(self._raw)
        self._writing = False

    def load(self, empty: bytes) -> None:
        """Forget everything; what is there now is what is in these bytes of a database file."""
        # Bytes 18 and 19 say how the file is written; memory knows no write-ahead log (2) but a rollback journal (1).
        self._raw.deserialize(empty[:18] + b"\1\1" + empty[20:])

    @contextmanager
    def connect(self) -> Iterator[MemoryConnection]:
        # A reader beside an open transaction would see what is not committed: the program's could not.
        assert not self._writing, "a reading inside a write"
        yield self._connection

    @contextmanager
    def begin(self) -> Iterator[MemoryConnection]:
        assert not self._writing, "a write inside a write"
        self._raw.execute("BEGIN IMMEDIATE")
        self._writing = True
        try:
            yield self._connection
        except BaseException:
            self._raw.execute("ROLLBACK")
            raise
        else:
            self._raw.execute("COMMIT")
        finally:
            self._writing = False

    def dispose(self) -> None:
        """There is no pool."""

"""One writer thread with group commit, and readers of their own.

SQLite takes one writer at a time; with a connection per thread some thread waits for over half a second. Here callers
hand a function to the `Store` thread and wait on a future: many of them become one durable commit.
"""

import logging
import queue
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, InvalidStateError
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import DatabaseError, InternalError, OperationalError, SQLAlchemyError

from bot.domain.errors import StoreUnavailable
from bot.seams.failpoints import failpoint
from bot.storage.files import DatabaseFiles

log = logging.getLogger(__name__)

T = TypeVar("T")
Work = tuple[Callable[[Connection], Any], "Future[Any]"]
Done = tuple["Future[Any]", Any]

# More in one group would make the first caller wait for the last.
MAX_GROUP = 128
QUEUE_BOUND = 10_000
DEFAULT_WRITE_SECONDS = 10.0
# With less than synchronous=FULL (2) a commit that was reported may be gone after a loss of power.
SQLITE_SETTINGS = {"busy_timeout": 5000, "journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


def sqlite_url(path: Path) -> URL:
    """The database URL of a SQLite file, whatever characters its path has."""
    return URL.create("sqlite", database=str(path))


def open_engine(url: URL, *, writer: bool, create: bool = False) -> Engine:
    """An engine with our settings: WAL, full durability, immediate write transactions; a reader can't write at all.

    Without `create` a missing file is an error, not an empty database. Connecting raises `StoreUnavailable` when the
    database does not take one of the settings.
    """
    engine = create_engine(url, pool_pre_ping=False)
    if url.get_backend_name() == "sqlite":
        event.listen(engine, "do_connect", _create_if_missing if create else _only_existing)
        event.listen(engine, "connect", _set_up_sqlite)
        if not writer:
            event.listen(engine, "connect", _forbid_writing)
        event.listen(engine, "begin", _begin_immediate if writer else _begin_deferred)
        event.listen(engine, "commit", _assert_in_transaction)
    return engine


def _only_existing(_dialect: object, _record: object, arguments: list[Any], options: dict[str, Any]) -> None:
    arguments[0] = f"{Path(arguments[0]).as_uri()}?mode=rw"
    options["uri"] = True


def _create_if_missing(_dialect: object, _record: object, arguments: list[Any], _options: dict[str, Any]) -> None:
    path = Path(arguments[0])
    if not path.exists():
        # By ourselves, because of its mode: the files that SQLite puts beside it have the same.
        path.touch(mode=0o600)


def _set_up_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None
    cursor = connection.cursor()
    for name, wanted in SQLITE_SETTINGS.items():
        cursor.execute(f"PRAGMA {name}={wanted}")
        (found,) = cursor.execute(f"PRAGMA {name}").fetchone()
        if found != wanted:
            raise StoreUnavailable(f"the database does not take {name}={wanted}, it keeps {found}")
    cursor.close()


def _forbid_writing(connection: Any, _record: object) -> None:
    connection.execute("PRAGMA query_only=ON")


def _begin_immediate(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _begin_deferred(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")


def _assert_in_transaction(connection: Connection) -> None:
    """After some errors SQLite ends a transaction by itself, and a commit of nothing would look like success."""
    if not getattr(connection.connection.dbapi_connection, "in_transaction", False):
        raise StoreUnavailable("the database has dropped the transaction")


class Store:
    """The database of one installation. `write` blocks until its work is durable."""

    def __init__(self, url: URL) -> None:
        self.url = url
        self._writer = open_engine(url, writer=True)
        self._reader = open_engine(url, writer=False)
        self._queue: queue.Queue[Work | None] = queue.Queue(QUEUE_BOUND)
        self._thread = threading.Thread(target=self._run, name="Store", daemon=True)
        self._closed = threading.Event()
        self._files: DatabaseFiles | None = None
        self._lost = ""

    def start(self) -> None:
        """Start the writer thread. The schema must be up to date (`migrations.upgrade`).

        Raises `StoreUnavailable` when the database cannot be written to.
        """
        try:
            with self._writer.begin():  # from here on the write-ahead log is there too
                pass
            self._files = DatabaseFiles.of(Path(str(self.url.database)))
        except (SQLAlchemyError, OSError) as error:
            raise StoreUnavailable(f"the database cannot be opened: {_cause(error)}") from error
        self._thread.start()

    def close(self, timeout_seconds: float = 5.0) -> None:
        """Finish what is queued, then stop. Later writes raise `StoreUnavailable`."""
        if not self._closed.is_set():
            self._closed.set()
            if self._thread.is_alive():
                self._queue.put(None, timeout=timeout_seconds)
                self._thread.join(timeout_seconds)
        self._writer.dispose()
        self._reader.dispose()

    @property
    def queue_depth(self) -> int:
        return self._queue.qsize()

    def lost(self) -> str:
        """A sentence once the database's files were deleted or replaced under us: no write succeeds ever after."""
        with suppress(StoreUnavailable):
            self._check_files()
        return self._lost

    def write(self, work: Callable[[Connection], T], *, timeout_seconds: float = DEFAULT_WRITE_SECONDS) -> T:
        """Run `work` in a transaction and return its result after the commit.

        Raises what `work` raised (its changes are rolled back, its neighbours' are not), or `StoreUnavailable` when
        it is not known to be durable in time. It may be durable all the same: after this error the caller must read
        before it decides anything.
        """
        if self._closed.is_set():
            raise StoreUnavailable("the store is closed")
        future: Future[Any] = Future()
        try:
            self._queue.put((work, future), timeout=timeout_seconds)
            result: T = future.result(timeout=timeout_seconds)
        except (queue.Full, FutureTimeout) as error:
            # Work that was not begun yet is not done any more; what is under way may still be committed, which is why
            # nothing that follows a write may be decided from this error.
            future.cancel()
            raise StoreUnavailable(f"the store did not take a write within {timeout_seconds:g} s") from error
        return result

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection that sees one consistent state, cannot wait for the writer, and refuses to write.

        Raises `StoreUnavailable` when the database cannot be read.
        """
        try:
            with self._reader.connect() as connection:
                yield connection
        except SQLAlchemyError as error:
            if not _is_failure_of_the_store(error):
                raise
            raise StoreUnavailable(f"the store could not be read: {_cause(error)}") from error

    def _run(self) -> None:
        while True:
            first = self._queue.get()  # lint: waits for work or for the closing None
            group, closing = self._gather(first)
            if group:
                self._commit(group)
            if closing:
                return

    def _gather(self, first: Work | None) -> tuple[list[Work], bool]:
        group: list[Work] = []
        item = first
        while item is not None:
            group.append(item)
            if len(group) >= MAX_GROUP:
                return group, False
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                return group, False
        return group, True

    def _commit(self, group: list[Work]) -> None:
        try:
            done = self._transact(group)
            failpoint("store_committed")
        except Exception as error:
            # Whatever it was, the thread must live and the callers must hear of it.
            if not isinstance(error, SQLAlchemyError | StoreUnavailable):
                log.exception("unexpected error while writing")
            for _, future in group:
                # One that gives up at this very moment needs no answer any more.
                with suppress(InvalidStateError):
                    future.set_exception(StoreUnavailable(f"the store could not commit: {_cause(error)}"))
            return
        for future, result in done:
            future.set_result(result)

    def _transact(self, group: list[Work]) -> list[Done]:
        """Do the group's works in one transaction; returns those that succeeded, once they are durable."""
        self._check_files()
        try:
            with self._writer.begin() as connection:
                run = _run_alone if len(group) == 1 else _run_in_savepoint
                # A caller that gave up waiting must not find its work done later.
                begun = (item for item in group if item[1].set_running_or_notify_cancel())
                done = [result for item in begun for result in run(connection, *item)]
                failpoint("store_commit")
        except _WorkFailed as failed:
            # Told only now that it is rolled back.
            failed.future.set_exception(failed.error)
            return []
        return done

    def _check_files(self) -> None:
        """Refuse to write into files that nobody will ever find again."""
        if self._files is None:
            return
        try:
            self._lost = self._lost or self._files.difference()
        except OSError as error:
            raise StoreUnavailable(f"the database's files cannot be looked at: {error}") from error
        if self._lost:
            raise StoreUnavailable(self._lost)


class _WorkFailed(Exception):
    """A work that had the transaction to itself failed, so all of it is rolled back."""

    def __init__(self, future: "Future[Any]", error: Exception) -> None:
        self.future = future
        self.error = error
        super().__init__(str(error))


def _run_alone(connection: Connection, work: Callable[[Connection], Any], future: "Future[Any]") -> Iterator[Done]:
    """Without neighbours the transaction itself is the savepoint."""
    try:
        yield future, work(connection)
    except Exception as error:
        if _is_failure_of_the_store(error):
            raise
        raise _WorkFailed(future, error) from error


def _run_in_savepoint(
    connection: Connection, work: Callable[[Connection], Any], future: "Future[Any]"
) -> Iterator[Done]:
    """Yields the future with its result, or nothing when the work failed by itself."""
    savepoint = connection.begin_nested()
    try:
        result = work(connection)
    except Exception as error:
        if _is_failure_of_the_store(error):
            # SQLite may have rolled back all of the transaction, not this work alone.
            raise
        savepoint.rollback()
        future.set_exception(error)
    else:
        savepoint.commit()
        yield future, result


def _is_failure_of_the_store(error: Exception) -> bool:
    """Disk full, read-only, locked, damaged; as opposed to a work that broke a rule or was wrong in itself."""
    return isinstance(error, OperationalError | InternalError) or type(error) is DatabaseError


def _cause(error: BaseException) -> BaseException:
    return error.__cause__ or error

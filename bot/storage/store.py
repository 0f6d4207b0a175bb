"""One writer thread with group commit, and readers of their own.

SQLite takes one writer at a time; with a connection per thread some thread waits for over half a second. Here callers
hand a function to the `Store` thread and wait on a future: many of them become one durable commit. PostgreSQL is used
in the same way (see postgres.py), so that there is one set of rules for both.
"""

import logging
import math
import queue
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, InvalidStateError
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, Engine, QueuePool, create_engine
from sqlalchemy.exc import DatabaseError, DBAPIError, InternalError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from bot.domain.errors import StoreUnavailable
from bot.seams.clock import SystemClock
from bot.seams.failpoints import failpoint
from bot.storage import postgres, sqlite
from bot.storage.files import DatabaseFiles
from bot.storage.sqlite import sqlite_url
from bot.supervision.heart import Heart, during

__all__ = ["Store", "open_engine", "sqlite_url"]

log = logging.getLogger(__name__)

T = TypeVar("T")
Work = tuple[Callable[[Connection], Any], "Future[Any]"]
Done = tuple["Future[Any]", Any]

# More in one group would make the first caller wait for the last.
MAX_GROUP = 128
QUEUE_BOUND = 10_000
DEFAULT_WRITE_SECONDS = 10.0
# A transaction that lost against another one is done again this often; then its callers are told.
MAX_TRIES = 4
# Readers have a connection each while they read, which takes a millisecond: a thousand that come at once take turns,
# and who gets none within this time is told that the store is not there. No more are opened for the moment: opening
# one takes longer than waiting for one.
READERS = 16
MORE_READERS = 0
READER_WAIT_SECONDS = 20.0


def open_engine(url: URL, *, writer: bool, create: bool = False, in_turn: bool = True) -> Engine:
    """An engine with our settings: full durability, one writing transaction at a time; a reader can't write at all.

    Without `create` a missing SQLite file is an error, not an empty database. Connecting raises `StoreUnavailable` when
    the database does not take one of the settings. `in_turn=False` is for a writer of a single row of its own on
    PostgreSQL, which need not wait for the other writers: nothing that it has read stays true until its commit.
    """
    pool = {"pool_size": READERS, "max_overflow": MORE_READERS, "pool_timeout": READER_WAIT_SECONDS}
    if url.get_backend_name() == "sqlite":
        engine = create_engine(url, poolclass=QueuePool, **pool)
        sqlite.set_up(engine, writer=writer, create=create)
    else:
        # A connection may have died with the server since it was last used.
        engine = create_engine(url, pool_pre_ping=True, connect_args=dict(postgres.CONNECT_ARGUMENTS), **pool)
        postgres.set_up(engine, writer=writer, in_turn=in_turn)
    return engine


class Store:
    """The database of one installation. `write` blocks until its work is durable."""

    def __init__(self, url: URL) -> None:
        self.url = url
        self._writer = open_engine(url, writer=True)
        self._reader = open_engine(url, writer=False)
        self._queue: queue.Queue[Work | None] = queue.Queue(QUEUE_BOUND)
        self.heart = Heart(SystemClock())
        self.thread = threading.Thread(target=self._run, name="Store", daemon=True)
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
            if self.url.get_backend_name() == "sqlite":
                self._files = DatabaseFiles.of(Path(str(self.url.database)))
        except (SQLAlchemyError, OSError) as error:
            raise StoreUnavailable(f"the database cannot be opened: {_cause(error)}") from error
        self.thread.start()

    def close(self, timeout_seconds: float = 5.0) -> None:
        """Finish what is queued, then stop. Later writes raise `StoreUnavailable`."""
        if not self._closed.is_set():
            self._closed.set()
            if self.thread.is_alive():
                self._queue.put(None, timeout=timeout_seconds)
                self.thread.join(timeout_seconds)
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
            with during("writing to the store", 2 * timeout_seconds):
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
        with self.heart.beating():
            self._work_off()

    def _work_off(self) -> None:
        while True:
            self.heart.beat("waiting for work", math.inf)
            first = self._queue.get()  # lint: waits for work or for the closing None
            self.heart.beat("committing")
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
        for left in reversed(range(MAX_TRIES)):
            try:
                done = self._attempt([item for item in group if not item[1].done()])
                # Deleted or replaced meanwhile: what was committed now, nobody will ever find again.
                self._check_files()
                return done
            except DBAPIError as error:
                # The database has undone all of it for the sake of another transaction, and works write nowhere else.
                if not left or not postgres.lost_against_another(error):
                    raise
                log.warning("a transaction is done again: %s", _cause(error))
        raise AssertionError("the last try returns or raises")  # pragma: no cover

    def _attempt(self, group: list[Work]) -> list[Done]:
        run = _run_alone if len(group) == 1 else _run_in_savepoint
        try:
            with self._writer.begin() as connection:
                # A caller that gave up waiting must not find its work done later.
                begun = (item for item in group if item[1].running() or item[1].set_running_or_notify_cancel())
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
    """Disk full, read-only, locked, damaged, away; as opposed to a work that broke a rule or was wrong in itself."""
    if isinstance(error, OperationalError | InternalError | PoolTimeout) or type(error) is DatabaseError:
        return True
    return isinstance(error, DBAPIError) and error.connection_invalidated


def _cause(error: BaseException) -> BaseException:
    return error.__cause__ or error

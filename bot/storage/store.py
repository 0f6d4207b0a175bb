"""One writer thread with group commit, and readers of their own.

SQLite takes one writer at a time; with a connection per thread some thread waits for over half a second. Here callers
hand a function to the `Store` thread and wait on a future: many of them become one durable commit.
"""

import queue
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import SQLAlchemyError

from bot.domain.errors import StoreUnavailable

T = TypeVar("T")
Work = tuple[Callable[[Connection], Any], "Future[Any]"]

# More in one group would make the first caller wait for the last.
MAX_GROUP = 128
QUEUE_BOUND = 10_000
DEFAULT_WRITE_SECONDS = 10.0


def sqlite_url(path: Path) -> URL:
    """The database URL of a SQLite file, whatever characters its path has."""
    return URL.create("sqlite", database=str(path))


def open_engine(url: URL, *, writer: bool) -> Engine:
    """An engine with our settings: WAL, full durability, immediate write transactions."""
    engine = create_engine(url, pool_pre_ping=False)
    if url.get_backend_name() == "sqlite":
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_immediate if writer else _begin_deferred)
    return engine


def _set_up_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=5000", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_immediate(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _begin_deferred(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")


class Store:
    """The database of one installation. `write` blocks until its work is durable."""

    def __init__(self, url: URL) -> None:
        self.url = url
        self._writer = open_engine(url, writer=True)
        self._reader = open_engine(url, writer=False)
        self._queue: queue.Queue[Work | None] = queue.Queue(QUEUE_BOUND)
        self._thread = threading.Thread(target=self._run, name="Store", daemon=True)
        self._closed = threading.Event()

    def start(self) -> None:
        """Start the writer thread. The schema must be up to date (`migrations.upgrade`)."""
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

    def write(self, work: Callable[[Connection], T], *, timeout_seconds: float = DEFAULT_WRITE_SECONDS) -> T:
        """Run `work` in a transaction and return its result after the commit.

        Raises what `work` raised (its changes are rolled back, its neighbours' are not), or `StoreUnavailable` when
        nothing could be made durable in time.
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
        """A connection that sees one consistent state and cannot wait for the writer."""
        with self._reader.connect() as connection:
            yield connection

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
        done: list[tuple[Future[Any], Any]] = []
        try:
            with self._writer.begin() as connection:
                for work, future in group:
                    # A caller that gave up waiting must not find its work done later.
                    if future.set_running_or_notify_cancel():
                        _run_in_savepoint(connection, work, future, done)
        except SQLAlchemyError as error:
            for _, future in group:
                if not future.done():
                    future.set_exception(StoreUnavailable(f"the store could not commit: {error.__cause__ or error}"))
            return
        for future, result in done:
            future.set_result(result)


def _run_in_savepoint(
    connection: Connection,
    work: Callable[[Connection], Any],
    future: "Future[Any]",
    done: list[tuple["Future[Any]", Any]],
) -> None:
    savepoint = connection.begin_nested()
    try:
        result = work(connection)
    except Exception as error:  # noqa: BLE001 - the caller's own error goes back to the caller
        savepoint.rollback()
        future.set_exception(error)
    else:
        savepoint.commit()
        done.append((future, result))

"""The real store in the caller's thread, with crashes on either side of a commit."""

from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Protocol, TypeVar, cast

from sqlalchemy import URL, Connection, Engine, event

from bot.domain.errors import StoreUnavailable
from bot.storage.store import DEFAULT_WRITE_SECONDS, Store, sqlite_url
from tests.simulation.memory import MemoryEngine

T = TypeVar("T")


class Trouble(Protocol):
    """What may happen around a write."""

    def crash_here(self, where: str) -> None: ...

    def hold_up(self, where: str) -> None: ...

    def store_fails(self, how: str) -> bool: ...


def _no_fsync(connection: Any, _record: object) -> None:
    # A crash here is that of a process, not of the machine: what SQLite handed to the system is there afterwards.
    connection.execute("PRAGMA synchronous=OFF")


class SimulatedStore(Store):
    """`trouble` may end the process, hold the thread up, refuse a write or keep back that it was done."""

    def __init__(self, url: URL) -> None:
        super().__init__(url)
        self.trouble: Trouble | None = None
        self.writing = False
        for engine in (self._writer, self._reader):
            event.listen(engine, "connect", _no_fsync)

    @classmethod
    def in_memory(cls, engine: MemoryEngine) -> "SimulatedStore":
        """The same store over a database in memory, which is left alone when the store is closed."""
        # The engines that this makes are replaced before they open the file they are told of.
        store = cls(sqlite_url(Path("never-opened.db")))
        store._writer = store._reader = cast(Engine, engine)
        return store

    def start(self) -> None:
        """There is no thread: a write is done when it is asked for."""

    def write(self, work: Callable[[Connection], T], *, timeout_seconds: float = DEFAULT_WRITE_SECONDS) -> T:
        trouble = self.trouble
        if trouble is None:
            return self._write(work)
        trouble.crash_here("before a commit")
        trouble.hold_up("before a commit")
        if trouble.store_fails("write not done"):
            raise StoreUnavailable("the store did not take a write")
        result = self._write(work)
        trouble.crash_here("after a commit")
        if trouble.store_fails("write done and reported as failed"):
            raise StoreUnavailable("nobody knows whether this was committed")
        return result

    def _write(self, work: Callable[[Connection], T]) -> T:
        future: Future[Any] = Future()
        self.writing = True
        try:
            self._commit([(work, future)])
        finally:
            self.writing = False
        result: T = future.result(timeout=0)
        return result

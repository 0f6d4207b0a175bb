"""The real store in the caller's thread, with crashes on either side of a commit."""

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from sqlalchemy import Connection, event

from bot.domain.errors import StoreUnavailable
from bot.storage.store import DEFAULT_WRITE_SECONDS, Store

T = TypeVar("T")


def _no_fsync(connection: Any, _record: object) -> None:
    # A crash here is that of a process, not of the machine: what SQLite handed to the system is there afterwards.
    connection.execute("PRAGMA synchronous=OFF")


class SimulatedStore(Store):
    """`crash_here` may end the process; `fails` says whether this write is refused or its outcome kept back."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.crash_here: Callable[[], None] = lambda: None
        self.fails: Callable[[], bool] = lambda: False
        for engine in (self._writer, self._reader):
            event.listen(engine, "connect", _no_fsync)

    def start(self) -> None:
        """There is no thread: a write is done when it is asked for."""

    def write(self, work: Callable[[Connection], T], *, timeout_seconds: float = DEFAULT_WRITE_SECONDS) -> T:
        self.crash_here()
        if self.fails():
            raise StoreUnavailable("the store did not take a write")
        future: Future[Any] = Future()
        self._commit([(work, future)])
        self.crash_here()
        if self.fails():
            raise StoreUnavailable("nobody knows whether this was committed")
        result: T = future.result(timeout=0)
        return result

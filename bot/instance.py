"""One process at a time: the lease of the database, waited for, renewed, and given back last of all.

Overlapping deploys put two processes on one PostgreSQL, on different machines. The one that has the lease trades; the
other answers health checks and waits. Who has it stops sending by itself when it could not renew it for half its time,
long before another may take it; every transaction that decides something compares the row's epoch besides.

With `scaling.mode: many` each process has a row of its own by the same rules, and holds accounts, not the database.
"""

import logging
import threading
from collections.abc import Callable
from datetime import datetime
from typing import Protocol, TypeVar

from sqlalchemy import URL, Connection
from sqlalchemy.exc import SQLAlchemyError

from bot.domain.errors import Fenced, StoreUnavailable
from bot.seams.clock import Clock
from bot.storage import instance_lease, processes, wakeups
from bot.storage.installation import Installation
from bot.storage.instance_lease import Holder
from bot.storage.postgres_installation import PostgresOpening
from bot.storage.store import open_engine

log = logging.getLogger(__name__)

T = TypeVar("T")

# Six renewals in the life of a lease: some may fail.
RENEWALS = 6
# Counted from the last renewal, like the lease itself; the rest is for the clocks to differ.
SENDING_SHARE = 0.8
LOOK_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 10.0
SAY_AGAIN_SECONDS = 300.0


class Transact(Protocol):
    """Runs work in a writing transaction and returns its result after the commit. Raises `StoreUnavailable`."""

    def __call__(self, work: Callable[[Connection], T], /) -> T: ...


class LeaseConnection:
    """A connection for the lease alone, so that a long queue of writes does not cost the process its lease.

    Not `in_turn`, it does not wait for the writers of other processes either: for a row that is this process's own.
    """

    def __init__(self, url: URL, *, in_turn: bool = True) -> None:
        self._engine = open_engine(url, writer=True, in_turn=in_turn)

    def __call__(self, work: Callable[[Connection], T], /) -> T:
        try:
            with self._engine.begin() as connection:
                return work(connection)
        except SQLAlchemyError as error:
            raise StoreUnavailable(f"the lease could not be written: {error.__cause__ or error}") from error

    def close(self) -> None:
        self._engine.dispose()


class Turn:
    """Waits until this process may work with a database on PostgreSQL. `hold` makes a lease of a row just taken."""

    def __init__(
        self,
        opening: PostgresOpening,
        *,
        clock: Clock,
        stop: threading.Event,
        owner: str,
        pid: int,
        lease_seconds: float,
        hold: Callable[[Holder, float], "InstanceLease"],
        on_waiting: Callable[[str], None],
    ) -> None:
        self._opening = opening
        self._clock = clock
        self._stop = stop
        self._owner = owner
        self._pid = pid
        self._lease_seconds = lease_seconds
        self._hold = hold
        self._on_waiting = on_waiting
        self._said = ("", 0.0)
        self.lease: InstanceLease | None = None

    def wait(self) -> Installation | None:
        """The opened database, with `lease` in hand; None when the process was stopped before.

        Raises `ConfigurationError` for a database that must not be used; `lease` may be in hand then too.
        """
        pause = LOOK_SECONDS
        while not self._stop.is_set():
            try:
                installation = self._try()
            except StoreUnavailable as error:
                self._waits("the database cannot be used", f": {error}", level=logging.CRITICAL)
                pause = min(LONGEST_PAUSE_SECONDS, 2 * pause)
            else:
                if installation is not None:
                    return installation
                pause = LOOK_SECONDS
            self._clock.wait(self._stop, pause)
        return None

    def _try(self) -> Installation | None:
        if self.lease is None:
            self._opening.prepare()
            self._take()
        return None if self.lease is None else self._opening.open()

    def _take(self) -> None:
        # Before it is asked for: what the way to the server takes counts against us.
        asked_at = self._clock.monotonic()
        taken, holder = self._opening.take_lease(owner=self._owner, pid=self._pid, lease_seconds=self._lease_seconds)
        if taken:
            # Renewed from here on: new tables can take longer than a lease.
            self.lease = self._hold(holder, asked_at)
            self.lease.start()
        else:
            name = f"{holder.host}/{holder.pid}"
            self._waits(f"standby: lease held by {name}", f" until {holder.expires_at:%H:%M:%S} UTC")

    def _waits(self, what: str, detail: str, *, level: int = logging.WARNING) -> None:
        """Said once, and again at intervals; health checks are told each time."""
        self._on_waiting(what + detail)
        now, (said, at) = self._clock.monotonic(), self._said
        if what != said or now - at >= SAY_AGAIN_SECONDS:
            self._said = (what, now)
            log.log(level, "Waiting, nothing is sent: %s%s", what, detail)


class InstanceLease:
    """The lease while the process works. `strict`: unrenewed for half its time, nothing is sent.

    Where a lock on the state directory keeps others out (SQLite) it is not strict: there the row only tells.
    """

    _taken = "another process has taken the lease of the database"

    def __init__(
        self,
        transact: Transact,
        *,
        clock: Clock,
        epoch: int,
        lease_seconds: float,
        renewed_at: float,
        strict: bool,
        on_lost: Callable[[str], None],
    ) -> None:
        self.epoch = epoch
        self._transact = transact
        self._clock = clock
        self._lease_seconds = lease_seconds
        self._renewed_at = renewed_at
        self._strict = strict
        self._on_lost = on_lost
        self._lost = ""
        self._failing = False
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="InstanceLease", daemon=True)

    def start(self) -> None:
        """Renew it from a thread of its own."""
        self._thread.start()

    def problem(self) -> str:
        """Why this process may send nothing now; empty = it may."""
        if self._lost or not self._strict:
            return self._lost
        age = self._clock.monotonic() - self._renewed_at
        if age < self._lease_seconds / 2:
            return ""
        return f"this process has not renewed its lease of the database for {age:.0f} s, and another may take it"

    def send_before(self) -> float | None:
        """Until when (monotonic) a request that was just checked may leave: before anybody else may take the lease."""
        return self._renewed_at + SENDING_SHARE * self._lease_seconds if self._strict else None

    def check(self, connection: Connection) -> None:
        """Begins every transaction that decides something, and comes right before the wire.

        Raises `Fenced` when another process has the lease, `StoreUnavailable` while nobody knows.
        """
        why = self._why_not_ours(connection)
        if why:
            self._lose(why)
        if self._lost:
            raise Fenced(self._lost)
        problem = self.problem()
        if problem:
            raise StoreUnavailable(problem)

    def step(self) -> None:
        """Renew it once. A failure is tried again soon; that another process has it is final."""
        asked_at = self._clock.monotonic()
        now: datetime = self._clock.now()
        try:
            held = self._transact(lambda connection: self._renew(connection, now))
        except StoreUnavailable as error:
            if not self._failing:
                log.error("The lease of the database was not renewed: %s", error)
            self._failing = True
            return
        if not held:
            self._lose(self._taken)
            return
        if self._failing:
            log.warning("The lease of the database is renewed again; nobody had taken it in between")
        self._failing, self._renewed_at = False, asked_at

    def end(self) -> None:
        """Renew it no more; it runs out by itself."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join(LOOK_SECONDS)

    def give_back(self) -> None:
        """Let a waiting process have it at once; the last thing that is done with the database."""
        self.end()
        if self._lost:
            return
        now = self._clock.now()
        try:
            self._transact(lambda connection: self._give_back(connection, now))
        except StoreUnavailable as error:
            log.warning("The lease runs out by itself in %.0f s: %s", self._lease_seconds, error)

    # -- the row ----------------------------------------------------------------------------------------------------
    def _why_not_ours(self, connection: Connection) -> str:
        epoch = instance_lease.epoch_of(connection)
        return "" if epoch == self.epoch else f"another process has the database (epoch {epoch}, not {self.epoch})"

    def _renew(self, connection: Connection, now: datetime) -> bool:
        return instance_lease.renew(connection, epoch=self.epoch, lease_seconds=self._lease_seconds, now=now)

    def _give_back(self, connection: Connection, now: datetime) -> None:
        instance_lease.give_back(connection, epoch=self.epoch, now=now)

    # -- its thread -------------------------------------------------------------------------------------------------
    def _run(self) -> None:
        while not self._over.is_set() and not self._lost:
            pause = self._lease_seconds / RENEWALS
            self._clock.wait(self._over, min(LOOK_SECONDS, pause) if self._failing else pause)
            if not self._over.is_set():
                self._guarded_step()

    def _guarded_step(self) -> None:
        try:
            self.step()
        except Exception:
            self._failing = True
            log.exception("unexpected error while the lease was renewed")

    def _lose(self, why: str) -> None:
        if not self._lost:
            self._lost = why
            self._on_lost(why)


class ProcessLease(InstanceLease):
    """The same for one process of many: while it is heard of, it holds its accounts, and no other takes them."""

    _taken = "this process was declared gone by another, which has taken its accounts"

    def __init__(
        self,
        transact: Transact,
        *,
        clock: Clock,
        process_id: str,
        epoch: int,
        lease_seconds: float,
        renewed_at: float,
        on_lost: Callable[[str], None],
    ) -> None:
        super().__init__(
            transact,
            clock=clock,
            epoch=epoch,
            lease_seconds=lease_seconds,
            renewed_at=renewed_at,
            strict=True,
            on_lost=on_lost,
        )
        self.process_id = process_id

    def _why_not_ours(self, connection: Connection) -> str:
        return "" if processes.epoch_of(connection, self.process_id) == self.epoch else self._taken

    def _renew(self, connection: Connection, now: datetime) -> bool:
        return processes.renew(connection, self.process_id, lease_seconds=self._lease_seconds, now=now)

    def _give_back(self, connection: Connection, now: datetime) -> None:
        processes.leave(connection, self.process_id, reason="it ended", now=now)
        wakeups.tell(connection, wakeups.ACCOUNTS)

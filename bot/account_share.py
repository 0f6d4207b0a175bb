"""Which accounts this process holds, of all that the processes of one database have between them.

Each process takes accounts that nobody holds until it has its part: all accounts by the number of processes that take
any, rounded up, or what `scaling.share` says. One that has more than its part gives some back when another has room:
its threads end first, then its connection, then the row is free. What is held stands in the rows of `lease`; memory
follows them, also after a commit of which nobody heard.
"""

import hashlib
import logging
import math
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from bot.domain.account import AccountRef, BrokerType
from bot.domain.errors import Fenced, NijaError, StoreUnavailable
from bot.seams.clock import Clock
from bot.storage import leases, processes, wakeups
from bot.storage.instance_lease import database_time
from bot.storage.processes import TradingProcess
from bot.storage.store import Store
from bot.supervision.heart import beat
from bot.supervision.kept_thread import KeptThread
from bot.supervision.watchdog import Watchdog

log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
# One that joins is waited for as long before its part is taken by others, so that accounts need not move at once.
JOINING_SECONDS = 5.0


def digest_of(accounts: Iterable[AccountRef]) -> str:
    """What two processes compare: 16 hex characters of the labels."""
    return hashlib.sha256("|".join(sorted(account.label for account in accounts)).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class _Look:
    """What one reading has shown: who lives, what is ours, and what nobody holds (labels)."""

    moment: datetime
    living: Sequence[TradingProcess]
    mine: frozenset[str]
    free: Sequence[str]
    anyone_gone: bool


class AccountShare:
    """`step` is what its thread does once a second, or when woken. `on_taken` is told of each account that has come."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        process_id: str,
        accounts: Sequence[AccountRef],
        share: int | None,
        on_taken: Callable[[AccountRef], None],
        watchdog: Watchdog | None = None,
    ) -> None:
        self.process_id = process_id
        # In the order in which they are taken: masters first.
        self._accounts = {account.label: account for account in sorted(accounts, key=lambda each: not each.is_master)}
        self._store = store
        self._clock = clock
        self._share = share
        self._on_taken = on_taken
        self._lock = threading.Lock()
        self._following = threading.Lock()
        self._held: frozenset[str] = frozenset()
        self._leaving: frozenset[str] = frozenset()
        # Held, and not made ready yet for whoever connects them.
        self._coming: frozenset[str] = frozenset()
        self._free = 0
        self._is_first = False
        self._strangers: set[str] = set()
        self._due = threading.Event()
        self._stop = threading.Event()
        self._thread = KeptThread("AccountShare", self._run, clock=clock, watchdog=watchdog)

    # -- any thread ---------------------------------------------------------------------------------------------------
    def holds(self, account: AccountRef) -> bool:
        """Whether it is this process's to connect, plan for and trade; not while it is being given back."""
        label = account.label
        return label in self._held and label not in self._leaving and label not in self._coming

    def has(self, account: AccountRef) -> bool:
        """The same, until it was given back: what is under way is still this process's to write down."""
        return account.label in self._held

    def leaving(self, broker: BrokerType) -> Sequence[AccountRef]:
        """The brokerage's accounts that are to be given back as soon as their threads have ended."""
        return [self._accounts[label] for label in sorted(self._leaving) if self._accounts[label].broker is broker]

    @property
    def is_first(self) -> bool:
        """Whether it has been there longest of all that live: one that does what needs doing only once."""
        return self._is_first

    def wake(self) -> None:
        """Something may have changed."""
        self._due.set()

    def figures(self) -> dict[str, float]:
        """For metrics: how many accounts this process holds, and how many nobody does."""
        return {"held": float(len(self._held)), "free": float(self._free)}

    def let_go(self, account: AccountRef) -> None:
        """Its thread has ended and its connection is closed: whoever takes it next asks about what was under way.

        Raises `StoreUnavailable`; then it is still held.
        """
        if account.label not in self._held:
            return
        now = self._clock.now()

        def work(connection: Connection) -> None:
            leases.release(connection, [account.label], owner=self.process_id, now=now)
            wakeups.tell(connection, wakeups.ACCOUNTS)

        # Not between another thread's reading of the rows and what it makes of them.
        with self._following:
            self._store.write(work)
            with self._lock:
                self._held -= {account.label}
                self._leaving -= {account.label}
        log.info("%s was given back: another process takes it", account.label)

    # -- its own thread -----------------------------------------------------------------------------------------------
    def start(self) -> None:
        """From here on this process takes accounts. Raises `StoreUnavailable`."""
        now = self._clock.now()

        def work(connection: Connection) -> None:
            leases.prepare(connection, self._accounts, now=now)
            processes.set_taking(connection, self.process_id, takes=True, now=now)
            wakeups.tell(connection, wakeups.ACCOUNTS)

        self._store.write(work)
        self._thread.start()

    def stop(self, timeout_seconds: float = 5.0) -> None:
        """It takes none any more; what it holds becomes free with the end of the process."""
        self._stop.set()
        self._due.set()
        self._thread.join(timeout_seconds)
        now = self._clock.now()
        try:
            self._store.write(
                lambda connection: processes.set_taking(connection, self.process_id, takes=False, now=now),
                timeout_seconds=timeout_seconds,
            )
        except StoreUnavailable as error:
            log.warning("other processes hear only later that this one takes no accounts any more: %s", error)

    def _run(self) -> None:
        while not self._stop.is_set():
            beat("waiting")
            try:
                self.step()
            except Fenced:
                raise
            except NijaError as error:
                log.error("accounts are neither taken nor given back: %s", error)
            except Exception:
                log.exception("unexpected error while accounts were shared out")
            self._clock.wait(self._due, LOOK_SECONDS)
            self._due.clear()

    def step(self) -> None:
        """Follow the rows, take what is free, and choose what to give back. Raises `StoreUnavailable`."""
        with self._following:
            self._step()

    def _step(self) -> None:
        look = self._look()
        self._follow(look)
        wanted = self._wanted(look)
        if look.anyone_gone or (look.free and wanted > len(look.mine)):
            self._store.write(self._take)
            look = self._look()
            self._follow(look)
        self._choose_leaving(look)

    def _look(self) -> _Look:
        with self._store.read() as connection:
            return self._read(connection)

    def _read(self, connection: Connection, *, gone_are_ended: bool = False) -> _Look:
        moment = database_time(connection, now=self._clock.now())
        there = processes.not_ended(connection)
        living = there if gone_are_ended else [each for each in there if each.lives(moment)]
        free = set(leases.free_ones(connection, living=[each.process_id for each in living]))
        return _Look(
            moment=moment,
            living=living,
            mine=leases.owned_by(connection, self.process_id) & self._accounts.keys(),
            free=[label for label in self._accounts if label in free],
            anyone_gone=len(living) < len(there),
        )

    def _follow(self, look: _Look) -> None:
        self._tell_of_strangers(look)
        with self._lock:
            came, went = look.mine - self._held, self._held - look.mine
            self._coming, self._held = came, look.mine
            self._leaving &= look.mine
            self._free = len(look.free)
            self._is_first = bool(look.living) and look.living[0].process_id == self.process_id
        for label in sorted(went):
            log.error("%s is held by this process no more, and nobody here has given it back", label)
        if came:
            log.info("this process holds %d of %d accounts", len(look.mine), len(self._accounts))
        for label in self._accounts:
            if label in came:
                self._on_taken(self._accounts[label])
        self._coming = frozenset()

    def _take(self, connection: Connection) -> None:
        """In the writing transaction, in which nobody else takes any."""
        now = self._clock.now()
        for gone in processes.declare_gone(connection, now=now):
            log.warning("process %s is not heard of any more; its accounts are free", gone.name)
        look = self._read(connection, gone_are_ended=True)
        room = self._wanted(look) - len(look.mine)
        if room > 0 and any(each.process_id == self.process_id for each in look.living):
            leases.take_all(connection, look.free[:room], owner=self.process_id, now=now)

    def _wanted(self, look: _Look) -> int:
        """How many accounts are this process's part now; whoever joins this very moment is counted."""
        if self._stop.is_set():
            return 0
        young = look.moment - timedelta(seconds=JOINING_SECONDS)
        return self._part_of(self._share, [each for each in look.living if each.takes_since or each.started_at > young])

    def _part_of(self, share: int | None, takers: Sequence[TradingProcess]) -> int:
        return share if share is not None else math.ceil(len(self._accounts) / max(1, len(takers)))

    def _choose_leaving(self, look: _Look) -> None:
        """Give back what is above this process's part, if another one has room for it by now; users before masters."""
        takers = [each for each in look.living if each.takes_since is not None]
        surplus = len(look.mine) - self._part_of(self._share, takers) - len(self._leaving)
        if surplus <= 0 or self._stop.is_set() or not self._has_room(takers):
            return
        stay = [label for label in self._accounts if label in look.mine and label not in self._leaving]
        chosen = stay[len(stay) - surplus :]
        log.info("another process takes accounts: %d of %d are given back", len(chosen), len(look.mine))
        with self._lock:
            self._leaving |= set(chosen)

    def _has_room(self, takers: Sequence[TradingProcess]) -> bool:
        with self._store.read() as connection:
            counts = leases.counts(connection)
        others = [each for each in takers if each.process_id != self.process_id]
        return any(counts.get(each.process_id, 0) < self._part_of(each.share, takers) for each in others)

    def _tell_of_strangers(self, look: _Look) -> None:
        """A user who is in one process's files and not in another's is planned for by whoever knows it."""
        own = next((each.accounts_sha256 for each in look.living if each.process_id == self.process_id), None)
        for each in look.living:
            if own is not None and each.accounts_sha256 != own and each.process_id not in self._strangers:
                self._strangers.add(each.process_id)
                log.warning("process %s was started with other accounts than this one: give both the same", each.name)

"""The kill switch of a running bot: asked before every entry, pulled by a person, a file or a signal.

What is stopped stands in the store (`bot.storage.halts`), so it is stopped after every restart too. While the store
does not take it, memory holds it; the file holds by being there.
"""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection

from bot.domain.errors import StoreUnavailable
from bot.domain.halt import Halt, HaltScope, HaltSource, HaltStrength
from bot.domain.veto import Veto, VetoRule
from bot.seams.clock import Clock, format_time
from bot.storage import halts
from bot.storage.intents import OrderIntent
from bot.storage.kill_file import KillFile, read_kill_file
from bot.storage.store import Store

log = logging.getLogger(__name__)

WRITE_SECONDS = 2.0


@dataclass(frozen=True)
class _Pull:
    """One pull that stops everything; it counts from this moment on, written down or not."""

    strength: HaltStrength
    reason: str
    by: str
    source: HaltSource
    at: datetime = field(compare=False)

    @property
    def sentence(self) -> str:
        because = f": {self.reason}" if self.reason else ""
        return f"everything is stopped since {self.at:%Y-%m-%d %H:%M:%S} UTC by {self.by} ({self.source}){because}"


class KillSwitch:
    """`look` is called about once a second by the main thread; everything else by any thread.

    `on_change` is told all halts in force whenever they have changed; `wake` when accounts have something to sell.
    """

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        state_dir: Path,
        on_change: Callable[[Sequence[Halt]], None] = lambda _halts: None,
        wake: Callable[[], None] = lambda: None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._state_dir = state_dir
        self._on_change = on_change
        self._wake = wake
        self._lock = threading.Lock()
        self._unwritten: list[_Pull] = []
        self._known: dict[int, Halt] = {}
        self._complained = False

    # -- the gate ---------------------------------------------------------------------------------------------------
    def veto(self, connection: Connection, intent: OrderIntent) -> Veto | None:
        """Why this entry may not leave now; exits are not asked about. Reads only: the store's own thread asks too."""
        # Memory before rows: what memory forgets in between is in rows that are read after it.
        stopped = self._stopped_in_memory()
        if not stopped:
            halt = halts.in_force(connection, intent.account_id, intent.symbol)
            if halt is not None:
                return _veto_of(halt)
            stopped = self._stopped_by_file()
        return Veto(VetoRule.HALTED, stopped) if stopped else None

    def admit(self, connection: Connection, intent: OrderIntent) -> Veto | None:
        """As an `EntryGate`."""
        return self.veto(connection, intent)

    def still(self, connection: Connection, intent: OrderIntent) -> Veto | None:
        """As an `EntryGate`."""
        return self.veto(connection, intent)

    def veto_all(self, connection: Connection, intents: Sequence[OrderIntent]) -> Mapping[str, Veto]:
        """`veto` for many, by client order id: memory, rows and file are looked at once."""
        stopped = self._stopped_in_memory()
        among = (
            {} if stopped else halts.in_force_among(connection, [(each.account_id, each.symbol) for each in intents])
        )
        vetoes = {}
        for each in intents:
            halt = among.get((each.account_id, each.symbol))
            if halt is not None:
                vetoes[each.client_order_id] = _veto_of(halt)
        if len(vetoes) < len(intents):
            stopped = stopped or self._stopped_by_file()
        if not stopped:
            return vetoes
        return {each.client_order_id: Veto(VetoRule.HALTED, stopped) for each in intents} | vetoes

    def admit_all(self, connection: Connection, intents: Sequence[OrderIntent]) -> Mapping[str, Veto]:
        """As an `EntryGate`."""
        return self.veto_all(connection, intents)

    def still_all(self, connection: Connection, intents: Sequence[OrderIntent]) -> Mapping[str, Veto]:
        """As an `EntryGate`."""
        return self.veto_all(connection, intents)

    def why_stopped(self, account_id: str) -> str:
        """Why the account enters nothing at all, or an empty text. Raises `StoreUnavailable`."""
        stopped = self._stopped_in_memory()
        if stopped:
            return stopped
        with self._store.read() as connection:
            halt = halts.in_force(connection, account_id)
        return self._stopped_by_file() if halt is None else halt.sentence

    def stopped_symbols(self) -> frozenset[str]:
        """Markets that nobody enters. Raises `StoreUnavailable`."""
        with self._store.read() as connection:
            return halts.halted_symbols(connection)

    def _stopped_in_memory(self) -> str:
        with self._lock:
            return self._unwritten[0].sentence if self._unwritten else ""

    def _stopped_by_file(self) -> str:
        file = read_kill_file(self._state_dir)
        if file is None:
            return ""
        if file.unreadable:
            # It cannot be said that nobody wants us to stop; once it can be said again, nothing is latched.
            return f"it cannot be seen whether {file.path} is there: {file.unreadable}"
        return self._latch(_pull_of(file, self._clock.now())).sentence

    # -- pulling it -------------------------------------------------------------------------------------------------
    def pull(
        self, *, source: HaltSource, reason: str, by: str, strength: HaltStrength = HaltStrength.ENTRIES_OFF
    ) -> None:
        """Stop everything at once; it is written down now or, if the store does not take it, as soon as it does."""
        self._latch(_Pull(strength, reason, by, source, self._clock.now()))
        self._write_down()

    def look(self) -> None:
        """See the file, write down what is not written yet, and tell who must know when halts came or went."""
        file = read_kill_file(self._state_dir)
        if file is not None and not file.unreadable:
            self._latch_unless_written(_pull_of(file, self._clock.now()))
        self._write_down()
        self._compare()

    def _latch(self, pull: _Pull) -> _Pull:
        with self._lock:
            if pull not in self._unwritten:
                self._unwritten.append(pull)
        return pull

    def _latch_unless_written(self, pull: _Pull) -> None:
        """A file that stays there is one halt, not one a second."""
        known = self._known.values()
        if not any(halt.scope is HaltScope.ALL and halt.strength is pull.strength for halt in known):
            self._latch(pull)

    def _write_down(self) -> None:
        with self._lock:
            waiting = list(self._unwritten)
        for pull in waiting:
            try:
                self._store.write(lambda connection, pull=pull: _set(connection, pull), timeout_seconds=WRITE_SECONDS)  # type: ignore[misc]
            except StoreUnavailable as error:
                self._complain(error)
                return
            with self._lock:
                # Only now: from here on the row stops what memory has stopped until now.
                self._unwritten.remove(pull)
        self._complained = self._complained and not waiting

    def _complain(self, error: StoreUnavailable) -> None:
        if not self._complained:
            log.critical("Everything is stopped, but that cannot be written down yet (tried again): %s", error)
        self._complained = True

    # -- telling ----------------------------------------------------------------------------------------------------
    def _compare(self) -> None:
        """Halts also come from other processes: commands write them into the store."""
        try:
            with self._store.read() as connection:
                found = {halt.id: halt for halt in halts.all_in_force(connection)}
        except StoreUnavailable as error:
            log.error("it cannot be read what is halted: %s", error)
            return
        came = [halt for number, halt in found.items() if number not in self._known]
        went = [halt for number, halt in self._known.items() if number not in found]
        self._known = found
        for halt in came:
            log.critical("HALTED: %s. python bot.py resume lifts it", halt.sentence)
        for halt in went:
            log.warning("Not halted any more: %s", halt.sentence)
        if came or went:
            self._on_change(list(found.values()))
        if any(halt.strength is HaltStrength.FLATTEN for halt in came):
            self._wake()


def _veto_of(halt: Halt) -> Veto:
    numbers = {"halt": str(halt.id), "scope": str(halt.scope), "target": halt.target, "set_by": halt.set_by}
    return Veto(VetoRule.HALTED, halt.sentence, numbers | {"set_at": format_time(halt.set_at)})


def _pull_of(file: KillFile, now: datetime) -> _Pull:
    strength = HaltStrength.FLATTEN if file.flatten else HaltStrength.ENTRIES_OFF
    return _Pull(strength, file.reason or f"the file {file.path} is there", file.owner, HaltSource.FILE, now)


def _set(connection: Connection, pull: _Pull) -> None:
    halts.set_halt(
        connection,
        scope=HaltScope.ALL,
        target="",
        strength=pull.strength,
        reason=pull.reason,
        set_by=pull.by,
        source=pull.source,
        now=pull.at,
    )

"""What becomes of an account whose thread has died or hangs: a new one soon, or a long pause and a probe."""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from bot.domain.account import AccountRef, BrokerType
from bot.domain.health import HealthState
from bot.execution.account_status import AccountStatus
from bot.multi_account_broker_manager import MultiAccountBrokerManager
from bot.seams.clock import Clock, format_time
from bot.seams.ids import IdSource
from bot.supervision.circuit import OPEN_SECONDS, Circuit, CircuitState
from bot.supervision.heart import beat
from bot.supervision.probes import Probe, lock_probe

log = logging.getLogger(__name__)

# Of one account: a second one that hangs for good within this time waits for the probe instead of hanging a third.
ZOMBIE_WINDOW_SECONDS = 600.0


@dataclass
class _Out:
    """An account that nobody trades for since it was given up; `named` is what its health says already."""

    reason: str
    named: tuple[CircuitState, int] | None = None


class AccountRevival:
    """Keeps who was given up, and brings them back. `give_up` is for the watchdog, the rest for the connectors.

    `on_restart` is told the account and why: `died`, `hung` or `probe`.
    """

    def __init__(
        self,
        *,
        manager: MultiAccountBrokerManager,
        statuses: Mapping[AccountRef, AccountStatus],
        clock: Clock,
        ids: IdSource,
        open_seconds: float = OPEN_SECONDS,
        on_restart: Callable[[AccountRef, str], None] = lambda _account, _why: None,
    ) -> None:
        self._manager = manager
        self._statuses = statuses
        self._clock = clock
        self._ids = ids
        self._open_seconds = open_seconds
        self._on_restart = on_restart
        self._lock = threading.Lock()
        self._circuits: dict[AccountRef, Circuit] = {}
        self._out: dict[AccountRef, _Out] = {}
        self._hung: dict[AccountRef, tuple[float, threading.Thread]] = {}

    def probes(self) -> Sequence[Probe]:
        """See `IndependentBrokerTrader.probes`."""
        return [lock_probe("the list of lost accounts", self._lock)]

    def give_up(self, account: AccountRef, reason: str, thread: threading.Thread) -> None:
        """Its thread hangs and was fenced off. Waits for nothing: the connector does what takes time."""
        again = self._hangs_again(account, thread)
        with self._lock:
            self._out[account] = _Out(reason)
        if again:
            self._circuit(account).open(f"a second thread of it hangs: {reason}")

    def may_restart(self, account: AccountRef) -> bool:
        """Whether a thread that died is started again now. One that died too often is taken out of the trade."""
        circuit = self._circuit(account)
        if circuit.may_start():
            circuit.started()
            self._on_restart(account, "died")
            return True
        if circuit.state is not CircuitState.CLOSED:
            with self._lock:
                self._out[account] = _Out(circuit.why)
        return False

    def forget(self, account: AccountRef) -> None:
        """It is not this process's to bring back."""
        with self._lock:
            self._out.pop(account, None)
            self._circuits.pop(account, None)

    def is_out(self, account: AccountRef) -> bool:
        """Whether nobody may start a thread for it now."""
        with self._lock:
            return account in self._out

    def step(self, broker: BrokerType) -> None:
        """Say what happened to this brokerage's accounts that are out, and bring back whose time has come."""
        with self._lock:
            out = [(account, each) for account, each in self._out.items() if account.broker is broker]
        for account, each in out:
            beat(f"bringing back {account.label}")
            try:
                self._bring_back(account, each)
            except Exception:
                # The others must get their turn, and this one its next.
                log.exception("%s could not be brought back", account.label)

    def _bring_back(self, account: AccountRef, each: _Out) -> None:
        circuit = self._circuit(account)
        if each.named is None:
            # What it had goes first: from here on nobody finds the old transport any more.
            self._manager.drop(account, each.reason)
        may_start = circuit.may_start()
        self._name(account, each, circuit)
        if may_start:
            circuit.started()
            self._on_restart(account, "hung")
            log.error("%s: connecting it anew in place of a hung thread", account.label)
            self._manager.connect_account(account)
            self._is_back(account, each)
        elif circuit.state is CircuitState.HALF_OPEN:
            self._probe(account, each, circuit)

    def _name(self, account: AccountRef, each: _Out, circuit: Circuit) -> None:
        if each.named == (circuit.state, circuit.openings):
            return
        each.named = (circuit.state, circuit.openings)
        state, reason = HealthState.QUARANTINED, each.reason
        if circuit.state is not CircuitState.CLOSED:
            at = format_time(self._clock.now() + timedelta(seconds=circuit.seconds_until_probe()))
            state, reason = HealthState.FAILED, f"{circuit.why}; a person may look at it, it is tried again at {at}"
        status = self._statuses[account]
        status.set_health(state, reason, error=True)
        status.waiting(reason)
        status.publish()

    def _probe(self, account: AccountRef, each: _Out, circuit: Circuit) -> None:
        """One connection and one balance."""
        log.warning("%s: a probe, because %s", account.label, circuit.why)
        self._on_restart(account, "probe")
        connected = self._manager.connect_account(account)
        reading = None if connected is None else connected.refresh_balance()
        works = reading is not None and reading.holdings is not None and not reading.reason
        circuit.probed(works=works)
        if works:
            self._is_back(account, each)
            return
        self._manager.drop(account, "the probe failed: " + (reading.reason if reading else "no connection"))

    def _is_back(self, account: AccountRef, each: _Out) -> None:
        with self._lock:
            if self._out.get(account) is each:
                del self._out[account]

    def _hangs_again(self, account: AccountRef, thread: threading.Thread) -> bool:
        """Whether an earlier thread of it still hangs, and that not for long enough to be forgiven."""
        now = self._clock.monotonic()
        since, earlier = self._hung.get(account, (float("-inf"), None))
        self._hung[account] = (now, thread)
        return earlier is not None and earlier.is_alive() and now - since <= ZOMBIE_WINDOW_SECONDS

    def _circuit(self, account: AccountRef) -> Circuit:
        with self._lock:
            if account not in self._circuits:
                self._circuits[account] = Circuit(clock=self._clock, ids=self._ids, open_seconds=self._open_seconds)
            return self._circuits[account]

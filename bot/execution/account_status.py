"""What is true of one account now: six facts with proofs, its phase, its balance. One row, written at each step."""

import json
import logging
import threading
from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection

from bot.domain.account import AccountRef
from bot.domain.balance import BalanceReading, Holdings
from bot.domain.errors import StoreUnavailable
from bot.domain.health import AccountHealth, HealthState, Phase
from bot.domain.money import plain
from bot.execution.phase_rules import FAILURES_IN_A_ROW, Recovery, phase_for, steps_to
from bot.seams.clock import Clock
from bot.storage import accounts
from bot.storage.store import Store
from bot.supervision.heart import beat

log = logging.getLogger(__name__)

# More readings than these between two writings are not worth a row each.
SNAPSHOTS_KEPT = 100
FACTS = ("configured", "authenticated", "permitted", "funded", "armed")
# The brokerage's word on the fee stands among the proofs.
TAKER_FEE = "taker_fee_percent"
_USUAL_PROOFS = {
    "configured": "the settings name it",
    "authenticated": "a signed call was answered",
    "armed": "its thread has begun",
}
_QUIET_STATES = (HealthState.STARTING, HealthState.HEALTHY, HealthState.STOPPED)


class AccountStatus:
    """Kept by the account's thread (and its connector before that); any thread may read `health` or ask `may_enter`.

    While it is not `is_ours`, because another process holds the account, nothing of it is written.
    """

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        account: AccountRef,
        mode: str,
        quote_currency: str = "USD",
        on_health: Callable[[AccountRef, AccountHealth], None] = lambda _account, _health: None,
        is_ours: Callable[[AccountRef], bool] = lambda _account: True,
    ) -> None:
        self._store = store
        self._clock = clock
        self._account = account
        self._on_health = on_health
        self._is_ours = is_ours
        self._mode = mode
        self._quote_currency = quote_currency
        # Never held while the store works: its thread asks `may_enter`, and must not wait for who waits for it.
        self._lock = threading.RLock()
        self._snapshot_of: datetime | None = None
        # Readings that are no rows yet.
        self._snapshots: list[dict[str, Any]] = []
        self._needs: Callable[[], str] = lambda: ""
        self._recovery = Recovery()
        self._proofs: dict[str, str] = {}
        self.health = self._new_health()
        self._values = self._new_values()
        on_health(account, self.health)

    def begin_anew(self) -> None:
        """The account has come to this process: what was true of it here before is true no more."""
        with self._lock:
            self._recovery = Recovery()
            self._snapshot_of, self._snapshots = None, []
            self._needs = lambda: ""
            self._proofs.clear()
            self._values = self._new_values()
            self.health = self._new_health()
        self._on_health(self._account, self.health)

    def _new_health(self) -> AccountHealth:
        now = self._clock.now()
        return AccountHealth(Phase.NEW, "not connected yet", now, not_ready_since=now)

    def _new_values(self) -> dict[str, Any]:
        """What an earlier run proved is no proof for this one."""
        return {f"{name}_at": None for name in FACTS} | {
            "mode": self._mode,
            "hydrated_at": None,
            "reconciled_at": None,
            "step": "",
            "waiting_for": "",
            "warning": "",
            "quote_currency": self._quote_currency,
            "balance_status": "unknown",
            "balance_reason": "no balance was read yet",
            "balance_errors": 0,
            "holdings_json": "{}",
        }

    # -- facts ------------------------------------------------------------------------------------------------------
    def fact(self, name: str, *, true: bool, proof: str = "") -> None:
        """One of the six facts became true or false. The time of its first proof is kept, and the words of its last."""
        with self._lock:
            column = f"{name}_at"
            if not true:
                self._values[column] = None
                self._proofs.pop(name, None)
                return
            if self._values.get(column) is None:
                self._values[column] = self._clock.now()
            self._proofs[name] = proof or self._proofs.get(name) or self._usual_proof(name)

    def moment(self, name: str, proof: str = "") -> None:
        """Something happened just now: `last_order`, `last_fill`."""
        with self._lock:
            self._values[f"{name}_at"] = self._clock.now()
            if proof:
                self._proofs[name] = proof

    def orders_go(self, text: str) -> bool:
        """How orders reach the venue now, and since when or why; empty = there is but one way. True if that is new."""
        with self._lock:
            is_new = text not in ("", self._proofs.get("orders"))
            if is_new:
                self._proofs["orders"] = text
            return is_new

    def taker_fee(self, percent: Decimal | None) -> None:
        """What the brokerage has told of one fee for all its markets, in percent of the notional; None = nothing."""
        if percent is not None:
            with self._lock:
                self._proofs[TAKER_FEE] = plain(percent)

    def waiting(self, text: str) -> None:
        """What the account waits for, in the operator's words; empty = nothing."""
        with self._lock:
            self._values["waiting_for"] = text

    @property
    def waiting_for(self) -> str:
        return str(self._values["waiting_for"])

    def warn(self, text: str) -> None:
        """What somebody should change although the account works; shown until the next word, empty = nothing."""
        with self._lock:
            self._values["warning"] = text

    def step(self, name: str) -> None:
        """The step the account's thread is in; not written by itself. Raises `Fenced` in a thread that was given up."""
        beat(name)
        with self._lock:
            self._values["step"] = name

    def balance(self, reading: BalanceReading, *, with_the_row: bool = False) -> None:
        """Take over a reading; a new one also becomes a snapshot row, at once or with the account's own.

        At once for whatever a signal may be a share of: a master's trade is sized by the last balance before it.
        """
        with self._lock:
            self._values |= {
                "balance_status": str(reading.status),
                "balance_reason": reading.reason,
                "balance_errors": reading.error_count,
            }
            snapshot = None if reading.holdings is None else self._take_holdings(reading.holdings)
            if reading.error_count:
                self._recovery.failed(reading.error_count)
            recovered = snapshot is not None and not reading.reason and self._recovery.another_reading()
            if snapshot is not None:
                self._snapshots.append(snapshot)
                del self._snapshots[:-SNAPSHOTS_KEPT]
            snapshots = [] if with_the_row else self._snapshots
            if snapshots:
                self._snapshots = []
        if snapshots:
            self._write(lambda connection: self._add_snapshots(connection, snapshots))
        if reading.error_count >= FAILURES_IN_A_ROW and self.health.phase is Phase.READY:
            self.set_phase(Phase.DEGRADED, f"balance {reading.status}: {reading.reason}")
        elif recovered:
            self.move_to(Phase.READY)

    # -- health -----------------------------------------------------------------------------------------------------
    def needs(self, missing: Callable[[], str]) -> None:
        """What `READY` needs of this account: a sentence while something is missing. Quick, for any thread to ask."""
        self._needs = missing

    def may_enter(self) -> str:
        """Why the account may enter nothing now, or an empty text. Takes no lock and asks nobody: for any thread."""
        health = self.health
        if health.phase is not Phase.READY:
            return f"{health.phase}: {health.reason}" if health.reason else str(health.phase)
        return self._needs()

    def cycle_done(self) -> None:
        """A cycle ran to its end."""
        with self._lock:
            self._replace(cycles=self.health.cycles + 1, last_cycle_at=self._clock.now(), error_count=0)

    def set_phase(self, phase: Phase, reason: str = "", *, error: bool = False) -> bool:
        """The next step, if it may follow the present one; otherwise it is logged and nothing changes.

        The same phase again takes over the reason. Asked for `READY`, an account that lacks something for it, or that
        has just failed several times, becomes or stays `DEGRADED` and says why.
        """
        with self._lock:
            old = self.health
            steps = steps_to(old.phase, phase, at_once=True)
            if steps is None:
                log.error("%s stays %s: %s may not follow it (%s)", self._account.label, old.phase, phase, reason)
                return False
            trail = self._go(steps, reason, error=error)
        self._tell(old, trail)
        return True

    def move_to(self, phase: Phase, reason: str = "", *, error: bool = False) -> None:
        """To this phase by the shortest legal way; each step on it is a row."""
        with self._lock:
            old = self.health
            trail = self._go(steps_to(old.phase, phase) or (), reason, error=error)
        self._tell(old, trail)

    def set_health(self, state: HealthState, reason: str = "", *, error: bool = False) -> None:
        """The phase that belongs to a health word, from the present one. A cut-off or stopped account stays so."""
        with self._lock:
            old = self.health
            phase = phase_for(state, old.phase, key_refused=self._values["authenticated_at"] is None)
            if phase is None:
                log.info("%s stays %s; %s (%s) is not heard", self._account.label, old.phase, state, reason)
                return
            trail = self._go(steps_to(old.phase, phase) or (), reason, error=error)
        self._tell(old, trail)

    def recovered(self) -> None:
        """Books and venue were compared for the first time: from here on it may enter, if nothing else is missing."""
        if self.health.phase in (Phase.NEW, Phase.STARTING, Phase.RECOVERING):
            self.move_to(Phase.READY)

    def publish(self) -> None:
        """Write the row. A store that does not take it is logged; the account goes on."""
        with self._lock:
            values = dict(self._values) | self._health_columns() | {"updated_at": self._clock.now()}
            values["proofs_json"] = json.dumps(self._proofs)
            snapshots, self._snapshots = self._snapshots, []

        def work(connection: Connection) -> None:
            self._add_snapshots(connection, snapshots)
            accounts.save_state(connection, self._account.label, values)

        self._write(work)

    def _add_snapshots(self, connection: Connection, snapshots: Sequence[dict[str, Any]]) -> None:
        for snapshot in snapshots:
            accounts.add_balance_snapshot(connection, self._account.label, snapshot)

    # -- inside -----------------------------------------------------------------------------------------------------
    def _go(self, steps: Sequence[Phase], reason: str, *, error: bool) -> list[AccountHealth]:
        """Take the steps, under the lock; what the health was after each."""
        if error:
            self._recovery.failed(self.health.error_count + 1)
        trail = []
        for phase in steps:
            landed, why = (phase, reason) if phase is not Phase.READY else self._readiness(reason)
            count = self.health.error_count + (1 if error and phase is steps[-1] else 0)
            self._replace(phase=landed, reason=why, error_count=count)
            trail.append(self.health)
        return trail

    def _readiness(self, reason: str) -> tuple[Phase, str]:
        missing = self._needs() or self._recovery.still_owed()
        return (Phase.DEGRADED, missing) if missing else (Phase.READY, reason)

    def _replace(self, **changes: Any) -> None:
        """A new health; the times that follow from the phase are set here."""
        old, now = self.health, self._clock.now()
        phase: Phase = changes.get("phase", old.phase)
        values = {name: getattr(old, name) for name in AccountHealth.__dataclass_fields__} | changes
        values["since"] = old.since if phase.health is old.state else now
        values["not_ready_since"] = None if phase is Phase.READY else old.not_ready_since or now
        self.health = AccountHealth(**values)
        self._on_health(self._account, self.health)

    def _tell(self, old: AccountHealth, trail: Sequence[AccountHealth]) -> None:
        """Log and store what changed, outside the lock."""
        changes = []
        for before, after in zip([old, *trail], trail, strict=False):
            if before.phase is not after.phase:
                changes.append(accounts.transition(before, after, at=self._clock.now()))
        if not changes:
            return
        self._log_change(old, trail[-1])
        self._write(lambda connection: accounts.add_health_transitions(connection, self._account.label, changes))

    def _log_change(self, old: AccountHealth, new: AccountHealth) -> None:
        because = f" ({new.reason})" if new.reason else ""
        if old.state is not new.state:
            level = logging.INFO if new.state in _QUIET_STATES else logging.WARNING
            log.log(level, "%s health: %s%s, was %s", self._account.label, new.state, because, old.state)
        elif old.phase is not new.phase:
            log.info("%s phase: %s%s, was %s", self._account.label, new.phase, because, old.phase)

    def _health_columns(self) -> dict[str, Any]:
        health = self.health
        return {
            "health": str(health.state),
            "phase": str(health.phase),
            "health_reason": health.reason,
            "health_since": health.since,
            "cycles": health.cycles,
            "last_cycle_at": health.last_cycle_at,
            "error_count": health.error_count,
        }

    def _usual_proof(self, name: str) -> str:
        if name == "funded" and "cash_available" in self._values:
            return f"the balance read shows {self._values['cash_available']:.2f} {self._values['quote_currency']} free"
        return _USUAL_PROOFS.get(name, "")

    def _take_holdings(self, holdings: Holdings) -> dict[str, Any] | None:
        """Keep the holdings; gives back the snapshot's row if they are new."""
        cash = holdings.of(self._values["quote_currency"])
        self._values |= {
            "balance_taken_at": holdings.taken_at,
            "cash_available": cash.available,
            "cash_held": cash.held,
            "holdings_json": _holdings_json(holdings),
        }
        if self._snapshot_of == holdings.taken_at:
            return None
        self._snapshot_of = holdings.taken_at
        return {
            "taken_at": holdings.taken_at,
            "quote_currency": self._values["quote_currency"],
            "cash_available": cash.available,
            "cash_held": cash.held,
        }

    def _write(self, work: Callable[[Connection], None]) -> None:
        if not self._is_ours(self._account):
            return  # its row is another process's to write
        try:
            self._store.write(work)
        except StoreUnavailable as error:
            log.error("%s: its state was not written: %s", self._account.label, error)


def _holdings_json(holdings: Holdings) -> str:
    return json.dumps(
        {
            asset: {"available": plain(balance.available), "held": plain(balance.held)}
            for asset, balance in sorted(holdings.assets.items())
            if balance.total
        }
    )

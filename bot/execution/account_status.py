"""What is true of one account now: six facts, health, balance. One row, overwritten at each step."""

import json
import logging
import threading
from collections.abc import Callable
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from bot.domain.account import AccountRef
from bot.domain.balance import BalanceReading, Holdings
from bot.domain.errors import StoreUnavailable
from bot.domain.health import AccountHealth, HealthState
from bot.domain.money import plain
from bot.seams.clock import Clock
from bot.storage import accounts
from bot.storage.store import Store

log = logging.getLogger(__name__)

FACTS = ("configured", "authenticated", "permitted", "funded", "armed")
_QUIET_STATES = (HealthState.STARTING, HealthState.HEALTHY, HealthState.STOPPED)


class AccountStatus:
    """Kept by the account's thread (and its connector before that); any thread may read `health`."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        account: AccountRef,
        mode: str,
        quote_currency: str = "USD",
        on_health: Callable[[AccountRef, AccountHealth], None] = lambda _account, _health: None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._account = account
        self._on_health = on_health
        self._lock = threading.RLock()
        self._snapshot_of: datetime | None = None
        self.health = AccountHealth(HealthState.STARTING, "not connected yet", clock.now())
        # What an earlier run proved is no proof for this one.
        self._values: dict[str, Any] = {f"{name}_at": None for name in FACTS} | {
            "mode": mode,
            "hydrated_at": None,
            "reconciled_at": None,
            "step": "",
            "waiting_for": "",
            "quote_currency": quote_currency,
            "balance_status": "unknown",
            "balance_reason": "no balance was read yet",
            "balance_errors": 0,
            "holdings_json": "{}",
        }
        on_health(account, self.health)

    def fact(self, name: str, *, true: bool) -> None:
        """One of the six facts became true or false; the time of its first proof is kept."""
        with self._lock:
            column = f"{name}_at"
            if not true:
                self._values[column] = None
            elif self._values.get(column) is None:
                self._values[column] = self._clock.now()

    def moment(self, name: str) -> None:
        """Something happened just now: `last_order`, `last_fill`."""
        with self._lock:
            self._values[f"{name}_at"] = self._clock.now()

    def waiting(self, text: str) -> None:
        """What the account waits for, in the operator's words; empty = nothing."""
        with self._lock:
            self._values["waiting_for"] = text

    def step(self, name: str) -> None:
        """The step the account's thread is in; not written by itself."""
        with self._lock:
            self._values["step"] = name

    def balance(self, reading: BalanceReading) -> None:
        """Take over a reading; a new one also becomes a snapshot row."""
        with self._lock:
            self._values |= {
                "balance_status": str(reading.status),
                "balance_reason": reading.reason,
                "balance_errors": reading.error_count,
            }
            if reading.holdings is not None:
                self._take_holdings(reading.holdings)

    def cycle_done(self) -> None:
        with self._lock:
            health = self.health
            self._replace_health(cycles=health.cycles + 1, last_cycle_at=self._clock.now(), error_count=0)

    def set_health(self, state: HealthState, reason: str = "", *, error: bool = False) -> None:
        """Change health; only a change of state is logged and becomes a row."""
        with self._lock:
            old = self.health
            count = old.error_count + 1 if error else old.error_count
            since = old.since if old.state is state else self._clock.now()
            self._replace_health(state=state, reason=reason, since=since, error_count=count)
            changed = old.state is not state
        if changed:
            self._log_change(old, state, reason)
            self._write(
                lambda connection: accounts.add_health_transition(
                    connection,
                    self._account.label,
                    at=self._clock.now(),
                    old=str(old.state),
                    new=str(state),
                    reason=reason,
                )
            )

    def publish(self) -> None:
        """Write the row. A store that does not take it is logged; the account goes on."""
        with self._lock:
            values = dict(self._values) | self._health_columns() | {"updated_at": self._clock.now()}
        self._write(lambda connection: accounts.save_state(connection, self._account.label, values))

    def _health_columns(self) -> dict[str, Any]:
        health = self.health
        return {
            "health": str(health.state),
            "health_reason": health.reason,
            "health_since": health.since,
            "cycles": health.cycles,
            "last_cycle_at": health.last_cycle_at,
            "error_count": health.error_count,
        }

    def _take_holdings(self, holdings: Holdings) -> None:
        cash = holdings.of(self._values["quote_currency"])
        self._values |= {
            "balance_taken_at": holdings.taken_at,
            "cash_available": cash.available,
            "cash_held": cash.held,
            "holdings_json": _holdings_json(holdings),
        }
        if self._snapshot_of == holdings.taken_at:
            return
        self._snapshot_of = holdings.taken_at
        row = {
            "taken_at": holdings.taken_at,
            "quote_currency": self._values["quote_currency"],
            "cash_available": cash.available,
            "cash_held": cash.held,
        }
        self._write(lambda connection: accounts.add_balance_snapshot(connection, self._account.label, row))

    def _replace_health(self, **changes: Any) -> None:
        values = {name: getattr(self.health, name) for name in AccountHealth.__dataclass_fields__} | changes
        self.health = AccountHealth(**values)
        self._on_health(self._account, self.health)

    def _log_change(self, old: AccountHealth, state: HealthState, reason: str) -> None:
        level = logging.INFO if state in _QUIET_STATES else logging.WARNING
        because = f" ({reason})" if reason else ""
        log.log(level, "%s health: %s%s, was %s", self._account.label, state, because, old.state)

    def _write(self, work: Callable[[Connection], None]) -> None:
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

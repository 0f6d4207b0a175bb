"""What was decided about each position in a cycle, written down: how it stands, and each change of that."""

import logging
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection

from bot.account_desk import AccountDesk
from bot.domain.errors import Fenced, StoreUnavailable
from bot.domain.money import plain
from bot.seams.clock import Clock, format_time
from bot.storage import positions
from bot.storage.exit_states import ExitState, exit_states_of, forget_exit_state, forget_exit_states, save_exit_state
from bot.storage.store import Store
from bot.strategies.exits import ExitDecision, ExitRule

log = logging.getLogger(__name__)


class ExitRecords:
    """Of any account, in that account's thread. A record that cannot be written keeps no exit from running."""

    def __init__(self, *, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        # Accounts that certainly have no rows.
        self._without: set[str] = set()

    def write(
        self,
        desk: AccountDesk,
        states: Sequence[ExitState],
        *,
        highest: Mapping[str, Decimal] | None = None,
        orders: Mapping[str, str] | None = None,
    ) -> None:
        """The states of some positions, the new highest bids, and the order that came of a state, by symbol.

        Rows of positions that have ended are dropped. Raises `Fenced` alone.
        """
        label = desk.account.label

        def work(connection: Connection) -> None:
            for symbol, price in (highest or {}).items():
                positions.raise_highest_price(connection, label, symbol, price)
            for state in states:
                _save(connection, state, (orders or {}).get(state.symbol))
            forget_exit_states(connection, label, still=positions.symbols_held(connection, label))

        if states or highest:
            self._without.discard(label)
            self._guarded(desk, work)

    def drop(self, desk: AccountDesk) -> None:
        """The account holds nothing any more."""
        label = desk.account.label
        if label in self._without:
            return

        def work(connection: Connection) -> None:
            forget_exit_states(connection, label, still=positions.symbols_held(connection, label))

        try:
            with self._store.read() as connection:
                has_rows = bool(exit_states_of(connection, label))
        except (ValueError, ArithmeticError, StoreUnavailable):
            has_rows = True
        if not has_rows or self._guarded(desk, work):
            self._without.add(label)

    def _guarded(self, desk: AccountDesk, work: Any) -> bool:
        try:
            self._store.write(work)
        except Fenced:
            raise
        except StoreUnavailable as error:
            log.warning("%s: how its positions stand was not written down: %s", desk.account.label, error)
        except Exception:
            log.exception("%s: how its positions stand could not be written down", desk.account.label)
        else:
            return True
        return False


def _save(connection: Connection, state: ExitState, client_order_id: str | None) -> None:
    """A row of before that makes no sense gives way to the new one."""
    try:
        save_exit_state(connection, state, client_order_id=client_order_id)
    except (ValueError, ArithmeticError):
        forget_exit_state(connection, state.account_id, state.symbol)
        save_exit_state(connection, state, client_order_id=client_order_id)


def rules_of(decision: ExitDecision) -> dict[str, dict[str, Any]]:
    """Every rule in force with its level, as the rows have it; amounts as text."""
    rules: dict[str, dict[str, Any]] = {
        str(rule): {
            "level": plain(state.level),
            "distance_percent": f"{state.distance_percent:.4f}",
            "armed": state.armed,
        }
        for rule, state in decision.states.items()
    }
    if decision.time is not None:
        rules[str(ExitRule.TIME)] = {"due_at": format_time(decision.time.due_at), "armed": True}
    return rules

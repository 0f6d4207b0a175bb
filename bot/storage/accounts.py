"""Rows of accounts: who they are, and what is true of them now."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, select, update

from bot.domain.account import AccountRef
from bot.domain.health import AccountHealth, Phase
from bot.storage.schema import account, account_state, balance_snapshot, health_transition

_SAVE_STATE = update(account_state).where(account_state.c.account_id == bindparam("the_account"))
_STATE = select(account_state).where(account_state.c.account_id == bindparam("account_id"))
_ADD_SNAPSHOT = insert(balance_snapshot)
_FIRST_SEEN = select(account.c.first_seen_at).where(account.c.account_id == bindparam("account_id"))
_BALANCE_BEFORE = (
    select(balance_snapshot)
    .where(balance_snapshot.c.account_id == bindparam("account_id"), balance_snapshot.c.taken_at < bindparam("moment"))
    .order_by(balance_snapshot.c.taken_at.desc(), balance_snapshot.c.id.desc())
    .limit(1)
)


def remember_account(connection: Connection, ref: AccountRef, *, name: str, enabled: bool, now: datetime) -> None:
    """Add the account or refresh its name; an account is never deleted."""
    values = {"name": name, "enabled": enabled}
    if connection.execute(update(account).where(account.c.account_id == ref.label).values(values)).rowcount:
        return
    connection.execute(
        insert(account).values(
            account_id=ref.label,
            broker=str(ref.broker),
            account_type=str(ref.account_type),
            user_id=ref.user_id,
            first_seen_at=now,
            **values,
        )
    )


def save_state(connection: Connection, account_id: str, values: Mapping[str, Any]) -> None:
    """Overwrite the account's present state; the first write must name every column."""
    changed = connection.execute(_SAVE_STATE, {"the_account": account_id, **values})
    if not changed.rowcount:
        connection.execute(insert(account_state).values(account_id=account_id, **values))


def transition(old: AccountHealth, new: AccountHealth, *, at: datetime) -> dict[str, Any]:
    """The row of one change of phase."""
    return {
        "at": at,
        "old": str(old.state),
        "new": str(new.state),
        "old_phase": str(old.phase),
        "new_phase": str(new.phase),
        "reason": new.reason,
    }


def add_health_transitions(connection: Connection, account_id: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """In their order."""
    connection.execute(insert(health_transition), [{"account_id": account_id, **row} for row in rows])


def add_balance_snapshot(connection: Connection, account_id: str, values: Mapping[str, Any]) -> None:
    connection.execute(_ADD_SNAPSHOT, {"account_id": account_id, **values})


def balance_before(connection: Connection, account_id: str, moment: datetime) -> Row[Any] | None:
    """The last balance read before a moment, or None: then it is not known."""
    return connection.execute(_BALANCE_BEFORE, {"account_id": account_id, "moment": moment}).first()


def states(connection: Connection) -> Sequence[Row[Any]]:
    """Every account ever seen with its state (null columns where it never had one), masters first."""
    query = (
        select(account, *[column for column in account_state.c if column.name != "account_id"])
        .select_from(account.outerjoin(account_state))
        .order_by(account.c.broker, account.c.account_type, account.c.user_id)
    )
    return connection.execute(query).all()


def health_of(connection: Connection, account_id: str) -> AccountHealth | None:
    """How an account is, as whichever process holds it has written last; None = nobody has yet."""
    row = connection.execute(_STATE, {"account_id": account_id}).first()
    if row is None:
        return None
    phase = Phase(row.phase or Phase.NEW)
    return AccountHealth(
        phase=phase,
        reason=row.health_reason,
        since=row.health_since,
        cycles=row.cycles,
        last_cycle_at=row.last_cycle_at,
        error_count=row.error_count,
        not_ready_since=None if phase is Phase.READY else row.health_since,
    )


def first_seen_at(connection: Connection, account_id: str) -> datetime:
    """When this installation first knew the account."""
    moment: datetime = connection.execute(_FIRST_SEEN, {"account_id": account_id}).scalar_one()
    return moment

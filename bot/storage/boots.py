"""Rows of starts: when each began, which build it was, whether it settled, and how it ended.

A start that neither settled nor ended by itself has crashed. Too many of them in a row turn entries off by a halt,
which a person lifts.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update

from bot import exit_codes
from bot.domain.halt import Halt, HaltScope, HaltSource, HaltStrength
from bot.storage import halts
from bot.storage.schema import boot, halt

# Who sets the halt.
SAFE_MODE_BY = "NIJA (safe mode)"
# Such an end before a start has settled is no crash: it was asked to, or had said what is wrong and what to do.
NO_CRASH = frozenset(
    {
        exit_codes.OK,
        exit_codes.SOMETHING_WRONG,
        exit_codes.WRONG_USE,
        exit_codes.ALREADY_RUNNING,
        exit_codes.UNCLEAN_STOP,
        exit_codes.LEASE_LOST,
    }
)
_LOOKED_AT = 1000


def begin_boot(connection: Connection, *, build: str, configuration: str, now: datetime) -> int:
    """Write one more start down; returns its number."""
    values = {"started_at": now, "build": build, "configuration": configuration, "detail": ""}
    key = connection.execute(insert(boot).values(values)).inserted_primary_key
    assert key is not None
    number: int = key[0]
    return number


def settle_boot(connection: Connection, number: int, *, now: datetime) -> None:
    """It has run for long enough: whatever happens from here on, the start itself was good."""
    connection.execute(update(boot).where(boot.c.id == number).values(settled_at=now))


def end_boot(connection: Connection, number: int, *, exit_code: int, detail: str, now: datetime) -> None:
    """It ended by itself."""
    connection.execute(update(boot).where(boot.c.id == number).values(ended_at=now, exit_code=exit_code, detail=detail))


def latest_boots(connection: Connection, *, limit: int) -> Sequence[Row[Any]]:
    """Newest first."""
    return connection.execute(select(boot).order_by(boot.c.id.desc()).limit(limit)).all()


def has_crashed(row: Row[Any]) -> bool:
    """Whether a start that is not the present one never settled, and did not end in a way that is nobody's fault."""
    return row.settled_at is None and (row.ended_at is None or row.exit_code not in NO_CRASH)


def crashed_in_a_row(connection: Connection) -> Sequence[Row[Any]]:
    """The newest starts, newest first, as far as all of them crashed; none from before somebody ended safe mode.

    To be asked before the present start is written down.
    """
    since = connection.execute(select(func.max(halt.c.lifted_at)).where(halt.c.set_by == SAFE_MODE_BY)).scalar()
    found = []
    for row in latest_boots(connection, limit=_LOOKED_AT):
        if not has_crashed(row) or (since is not None and row.started_at <= since):
            break
        found.append(row)
    return found


def enter_safe_mode(connection: Connection, *, crashed: int, first_at: datetime, now: datetime) -> Halt:
    """Entries are off for everything until a person resumes; what is open is recovered, reconciled and sold as ever.

    Also while a person has stopped everything: whoever lifts that must see why else nothing is to be bought.
    """
    if (known := safe_mode(connection)) is not None:
        return known
    reason = (
        f"safe mode: the last {crashed} starts, from {first_at:%Y-%m-%d %H:%M:%S} UTC on, crashed before they had "
        "settled. What is held is looked after and sold by its rules, and nothing is bought. Find in the log why they "
        "crashed, then resume"
    )
    return halts.add_halt(
        connection,
        scope=HaltScope.ALL,
        target="",
        strength=HaltStrength.ENTRIES_OFF,
        reason=reason,
        set_by=SAFE_MODE_BY,
        source=HaltSource.BOT,
        now=now,
    )


def safe_mode(connection: Connection) -> Halt | None:
    """The halt of crashed starts, while it is in force."""
    return next((one for one in halts.all_in_force(connection) if one.set_by == SAFE_MODE_BY), None)

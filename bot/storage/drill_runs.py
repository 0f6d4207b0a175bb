"""Rows of drills: what was tried on a throw-away exchange, when, with which build, and whether it passed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, func, insert, select

from bot.storage.schema import drill_run

# Older ones of a name are removed: what counts is when it was last tried, and whether it passed before.
KEPT_OF_EACH = 50


@dataclass(frozen=True, kw_only=True)
class DrillRun:
    """`milliseconds` is all of it, starts and stops included; `detail_json` holds its steps."""

    name: str
    at: datetime
    build: str
    passed: bool
    milliseconds: int
    detail_json: str


def add_run(connection: Connection, run: DrillRun) -> None:
    """Write it down and forget those of its name that are too old to matter."""
    connection.execute(
        insert(drill_run).values(
            name=run.name,
            at=run.at,
            build=run.build,
            passed=run.passed,
            milliseconds=run.milliseconds,
            detail_json=run.detail_json,
        )
    )
    of_name = drill_run.c.name == run.name
    newest = select(drill_run.c.id).where(of_name).order_by(drill_run.c.id.desc()).limit(KEPT_OF_EACH)
    connection.execute(delete(drill_run).where(of_name, drill_run.c.id.not_in(newest)))


def last_runs(connection: Connection) -> Sequence[DrillRun]:
    """The newest of each name, by name."""
    newest = select(func.max(drill_run.c.id)).group_by(drill_run.c.name)
    rows = connection.execute(select(drill_run).where(drill_run.c.id.in_(newest)).order_by(drill_run.c.name))
    return [
        DrillRun(
            name=row.name,
            at=row.at,
            build=row.build,
            passed=row.passed,
            milliseconds=row.milliseconds,
            detail_json=row.detail_json,
        )
        for row in rows
    ]

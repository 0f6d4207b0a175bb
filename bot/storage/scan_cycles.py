"""Rows of scans: a master's looks at all markets, and the cycles in which it did not look and why."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Row, insert, select

from bot.storage.schema import scan_cycle

Counts = Mapping[str, Mapping[str, int]]


@dataclass(frozen=True, kw_only=True)
class ScanCycle:
    """One look of one master. Counts are of markets; `seconds` is how long it took.

    `counts` says by stage (filtered, held, missing, no_entry, vetoed) how many markets ended there by which rule.
    `waiting` is why nothing was looked for; then there is nothing to count.
    """

    account_id: str
    at: datetime
    strategy: str = ""
    seconds: Decimal = Decimal(0)
    waiting: str = ""
    listed: int = 0
    passed: int = 0
    ready: int = 0
    signals: int = 0
    ordered: int = 0
    counts: Counts = field(default_factory=dict)
    id: int | None = None

    def of(self, stage: str) -> int:
        """How many markets ended at this stage."""
        return sum(self.counts.get(stage, {}).values())

    @property
    def mismatch(self) -> str:
        """Where a step does not add up to the one above it, in a sentence; empty = all of them do."""
        steps = (
            ("listed", self.listed, "filtered + held + passed", self.of("filtered") + self.of("held") + self.passed),
            ("passed", self.passed, "missing + asked", self.of("missing") + self.ready),
            ("asked", self.ready, "no entry + signals", self.of("no_entry") + self.signals),
            ("signals", self.signals, "vetoed + ordered", self.of("vetoed") + self.ordered),
        )
        wrong = [f"{name} {whole}, but {parts} are {total}" for name, whole, parts, total in steps if whole != total]
        return "; ".join(wrong)


def add_scan(connection: Connection, scan: ScanCycle) -> int:
    """Write it down; returns its id, by which decisions and words of markets refer to it."""
    values = {
        "account_id": scan.account_id,
        "at": scan.at,
        "seconds": scan.seconds,
        "waiting": scan.waiting,
        "strategy": scan.strategy,
        "listed": scan.listed,
        "passed": scan.passed,
        "ready": scan.ready,
        "signals": scan.signals,
        "ordered": scan.ordered,
        "counts_json": json.dumps(scan.counts),
    }
    key = connection.execute(insert(scan_cycle).values(values)).inserted_primary_key
    assert key is not None, "a table with a primary key gives it"
    return int(key[0])


def last_scan(connection: Connection, account_id: str) -> ScanCycle | None:
    """The newest row, be it a look or a waiting."""
    found = scans_of(connection, account_id, limit=1)
    return found[0] if found else None


def scans_of(
    connection: Connection, account_id: str, *, since: datetime | None = None, limit: int | None = None
) -> Sequence[ScanCycle]:
    """The newest first."""
    query = select(scan_cycle).where(scan_cycle.c.account_id == account_id)
    if since is not None:
        query = query.where(scan_cycle.c.at >= since)
    query = query.order_by(scan_cycle.c.at.desc(), scan_cycle.c.id.desc()).limit(limit)
    return [_scan(row) for row in connection.execute(query)]


def _scan(row: Row[Any]) -> ScanCycle:
    return ScanCycle(
        id=row.id,
        account_id=row.account_id,
        at=row.at,
        strategy=row.strategy,
        seconds=row.seconds,
        waiting=row.waiting,
        listed=row.listed,
        passed=row.passed,
        ready=row.ready,
        signals=row.signals,
        ordered=row.ordered,
        counts=json.loads(row.counts_json),
    )

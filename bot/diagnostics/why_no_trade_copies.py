"""A user's funnel: the master's entries, how many of them were copied, and what kept it from the others."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, select

from bot.domain.order import OrderKind
from bot.domain.signal import CopyStatus
from bot.storage.schema import copy_result, signal

_COPIED = (CopyStatus.COPIED, CopyStatus.PARTLY_COPIED)
_OPEN = (CopyStatus.PLANNED,)


@dataclass(frozen=True)
class CopyFunnel:
    """Entries: `signals` = copied + under way + `reasons` (skipped, failed or superseded, by reason)."""

    signals: int
    copied: int
    under_way: int
    reasons: Sequence[tuple[str, int]]
    first_at: datetime | None
    last_at: datetime | None
    # The newest sentence of each reason.
    details: dict[str, str]

    @property
    def not_copied(self) -> int:
        return sum(number for _, number in self.reasons)


def copies_of(
    connection: Connection,
    account_id: str,
    *,
    symbol: str | None = None,
    kind: OrderKind | None = OrderKind.ENTRY,
    since: datetime | None = None,
    limit: int | None = None,
) -> Sequence[Row[Any]]:
    """Copies with their signals, the newest signal first."""
    query: Select[Any] = (
        select(
            signal.c.signal_id, signal.c.symbol, signal.c.side, signal.c.kind, signal.c.executed_at,
            copy_result.c.status, copy_result.c.reason, copy_result.c.detail, copy_result.c.planned_quantity,
            copy_result.c.filled_quantity, copy_result.c.last_error, copy_result.c.client_order_id,
        )
        .join(copy_result, copy_result.c.signal_id == signal.c.signal_id)
        .where(copy_result.c.account_id == account_id)
    )  # fmt: skip
    if kind is not None:
        query = query.where(signal.c.kind == str(kind))
    if symbol is not None:
        query = query.where(signal.c.symbol == symbol)
    if since is not None:
        query = query.where(signal.c.executed_at >= since)
    return connection.execute(query.order_by(signal.c.sequence.desc()).limit(limit)).all()


def copy_funnel(rows: Sequence[Row[Any]]) -> CopyFunnel:
    """Of the rows of `copies_of`."""
    missed = [row for row in rows if row.status not in (*_COPIED, *_OPEN)]
    reasons = Counter(row.reason or row.status for row in missed)
    details: dict[str, str] = {}
    for row in missed:
        details.setdefault(row.reason or row.status, row.detail)
    return CopyFunnel(
        signals=len(rows),
        copied=sum(row.status in _COPIED for row in rows),
        under_way=sum(row.status in _OPEN for row in rows),
        reasons=reasons.most_common(),
        first_at=rows[-1].executed_at if rows else None,
        last_at=rows[0].executed_at if rows else None,
        details=details,
    )


def copy_obstacle(funnel: CopyFunnel) -> str:
    """What kept the user most from copying."""
    if not funnel.signals:
        return "Its master has made no entry for it to copy"
    if not funnel.reasons:
        return f"Nothing was in the way: {funnel.copied} of {funnel.signals} entries were copied"
    reason, number = funnel.reasons[0]
    because = f" ({funnel.details[reason]})" if funnel.details.get(reason) else ""
    return (
        f"{funnel.copied} of {funnel.signals} entries were copied; of {funnel.not_copied} that were not, most "
        f"({number}) for {reason.replace('_', ' ')}{because}"
    )

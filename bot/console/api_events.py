"""What has happened last, of every kind in one list: signals, copies, fills, halts, health, vetoes, limits."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, Table, select

from bot.console.answers import Asked
from bot.console.query_words import moment, number, wanted_account
from bot.diagnostics.row_fields import shown
from bot.domain.money import plain
from bot.storage.schema import copy_result, exit_decision, fill, halt, health_transition, signal, veto

# Reasons are other people's words: the page shows them as text and nothing else.
_LONGEST = 300
_SIGNALS_OF_COPIES = 20


def events(asked: Asked) -> dict[str, Any]:
    """Newest first: `?account=`, `?after=` (a time), `?before=` (a time), `?limit=`."""
    limit = number(asked.query, "limit", default=100)
    after, before = moment(asked.query, "after"), moment(asked.query, "before")
    with asked.context.read() as connection:
        account_id = wanted_account(connection, asked.query)
        return {"events": latest_events(connection, limit=limit, after=after, before=before, account_id=account_id)}


def latest_events(
    connection: Connection,
    *,
    limit: int,
    after: datetime | None = None,
    before: datetime | None = None,
    account_id: str | None = None,
) -> list[dict[str, Any]]:
    """`at`, `kind`, `account`, `symbol`, `text`, `level` (good, note, bad) and `reference` (what tells more)."""
    found: list[tuple[datetime, dict[str, Any]]] = []
    for kind in _KINDS:
        if account_id is not None and "account_id" not in kind.table.c:
            continue
        query = kind.newest(limit)
        for bound in _bounds(kind, after, before, account_id):
            query = query.where(bound)
        found += [(getattr(row, kind.at), kind.told(row)) for row in connection.execute(query)]
    found.sort(key=lambda pair: pair[0], reverse=True)
    return [{"at": shown(at), **fields} for at, fields in found[:limit]]


def _bounds(
    kind: "_Kind", after: datetime | None, before: datetime | None, account_id: str | None
) -> list[ColumnElement[bool]]:
    at = kind.table.c[kind.at]
    bounds: list[ColumnElement[bool]] = [at.is_not(None)]
    bounds += [at > after] if after is not None else []
    bounds += [at < before] if before is not None else []
    return bounds + ([kind.table.c.account_id == account_id] if account_id is not None else [])


def _event(kind: str, row: Any, text: str, *, level: str = "note", reference: str = "") -> dict[str, Any]:
    return {
        "kind": kind,
        "account": getattr(row, "account_id", ""),
        "symbol": getattr(row, "symbol", ""),
        "text": text[:_LONGEST],
        "level": level,
        "reference": reference,
    }


def _of_signal(row: Any) -> dict[str, Any]:
    text = f"{row.kind}: the {row.broker} master's {row.side} of {row.symbol} at {plain(row.reference_price)}"
    return _event("signal", row, text, reference=row.signal_id)


def _of_copy(row: Any) -> dict[str, Any]:
    level = {"copied": "good", "partly_copied": "good", "failed": "bad"}.get(row.status, "note")
    because = f": {row.reason}" if row.reason else ""
    detail = f" ({row.detail})" if row.detail else ""
    return _event("copy", row, f"{row.status.replace('_', ' ')}{because}{detail}", level=level, reference=row.signal_id)


def _of_fill(row: Any) -> dict[str, Any]:
    text = f"{row.side} {plain(row.quantity)} {row.symbol} at {plain(row.price)}"
    return _event("fill", row, text, level="good", reference=row.client_order_id or "")


def _of_halt(row: Any) -> dict[str, Any]:
    target = row.target or "everything"
    text = f"{row.strength.replace('_', ' ')} for {target} by {row.set_by} ({row.source}): {row.reason or 'no reason'}"
    return _event("halt", row, text, level="bad")


def _of_health(row: Any) -> dict[str, Any]:
    because = f": {row.reason}" if row.reason else ""
    level = "good" if row.new == "healthy" else "bad" if row.new in ("failed", "quarantined") else "note"
    return _event("health", row, f"{row.old or 'new'} → {row.new}{because}", level=level)


def _of_veto(row: Any) -> dict[str, Any]:
    return _event("veto", row, f"{row.rule}: {row.detail}", reference=row.client_order_id or "")


def _of_exit(row: Any) -> dict[str, Any]:
    rule = f" ({row.rule.replace('_', ' ')})" if row.rule else ""
    level = "bad" if row.status == "unguarded" else "note"
    return _event("exit", row, f"{row.status}{rule}: {row.reason}", level=level, reference=row.client_order_id or "")


@dataclass(frozen=True)
class _Kind:
    """Rows of one table: the column with their time, the one they are in order by, and how they are told."""

    table: Table
    at: str
    order: str
    told: Callable[[Any], dict[str, Any]]

    def newest(self, limit: int) -> Select[Any]:
        if self.table is copy_result:
            # Its rows are found by their signals: there is no order of answers.
            signals = select(signal.c.signal_id).order_by(signal.c.sequence.desc()).limit(_SIGNALS_OF_COPIES)
            return select(copy_result).where(copy_result.c.signal_id.in_(signals))
        return select(self.table).order_by(self.table.c[self.order].desc()).limit(limit)


_KINDS: Sequence[_Kind] = (
    _Kind(signal, "created_at", "sequence", _of_signal),
    _Kind(copy_result, "answered_at", "", _of_copy),
    _Kind(fill, "recorded_at", "sequence", _of_fill),
    _Kind(halt, "set_at", "id", _of_halt),
    _Kind(health_transition, "at", "id", _of_health),
    _Kind(veto, "at", "id", _of_veto),
    _Kind(exit_decision, "at", "id", _of_exit),
)

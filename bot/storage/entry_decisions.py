"""Rows of what became of each wish of a strategy to buy. They only grow, and are sealed like fills and vetoes."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Row, insert, select

from bot.domain.decision import EntryOutcome
from bot.storage.schema import entry_decision


@dataclass(frozen=True, kw_only=True)
class EntryDecision:
    """A wish with its `confidence` (0 to 1) and `reason`, and its outcome. `scan_id` is the scan that had it."""

    account_id: str
    at: datetime
    symbol: str
    strategy: str
    confidence: Decimal
    reason: str
    outcome: EntryOutcome
    scan_id: int | None = None


def add_entry_decisions(connection: Connection, decisions: Sequence[EntryDecision]) -> None:
    """In the transaction of the scan they belong to."""
    if decisions:
        connection.execute(insert(entry_decision), [_values(each) for each in decisions])


def add_entry_decision(connection: Connection, decision: EntryDecision) -> None:
    add_entry_decisions(connection, [decision])


def decisions_of(
    connection: Connection,
    account_id: str,
    *,
    symbol: str | None = None,
    since: datetime | None = None,
    limit: int | None = None,
) -> Sequence[EntryDecision]:
    """The newest first; of one market or of all."""
    query = select(entry_decision).where(entry_decision.c.account_id == account_id)
    if symbol is not None:
        query = query.where(entry_decision.c.symbol == symbol)
    if since is not None:
        query = query.where(entry_decision.c.at >= since)
    query = query.order_by(entry_decision.c.at.desc(), entry_decision.c.id.desc()).limit(limit)
    return [_decision(row) for row in connection.execute(query)]


def _values(decision: EntryDecision) -> dict[str, Any]:
    outcome = decision.outcome
    return {
        "at": decision.at,
        "account_id": decision.account_id,
        "scan_id": decision.scan_id,
        "symbol": decision.symbol,
        "strategy": decision.strategy,
        "confidence": decision.confidence,
        "reason": decision.reason,
        "outcome": outcome.word,
        "rule": str(outcome.rule),
        "detail": outcome.detail,
        "numbers_json": json.dumps(dict(outcome.numbers)),
        "client_order_id": outcome.client_order_id,
    }


def _decision(row: Row[Any]) -> EntryDecision:
    outcome = EntryOutcome(
        ordered=row.outcome == "ordered",
        rule=row.rule,
        detail=row.detail,
        numbers=json.loads(row.numbers_json),
        client_order_id=row.client_order_id,
    )
    return EntryDecision(
        account_id=row.account_id,
        at=row.at,
        symbol=row.symbol,
        strategy=row.strategy,
        confidence=row.confidence,
        reason=row.reason,
        outcome=outcome,
        scan_id=row.scan_id,
    )

"""Rows of exits: how each position stands now (overwritten), and each change of that (kept)."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select

from bot.domain.decision import ExitStatus
from bot.storage.market_rows import put
from bot.storage.schema import exit_decision, exit_state

RuleTexts = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True)
class ExitState:
    """One position, one cycle, one answer.

    `rule` is the rule that sells (empty = none is met), `reason` the sentence. `rules` has every rule of the plan as
    {"level": price as text, "distance_percent": text, "armed": bool}, and whatever else a rule has to say of itself.
    `bid` is the price it was judged by (None = there was none), `faults` what of the plan cannot be used.
    """

    account_id: str
    symbol: str
    at: datetime
    cycle: int
    status: ExitStatus
    reason: str
    rule: str = ""
    bid: Decimal | None = None
    rules: RuleTexts = field(default_factory=dict)
    faults: str = ""


@dataclass(frozen=True, kw_only=True)
class ExitDecision:
    """The state of a position at the moment when it changed, and the order that came of it, if one did."""

    account_id: str
    symbol: str
    at: datetime
    status: ExitStatus
    rule: str
    reason: str
    bid: Decimal | None
    rules: RuleTexts
    client_order_id: str | None


def save_exit_state(connection: Connection, state: ExitState, *, client_order_id: str | None = None) -> bool:
    """Overwrite the position's row; when status, rule or faults are others than before, keep that as a decision.

    `client_order_id` is the order that was just made for it: that is always kept. Returns whether one was kept.
    """
    before = _find(connection, state.account_id, state.symbol)
    is_news = client_order_id is not None or before is None or _word(before) != _word(state)
    put(connection, exit_state, [_state_values(state)])
    if is_news:
        connection.execute(insert(exit_decision).values(_decision_values(state, client_order_id)))
    return is_news


def forget_exit_states(connection: Connection, account_id: str, *, still: Collection[str]) -> None:
    """Rows vanish with their positions: keep those of the symbols that are `still` held."""
    query = delete(exit_state).where(exit_state.c.account_id == account_id, exit_state.c.symbol.not_in(list(still)))
    connection.execute(query)


def forget_exit_state(connection: Connection, account_id: str, symbol: str) -> None:
    """The position has ended."""
    query = delete(exit_state).where(exit_state.c.account_id == account_id, exit_state.c.symbol == symbol)
    connection.execute(query)


def exit_states_of(connection: Connection, account_id: str) -> Mapping[str, ExitState]:
    """As of the account's last cycle, by symbol."""
    query = select(exit_state).where(exit_state.c.account_id == account_id).order_by(exit_state.c.symbol)
    return {row.symbol: _state(row) for row in connection.execute(query)}


def exit_decisions_of(
    connection: Connection,
    account_id: str,
    *,
    symbol: str | None = None,
    since: datetime | None = None,
    limit: int | None = None,
) -> Sequence[ExitDecision]:
    """The newest first; of one market or of all."""
    query = select(exit_decision).where(exit_decision.c.account_id == account_id)
    if symbol is not None:
        query = query.where(exit_decision.c.symbol == symbol)
    if since is not None:
        query = query.where(exit_decision.c.at >= since)
    query = query.order_by(exit_decision.c.at.desc(), exit_decision.c.id.desc()).limit(limit)
    return [_decision(row) for row in connection.execute(query)]


def _find(connection: Connection, account_id: str, symbol: str) -> ExitState | None:
    query = select(exit_state).where(exit_state.c.account_id == account_id, exit_state.c.symbol == symbol)
    row = connection.execute(query).first()
    return None if row is None else _state(row)


def _word(state: ExitState) -> tuple[str, str, str]:
    """Numbers change with each price; this is what a person calls a change."""
    return str(state.status), state.rule, state.faults


def _state_values(state: ExitState) -> dict[str, Any]:
    return {
        "account_id": state.account_id,
        "symbol": state.symbol,
        "at": state.at,
        "cycle": state.cycle,
        "status": str(state.status),
        "rule": str(state.rule),
        "reason": state.reason,
        "bid": state.bid,
        "rules_json": json.dumps(state.rules),
        "faults": state.faults,
    }


def _decision_values(state: ExitState, client_order_id: str | None) -> dict[str, Any]:
    values = _state_values(state)
    del values["cycle"], values["faults"]
    if state.faults:
        values["reason"] = f"{state.reason} ({state.faults})" if state.reason else state.faults
    return values | {"client_order_id": client_order_id}


def _state(row: Row[Any]) -> ExitState:
    return ExitState(
        account_id=row.account_id,
        symbol=row.symbol,
        at=row.at,
        cycle=row.cycle,
        status=ExitStatus(row.status),
        rule=row.rule,
        reason=row.reason,
        bid=row.bid,
        rules=json.loads(row.rules_json),
        faults=row.faults,
    )


def _decision(row: Row[Any]) -> ExitDecision:
    return ExitDecision(
        account_id=row.account_id,
        symbol=row.symbol,
        at=row.at,
        status=ExitStatus(row.status),
        rule=row.rule,
        reason=row.reason,
        bid=row.bid,
        rules=json.loads(row.rules_json),
        client_order_id=row.client_order_id,
    )

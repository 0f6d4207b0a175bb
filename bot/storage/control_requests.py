"""Rows of what was asked for on the page or by its API, who it was, and what came of it. They stay for ever."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from bot.domain.control import ControlAction, ControlRequest, ControlState
from bot.storage.schema import control_request

_OPEN = (str(ControlState.ASKED), str(ControlState.TAKEN))


def add_request(
    connection: Connection,
    *,
    nonce: str,
    at: datetime,
    action: ControlAction,
    target: str,
    details: Mapping[str, Any],
    reason: str,
    actor: str,
    role: str,
    address: str,
    lines: Sequence[str] = (),
) -> ControlRequest:
    """Write one down; the one of the same nonce if there is one."""
    known = find_by_nonce(connection, nonce)
    if known is not None:
        return known
    connection.execute(
        insert(control_request).values(
            nonce=nonce,
            at=at,
            action=str(action),
            target=target,
            details_json=json.dumps(dict(details)),
            reason=reason,
            actor=actor,
            role=role,
            address=address,
            state=str(ControlState.ASKED),
            result_json=json.dumps(list(lines)),
        )
    )
    made = find_by_nonce(connection, nonce)
    assert made is not None, "it was added in this transaction"
    return made


def find_request(connection: Connection, request_id: int) -> ControlRequest | None:
    row = connection.execute(select(control_request).where(control_request.c.id == request_id)).first()
    return None if row is None else _request(row)


def find_by_nonce(connection: Connection, nonce: str) -> ControlRequest | None:
    row = connection.execute(select(control_request).where(control_request.c.nonce == nonce)).first()
    return None if row is None else _request(row)


def open_requests(connection: Connection) -> Sequence[ControlRequest]:
    """Those without an end, oldest first."""
    query = select(control_request).where(control_request.c.state.in_(_OPEN)).order_by(control_request.c.id)
    return [_request(row) for row in connection.execute(query)]


def latest_requests(connection: Connection, *, limit: int, before: int | None = None) -> Sequence[ControlRequest]:
    """Newest first."""
    query = select(control_request).order_by(control_request.c.id.desc()).limit(limit)
    query = query if before is None else query.where(control_request.c.id < before)
    return [_request(row) for row in connection.execute(query)]


def note_request(
    connection: Connection, request_id: int, *, state: ControlState, lines: Sequence[str], now: datetime
) -> None:
    """How it stands now. One that has its end keeps it."""
    values: dict[str, Any] = {"state": str(state), "result_json": json.dumps(list(lines))}
    if state is ControlState.TAKEN:
        values["taken_at"] = now
    elif state is not ControlState.ASKED:
        values["ended_at"] = now
    connection.execute(
        update(control_request)
        .where(control_request.c.id == request_id, control_request.c.state.in_(_OPEN))
        .values(values)
    )


def _request(row: Row[Any]) -> ControlRequest:
    return ControlRequest(
        id=row.id,
        nonce=row.nonce,
        at=row.at,
        action=ControlAction(row.action),
        target=row.target,
        details=json.loads(row.details_json),
        reason=row.reason,
        actor=row.actor,
        role=row.role,
        address=row.address,
        state=ControlState(row.state),
        taken_at=row.taken_at,
        ended_at=row.ended_at,
        lines=tuple(json.loads(row.result_json)),
    )

"""Rows of vetoes: entries that were not let out, with the numbers that were compared."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select

from bot.domain.order import Side
from bot.domain.veto import Veto
from bot.storage.intents import OrderIntent
from bot.storage.schema import veto

_ADD = insert(veto)


def add_veto(connection: Connection, intent: OrderIntent, why: Veto, *, at: datetime) -> None:
    connection.execute(
        _ADD,
        {
            "at": at,
            "account_id": intent.account_id,
            "symbol": intent.symbol,
            "side": str(intent.side),
            "rule": str(why.rule),
            "detail": why.detail,
            "numbers_json": json.dumps(dict(why.numbers)),
            "signal_id": intent.signal_id,
            "client_order_id": intent.client_order_id,
        },
    )


def add_early_veto(
    connection: Connection, *, account_id: str, symbol: str, side: Side, why: Veto, at: datetime
) -> None:
    """Of an entry that was given up before it became an order."""
    numbers = json.dumps(dict(why.numbers))
    values = {"account_id": account_id, "symbol": symbol, "side": str(side), "rule": str(why.rule)}
    connection.execute(insert(veto).values(at=at, detail=why.detail, numbers_json=numbers, **values))


def vetoes_since(connection: Connection, since: datetime, *, account_id: str | None = None) -> Sequence[Row[Any]]:
    """Vetoes at or after `since`, newest first; of one account, or of all."""
    query = select(veto).where(veto.c.at >= since).order_by(veto.c.id.desc())
    return connection.execute(query if account_id is None else query.where(veto.c.account_id == account_id)).all()

"""Rows of vetoes: entries that were not let out, with the numbers that were compared."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select

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


def vetoes_since(connection: Connection, since: datetime, *, account_id: str | None = None) -> Sequence[Row[Any]]:
    """Vetoes at or after `since`, newest first; of one account, or of all."""
    query = select(veto).where(veto.c.at >= since).order_by(veto.c.id.desc())
    return connection.execute(query if account_id is None else query.where(veto.c.account_id == account_id)).all()

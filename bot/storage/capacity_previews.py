"""Rows of capacity: who could follow an entry of a master, before it was made."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import Connection, insert, select

from bot.storage.schema import capacity_preview


@dataclass(frozen=True, kw_only=True)
class StoredPreview:
    """`account_id` is the master's, `quantity` (base units) what it asked for; notionals are in quote units."""

    at: datetime
    account_id: str
    symbol: str
    quantity: Decimal
    price: Decimal
    followers: int
    able: int
    unable: Mapping[str, int]
    flow_notional: Decimal
    depth_notional: Decimal | None
    outcome: str
    detail: str


def add_preview(connection: Connection, item: StoredPreview) -> None:
    """Write one down."""
    values = {name: getattr(item, name) for name in StoredPreview.__dataclass_fields__ if name != "unable"}
    connection.execute(insert(capacity_preview), values | {"unable_json": json.dumps(dict(item.unable))})


def latest_previews(connection: Connection, account_id: str, *, most: int) -> Sequence[StoredPreview]:
    """A master's newest ones, newest first."""
    query = (
        select(capacity_preview)
        .where(capacity_preview.c.account_id == account_id)
        .order_by(capacity_preview.c.at.desc(), capacity_preview.c.id.desc())
        .limit(most)
    )
    plain = [name for name in StoredPreview.__dataclass_fields__ if name != "unable"]
    return [
        StoredPreview(unable=json.loads(row.unable_json), **{name: getattr(row, name) for name in plain})
        for row in connection.execute(query)
    ]

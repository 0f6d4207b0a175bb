"""Whether a bot had written an order down before it sent it: judged at the moment the order arrives.

A bot that crashes between sending and writing forgets an order. So the exchange, given the bot's database, opens it
read-only when an order arrives and looks for the row ``order_intent`` of that client order id: it must be there, in
state ``submitted``, with the hash of exactly this payload in ``payload_sha256``.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from urllib.parse import quote

from paper_exchange.orders import NewOrder, OrderKind

OK, MISSING, WRONG_PAYLOAD = "ok", "missing", "wrong_payload"
BUSY_SECONDS = 0.5
QUERY = "SELECT state, payload_sha256 FROM order_intent WHERE client_order_id = ?"


@dataclass(frozen=True, slots=True)
class Placement:
    """An order that a request asks for. ``new`` is None when its form can't be read: then only the row is judged.

    ``others`` is what the same request may stand for as well, where a venue has one word for two kinds of orders.
    """

    client_order_id: str | None
    symbol: str | None = None
    side: str | None = None
    new: NewOrder | None = None
    others: tuple[NewOrder, ...] = ()


class WriteAhead:
    """Looks orders up in a bot's SQLite database, which is never written to. Used from one thread only."""

    def __init__(self, database: Path) -> None:
        self._path = database
        self._connection: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None

    def verdict(self, placement: Placement) -> str:
        """``ok``, ``missing``, ``wrong_state:<state>``, ``wrong_payload`` or ``unreadable:<why>``."""
        try:
            row = self._row(placement.client_order_id)
        except (sqlite3.Error, OSError) as problem:
            self.close()
            return f"unreadable:{problem}"
        if row is None:
            return MISSING
        state, written = row
        if state != "submitted":
            return f"wrong_state:{state}"
        if placement.new is None:
            return OK
        readings = {payload_sha256(reading) for reading in (placement.new, *placement.others)}
        return OK if written in readings else WRONG_PAYLOAD

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = self._file = None

    def _row(self, client_order_id: str | None) -> tuple[str, str | None] | None:
        if client_order_id is None or not self._path.exists():
            return None
        # fetchall ends the read at once: a transaction left open would keep the bot's log from being folded in.
        rows = self._open().execute(QUERY, (client_order_id,)).fetchall()
        return rows[0] if rows else None

    def _open(self) -> sqlite3.Connection:
        """The kept connection, unless another file has taken the database's place."""
        status = self._path.stat()
        if self._connection is None or self._file != (status.st_dev, status.st_ino):
            self.close()
            uri = f"file:{quote(str(self._path.absolute()))}?mode=ro"
            self._connection = sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None)
            self._file = (status.st_dev, status.st_ino)
        return self._connection


def payload_sha256(new: NewOrder) -> str:
    """SHA-256 in hex of ``client_order_id|symbol|side|type|quantity|limit price``.

    The type is market, limit_ioc, limit_gtc and so on, absent amounts are empty, others plain decimals without
    trailing zeros.
    """
    kind = "market" if new.kind is OrderKind.MARKET else f"{new.kind.value}_{new.time_in_force.value}"
    parts = [
        new.client_order_id or "", new.symbol, new.side.value, kind, _plain(new.quantity), _plain(new.limit_price),
    ]  # fmt: skip
    return sha256("|".join(parts).encode()).hexdigest()


def _plain(amount: Decimal | None) -> str:
    return "" if amount is None else format(amount.normalize(), "f")

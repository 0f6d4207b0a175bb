"""What the engine will never change again (closed orders, trades, ledger entries), saved once each.

A snapshot of the engine holds only what still changes, so that saving costs the same however long an exchange has run;
the history goes to a file that only grows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from paper_exchange.engine import Engine
from paper_exchange.engine_state import record_to_json
from paper_exchange.orders import LedgerEntry, Order, Trade

KINDS = ("closed", "trades", "ledger")


class EngineHistory:
    """Knows how much of each account's history has been saved."""

    def __init__(self) -> None:
        self._saved: dict[tuple[str, str], int] = {}

    def save(self, engine: Engine, account_ids: Iterable[str], append: Callable[[bytes], int]) -> int:
        """Append what is new to the history; returns its size, as ``append`` does. What fails is tried again later."""
        saved = dict(self._saved)
        lines: list[bytes] = []
        for account_id in account_ids:
            for kind, records in _records(engine, account_id).items():
                start = saved.get((account_id, kind), 0)
                lines += [msgspec.json.encode((account_id, kind, record_to_json(one))) for one in records[start:]]
                saved[account_id, kind] = len(records)
        size = append(b"".join(line + b"\n" for line in lines))
        self._saved = saved
        return size

    def put_back(self, state: Mapping[str, Any], history: bytes) -> None:
        """Complete the engine's saved state with its history; raises ValueError or KeyError for a damaged one."""
        accounts = {row["account_id"]: row for row in state["accounts"]}
        for line in history.splitlines():
            account_id, kind, record = msgspec.json.decode(line)
            accounts[account_id][kind].append(record)
        for account_id, row in accounts.items():
            for kind in KINDS:
                self._saved[account_id, kind] = len(row[kind])


def _records(engine: Engine, account_id: str) -> dict[str, Sequence[Order | Trade | LedgerEntry]]:
    """The three lists that only grow, under the names they have in the engine's state."""
    return {
        "closed": engine.closed_orders(account_id),
        "trades": engine.trades(account_id),
        "ledger": engine.ledger(account_id),
    }

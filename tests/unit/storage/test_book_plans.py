"""No statement of the books goes through a whole table: however many rows there are, an index finds an account's."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Connection, event

from bot.domain.account import AccountRef, BrokerType
from bot.domain.cash_event import CashEvent, CashKind
from bot.storage import accounts, cash_events, cost_entries, day_closes, equity_points, opening_balances
from bot.storage.book_entries import BookedUntil, book_entries, booked_until, last_entry_at, late_entries
from bot.storage.store import Store

ON_BOTH_DATABASES = True
ANN = AccountRef.user(BrokerType.KRAKEN, "ann")
LABEL = ANN.label
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
EVENT = CashEvent(event_id="E1", kind=CashKind.DEPOSIT, asset="USD", amount=Decimal(1), at=NOON)

READINGS: dict[str, Callable[[Connection], object]] = {
    "entries in their order": lambda connection: list(book_entries(connection, LABEL, since=NOON, until=NOON)),
    "late entries": lambda connection: late_entries(connection, LABEL, BookedUntil(5, 5, 5), before=NOON),
    "how far the ledger came": lambda connection: booked_until(connection, LABEL),
    "the last entry": lambda connection: last_entry_at(connection, LABEL),
    "cash events": lambda connection: list(cash_events.cash_events_of(connection, LABEL, since=NOON, until=NOON)),
    "how far it was read": lambda connection: cash_events.find_reading(connection, LABEL),
    "an event": lambda connection: cash_events.add_cash_event(connection, ANN, EVENT, now=NOON),
    "the opening": lambda connection: opening_balances.find_opening(connection, LABEL),
    "costs": lambda connection: cost_entries.costs_of(connection, LABEL),
    "the newest point": lambda connection: equity_points.newest_point(connection, LABEL),
    "the newest settled point": lambda connection: equity_points.newest_point(connection, LABEL, settled=True),
    "the first point": lambda connection: equity_points.first_point(connection, LABEL),
    "points": lambda connection: list(equity_points.points_of(connection, LABEL, since=NOON, until=NOON)),
    "thinning out": lambda connection: equity_points.thin_out(connection, LABEL, all_since=NOON, drop_before=NOON),
    "the last day": lambda connection: day_closes.last_close(connection, LABEL),
    "the day before": lambda connection: day_closes.close_before(connection, LABEL, "2026-01-31"),
    "a day": lambda connection: day_closes.find_close(connection, LABEL, "2026-01-31"),
    "days": lambda connection: day_closes.closes_of(connection, LABEL, "2026-01-01", "2026-01-31"),
    "broken days": lambda connection: day_closes.broken_days(connection, LABEL),
}


class _RolledBack(Exception):
    """Nothing that is explained here stays."""


@contextmanager
def _statements(connection: Connection) -> Iterator[list[tuple[str, Any]]]:
    seen: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, _many: Any) -> None:
        seen.append((statement, parameters))

    event.listen(connection, "before_cursor_execute", note)
    yield seen
    event.remove(connection, "before_cursor_execute", note)


def _plans(connection: Connection, reading: Callable[[Connection], object]) -> list[tuple[str, str]]:
    sqlite = connection.dialect.name == "sqlite"
    if not sqlite:
        # Empty tables are read from end to end by choice: this asks what else there is.
        connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
    with _statements(connection) as seen:
        reading(connection)
    explained = []
    for statement, parameters in seen:
        if statement.lstrip().upper().startswith("INSERT"):
            continue
        rows = connection.exec_driver_sql(("EXPLAIN QUERY PLAN " if sqlite else "EXPLAIN ") + statement, parameters)
        explained.append((statement, "\n".join(str(tuple(row)) for row in rows)))
    return explained


@pytest.mark.parametrize("name", READINGS)
def test_every_statement_finds_its_rows_by_an_index(store: Store, name: str) -> None:
    explained: list[tuple[str, str]] = []
    store.write(lambda connection: accounts.remember_account(connection, ANN, name="x", enabled=True, now=NOON))

    def work(connection: Connection) -> None:
        explained.extend(_plans(connection, READINGS[name]))
        raise _RolledBack

    with pytest.raises(_RolledBack):
        store.write(work)
    assert explained
    for statement, plan in explained:
        assert "SCAN" not in plan.replace("Index Scan", "").replace("Index Only Scan", "").replace("Bitmap", ""), (
            f"{statement}\n{plan}"
        )
        assert "Seq Scan" not in plan, f"{statement}\n{plan}"

"""How long the statements of a cycle and of a command take in a database with a long history, and by which plan.

    python benchmarks/store.py [--fills 20000] [--database sqlite|postgresql|both] [--json]

A master and 24 users with so many fills in all, and a tenth as many signals and orders. Each reading below is called
as the bot calls it; every statement that it makes is timed (the second time of two, fetching all rows) and its plan
asked for. A plan "whole" goes through a table that grows; "index" does not.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from sqlalchemy import URL, Connection, Engine, event

from benchmarks.report import Cell, Report
from bot.domain.account import AccountRef, BrokerType
from bot.domain.order import Side
from bot.storage import accounts, exposure, migrations
from bot.storage.book_entries import (
    BookedUntil,
    book_entries,
    booked_until,
    last_entry_at,
    late_entries,
)
from bot.storage.bulk_insert import BulkInsert
from bot.storage.chain_links import next_batch
from bot.storage.ledger_rows import ledger_rows
from bot.storage.postgres import postgres_url
from bot.storage.schema import fill, order_intent, signal
from bot.storage.store import Store, open_engine, sqlite_url
from tests.postgres_server import PostgresServer

GROWING = ("fill", "signal", "order_intent")  # those that are filled here
COLUMNS = ("reading", "database", "from", "ms", "plan")
MASTER = AccountRef.master(BrokerType.KRAKEN)
EVERYBODY = [MASTER, *(AccountRef.user(BrokerType.KRAKEN, f"user{number:02}") for number in range(24))]
ONE = EVERYBODY[7].label
BEGIN = datetime(2025, 1, 1, tzinfo=UTC)
END = datetime(2026, 1, 1, tzinfo=UTC)
AT_ONCE = 20_000
DAY = timedelta(days=1)

READINGS: dict[str, Callable[[Connection], object]] = {
    "entries of a day": lambda c: list(book_entries(c, ONE, since=END - DAY, until=END)),
    "late entries": lambda c: late_entries(c, ONE, BookedUntil(10**9, 10**9, 10**9), before=END),
    "how far the ledger came": lambda c: booked_until(c, ONE),
    "the last entry": lambda c: last_entry_at(c, ONE),
    "whether it ever traded": lambda c: exposure.has_traded(c, ONE),
    "open orders": lambda c: exposure.has_open_orders(c, ONE),
    "open entries": lambda c: exposure.open_entries_of(c, ONE),
    "open entries of all": exposure.open_entries_of_all,
    "exposure of all, roughly": lambda c: exposure.rough_of_all(c, currencies={"USD"}),
    "entries of the last minute": lambda c: exposure.entries_sent(c, ONE, since=END - timedelta(minutes=1)),
    "entries of all of a minute": lambda c: exposure.entries_sent_by_all(c, since=END - timedelta(minutes=1)),
    "answers to entries": lambda c: exposure.answers_to_entries(c, ONE, most=5),
    "twins": lambda c: exposure.twins_of(
        c, ONE, symbol="BTC/USD", side=Side.BUY, quantity=Decimal(1), since=END - DAY, besides=""
    ),
    "what is not sealed": lambda c: next_batch(c, now=END, limit=200),
    "a user's day as CSV": lambda c: list(ledger_rows(c, "fills", accounts=[ONE], since=END - DAY)),
    "a user's orders of a day as CSV": lambda c: list(ledger_rows(c, "orders", accounts=[ONE], since=END - DAY)),
}


def _columns(numbers: range, fills: int) -> dict[str, Sequence[Any]]:
    """Columns of all three tables."""
    times = [BEGIN + (END - BEGIN) * number / fills for number in numbers]
    return {
        "names": [f"{number:032x}" for number in numbers],
        "accounts": [EVERYBODY[number % len(EVERYBODY)].label for number in numbers],
        "times": times,
        "sequences": [number + 1 for number in numbers],
    }


def _same(values: dict[str, Any], count: int) -> dict[str, Sequence[Any]]:
    return {name: [value] * count for name, value in values.items()}


def _fills(connection: Connection, numbers: range, total: int) -> None:
    made = _columns(numbers, total)
    same = {"broker": "kraken", "symbol": "BTC/USD", "side": "buy", "quantity": Decimal("0.01"), "fee_currency": "USD"}
    same |= {"price": Decimal(50000), "fee": Decimal("1.25")}
    own = {"account_id": made["accounts"], "trade_id": made["names"], "venue_order_id": made["names"]}
    own |= {"executed_at": made["times"], "recorded_at": made["times"], "sequence": made["sequences"]}
    BulkInsert(fill).add(connection, {**own, **_same(same, len(numbers))})


def _orders(connection: Connection, numbers: range, total: int) -> None:
    made, count = _columns(numbers, total), len(numbers)
    same = {"symbol": "BTC/USD", "side": "buy", "kind": "entry", "quantity": Decimal("0.01")}
    as_signal = same | {"broker": "kraken", "account_id": MASTER.label, "size": Decimal(1), "batch": 0}
    own = {"signal_id": made["names"], "executed_at": made["times"], "created_at": made["times"]}
    own |= {"planned_at": made["times"], "sequence": made["sequences"], "venue_order_id": made["names"]}
    BulkInsert(signal).add(connection, {**own, **_same(as_signal, count), "reference_price": [Decimal(1)] * count})
    as_order = same | dict.fromkeys(("decision", "reason", "needs_person", "resolution", "resolved_by"), "")
    as_order |= {"order_type": "market", "state": "filled", "attempt": 1, "empty_lookups": 0}
    own = {"client_order_id": made["names"], "signal_id": made["names"], "account_id": made["accounts"]}
    own |= dict.fromkeys(("created_at", "sent_at", "updated_at"), made["times"])
    own |= {"sequence": made["sequences"], "venue_order_id": made["names"]}
    BulkInsert(order_intent).add(
        connection, {**own, **_same(as_order, count), "filled_quantity": [Decimal("0.01")] * count}
    )


def _fill_up(store: Store, fills: int) -> None:
    def begin(connection: Connection) -> None:
        for ref in EVERYBODY:
            accounts.remember_account(connection, ref, name=ref.label, enabled=True, now=BEGIN)

    store.write(begin)
    for add, total in ((_orders, max(fills // 10, 1)), (_fills, fills)):
        for first in range(0, total, AT_ONCE):
            numbers = range(first, min(first + AT_ONCE, total))
            store.write(partial(add, numbers=numbers, total=total), timeout_seconds=300)
    if store.url.get_backend_name() != "sqlite":
        # The server does so by itself in time; the bot's own file never is.
        store.write(lambda connection: connection.exec_driver_sql("ANALYZE"), timeout_seconds=300)


@contextmanager
def _statements(engine: Engine) -> Iterator[list[tuple[str, Any]]]:
    seen: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, _many: Any) -> None:
        seen.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", note)
    yield seen
    event.remove(engine, "before_cursor_execute", note)


def _plan(connection: Connection, statement: str, parameters: Any) -> str:
    sqlite = connection.dialect.name == "sqlite"
    rows = connection.exec_driver_sql(("EXPLAIN QUERY PLAN " if sqlite else "EXPLAIN ") + statement, parameters)
    steps = [str(row[3] if sqlite else row[0]) for row in rows]
    whole = [table for table in GROWING if any(_goes_through(step, table) for step in steps)]
    return f"whole: {', '.join(whole)}" if whole else "index"


def _goes_through(step: str, table: str) -> bool:
    """An index gone through from one of its ends until enough is found is no table gone through."""
    on_sqlite = step.startswith(f"SCAN {table}") and " USING " not in step
    return on_sqlite or f"Seq Scan on {table} " in step


def _rows(database: str, engine: Engine) -> Iterator[dict[str, Cell]]:
    for name, reading in READINGS.items():
        with engine.connect() as connection:
            with _statements(engine) as seen:
                reading(connection)
            for statement, parameters in (one for one in seen if "FROM " in one[0]):
                begun = perf_counter()
                connection.exec_driver_sql(statement, parameters).all()
                took = (perf_counter() - begun) * 1000
                table = " ".join(statement.partition("FROM ")[2].split()[:1])
                plan = _plan(connection, statement, parameters)
                yield {"database": database, "reading": name, "from": table, "ms": round(took, 2), "plan": plan}


def measure(database: str, url: URL, fills: int) -> list[dict[str, Cell]]:
    """One row for filling, then one for each statement."""
    migrations.upgrade(url)
    store = Store(url)
    store.start()
    begun = perf_counter()
    try:
        _fill_up(store, fills)
        took = round((perf_counter() - begun) * 1000)
        engine = open_engine(url, writer=False)
        written: dict[str, Cell] = {"database": database, "reading": f"(writing {fills:,} fills)", "ms": took}
        rows = [written, *_rows(database, engine)]
        engine.dispose()
    finally:
        store.close()
    return rows


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--fills", type=int, default=20_000)
    parser.add_argument("--database", choices=["sqlite", "postgresql", "both"], default="both")
    parser.add_argument("--json", action="store_true", dest="as_json")
    options = parser.parse_args(arguments)
    rows: list[dict[str, Cell]] = []
    if options.database != "postgresql":
        with tempfile.TemporaryDirectory() as directory:
            rows += measure("sqlite", sqlite_url(Path(directory) / "nija.db"), options.fills)
    if options.database != "sqlite":
        with PostgresServer() as server:
            rows += measure("postgresql", postgres_url(server.url("postgres")), options.fills)
    notes = ("elapsed, all rows fetched, after the same statement had run once",)
    Report(f"The store with {options.fills:,} fills", COLUMNS, rows, notes).say(as_json=options.as_json)
    return 0


if __name__ == "__main__":
    sys.exit(main())

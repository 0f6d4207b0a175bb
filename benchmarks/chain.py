"""How fast history is sealed and verified: `python benchmarks/chain.py [fills]` (default 100,000).

A store of its own is filled with fills as a bot books them; all are sealed by the sealer's own steps, then verified by
the code of `bot.py verify`. The cost per fill is what sealing adds to the bot's work for each row, and to its disk.
"""

import argparse
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from time import perf_counter, process_time

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from sqlalchemy import Connection, insert

from bot.diagnostics.verify import examine
from bot.domain.account import AccountRef, BrokerType
from bot.seams.clock import SystemClock
from bot.storage import accounts, chain_links, migrations
from bot.storage.chain_sealing import ROWS_PER_WRITE
from bot.storage.schema import fill
from bot.storage.store import Store, sqlite_url

FILLS = 100_000
AT_ONCE = 5_000
ACCOUNT = AccountRef.user(BrokerType.KRAKEN, "ann")
START = datetime(2026, 1, 1, tzinfo=UTC)


def main(fills: int = FILLS) -> None:
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "nija.db"
        migrations.upgrade(sqlite_url(file))
        store = Store(sqlite_url(file))
        store.start()
        try:
            _fill(store, fills)
            before = _size(file)
            print(f"{fills:,} fills, sealed {ROWS_PER_WRITE} at a time, each time durably")
            _seal(store, fills, file, before)
            _verify(store, fills)
        finally:
            store.close()


def _fill(store: Store, fills: int) -> None:
    store.write(lambda connection: accounts.remember_account(connection, ACCOUNT, name="Ann", enabled=True, now=START))
    for first in range(1, fills + 1, AT_ONCE):
        numbers = range(first, min(first + AT_ONCE, fills + 1))
        store.write(lambda connection, numbers=numbers: _add(connection, numbers), timeout_seconds=60)  # type: ignore[misc]


def _add(connection: Connection, numbers: range) -> None:
    rows = [
        {
            "broker": "kraken", "account_id": ACCOUNT.label, "symbol": "BTC/USD", "trade_id": f"TX{number:017d}",
            "venue_order_id": f"OX{number:017d}", "client_order_id": f"{number:032x}",
            "side": "buy" if number % 2 else "sell", "quantity": Decimal(number % 97 + 1) / 10_000,
            "price": Decimal(50_000 + number % 1000), "fee": Decimal("0.0123"), "fee_currency": "USD",
            "executed_at": START + timedelta(seconds=number), "recorded_at": START + timedelta(seconds=number + 1),
            "sequence": number,
        }
        for number in numbers
    ]  # fmt: skip
    connection.execute(insert(fill), rows)


def _seal(store: Store, fills: int, file: Path, before: int) -> None:
    clock = SystemClock()
    began, busy, sealed, writes, longest = perf_counter(), process_time(), 0, 0, 0.0
    while True:
        with store.read() as connection:
            batch = chain_links.next_batch(connection, now=clock.now(), limit=ROWS_PER_WRITE)
        if not batch.links:
            break
        asked = perf_counter()
        sealed += store.write(lambda connection, batch=batch: chain_links.append(connection, batch))  # type: ignore[misc]
        longest, writes = max(longest, perf_counter() - asked), writes + 1
    seconds, cpu = perf_counter() - began, process_time() - busy
    assert sealed == fills, (sealed, fills)
    print(
        f"sealing    {fills / seconds:>10,.0f} rows/s   {cpu / fills * 1e6:6.1f} us of processor per row   "
        f"{(_size(file) - before) / fills:5.0f} bytes per row   longest write {longest * 1000:.1f} ms of {writes}"
    )


def _verify(store: Store, fills: int) -> None:
    began, busy = perf_counter(), process_time()
    with store.read() as connection:
        verdict = examine(connection)
    seconds, cpu = perf_counter() - began, process_time() - busy
    assert verdict.holds and verdict.links == fills
    print(f"verifying  {fills / seconds:>10,.0f} rows/s   {cpu / fills * 1e6:6.1f} us of processor per row")


def _size(file: Path) -> int:
    return sum(one.stat().st_size for one in file.parent.glob(f"{file.name}*"))


if __name__ == "__main__":
    words = argparse.ArgumentParser(description="How fast history is sealed and verified.")
    words.add_argument("fills", nargs="?", type=int, default=FILLS, help=f"how many are booked (default {FILLS})")
    main(words.parse_args().fills)

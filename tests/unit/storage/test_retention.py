"""Old readings are let go of, a few rows at a time; what is younger, and all books, stay."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import func, insert, select

from bot.seams.clock import SystemClock
from bot.storage.retention import ROWS_PER_WRITE, Retention, kept
from bot.storage.scan_cycles import ScanCycle, add_scan, scans_of
from bot.storage.schema import balance_snapshot, health_transition
from tests.stored_bot import KRAKEN, StoredBot, now

TABLES = kept(balance_readings_days=90, health_changes_days=400, decisions_days=90)


class MovedClock(SystemClock):
    """A clock whose monotonic side moves only when told to."""

    seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds


@pytest.fixture
def stored(tmp_path: Path) -> Iterator[StoredBot]:
    with StoredBot(tmp_path) as bot:
        bot.account(KRAKEN)
        _readings(bot, number=1200, days_ago=91)
        _readings(bot, number=40, days_ago=89)
        change = {"account_id": "kraken", "at": now() - timedelta(days=100), "old": "a", "new": "b", "reason": ""}
        bot.store.write(lambda connection: connection.execute(insert(health_transition), [change] * 3))
        yield bot


def _readings(bot: StoredBot, *, number: int, days_ago: int) -> None:
    row = {
        "account_id": "kraken", "taken_at": now() - timedelta(days=days_ago), "quote_currency": "USD",
        "cash_available": Decimal(1), "cash_held": Decimal(0),
    }  # fmt: skip
    bot.store.write(lambda connection: connection.execute(insert(balance_snapshot), [row] * number))


def rows(bot: StoredBot) -> tuple[int, int]:
    with bot.store.read() as connection:
        found = [
            connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in (balance_snapshot, health_transition)
        ]
    return found[0], found[1]


def test_what_is_older_goes_in_portions_and_what_is_younger_stays(stored: StoredBot) -> None:
    clock = MovedClock()
    retention = Retention(stored.store, clock, TABLES)
    gone = []
    for _ in range(6):
        gone.append(retention.turn())
        clock.seconds += 61
    assert gone == [ROWS_PER_WRITE, ROWS_PER_WRITE, 1200 - 2 * ROWS_PER_WRITE, 0, 0, 0]
    assert rows(stored) == (40, 3)


def test_it_looks_once_a_minute_when_nothing_is_left(stored: StoredBot) -> None:
    clock = MovedClock()
    long = kept(balance_readings_days=10_000, health_changes_days=400, decisions_days=90)
    retention = Retention(stored.store, clock, long)
    assert retention.turn() == 0
    _readings(stored, number=2, days_ago=20_000)
    clock.seconds += 5
    assert retention.turn() == 0
    assert rows(stored) == (1242, 3)


def test_the_newest_row_stays_however_old_so_that_its_number_is_not_given_twice(stored: StoredBot) -> None:
    old = ScanCycle(account_id="kraken", at=now() - timedelta(days=200), waiting="halted")
    for _ in range(3):
        stored.store.write(lambda connection: add_scan(connection, old))
    clock = MovedClock()
    retention = Retention(stored.store, clock, TABLES)
    for _ in range(4):
        retention.turn()
        clock.seconds += 61
    with stored.store.read() as connection:
        assert [scan.id for scan in scans_of(connection, "kraken")] == [3]
    assert stored.store.write(lambda connection: add_scan(connection, old)) == 4

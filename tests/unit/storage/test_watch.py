"""What the operator hears while nothing can be written down, and how near the marker stays to the database."""

import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import Connection, insert

from bot.domain.account import AccountRef, BrokerType
from bot.seams import failpoints
from bot.storage import accounts, process
from bot.storage.installation import open_installation
from bot.storage.marker import MARKER_FILE
from bot.storage.schema import copy_result, signal
from bot.storage.store import Store
from bot.storage.watch import ALARM_SECONDS, MARK_SECONDS, StoreWatch
from tests.memory_broker import TestClock

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MASTER, USER = AccountRef.master(BrokerType.KRAKEN), AccountRef.user(BrokerType.KRAKEN, "ann")


@pytest.fixture
def clock() -> TestClock:
    return TestClock()


@pytest.fixture
def watched(tmp_path: Path, clock: TestClock) -> Iterator[tuple[Store, StoreWatch]]:
    installation = open_installation(tmp_path / "nija.db", now=NOW, fresh_id=lambda: "0" * 32)
    store = Store(installation.url)
    store.start()
    store.write(lambda connection: process.start_process(connection, pid=1, mode="paper", now=NOW))
    yield store, StoreWatch(store, installation, clock)
    failpoints.install("")
    store.close()


def owe_an_exit(connection: Connection) -> None:
    for ref in (MASTER, USER):
        accounts.remember_account(connection, ref, name=ref.label, enabled=True, now=NOW)
    connection.execute(
        insert(signal).values(
            signal_id="s",
            sequence=1,
            broker="kraken",
            account_id=MASTER.label,
            symbol="BTC/USD",
            side="sell",
            kind="exit",
            size=Decimal(1),
            quantity=Decimal(1),
            reference_price=Decimal(1),
            batch=0,
            executed_at=NOW,
            created_at=NOW,
        )
    )
    connection.execute(
        insert(copy_result).values(
            signal_id="s",
            account_id=USER.label,
            status="planned",
            reason="",
            detail="",
            planned_at=NOW,
            tries=0,
            last_error="",
        )
    )


def criticals(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == logging.CRITICAL]


def test_a_failure_is_said_once_then_at_intervals_with_the_exits_that_wait_and_its_end_is_said_too(
    watched: tuple[Store, StoreWatch], clock: TestClock, caplog: pytest.LogCaptureFixture
) -> None:
    store, watch = watched
    store.write(owe_an_exit)
    failpoints.install("store_commit:raise")
    for _ in range(5):
        assert watch.beat() == ""
    (said,) = criticals(caplog)
    assert "NOTHING CAN BE WRITTEN DOWN" in said
    assert "Waiting exits: ann_kraken BTC/USD" in said
    clock.seconds += ALARM_SECONDS
    watch.beat()
    watch.beat()
    assert len(criticals(caplog)) == 2
    assert f"for {ALARM_SECONDS:.0f} s" in criticals(caplog)[1]
    failpoints.install("")
    watch.beat()
    assert "takes writes again, after 60 s" in caplog.text
    failpoints.install("store_commit:raise")
    watch.beat()
    assert len(criticals(caplog)) == 3


def test_a_failure_without_exits_says_what_becomes_of_those_that_come(
    watched: tuple[Store, StoreWatch], caplog: pytest.LogCaptureFixture
) -> None:
    failpoints.install("store_commit:raise")
    watched[1].beat()
    assert "No exit that is written down waits" in criticals(caplog)[0]


def test_a_deleted_database_is_a_sentence_to_end_with_and_its_marker_is_left_alone(
    watched: tuple[Store, StoreWatch], clock: TestClock, tmp_path: Path
) -> None:
    before = (tmp_path / MARKER_FILE).read_bytes()
    watched[0].write(process.count_start)
    (tmp_path / "nija.db").unlink()
    clock.seconds += MARK_SECONDS
    assert "was deleted while the bot was running" in watched[1].beat()
    watched[1].mark()
    assert (tmp_path / MARKER_FILE).read_bytes() == before


def test_the_marker_follows_the_database_within_a_minute(
    watched: tuple[Store, StoreWatch], clock: TestClock, tmp_path: Path
) -> None:
    store, watch = watched

    def starts() -> int:
        return int(json.loads((tmp_path / MARKER_FILE).read_text())["marks"]["starts"])

    store.write(process.count_start)
    watch.beat()
    assert starts() == 1
    clock.seconds += MARK_SECONDS
    watch.beat()
    assert starts() == 2


def test_a_marker_that_cannot_be_written_does_not_end_the_run(
    watched: tuple[Store, StoreWatch], clock: TestClock, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / f"{MARKER_FILE}.new").mkdir()
    clock.seconds += MARK_SECONDS
    assert watched[1].beat() == ""
    assert "the marker beside the database was not written" in caplog.text

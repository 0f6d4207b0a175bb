"""Several processes find one database at the same moment, and hear of each other's commits."""

import queue
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot.domain.errors import StoreUnavailable
from bot.seams.clock import SystemClock
from bot.storage import migrations, process, processes, wakeups
from bot.storage.installation import Installation
from bot.storage.postgres import postgres_url
from bot.storage.postgres_installation import PostgresOpening, Sharing
from bot.storage.store import Store, open_engine
from tests.postgres_server import PostgresServer

LEASE_SECONDS = 30.0
SAME = Sharing("same")
HEARD_SECONDS = 20.0


def opening(url: str, directory: Path, name: str, *, sharing: Sharing | None = SAME) -> PostgresOpening:
    (directory / name).mkdir(exist_ok=True)
    return PostgresOpening(
        postgres_url(url),
        directory / name,
        now=lambda: datetime.now(UTC),
        fresh_id=lambda: f"made by {name}",
        sharing=sharing,
    )


def enter(one: PostgresOpening, name: str) -> Installation:
    one.prepare()
    taken, _ = one.take_lease(owner=name, pid=1, lease_seconds=LEASE_SECONDS)
    assert taken
    return one.open()


def test_of_those_that_find_a_new_database_together_one_gives_it_its_id(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    url = postgres.empty_database()
    gate, found = threading.Barrier(3), queue.Queue[str]()

    def run(name: str) -> None:
        gate.wait(30)
        found.put(enter(opening(url, tmp_path, name), name).install_id)

    threads = [threading.Thread(target=run, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    ids = {found.get(timeout=1) for _ in threads}
    assert len(ids) == 1
    # And who comes back later belongs to it.
    assert enter(opening(url, tmp_path, "a"), "again").install_id in ids


def test_who_wants_it_alone_waits_for_many_and_many_wait_for_one_alone(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    url = postgres.empty_database()
    enter(opening(url, tmp_path, "a"), "a")
    alone = opening(url, tmp_path, "b", sharing=None)
    assert alone.take_lease(owner="b", pid=2, lease_seconds=LEASE_SECONDS)[0] is False
    engine = open_engine(postgres_url(url), writer=True)
    with engine.begin() as connection:
        processes.leave(connection, "a", reason="it ended", now=datetime.now(UTC))
    engine.dispose()
    assert alone.take_lease(owner="b", pid=2, lease_seconds=LEASE_SECONDS)[0] is True
    third = opening(url, tmp_path, "c")
    taken, holder = third.take_lease(owner="c", pid=3, lease_seconds=LEASE_SECONDS)
    assert (taken, holder.pid) == (False, 2)


def test_old_tables_are_changed_by_one_that_has_them_to_itself(postgres: PostgresServer, tmp_path: Path) -> None:
    url = postgres.empty_database()
    migrations.upgrade(postgres_url(url), to="0006")
    first = opening(url, tmp_path, "a")
    first.prepare()
    assert first.take_lease(owner="a", pid=1, lease_seconds=LEASE_SECONDS)[0] is True
    engine = open_engine(postgres_url(url), writer=True)
    with engine.begin() as connection:
        assert migrations.revision_of(connection) == migrations.head()
        # As if it were of a version that the next one does not know as its own.
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0008'")
    engine.dispose()
    if migrations.head() != "0008":
        with pytest.raises(StoreUnavailable, match="its tables must be changed"):
            opening(url, tmp_path, "b").take_lease(owner="b", pid=2, lease_seconds=LEASE_SECONDS)


def test_a_listener_hears_of_a_commit_and_listens_again_after_its_connection_was_cut(postgres: PostgresServer) -> None:
    url = postgres.migrated_database()
    heard = queue.Queue[str]()
    listener = wakeups.Listener(postgres_url(url), clock=SystemClock(), on_word=heard.put)
    store = Store(postgres_url(url))
    store.start()
    listener.start()
    try:
        assert heard.get(timeout=HEARD_SECONDS) == ""  # it may have missed anything before
        store.write(lambda connection: wakeups.tell(connection, wakeups.SIGNAL))
        assert heard.get(timeout=HEARD_SECONDS) == wakeups.SIGNAL
        postgres.cut_off(url)
        assert heard.get(timeout=HEARD_SECONDS) == ""
        store.write(lambda connection: process.set_meta(connection, "told", "yes"))
        store.write(lambda connection: wakeups.tell(connection, wakeups.ACCOUNTS))
        assert heard.get(timeout=HEARD_SECONDS) == wakeups.ACCOUNTS
    finally:
        listener.stop()
        store.close()

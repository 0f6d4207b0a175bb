"""Long histories are read a few rows at a time, and whoever stops early leaves nothing open."""

import pytest
from sqlalchemy import Connection, insert, select

from bot.storage.schema import meta
from bot.storage.store import Store
from bot.storage.streaming import stream

ON_BOTH_DATABASES = True
KEYS = [f"{number:03d}" for number in range(50)]


@pytest.fixture
def filled(store: Store) -> Store:
    rows = [{"key": key, "value": ""} for key in KEYS]
    store.write(lambda connection: connection.execute(insert(meta), rows))
    return store


def cursors(connection: Connection) -> int:
    if connection.dialect.name != "postgresql":
        return 0
    return int(connection.exec_driver_sql("SELECT count(*) FROM pg_cursors").scalar_one())


def test_every_row_comes_once_and_in_order(filled: Store) -> None:
    with filled.read() as connection:
        query = select(meta.c.key).where(meta.c.key.in_(KEYS)).order_by(meta.c.key)
        assert [row.key for row in stream(connection, query, at_once=7)] == KEYS
        assert cursors(connection) == 0


def test_who_stops_early_leaves_no_cursor_open_at_the_server(filled: Store) -> None:
    with filled.read() as connection:
        for _row in stream(connection, select(meta.c.key).order_by(meta.c.key), at_once=7):
            break
        assert cursors(connection) == 0
        assert connection.execute(select(meta.c.key).where(meta.c.key == "049")).scalar_one() == "049"

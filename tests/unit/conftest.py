"""What most unit tests stand on: a store of their own."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import URL

from bot.storage import migrations
from bot.storage.postgres import postgres_url
from bot.storage.store import Store, sqlite_url
from tests.postgres_server import PostgresServer


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A module that says `ON_BOTH_DATABASES = True` has its tests of the store run on SQLite and on PostgreSQL."""
    if "store" in metafunc.fixturenames and getattr(metafunc.module, "ON_BOTH_DATABASES", False):
        metafunc.parametrize("database_url", ["sqlite", "postgresql"], indirect=True)


@pytest.fixture
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> URL:
    """A database with our tables and nothing in them."""
    if getattr(request, "param", request.config.getoption("--database")) == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgres")
        return postgres_url(server.migrated_database())
    url = sqlite_url(tmp_path / "nija.db")
    migrations.upgrade(url)
    return url


@pytest.fixture
def store(database_url: URL) -> Iterator[Store]:
    opened = Store(database_url)
    opened.start()
    yield opened
    opened.close()


@pytest.fixture
def fresh_store(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[], Store]]:
    """A new empty store at each call, for tests that run many examples."""
    empty = tmp_path_factory.mktemp("empty") / "nija.db"
    migrations.upgrade(sqlite_url(empty))
    opened: list[Store] = []

    def fresh_url() -> URL:
        if request.config.getoption("--database") == "postgresql":
            server: PostgresServer = request.getfixturevalue("postgres")
            return postgres_url(server.migrated_database())
        file = tmp_path_factory.mktemp("store") / "nija.db"
        file.write_bytes(empty.read_bytes())
        return sqlite_url(file)

    def make() -> Store:
        store = Store(fresh_url())
        store.start()
        opened.append(store)
        return store

    yield make
    for store in opened:
        store.close()

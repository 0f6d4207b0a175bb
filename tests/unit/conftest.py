"""What most unit tests stand on: a store of their own."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bot.storage import migrations
from bot.storage.store import Store, sqlite_url


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    url = sqlite_url(tmp_path / "nija.db")
    migrations.upgrade(url)
    opened = Store(url)
    opened.start()
    yield opened
    opened.close()


@pytest.fixture
def fresh_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Store]]:
    """A new empty store at each call, for tests that run many examples."""
    empty = tmp_path_factory.mktemp("empty") / "nija.db"
    migrations.upgrade(sqlite_url(empty))
    opened: list[Store] = []

    def make() -> Store:
        file = tmp_path_factory.mktemp("store") / "nija.db"
        file.write_bytes(empty.read_bytes())
        store = Store(sqlite_url(file))
        store.start()
        opened.append(store)
        return store

    yield make
    for store in opened:
        store.close()

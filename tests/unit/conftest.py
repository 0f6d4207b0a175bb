"""What most unit tests stand on: a store of their own."""

from collections.abc import Iterator
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

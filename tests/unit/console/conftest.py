"""Consoles over one small store: one of this machine without a password, one reachable from elsewhere with all."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stored_bot import StoredBot
from tests.unit.console.served import WITH_PASSWORDS, Served


@pytest.fixture(scope="module")
def books(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The state directory of a bot that runs."""
    directory = tmp_path_factory.mktemp("state")
    with StoredBot(directory) as stored:
        stored.runs()
        stored.accounts()
        yield directory


@pytest.fixture(scope="module")
def local(books: Path) -> Iterator[Served]:
    with Served(books) as served:
        yield served


@pytest.fixture(scope="module")
def public(books: Path) -> Iterator[Served]:
    with Served(books, bind="0.0.0.0", environ=WITH_PASSWORDS) as served:
        yield served


@pytest.fixture(scope="module")
def shut(books: Path) -> Iterator[Served]:
    with Served(books, bind="0.0.0.0") as served:
        yield served

"""What the tests of notifications stand on: a clock that can be moved, a way that can be broken, a short wording."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from bot.notifications.delivery import Message, NotDelivered
from bot.notifications.wording import Wording
from bot.seams.clock import SystemClock
from bot.storage import migrations
from bot.storage.store import sqlite_url


class MovedClock(SystemClock):
    """The machine's, and as much later as a test says."""

    def __init__(self) -> None:
        super().__init__()
        self.later = timedelta(0)

    def now(self) -> datetime:
        return super().now() + self.later

    def monotonic(self) -> float:
        return super().monotonic() + self.later.total_seconds()


@dataclass
class Way:
    """A way to one receiver that fails with `problem` while there is one."""

    name: str = "webhook"
    problem: str = ""
    retry_after_seconds: float | None = None
    missed: str = ""
    had: list[Message] = field(default_factory=list)
    tries: int = 0

    def send(self, message: Message) -> str:
        self.tries += 1
        if self.problem:
            raise NotDelivered(self.problem, retry_after_seconds=self.retry_after_seconds)
        self.had.append(message)
        return self.missed

    def cut(self) -> None:
        """Nothing hangs."""


@pytest.fixture
def clock() -> MovedClock:
    return MovedClock()


@pytest.fixture
def wording() -> Wording:
    return Wording(name="NIJA", mode="paper", installation="0123456789", meaning=lambda cause: "")


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A database with our tables: a copy is there sooner than one that is made."""
    file = tmp_path_factory.mktemp("empty") / "nija.db"
    migrations.upgrade(sqlite_url(file))
    return file.read_bytes()


@pytest.fixture
def directory(tmp_path: Path, empty_database: bytes) -> Path:
    """A state directory with an empty database in it."""
    (tmp_path / "nija.db").write_bytes(empty_database)
    return tmp_path

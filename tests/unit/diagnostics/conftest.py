"""A store and a configuration of their own; the commands run in this process."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bot.storage.postgres import postgres_url
from tests.stored_bot import StoredBot, write_configuration

Main = Callable[[Sequence[str]], int]


@dataclass(frozen=True)
class Answer:
    """What a command printed, and its exit code."""

    code: int
    text: str
    errors: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


Ask = Callable[..., Answer]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The state directory; nothing of the machine's own environment gets in."""
    monkeypatch.setenv("NIJA_CONFIG_DIR", str(write_configuration(tmp_path)))
    monkeypatch.setenv("STATE_DIR", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path


@pytest.fixture
def bot(home: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[StoredBot]:
    url = None
    if request.config.getoption("--database") == "postgresql":
        text = request.getfixturevalue("postgres").migrated_database()
        monkeypatch.setenv("DATABASE_URL", text)
        url = postgres_url(text)
    with StoredBot(home, url) as stored:
        yield stored


@pytest.fixture
def ask(home: Path, capsys: pytest.CaptureFixture[str]) -> Ask:
    """`ask(module.main, "--json")` runs a command."""

    def run(main: Main, *arguments: str) -> Answer:
        capsys.readouterr()
        code = main(arguments)
        printed = capsys.readouterr()
        return Answer(code, printed.out, printed.err)

    return run

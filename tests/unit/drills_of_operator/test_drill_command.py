"""`python bot.py drill`: what is wrong use, and what is said of it."""

from pathlib import Path

import pytest

from bot.diagnostics.commands import parser
from bot.diagnostics.drills.catalogue import DRILLS
from bot.diagnostics.drills.command import first_with_users
from bot.domain.account import BrokerType
from bot.settings import Settings, load_settings
from tests.stored_bot import write_configuration


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Masters at Kraken and Coinbase, and one user, at Kraken."""
    config = write_configuration(tmp_path)
    monkeypatch.setenv("NIJA_CONFIG_DIR", str(config))
    monkeypatch.setenv("STATE_DIR", str(tmp_path))
    return load_settings()


def run(settings: Settings, *words: str) -> int:
    arguments = parser().parse_args(["drill", *words])
    return int(arguments.run(settings, arguments))


def test_without_a_name_it_says_which_there_are(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run(settings)
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert all(name in said for name in (*DRILLS, "or all"))


def test_the_help_tells_what_each_drill_is_about(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parser().parse_args(["drill", "--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert [name for name, drill in DRILLS.items() if f"{name} {drill.text}" not in said] == []


def test_it_takes_place_where_somebody_copies(settings: Settings) -> None:
    assert first_with_users(settings) is BrokerType.KRAKEN
    assert first_with_users(settings.model_copy(update={"users": ()})) is None


def test_a_brokerage_where_nobody_copies_is_refused_before_anything_is_started(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(settings, "lost-reply", "--brokerage", "coinbase") == 2
    assert "coinbase has no enabled user who copies" in capsys.readouterr().err


def test_a_drill_of_another_brokerage_is_refused_with_the_reason(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(settings, "nonce", "--brokerage", "coinbase") == 2
    assert "nonce is of kraken alone" in capsys.readouterr().err

"""The commands that read the store: what they say of accounts, and how they end."""

from pathlib import Path

import pytest

from bot.diagnostics import active_trading, broker_status, independent_status, kraken_status
from tests.stored_bot import COINBASE, DAIVON, StoredBot, write_configuration
from tests.unit.diagnostics.conftest import Ask, Main

EVERY = [broker_status.main, independent_status.main, active_trading.main, kraken_status.main]


@pytest.mark.parametrize("main", EVERY)
def test_before_the_first_run_they_say_what_to_run(ask: Ask, main: Main) -> None:
    answer = ask(main)
    assert (answer.code, answer.text) == (3, "")
    assert "has not run yet" in answer.errors
    assert "./start.sh" in answer.errors


@pytest.mark.parametrize("main", EVERY)
def test_before_the_first_run_json_is_still_json(ask: Ask, main: Main) -> None:
    answer = ask(main, "--json")
    assert answer.code == 3
    assert answer.json["running"] is False
    assert answer.json["accounts"] == []
    assert "./start.sh" in answer.json["said"]


def test_looking_creates_no_store(ask: Ask, home: Path) -> None:
    ask(broker_status.main)
    assert not (home / "nija.db").exists()


@pytest.mark.parametrize("main", EVERY)
def test_an_unknown_option_is_wrong_use(ask: Ask, main: Main) -> None:
    with pytest.raises(SystemExit) as ended:
        ask(main, "--jsn")
    assert ended.value.code == 2


@pytest.mark.parametrize("main", EVERY)
def test_a_broken_configuration_is_wrong_use_and_named(ask: Ask, home: Path, main: Main) -> None:
    write_configuration(home, masters="mastres: []\n")
    answer = ask(main)
    assert answer.code == 2
    assert "mastres" in answer.errors


@pytest.mark.parametrize("main", EVERY)
def test_all_well_is_0(ask: Ask, bot: StoredBot, main: Main) -> None:
    bot.runs()
    bot.accounts()
    answer = ask(main)
    assert answer.code == 0, answer.text
    assert answer.text.startswith("NIJA is running in paper mode; ")
    assert ask(main, "--json").code == 0


@pytest.mark.parametrize("main", EVERY)
def test_one_account_that_does_not_trade_is_1(ask: Ask, bot: StoredBot, main: Main) -> None:
    bot.runs()
    bot.accounts()
    bot.account(DAIVON, health="degraded", health_reason="balance unknown: timed out")
    answer = ask(main)
    assert answer.code == 1
    assert f"{len(ask(main, '--json').json['accounts']) - 1} of " in answer.text.splitlines()[0]
    assert "timed out" in answer.text


def test_kraken_alone_does_not_mind_coinbase(ask: Ask, bot: StoredBot) -> None:
    bot.runs()
    bot.accounts()
    bot.account(COINBASE, health="failed", health_reason="key rejected")
    assert ask(kraken_status.main).code == 0
    assert [one["account"] for one in ask(kraken_status.main, "--json").json["accounts"]] == [
        "kraken",
        "daivon_frazier_kraken",
    ]
    assert ask(broker_status.main).code == 1


@pytest.mark.parametrize("main", EVERY)
def test_a_stopped_bot_is_3_with_the_last_state_and_its_age(ask: Ask, bot: StoredBot, main: Main) -> None:
    bot.runs()
    bot.accounts()
    bot.ended("signal SIGTERM")
    answer = ask(main)
    assert answer.code == 3
    assert "not running: it stopped 0 s ago (signal SIGTERM)" in answer.text
    assert "kraken" in answer.text.lower()
    assert {one["trading"] for one in ask(main, "--json").json["accounts"]} == {False}


def test_a_killed_bot_is_not_taken_for_a_running_one(ask: Ask, bot: StoredBot) -> None:
    # No process has this number: it is above what Linux gives out.
    bot.runs(pid=2**22 + 1)
    bot.accounts()
    answer = ask(broker_status.main)
    assert answer.code == 3
    assert "ended without a word" in answer.text


@pytest.mark.parametrize("seconds", [16, 3600, -3600])
def test_a_process_that_does_not_beat_is_not_running(ask: Ask, bot: StoredBot, seconds: float) -> None:
    bot.runs(heartbeat_ago=seconds)
    bot.accounts()
    answer = ask(broker_status.main)
    assert answer.code == 3
    assert "has not been heard of" in answer.text


def test_a_store_without_a_run_says_so(ask: Ask, bot: StoredBot) -> None:
    answer = ask(broker_status.main)
    assert answer.code == 3
    assert "has not run yet" in answer.text


def test_a_file_that_is_no_store_is_named(ask: Ask, home: Path) -> None:
    (home / "nija.db").write_bytes(b"not a database, and long enough to be looked at" * 10)
    answer = ask(broker_status.main)
    assert answer.code == 3
    assert "cannot be read" in answer.errors


def test_a_store_in_a_directory_with_odd_letters_is_found(
    ask: Ask, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = home / "50% of it # and ü"
    odd.mkdir()
    monkeypatch.setenv("STATE_DIR", str(odd))
    with StoredBot(odd) as bot:
        bot.runs()
        bot.accounts()
        assert ask(broker_status.main).code == 0

"""The root scripts as an operator starts them: as processes, in the environment or outside it."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.supervision.instance_lock import InstanceLock
from tests.bot_process import ROOT, environment
from tests.exchange_process import ExchangeProcess
from tests.stored_bot import KRAKEN, StoredBot, run_script, write_configuration

STATUS_SCRIPTS = [
    "check_broker_status.py",
    "check_independent_broker_status.py",
    "check_active_trading_per_broker.py",
    "check_kraken_status.py",
]
CONNECTION = "test_kraken_connection_live.py"


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return environment(tmp_path, NIJA_CONFIG_DIR=str(write_configuration(tmp_path)))


@pytest.fixture
def bot(tmp_path: Path) -> Iterator[StoredBot]:
    with StoredBot(tmp_path) as stored:
        yield stored


@pytest.mark.parametrize("script", STATUS_SCRIPTS)
def test_before_the_first_run_a_status_script_says_what_to_run(script: str, environ: dict[str, str]) -> None:
    done = run_script(script, environ=environ)
    assert (done.returncode, done.stdout) == (3, "")
    assert "NIJA has not run yet" in done.stderr
    assert "./start.sh" in done.stderr


def test_a_running_bots_accounts_are_shown_with_code_0(bot: StoredBot, environ: dict[str, str]) -> None:
    bot.runs()
    bot.accounts()
    done = run_script("check_active_trading_per_broker.py", environ=environ)
    assert done.returncode == 0
    assert "MASTER ACCOUNT: TRADING (Broker: KRAKEN)" in done.stdout
    assert "USER: Daivon Frazier: TRADING (Broker: KRAKEN)" in done.stdout


def test_one_bad_account_ends_with_1_and_a_stopped_bot_with_3(bot: StoredBot, environ: dict[str, str]) -> None:
    bot.runs()
    bot.accounts()
    bot.account(KRAKEN, health="failed", health_reason="key rejected")
    done = run_script("check_broker_status.py", "--json", environ=environ)
    assert done.returncode == 1
    wrong = [one for one in json.loads(done.stdout)["accounts"] if not one["trading"]]
    assert [(one["account"], one["why_not_trading"]) for one in wrong] == [("kraken", "failed: key rejected")]
    bot.ended()
    assert run_script("check_broker_status.py", environ=environ).returncode == 3


def test_reading_changes_nothing_in_the_store(bot: StoredBot, environ: dict[str, str], tmp_path: Path) -> None:
    bot.runs()
    bot.accounts()
    bot.close()
    before = (tmp_path / "nija.db").read_bytes()
    assert run_script("check_broker_status.py", environ=environ).returncode == 0
    assert (tmp_path / "nija.db").read_bytes() == before


def test_a_pipe_that_closes_early_is_no_traceback(bot: StoredBot, environ: dict[str, str]) -> None:
    bot.runs()
    bot.accounts()
    command = f'"{sys.executable}" check_broker_status.py --json | head -n 1'
    done = subprocess.run(
        ["sh", "-c", command], cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout, done.stderr) == ("{\n", "")


# What follows runs with an interpreter that has none of our packages: -S leaves the directory of packages out.
def outside(script: str, *arguments: str, root: Path, environ: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-S", script, *arguments],
        cwd=root,
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def copy_of_the_program(directory: Path) -> Path:
    """The scripts and the module that they start through, and no environment."""
    (directory / "bot").mkdir(parents=True)
    for name in ("bot/__init__.py", "bot/environment.py", "check_broker_status.py", "bot.py"):
        shutil.copy(ROOT / name, directory / name)
    return directory


@pytest.mark.parametrize("script", ["check_broker_status.py", "bot.py"])
def test_outside_any_environment_a_script_says_what_to_run(
    script: str, tmp_path: Path, environ: dict[str, str]
) -> None:
    done = outside(script, root=copy_of_the_program(tmp_path / "clone"), environ=environ)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == "NIJA is not installed here yet. Run ./start.sh first; it installs and starts it.\n"


def test_outside_the_environment_a_script_continues_in_it_with_its_arguments(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    root = copy_of_the_program(tmp_path / "a clone")
    python = root / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    # Stands for the environment's interpreter and tells how it was called.
    python.write_text('#!/bin/sh\nprintf "%s|" "$@"\nexit 7\n')
    python.chmod(0o755)
    done = outside("check_broker_status.py", "--json", "two words", root=root, environ=environ)
    assert (done.returncode, done.stdout) == (7, "check_broker_status.py|--json|two words|")


@pytest.mark.skipif(not (ROOT / ".venv").exists(), reason="there is no .venv beside this code")
def test_outside_the_environment_the_real_program_answers(environ: dict[str, str]) -> None:
    done = outside("check_broker_status.py", root=ROOT, environ=environ)
    assert done.returncode == 3
    assert "NIJA has not run yet" in done.stderr


def test_an_environment_that_lacks_packages_is_not_entered_for_ever(tmp_path: Path, environ: dict[str, str]) -> None:
    root = copy_of_the_program(tmp_path / "clone")
    python = root / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" -S "$@"\n')
    python.chmod(0o755)
    done = outside("check_broker_status.py", root=root, environ=environ)
    assert done.returncode == 3
    assert "Run ./start.sh first" in done.stderr


# -- the keys at Kraken
def test_without_connect_no_key_is_tried(tmp_path: Path, environ: dict[str, str]) -> None:
    with ExchangeProcess() as exchange:
        environ |= {"PAPER_EXCHANGE_CONTROL": exchange.control_url, "PAPER_EXCHANGE_TOKEN": exchange.token}
        done = run_script(CONNECTION, environ=environ)
        assert exchange.accounts() == []
        assert exchange.journal() == []
    assert done.returncode == 0
    assert "Would connect in paper mode: kraken, daivon_frazier_kraken" in done.stdout
    assert not (tmp_path / "lock").exists()


def test_with_connect_every_kraken_account_is_tried_and_no_other(environ: dict[str, str]) -> None:
    with ExchangeProcess() as exchange:
        environ |= {"PAPER_EXCHANGE_CONTROL": exchange.control_url, "PAPER_EXCHANGE_TOKEN": exchange.token}
        done = run_script(CONNECTION, "--connect", "--json", environ=environ)
        opened = {(one["brokerage"], one["name"]) for one in exchange.accounts()}
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)["accounts"]
    assert [(one["account"], one["connected"], one["balance"]) for one in results] == [
        ("kraken", True, "10000"),
        ("daivon_frazier_kraken", True, "1000"),
    ]
    assert opened == {("kraken", "master"), ("kraken", "daivon_frazier")}


def test_a_key_that_the_venue_refuses_is_said_and_the_others_are_still_tried(environ: dict[str, str]) -> None:
    with ExchangeProcess() as exchange:
        environ |= {"PAPER_EXCHANGE_CONTROL": exchange.control_url, "PAPER_EXCHANGE_TOKEN": exchange.token}
        exchange.fault({"kind": "api_error", "text": "EAPI:Invalid key"}, times=None, account="master")
        done = run_script(CONNECTION, "--connect", environ=environ)
    assert done.returncode == 1
    assert "kraken: FAILED" in done.stdout
    assert "EAPI:Invalid key" in done.stdout
    assert "daivon_frazier_kraken: connected, balance 1000 USD" in done.stdout


def test_the_keys_of_a_running_bot_are_left_alone(tmp_path: Path, environ: dict[str, str]) -> None:
    # The lock is what a bot holds from its first moment to its last, also before it writes a store.
    lock = InstanceLock(tmp_path)
    lock.acquire()
    try:
        with ExchangeProcess() as exchange:
            environ |= {"PAPER_EXCHANGE_CONTROL": exchange.control_url, "PAPER_EXCHANGE_TOKEN": exchange.token}
            done = run_script(CONNECTION, "--connect", environ=environ)
            assert exchange.accounts() == []
    finally:
        lock.release()
    assert done.returncode == 2
    assert f"process {os.getpid()}" in done.stderr
    assert "check_kraken_status.py" in done.stderr


# -- independence
def test_independence_is_proven_on_a_throw_away_exchange_and_nothing_is_left(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    done = run_script(
        "verify_master_broker_independence.py", "--seconds", "6", "--json", environ=environ | {"TMPDIR": str(temporary)}
    )
    assert done.returncode == 0, done.stdout + done.stderr
    shown = json.loads(done.stdout)
    assert (shown["broken"], shown["proven"]) == ("coinbase", True)
    assert {one["master"] for one in shown["others"]} == {"kraken", "okx", "binance", "alpaca"}
    for one in shown["others"]:
        assert one["on_time"] and one["cycles_during"] >= 4, one
    assert list(temporary.iterdir()) == []
    assert not (tmp_path / "nija.db").exists()


@pytest.mark.parametrize("arguments", [("--break", "nasdaq"), ("--seconds", "x"), ("--seconds", "1e9")])
def test_a_wrong_word_to_the_trial_is_wrong_use(arguments: tuple[str, ...], environ: dict[str, str]) -> None:
    assert run_script("verify_master_broker_independence.py", *arguments, environ=environ).returncode == 2

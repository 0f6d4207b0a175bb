"""The sixty-second check: a broker class, `connect()`, `get_account_balance()`, in a Python shell and nothing else."""

import os
import subprocess
import sys
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

from bot.brokers.paper_venue import PaperVenue
from bot.domain.account import AccountRef, BrokerType
from bot.seams.clock import SystemClock
from tests.exchange_process import ROOT, ExchangeProcess

CHECK = """
from bot.broker_manager import KrakenBroker, AccountType
broker = KrakenBroker(account_type=AccountType.USER, user_id="daivon_frazier")
assert broker.connect()
print(broker.get_account_balance())
"""
ALL = """
from bot.broker_manager import AccountType, AlpacaBroker, BinanceBroker, CoinbaseBroker, KrakenBroker, OKXBroker
for made in (KrakenBroker, CoinbaseBroker, OKXBroker, BinanceBroker, AlpacaBroker):
    for broker in (made(), made(account_type=AccountType.USER, user_id="tania_gilbert")):
        broker.connect()
        print(broker.get_account_balance(), broker.quote_currency)
"""
STRANGER = """
from bot.broker_manager import KrakenBroker, AccountType
KrakenBroker(account_type=AccountType.USER, user_id="nobody_here")
"""


def shell(
    code: str, state_dir: Path, environment: Mapping[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "STATE_DIR": str(state_dir), **(environment or {})},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_it_works_with_nothing_running_and_leaves_nothing_behind(tmp_path: Path) -> None:
    done = shell(CHECK, tmp_path / "data", {"TMPDIR": str(tmp_path)})
    assert done.stderr == ""
    assert Decimal(done.stdout) == 1000
    assert list(tmp_path.glob("nija-shell-*")) == []
    assert not (tmp_path / "data").exists()


def test_brokers_of_one_shell_share_one_private_exchange(tmp_path: Path) -> None:
    done = shell(ALL, tmp_path / "data", {"TMPDIR": str(tmp_path)})
    shown = [(Decimal(amount), currency) for amount, currency in map(str.split, done.stdout.splitlines())]
    assert done.stderr == ""
    assert shown == [
        (Decimal(amount), currency) for currency in ("USD", "USD", "USDT", "USDT", "USD") for amount in (10_000, 5000)
    ]


def test_beside_a_running_bot_it_shows_that_bots_account(tmp_path: Path) -> None:
    venue = PaperVenue.start(state_dir=tmp_path, clock=SystemClock())
    try:
        venue.open_account(AccountRef.user(BrokerType.KRAKEN, "daivon_frazier"), Decimal("777.25"))
        done = shell(CHECK, tmp_path)
        assert (done.stderr, Decimal(done.stdout)) == ("", Decimal("777.25"))
        assert venue.healthy()
    finally:
        venue.close()


def test_it_uses_the_exchange_that_the_environment_names(tmp_path: Path) -> None:
    with ExchangeProcess(seed=1) as exchange:
        exchange.open_account("kraken", "daivon_frazier", {"USD": "42.5"})
        named = {"PAPER_EXCHANGE_CONTROL": exchange.control_url, "PAPER_EXCHANGE_TOKEN": exchange.token}
        done = shell(CHECK, tmp_path, named)
        assert (done.stderr, Decimal(done.stdout)) == ("", Decimal("42.5"))


def test_an_account_nobody_configured_is_refused_with_the_names_there_are(tmp_path: Path) -> None:
    done = shell(STRANGER, tmp_path)
    assert done.returncode != 0
    assert "nobody_here" in done.stderr and "daivon_frazier" in done.stderr


def test_live_without_a_key_names_the_variable_and_connects_nowhere(tmp_path: Path) -> None:
    done = shell(CHECK, tmp_path, {"TRADING_MODE": "live"})
    assert done.returncode != 0
    assert "KRAKEN_USER_DAIVON_FRAZIER_API_KEY" in done.stderr

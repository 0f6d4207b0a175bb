"""The paper exchange as the bot's child: it comes up, keeps its state, and ends with us."""

import contextlib
import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
import requests

from bot.brokers.paper_venue import PaperVenue
from bot.domain.account import AccountRef, BrokerType
from bot.domain.errors import ConfigurationError
from bot.seams.clock import SystemClock
from tests.exchange_process import ROOT, wait_until

USER = AccountRef.user(BrokerType.KRAKEN, "daivon_frazier")


@pytest.fixture
def venue(tmp_path: Path) -> Iterator[PaperVenue]:
    started = PaperVenue.start(state_dir=tmp_path, clock=SystemClock(), seed=5)
    yield started
    started.close()


def test_it_starts_answers_and_opens_an_account_once(venue: PaperVenue) -> None:
    assert venue.healthy()
    first = venue.open_account(USER, Decimal("1000.50"))
    assert venue.open_account(USER, Decimal(1)) == first
    assert venue.open_account(AccountRef.master(BrokerType.KRAKEN), Decimal(10_000)) != first
    urls = {venue.rest_url(broker) for broker in BrokerType}
    assert len(urls) == len(BrokerType) and all(url.startswith("http://127.0.0.1:") for url in urls)


def test_an_account_has_its_own_currency_and_okx_a_pass_phrase(venue: PaperVenue) -> None:
    keys = {
        broker: venue.open_account(AccountRef.master(broker), Decimal(1000), currency=currency)
        for broker, currency in ((BrokerType.OKX, "USDT"), (BrokerType.BINANCE, "USDC"), (BrokerType.ALPACA, "USD"))
    }
    assert [broker for broker, key in keys.items() if key.api_passphrase is not None] == [BrokerType.OKX]
    again = venue.open_account(AccountRef.master(BrokerType.OKX), Decimal(1), currency="USDT")
    assert again.api_passphrase == keys[BrokerType.OKX].api_passphrase
    with contextlib.closing(requests.Session()) as session:
        session.trust_env = False
        headers = {"X-Paper-Token": venue.endpoint.token}
        opened = session.get(f"{venue.endpoint.control_url}/accounts", headers=headers, timeout=10).json()
    balances = {one["brokerage"]: {name: Decimal(much) for name, much in one["balances"].items()} for one in opened}
    assert balances == {"okx": {"USDT": 1000}, "binance": {"USDC": 1000}, "alpaca": {"USD": 1000}}


@pytest.mark.parametrize(("asked", "mode"), [("always_open", "always_open"), ("calendar", "calendar")])
def test_its_stock_market_has_the_hours_it_was_asked_for_also_after_it_was_started_again(
    tmp_path: Path, asked: str, mode: str
) -> None:
    started = PaperVenue.start(state_dir=tmp_path, clock=SystemClock(), stock_session=asked)
    with contextlib.closing(started):
        assert started.control("GET", "/session")["mode"] == mode
        assert started.child_pid is not None
        os.kill(started.child_pid, signal.SIGKILL)
        wait_until(started.ended)
        started.revive()
        assert started.control("GET", "/session")["mode"] == mode


def test_a_second_program_on_the_same_state_finds_it_and_leaves_it_running(venue: PaperVenue, tmp_path: Path) -> None:
    keys = venue.open_account(USER, Decimal(1000))
    other = PaperVenue.attach_to_running(tmp_path, SystemClock())
    assert other is not None
    assert other.open_account(USER, Decimal(1000)) == keys
    other.close()
    assert venue.healthy()


def test_its_address_file_holds_the_token_and_is_private(venue: PaperVenue, tmp_path: Path) -> None:
    file = tmp_path / "paper" / "endpoint.json"
    assert json.loads(file.read_text())["control"]["token"] == venue.endpoint.token
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    venue.close()
    assert not file.exists()
    assert PaperVenue.attach_to_running(tmp_path, SystemClock()) is None


def test_attaching_by_control_url_learns_where_the_brokerages_are(venue: PaperVenue) -> None:
    attached = PaperVenue.attach(venue.endpoint.control_url, venue.endpoint.token, SystemClock())
    assert attached.rest_url(BrokerType.COINBASE) == venue.rest_url(BrokerType.COINBASE)
    attached.close()


@pytest.mark.parametrize(("url", "token"), [("http://127.0.0.1:1", "x"), (None, "wrong")])
def test_an_exchange_that_does_not_answer_as_one_is_named(venue: PaperVenue, url: str | None, token: str) -> None:
    with pytest.raises(ConfigurationError, match=url or venue.endpoint.control_url):
        PaperVenue.attach(url or venue.endpoint.control_url, token, SystemClock())


def test_accounts_survive_a_restart(tmp_path: Path) -> None:
    keys = []
    for _ in range(2):
        venue = PaperVenue.start(state_dir=tmp_path, clock=SystemClock())
        keys.append(venue.open_account(USER, Decimal(1000)))
        venue.close()
    assert keys[0] == keys[1]


def test_an_exchange_that_cannot_start_says_why(tmp_path: Path) -> None:
    (tmp_path / "paper").mkdir()
    (tmp_path / "paper" / "exchange.json").write_text("not json")
    with pytest.raises(ConfigurationError, match=r"did not start: .*exchange\.json"):
        PaperVenue.start(state_dir=tmp_path, clock=SystemClock())


def test_a_state_directory_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="file"):
        PaperVenue.start(state_dir=tmp_path / "file", clock=SystemClock())


def test_it_knows_when_its_child_is_gone(venue: PaperVenue) -> None:
    assert venue.child_pid is not None
    os.kill(venue.child_pid, signal.SIGKILL)
    wait_until(lambda: not venue.healthy(), what="the end of the exchange")
    with pytest.raises(ConfigurationError, match="not reachable"):
        venue.open_account(USER, Decimal(1))


def test_it_gets_none_of_our_environment(venue: PaperVenue) -> None:
    assert venue.child_pid is not None
    environment = Path(f"/proc/{venue.child_pid}/environ").read_bytes()
    assert b"PYTEST_CURRENT_TEST" not in environment


PARENT = """
import sys
from pathlib import Path
from bot.brokers.paper_venue import PaperVenue
from bot.seams.clock import SystemClock
venue = PaperVenue.start(state_dir=Path(sys.argv[1]), clock=SystemClock())
print(venue.child_pid, flush=True)
sys.stdin.read()
"""


def test_it_ends_when_we_are_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PARENT, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        os.kill(child, 0)
        parent.kill()
        wait_until(lambda: not is_running(child), what="the end of the exchange")


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"

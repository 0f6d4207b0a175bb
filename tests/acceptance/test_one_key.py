"""One API key has one bot on a machine, whatever state directories there are, and one account within a bot."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bot import exit_codes
from tests.acceptance.test_bad_input import keys_of, live_environment
from tests.bot_process import BotProcess
from tests.exchange_process import ExchangeProcess


@pytest.fixture
def exchange() -> Iterator[ExchangeProcess]:
    with ExchangeProcess(seed=3) as exchange:
        yield exchange


def test_a_second_bot_with_the_same_key_refuses_that_account_by_name_and_asks_the_venue_nothing(
    tmp_path: Path, exchange: ExchangeProcess
) -> None:
    keys = keys_of("KRAKEN_MASTER", exchange.open_account("kraken", "owner"))
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    with BotProcess(live_environment(tmp_path / "one", exchange) | keys, log=tmp_path / "one.txt") as first:
        first.says("Kraken MASTER connected")
        with BotProcess(live_environment(tmp_path / "two", exchange) | keys, log=tmp_path / "two.txt") as second:
            second.says(
                f"kraken is not used from here: process {first.process.pid} on this machine works with the same"
            )
            assert "Kraken MASTER connected" not in second.log()
            # It may have it as soon as the first has ended.
            first.stop()
            second.says("Kraken MASTER connected", seconds=90)
            assert keys["KRAKEN_MASTER_API_KEY"] not in second.log()


def test_a_key_that_is_configured_for_two_accounts_ends_the_start(tmp_path: Path, exchange: ExchangeProcess) -> None:
    account = exchange.open_account("kraken", "owner")
    keys = keys_of("KRAKEN_MASTER", account) | keys_of("KRAKEN_USER_DAIVON_FRAZIER", account)
    with BotProcess(live_environment(tmp_path, exchange) | keys, log=tmp_path / "out.txt") as bot:
        assert bot.process.wait(60) == exit_codes.WRONG_USE
        assert "have the same key" in bot.log()
        assert not exchange.journal(account="owner", type="request")

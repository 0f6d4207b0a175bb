"""A bot that is told to end does so within its time, whatever it meets, and its exit code says how it ended."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.shutdown_drill import Crowd
from bot import exit_codes
from tests.bot_process import BotProcess, environment, wait_until
from tests.exchange_process import ExchangeProcess

# A stop takes 8 s at the most. The rest is for a machine that is busy with other tests; a stop that waits for what
# hangs would take a minute or longer.
LIMIT_SECONDS = 8.0 + 12.0
ACCOUNTS = 10
# Half of them queue for the one turn at Kraken: on a slow venue all their turns take longer than a stop may.
QUEUING_ACCOUNTS = 20


@pytest.fixture
def exchange() -> Iterator[ExchangeProcess]:
    with ExchangeProcess(seed=3) as exchange:
        yield exchange


@pytest.mark.parametrize(
    ("trouble", "codes"),
    [
        ("none", {exit_codes.OK}),
        ("locked database", {exit_codes.UNCLEAN_STOP}),
        ("silent venue", {exit_codes.OK, exit_codes.UNCLEAN_STOP}),
        # Nothing hangs: who waits for a turn at the venue does not go on waiting for it.
        ("slow venue", {exit_codes.OK}),
        ("hung thread", {exit_codes.UNCLEAN_STOP}),
    ],
)
def test_a_bot_ends_in_time_and_its_exit_code_says_whether_all_was_done(
    tmp_path: Path, exchange: ExchangeProcess, trouble: str, codes: set[int]
) -> None:
    accounts = QUEUING_ACCOUNTS if trouble == "slow venue" else ACCOUNTS
    crowd = Crowd(tmp_path, exchange, accounts=accounts)
    stop = crowd.stop(trouble)
    assert stop.seconds < LIMIT_SECONDS, crowd.log()[-3000:]
    assert stop.exit_code in codes, crowd.log()[-3000:]


def test_the_second_signal_ends_it_at_once(tmp_path: Path, exchange: ExchangeProcess) -> None:
    environ = environment(
        tmp_path, exchange, NIJA_FAILPOINTS="kraken.after_BalanceEx:hang=300", NIJA__SHUTDOWN_SECONDS="300"
    )
    with BotProcess(environ, log=tmp_path / "out.txt") as bot:
        bot.says("Kraken registered as MASTER broker")
        bot.process.send_signal(signal.SIGTERM)
        bot.says("Stopping: signal SIGTERM")
        assert bot.process.poll() is None
        bot.process.send_signal(signal.SIGINT)
        assert bot.process.wait(LIMIT_SECONDS) == exit_codes.UNCLEAN_STOP


def test_a_signal_of_the_kill_switch_stops_entries_and_is_still_there_after_a_kill(
    tmp_path: Path, exchange: ExchangeProcess
) -> None:
    with BotProcess(environment(tmp_path, exchange), log=tmp_path / "out.txt") as bot:
        bot.says("Started independent trading thread")
        bot.process.send_signal(signal.SIGUSR1)
        wait_until(lambda: "signal SIGUSR1" in bot.command("bot.py", "halts").stdout, seconds=60, what="it is halted")
        bot.kill()
        assert "signal SIGUSR1" in bot.command("bot.py", "halts").stdout

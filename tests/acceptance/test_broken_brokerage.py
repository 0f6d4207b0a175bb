"""One brokerage breaks; the other's cycles stay on time, the broken one says why and recovers by itself."""

import itertools
import os
import re
import signal
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from tests.bot_process import BotProcess, environment, wait_until
from tests.exchange_process import ExchangeProcess

CYCLE_SECONDS = 0.5
# Machines under load are late by themselves. Whoever waited for a call that hangs would be later than this.
LATENESS_SECONDS = 5.5
HANG_SECONDS = 7
ANSWERS = {"copied", "partly_copied", "skipped", "failed", "superseded"}
CYCLE_LINE = re.compile(r"^(\S+ \S+) .*\] kraken - Cycle #", re.MULTILINE)


@pytest.fixture
def exchange() -> Iterator[ExchangeProcess]:
    with ExchangeProcess(seed=11) as process:
        yield process


def cycle_times(bot: BotProcess) -> list[datetime]:
    """When the Kraken master's cycles began, from the log."""
    return [datetime.strptime(text, "%Y-%m-%d %H:%M:%S,%f") for text in CYCLE_LINE.findall(bot.log())]  # noqa: DTZ007


def longest_gap(times: list[datetime]) -> float:
    return max((later - earlier).total_seconds() for earlier, later in itertools.pairwise(times))


@pytest.mark.parametrize("action", ["hang", "5xx", "reset"])
def test_krakens_cycles_stay_on_time_while_coinbase_is_broken(
    exchange: ExchangeProcess, tmp_path: Path, action: str
) -> None:
    environ = environment(
        tmp_path,
        exchange,
        NIJA__PACE__PAPER__CYCLE_SECONDS=str(CYCLE_SECONDS),
        NIJA__COINBASE__READ_TIMEOUT_SECONDS=str(HANG_SECONDS),
        NIJA__BALANCE__CACHE_SECONDS="0.5",
    )
    with BotProcess(environ, log=tmp_path / "out.txt") as bot:
        bot.says("coinbase cycle completed successfully", seconds=60)
        bot.says("kraken cycle completed successfully", seconds=60)
        exchange.fault(action, times=None, brokerage="coinbase")
        broken = wait_until(
            lambda: (found := bot.accounts()["coinbase"])["health"] in ("degraded", "failed") and found,
            seconds=60,
            what="coinbase is degraded",
        )
        assert broken["health_reason"]
        began = len(cycle_times(bot))
        wait_until(lambda: len(cycle_times(bot)) >= began + 6, seconds=60, what="six more cycles of kraken")
        assert longest_gap(cycle_times(bot)[began - 1 :]) <= CYCLE_SECONDS + LATENESS_SECONDS
        assert bot.accounts()["kraken"]["health"] == "healthy"
        exchange.clear_faults()
        wait_until(
            lambda: bot.accounts()["coinbase"]["health"] == "healthy", seconds=60, what="coinbase is healthy again"
        )
        assert bot.stop() == 0


def test_an_account_whose_balance_cannot_be_read_is_unknown_and_enters_nothing(
    exchange: ExchangeProcess, tmp_path: Path
) -> None:
    exchange.fault({"kind": "api_error", "text": "EService:Busy"}, times=None, brokerage="kraken", endpoint="BalanceEx")
    exchange.fault({"kind": "api_error", "text": "EService:Busy"}, times=None, brokerage="kraken", endpoint="Balance")
    with BotProcess(environment(tmp_path, exchange), log=tmp_path / "out.txt") as bot:
        bot.says("coinbase cycle completed successfully", seconds=60)
        wait_until(lambda: bot.copies(), seconds=60, what="coinbase trades")
        kraken = bot.accounts()["kraken"]
        assert kraken["balance"]["available"] is None
        assert not kraken["trading"]
        assert "Busy" in kraken["why_not_trading"]
    assert not [line for line in exchange.journal() if line["brokerage"] == "kraken" and line["type"] == "accept"]


def test_the_bot_says_what_to_do_when_the_exchange_is_not_there(tmp_path: Path) -> None:
    environ = environment(tmp_path, PAPER_EXCHANGE_CONTROL="http://127.0.0.1:9", PAPER_EXCHANGE_TOKEN="x" * 20)
    with BotProcess(environ, log=tmp_path / "out.txt") as bot:
        assert bot.process.wait(30) == 2
        assert "The paper exchange at http://127.0.0.1:9 is not reachable" in bot.log()


def unanswered(bot: BotProcess) -> set[str]:
    """The signals to which somebody has no final answer yet."""
    return {
        signal["signal_id"] for signal in bot.copies() if not all(user["status"] in ANSWERS for user in signal["users"])
    }


def test_an_exchange_that_goes_away_and_comes_back_loses_nothing(tmp_path: Path) -> None:
    with ExchangeProcess(seed=3, state=tmp_path / "exchange") as exchange:
        environ = environment(tmp_path, exchange, NIJA__PACE__PAPER__CYCLE_SECONDS=str(CYCLE_SECONDS))
        with BotProcess(environ, log=tmp_path / "out.txt") as bot:
            wait_until(lambda: bot.copies(), seconds=60, what="a signal")
            exchange.stop()
            wait_until(
                lambda: all(one["health"] != "healthy" for one in bot.accounts().values()),
                seconds=60,
                what="every account says that its venue is away",
            )
            exchange.start()
            wait_until(
                lambda: all(one["health"] == "healthy" for one in bot.accounts().values()),
                seconds=60,
                what="every account is well again",
            )
            # New signals come all the time, so that a copy may be under way at every look.
            known = {signal["signal_id"] for signal in bot.copies()}
            wait_until(lambda: not known & unanswered(bot), seconds=180, what="an answer for everybody")
            assert bot.stop() == 0
        ids = [line["client_order_id"] for line in exchange.journal(type="accept")]
        assert len(set(ids)) == len(ids)


def test_the_bots_own_exchange_is_started_again_when_it_dies(tmp_path: Path) -> None:
    environ = environment(tmp_path, NIJA__PACE__PAPER__CYCLE_SECONDS=str(CYCLE_SECONDS))
    with BotProcess(environ, log=tmp_path / "out.txt") as bot:
        wait_until(lambda: bot.copies(), seconds=60, what="a signal")
        (child,) = children_of(bot.process.pid)
        os.kill(child, signal.SIGKILL)
        bot.says("The paper exchange is back", seconds=30)
        wait_until(
            lambda: all(one["health"] == "healthy" for one in bot.accounts().values()),
            seconds=60,
            what="every account is well again",
        )
        assert bot.stop() == 0


def test_the_bots_own_exchange_ends_with_a_killed_bot(tmp_path: Path) -> None:
    with BotProcess(environment(tmp_path), log=tmp_path / "out.txt") as bot:
        bot.says("Paper exchange started", seconds=30)
        (child,) = children_of(bot.process.pid)
        bot.kill()
        wait_until(lambda: not Path(f"/proc/{child}").exists(), seconds=10, what="the exchange has ended too")


def children_of(pid: int) -> list[int]:
    return [int(text) for text in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

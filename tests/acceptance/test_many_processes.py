"""Several processes share the accounts: each copy is sent once and every user gets every answer, whoever is killed."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.many_processes import ManyProcesses
from tests.bot_process import BotProcess, wait_until
from tests.exchange_process import ExchangeProcess
from tests.postgres_server import PostgresServer


@pytest.fixture
def exchange() -> Iterator[ExchangeProcess]:
    with ExchangeProcess(seed=5) as exchange:
        yield exchange


@pytest.fixture
def shared(tmp_path: Path, exchange: ExchangeProcess, postgres: PostgresServer) -> ManyProcesses:
    return ManyProcesses(tmp_path, exchange, postgres.empty_database(), users=4)


def proven(shared: ManyProcesses, bot: BotProcess) -> None:
    """The journal shows no order twice, and the audit proves that every user has its answers."""
    orders = shared.orders()
    assert orders
    assert len(orders) == len(set(orders))
    audit = bot.command("bot.py", "audit")
    assert audit.returncode == 0, audit.stdout


def test_a_killed_processs_accounts_move_and_each_copy_is_sent_once(shared: ManyProcesses) -> None:
    with shared.joins("a") as first, shared.joins("b") as second, shared.joins("c") as third:
        bots = [first, second, third]
        shared.wait_shared(*bots)
        shared.copied(signals=1)
        # Killed in the middle of its work: the one that has the master and some users, so both must move.
        dead = next(bot for bot in bots if bot.process.pid == shared.holder_of_master())
        dead.kill()
        left = [bot for bot in bots if bot is not dead]
        shared.wait_shared(*left)
        shared.copied(signals=1)
        proven(shared, left[0])
        assert [bot.stop() for bot in left] == [0, 0], [bot.log()[-2000:] for bot in left]
        proven(shared, left[0])


@pytest.mark.slow
def test_one_that_joins_gets_its_part_and_one_that_is_stopped_gives_all_back(shared: ManyProcesses) -> None:
    with shared.joins("a") as first:
        shared.wait_shared(first)
        shared.copied(signals=1)
        with shared.joins("b") as second:
            shared.wait_shared(first, second)
            shared.copied(signals=1)
            processes = first.command("bot.py", "processes")
            assert processes.returncode == 0, processes.stderr
            assert str(second.process.pid) in processes.stdout
            assert first.stop() == 0, first.log()[-2000:]
            shared.wait_shared(second)
            shared.copied(signals=1)
            proven(shared, second)
            # Whoever wants to work alone waits for the last of many.
            with shared.start("c", lease_seconds=4) as alone:
                alone.says("standby: lease held by")
                assert second.stop() == 0, second.log()[-2000:]
                alone.says("Started independent trading thread", seconds=60)
                before = shared.last_signal()
                wait_until(lambda: shared.copies_since(before) > 0, seconds=60, what="the one that is left trades")
                assert alone.stop() == 0, alone.log()[-2000:]
                proven(shared, alone)

"""Several processes, one PostgreSQL: one of them trades, whatever happens to it, and the others take over after it."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot import exit_codes
from tests.acceptance.shared_database import SharedDatabase, page
from tests.bot_process import wait_until
from tests.exchange_process import ExchangeProcess
from tests.postgres_server import PostgresServer

LEASE_SECONDS = 3.0


@pytest.fixture
def exchange() -> Iterator[ExchangeProcess]:
    with ExchangeProcess(seed=5) as exchange:
        yield exchange


@pytest.fixture
def shared(tmp_path: Path, exchange: ExchangeProcess, postgres: PostgresServer) -> SharedDatabase:
    return SharedDatabase(tmp_path, exchange, postgres.empty_database())


def test_the_second_process_waits_and_takes_over_when_the_first_is_killed(shared: SharedDatabase) -> None:
    with shared.start("first", lease_seconds=LEASE_SECONDS) as first:
        shared.trades_after(0)
        with shared.start("second", lease_seconds=LEASE_SECONDS) as second:
            second.says("standby: lease held by")
            assert page(second, "live") == (200, "alive\n")
            status, text = page(second, "ready")
            assert (status, text.startswith("standby: lease held by")) == (503, True)
            shared.trades_after(shared.exchange.last_seq())
            # Whatever was traded until here, it was not by this one: it has not even opened an account.
            assert "Started independent trading thread" not in second.log()
            epoch = shared.highest_epoch()
            first.kill()
            killed_at = shared.exchange.last_seq()
            second.says("Started independent trading thread", seconds=60)
            shared.trades_after(killed_at)
            assert min(shared.senders(shared.orders(killed_at))) > epoch
            wait_until(lambda: page(second, "ready")[0] == 200, seconds=60, what="the second is ready")
            assert second.log().count("standby: lease held by") == 1
            audit = second.command("bot.py", "audit")
            assert audit.returncode == 0, audit.stdout
            assert second.stop() == 0
    orders = shared.orders()
    assert len(orders) == len(set(orders))


def test_a_process_that_stood_still_while_it_was_replaced_sends_nothing_more_and_ends(shared: SharedDatabase) -> None:
    with shared.start("first", lease_seconds=LEASE_SECONDS) as first:
        shared.trades_after(0)
        with shared.start("second", lease_seconds=LEASE_SECONDS) as second:
            second.says("standby: lease held by")
            epoch = shared.highest_epoch()
            first.process.send_signal(signal.SIGSTOP)
            # It may stand still in the middle of a transaction, which the server ends after a while.
            second.says("Started independent trading thread", seconds=90)
            going_on_at = shared.exchange.last_seq()
            first.process.send_signal(signal.SIGCONT)
            assert first.process.wait(60) == exit_codes.LEASE_LOST, first.log()[-3000:]
            shared.trades_after(going_on_at)
            assert min(shared.senders(shared.orders(going_on_at))) > epoch
            assert second.stop() == 0
    orders = shared.orders()
    assert len(orders) == len(set(orders))


def test_a_process_that_is_stopped_hands_over_at_once(shared: SharedDatabase) -> None:
    with shared.start("first", lease_seconds=600) as first:
        shared.trades_after(0)
        with shared.start("second", lease_seconds=600) as second:
            second.says("standby: lease held by")
            assert first.stop() == 0, first.log()[-3000:]
            shared.trades_after(shared.exchange.last_seq())
            assert second.stop() == 0


def test_connections_that_the_server_cuts_cost_no_order_and_no_lease(
    shared: SharedDatabase, postgres: PostgresServer
) -> None:
    with shared.start("first", lease_seconds=LEASE_SECONDS) as first:
        for _ in range(5):
            before = shared.exchange.last_seq()
            shared.trades_after(before)
            postgres.cut_off(shared.url)
        shared.trades_after(shared.exchange.last_seq())
        assert shared.ask("SELECT epoch FROM instance_lease") == [(1,)]
        audit = first.command("bot.py", "audit")
        assert audit.returncode == 0, audit.stdout
        assert first.stop() == 0, first.log()[-3000:]
    orders = shared.orders()
    assert len(orders) == len(set(orders))


def test_a_server_that_is_away_is_waited_for_at_the_start_and_while_trading(
    tmp_path: Path, exchange: ExchangeProcess
) -> None:
    server = PostgresServer()
    try:
        shared = SharedDatabase(tmp_path, exchange, server.url("postgres"))
        with shared.start("first", lease_seconds=LEASE_SECONDS) as bot:
            bot.says("the database cannot be used")
            assert page(bot, "live")[0] == 200
            assert page(bot, "ready")[0] == 503
            assert bot.command("bot.py", "audit").returncode != 0
            server.start()
            shared.trades_after(0)
            server.stop()
            wait_until(lambda: page(bot, "ready")[0] == 503, seconds=60, what="it is not ready without its database")
            bot.says("The lease of the database was not renewed")
            without_at = exchange.last_seq()
            # What was under way may still be accepted; nothing that begins now, however long it lasts.
            bot.says("NOTHING CAN BE WRITTEN DOWN", seconds=60)
            assert len(shared.orders(without_at)) <= 2
            server.start()
            shared.trades_after(exchange.last_seq())
            assert bot.stop() == 0, bot.log()[-3000:]
        orders = shared.orders()
        assert len(orders) == len(set(orders))
    finally:
        server.close()

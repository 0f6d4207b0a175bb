"""Threads of a real bot that hang and wake up later: shut out, replaced, harmless. The exchange's journal judges."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.exchange_process import wait_until
from tests.integration.composed_bot import MASTER, ComposedBot, PatientStrategy, user

PATIENCE = 120.0
ON_THE_WAY_IN = ("submitted_committed", "kraken.before_AddOrder", "ack_received", "kraken.before_BalanceEx")
ON_THE_WAY_OUT = "exit_planned"  # its order is written down and not sent yet


@pytest.fixture
def started(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[ComposedBot]:
    with ComposedBot(tmp_path, request.param) as bot:
        wait_until(bot.all_trade, seconds=PATIENCE, what="every account's first cycle")
        yield bot


def accepted(bot: ComposedBot, name: str, since: int = 0) -> list[dict[str, Any]]:
    return bot.exchange.journal(since, type="accept", account=name)


def at_rest(bot: ComposedBot, names: list[str]) -> bool:
    """Every copy is answered, every order has an end, and books and venue say the same."""
    open_copies = bot.rows("SELECT account_id FROM copy_result WHERE answered_at IS NULL")
    open_orders = bot.rows(
        "SELECT account_id FROM order_intent WHERE state IN ('created', 'submitted', 'unknown', 'acknowledged',"
        " 'partly_filled')"
    )
    return not open_copies and not open_orders and all(bot.held(name) == bot.booked(user(name)) for name in names)


TWENTY = [f"u{number:02d}" for number in range(20)]


@pytest.mark.parametrize("started", [[*TWENTY, "control"]], indirect=True)
def test_of_twenty_threads_that_hang_on_the_way_of_an_order_none_sends_or_writes_after_it_was_replaced(
    started: ComposedBot,
) -> None:
    bot = started
    places = (*ON_THE_WAY_IN, ON_THE_WAY_OUT)
    groups = {place: TWENTY[at : at + 4] for place, at in zip(places, range(0, 20, 4), strict=True)}
    for place, names in groups.items():
        bot.hold.at(place, *(f"{name}_kraken" for name in names))
    cycles = bot.cycles(user("control"))

    bot.hand.trades("buy", "0.5", "BTC/USD")
    copied = ["control", *groups[ON_THE_WAY_OUT]]
    wait_until(lambda: all(bot.held(name) > 0 for name in copied), seconds=PATIENCE, what="copies of who do not hang")
    bot.hand.trades("sell", "0.5", "BTC/USD")
    wait_until(lambda: len(bot.hold.held) == 20, seconds=PATIENCE, what="twenty hang")

    # Every one is replaced while all twenty threads still hang, and then everything comes to an end without them.
    zombies = set(bot.hold.held.values())
    wait_until(lambda: all_replaced(bot, zombies), seconds=PATIENCE, what="all are replaced")
    wait_until(lambda: at_rest(bot, TWENTY), seconds=PATIENCE, what="all is settled")
    assert all(thread.is_alive() for thread in zombies)
    assert bot.cycles(user("control")) > cycles + 3
    woken_at = bot.exchange.last_seq()
    epochs = {name: bot.epoch(user(name)) for name in TWENTY}
    rows = bot.rows("SELECT * FROM order_intent ORDER BY client_order_id")

    bot.hold.release()
    wait_until(lambda: not any(thread.is_alive() for thread in zombies), seconds=PATIENCE, what="the zombies end")
    cycles = bot.cycles(user("control"))
    wait_until(lambda: bot.cycles(user("control")) > cycles + 1, seconds=PATIENCE, what="another cycle")
    for name in TWENTY:
        assert accepted(bot, name, woken_at) == [], f"{name} sent after it woke up"
        assert bot.held(name) == bot.booked(user(name)) == 0
        assert epochs[name] >= 3, "opened, shut out, opened anew"
    assert bot.rows("SELECT * FROM order_intent ORDER BY client_order_id") == rows
    assert_each_order_once(bot)
    assert bot.fatal == []


def all_replaced(bot: ComposedBot, zombies: set[threading.Thread]) -> bool:
    now = bot.parts.trader.threads()
    return all(user(name) in now and now[user(name)] not in zombies and now[user(name)].is_alive() for name in TWENTY)


def assert_each_order_once(bot: ComposedBot) -> None:
    ids = [line["client_order_id"] for name in TWENTY for line in accepted(bot, name)]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("started", [["ann"]], indirect=True)
def test_a_strategy_in_an_endless_loop_costs_its_master_one_thread_and_nobody_else_anything(
    started: ComposedBot,
) -> None:
    bot = started
    loops: list[threading.Thread] = []

    def loop() -> None:
        if not loops:
            loops.append(threading.current_thread())
            while True:
                pass

    PatientStrategy.ask = loop
    wait_until(lambda: loops, seconds=PATIENCE, what="the loop begins")
    cycles = bot.cycles(user("ann"))
    wait_until(lambda: bot.state(MASTER) == "quarantined", seconds=PATIENCE, what="quarantine")
    reason = bot.parts.statuses[MASTER].health.reason
    assert "asking the strategy about an entry in" in reason
    assert ":loop" in reason
    wait_until(lambda: not loops[0].is_alive(), seconds=PATIENCE, what="the loop is interrupted")
    wait_until(lambda: bot.state(MASTER) == "healthy", seconds=PATIENCE, what="the master trades again")
    restarts = bot.metrics.registry.get_sample_value("nija_thread_restarts_total", {"account": "kraken", "why": "hung"})
    assert restarts == 1
    assert bot.cycles(user("ann")) > cycles
    assert bot.fatal == []


@pytest.mark.parametrize("started", [["ann"]], indirect=True)
def test_an_account_whose_second_thread_hangs_too_is_left_alone_and_named_while_the_others_trade(
    started: ComposedBot,
) -> None:
    bot = started
    for _ in range(2):
        bot.hold.held.clear()
        bot.hold.at("kraken.before_BalanceEx", "ann_kraken")
        wait_until(lambda: bot.hold.held, seconds=PATIENCE, what="a hang")
        wait_until(lambda: user("ann") not in bot.parts.trader.threads(), seconds=PATIENCE, what="given up")
    wait_until(lambda: bot.state(user("ann")) == "failed", seconds=PATIENCE, what="left alone")
    health = bot.parts.statuses[user("ann")].health
    assert "a second thread of it hangs" in health.reason
    assert "a person may look at it, it is tried again at" in health.reason
    cycles = bot.cycles(MASTER)
    wait_until(lambda: bot.cycles(MASTER) > cycles + 2, seconds=PATIENCE, what="the master's cycles")
    assert user("ann") not in bot.parts.trader.threads()
    assert len(bot.parts.watchdog.zombies()) == 2

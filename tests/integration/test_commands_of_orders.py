"""The commands about orders beside a running bot that trades: a person's word is carried out, and the books add up."""

import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.bot_process import BotProcess, environment, wait_until
from tests.exchange_process import ExchangeProcess

USER = "daivon_frazier"
LABEL = "daivon_frazier_kraken"


@pytest.fixture
def exchange() -> Iterator[ExchangeProcess]:
    with ExchangeProcess(seed=7) as process:
        # The first order of one user is taken and not answered, and no list of orders shows it.
        process.fault("accept_then_5xx", account=USER, brokerage="kraken", endpoint="AddOrder")
        process.fault({"kind": "lookup_lag", "seconds": 600}, times=None, account=USER, brokerage="kraken")
        yield process


def rows(state: Path, query: str) -> list[Any]:
    try:
        with closing(sqlite3.connect(f"file:{state / 'nija.db'}?mode=ro", uri=True, timeout=10)) as connection:
            connection.row_factory = sqlite3.Row
            return connection.execute(query).fetchall()
    except sqlite3.OperationalError:
        return []


def contradict(state: Path, order: str) -> None:
    """As if the venue had shown another order under our id, which the paper exchange never does."""
    with closing(sqlite3.connect(state / "nija.db", timeout=10)) as connection, connection:
        query = "UPDATE order_intent SET needs_person = 'the venue shows another one' WHERE client_order_id = ?"
        assert connection.execute(query, (order,)).rowcount == 1


def metric(bot: BotProcess, name: str) -> float:
    match = re.search(r"Metrics at (\S+)", bot.log())
    assert match
    with requests.Session() as session:
        session.trust_env = False
        text = session.get(match[1], timeout=10).text
    found = re.search(rf"^{name} (\S+)$", text, re.MULTILINE)
    assert found, text
    return float(found[1])


def test_a_persons_word_about_a_lost_order_is_carried_out_by_the_running_bot(
    exchange: ExchangeProcess, tmp_path: Path
) -> None:
    environ = environment(tmp_path, exchange, NIJA__PACE__PAPER__CYCLE_SECONDS="1")
    with BotProcess(environ, log=tmp_path / "out.txt") as bot:
        unknown = f"SELECT * FROM order_intent WHERE account_id = '{LABEL}' AND state = 'unknown'"
        (lost,) = wait_until(lambda: rows(tmp_path, unknown), seconds=60, what=f"an unknown order\n{bot.log()[-2000:]}")
        order = lost["client_order_id"]
        contradict(tmp_path, order)
        (shown,) = json.loads(bot.command("bot.py", "resolve", "--json").stdout)["orders"]
        assert (shown["order"], shown["venue_shows"]) == (order, "the venue shows another one")
        assert metric(bot, "nija_orders_needing_person") == 1
        assert metric(bot, "nija_copy_answers_missing") == 0

        (accepted,) = [
            line for line in exchange.journal(type="accept") if line["client_order_id"].replace("-", "") == order
        ]
        exchange.clear_faults()
        words = ("--accepted-as", accepted["order_id"], "--by", "Anna", "--yes")
        done = bot.command("bot.py", "resolve", order[:10], *words)
        assert (done.returncode, done.stderr) == (0, ""), done.stdout + bot.log()[-3000:]
        assert f"Carried out: order {order[:8]} is filled" in done.stdout

        answered = f"SELECT * FROM copy_result WHERE client_order_id = '{order}' AND status = 'copied'"
        wait_until(lambda: rows(tmp_path, answered), seconds=20, what="the copy's answer")
        audit = bot.command("bot.py", "audit", "--json")
        assert audit.returncode == 0, audit.stdout
        assert json.loads(audit.stdout)["proven"] is True
        assert bot.stop() == 0

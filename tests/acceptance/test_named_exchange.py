"""A master and a user at an exchange opened by its ccxt name: trades, copies, and one order whose answer is lost."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bot_process import BotProcess, environment, wait_until
from tests.exchange_process import ExchangeProcess

CONFIGURATION = """\
exchanges:
  euokx: {ccxt_id: myokx, paper_front: okx, settle_seconds: 5}
masters:
- {broker: euokx}
strategy:
  plugin: benchmarks.kill_drill.busy_strategy:BusyStrategy
pace:
  paper: {cycle_seconds: 2}
"""
ANN = {"user_id": "ann", "name": "Ann", "account_type": "retail", "broker_type": "euokx", "enabled": True}


@pytest.fixture
def exchange() -> Iterator[ExchangeProcess]:
    with ExchangeProcess(seed=7) as process:
        yield process


@pytest.fixture
def configuration(tmp_path: Path) -> Path:
    users = tmp_path / "config" / "users"
    users.mkdir(parents=True)
    (users.parent / "nija.yaml").write_text(CONFIGURATION)
    (users / "retail_euokx.json").write_text(json.dumps([ANN]))
    return users.parent


def test_a_named_exchange_is_traded_and_copied_and_a_lost_answer_costs_no_second_order(
    exchange: ExchangeProcess, tmp_path: Path, configuration: Path
) -> None:
    # ccxt places an order at OKX as a batch of one.
    exchange.fault("drop_response", account="ann_euokx", endpoint="trade/batch-orders")
    environ = environment(tmp_path, exchange, NIJA_CONFIG_DIR=str(configuration))
    with BotProcess(environ, log=tmp_path / "out.txt") as bot:
        wait_until(lambda: bot.log().count(" copied\n") >= 2, seconds=90, what="two copied entries")
        status = bot.accounts()
        assert bot.stop() == 0
        log, journal = bot.log(), exchange.journal(type="accept", account="ann_euokx")
    ours = [line["client_order_id"] for line in journal]
    assert len(ours) == len(set(ours)) >= 2, "each order is at the exchange once"
    assert "outcome unknown" in log and "Traceback" not in log
    assert "euokx (ccxt's myokx) is experimental" in log
    assert status["ann_euokx"]["balance"]["currency"] == "USDT"

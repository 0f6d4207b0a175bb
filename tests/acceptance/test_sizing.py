"""A whole bot that wants too much: what a stop may lose sets its size, fees and blindness hold it back."""

import contextlib
import json
import sqlite3
from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

from tests.bot_process import BotProcess, environment, wait_until
from tests.exchange_process import ExchangeProcess

CONFIGURATION = """\
masters:
  - {broker: kraken}
strategy: {plugin: "tests.acceptance.wishful_strategy:WishfulStrategy"}
pace:
  paper: {cycle_seconds: 0.4}
scan: {symbols: [BTC/USD, ETH/USD, SOL/USD], min_daily_volume_usd: null, max_spread_percent: null}
risk:
  sizing: risk_per_trade
  risk_per_trade_percent: 1
  safe_mode_leave_after_looks: 3
  safe_mode_leave_after_seconds: 2
"""

Rows = Callable[[str], Sequence[sqlite3.Row]]


def _rows(path: Path, query: str) -> Sequence[sqlite3.Row]:
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        connection.row_factory = sqlite3.Row
        return connection.execute(query).fetchall()


def configured(directory: Path) -> Path:
    config = directory / "config"
    (config / "users").mkdir(parents=True)
    (config / "nija.yaml").write_text(CONFIGURATION, encoding="utf-8")
    (directory / "state").mkdir()
    return config


def test_a_master_sizes_from_its_stop_leaves_what_fees_would_eat_and_waits_after_blindness(
    tmp_path: Path,
) -> None:
    config = configured(tmp_path)
    with ExchangeProcess(seed=5) as exchange:
        exchange.pause()
        exchange.open_account("kraken", "master", {"USD": 20_000})
        environ = environment(tmp_path / "state", exchange, NIJA_CONFIG_DIR=str(config))
        with BotProcess(environ, log=tmp_path / "out.txt") as bot:
            bought = wait_until(lambda: exchange.journal(type="fill"), seconds=60, what="BTC is bought")
            assert {line["symbol"] for line in bought} == {"BTC/USD"}
            _loses_one_percent_at_its_stop(bought)
            rows = partial(_rows, tmp_path / "state" / "nija.db")
            _is_vetoed_for_its_fees(rows)
            _waits_a_while_after_its_balance_was_unknown(rows, exchange)
            _waits_a_while_after_its_prices_were_unknown(rows, exchange)
            placed = exchange.journal(endpoint="AddOrder")
            assert {line["symbol"] for line in placed if line["symbol"]} == {"BTC/USD"}
            assert bot.stop() == 0


def _loses_one_percent_at_its_stop(bought: list[dict[str, Any]]) -> None:
    """200 of 20,000: the fall of 4 %, and the fee that was really taken, twice."""
    cost = sum(Decimal(line["quantity"]) * Decimal(line["price"]) for line in bought)
    fee = sum(Decimal(line["fee"]) for line in bought)
    lost = cost * Decimal("0.04") + fee + fee * Decimal("0.96")
    assert Decimal(195) < lost <= Decimal(201)


def _is_vetoed_for_its_fees(rows: Rows) -> None:
    wait_until(lambda: _symbols_of(rows, "fees_exceed_target") == {"ETH/USD", "SOL/USD"}, seconds=40, what="the vetoes")
    for veto in rows("SELECT * FROM veto WHERE rule = 'fees_exceed_target'"):
        numbers = json.loads(veto["numbers_json"])
        assert numbers["taker_fee"] == "told by the venue"
        assert Decimal(numbers["round_trip_cost_percent"]) >= Decimal(numbers["take_profit_percent"]) == Decimal("0.6")


def _waits_a_while_after_its_balance_was_unknown(rows: Rows, exchange: ExchangeProcess) -> None:
    """The balance cannot be read for a moment; when it can be again nothing is entered for a while yet."""
    failures = "SELECT balance_errors FROM account_state WHERE account_id = 'kraken'"
    exchange.fault("html", times=None, endpoint="BalanceEx")
    wait_until(lambda: rows(failures)[0]["balance_errors"] >= 3, seconds=60, what="the balance is not read")
    exchange.clear_faults()
    wait_until(lambda: "safe mode since" in _waits_for(rows), seconds=40, what="safe mode is shown")
    held_back = wait_until(
        lambda: rows("SELECT * FROM veto WHERE rule = 'safe_mode'"), seconds=40, what="safe mode holds a wish back"
    )
    assert "balance" in held_back[0]["detail"]
    _ends_by_itself(rows)


def _waits_a_while_after_its_prices_were_unknown(rows: Rows, exchange: ExchangeProcess) -> None:
    """What it holds has no price, so no cycle comes as far as its look at the markets; that is a look all the same."""
    before = rows("SELECT max(id) AS newest FROM veto")[0]["newest"]
    exchange.fault("html", times=None, endpoint="Ticker")
    wait_until(lambda: "nothing that it holds has a price" in _waits_for(rows), seconds=60, what="safe mode is shown")
    assert "safe mode since" in _waits_for(rows)
    (state,) = rows("SELECT status, reason FROM exit_state WHERE account_id = 'kraken'")
    assert state["status"] == "waiting" and "no price" in state["reason"]
    exchange.clear_faults()
    newer = f"SELECT * FROM veto WHERE id > {before} AND rule = 'safe_mode'"
    held_back = wait_until(lambda: rows(newer), seconds=60, what="safe mode holds a wish back")
    assert "nothing that it holds has a price" in held_back[0]["detail"]
    _ends_by_itself(rows)
    (state,) = rows("SELECT status FROM exit_state WHERE account_id = 'kraken'")
    assert state["status"] == "armed"


def _waits_for(rows: Rows) -> str:
    (row,) = rows("SELECT waiting_for FROM account_state WHERE account_id = 'kraken'")
    return str(row["waiting_for"])


def _ends_by_itself(rows: Rows) -> None:
    wait_until(lambda: "safe mode" not in _waits_for(rows), seconds=40, what="safe mode ends by itself")
    newest = "SELECT rule FROM veto ORDER BY id DESC LIMIT 1"
    wait_until(lambda: rows(newest)[0]["rule"] == "fees_exceed_target", seconds=40, what="wishes are looked at again")


def _symbols_of(rows: Rows, rule: str) -> set[str]:
    return {str(row["symbol"]) for row in rows(f"SELECT symbol FROM veto WHERE rule = '{rule}'")}

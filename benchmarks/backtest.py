"""Candles a second of a backtest through the bot's own code, and of backtesting.py on the same candles.

    python benchmarks/backtest.py --symbols 20 --days 10 [--json]

Ours is the whole of it: strategy, exits, sizes, limits, matching engine, balances and fees in decimals;
what costs time is trades, so their number is beside every figure. backtesting.py runs in .venv-peers, over one symbol,
with a rule of ours (`tests/contract/peers/backtesting_py.py`) that both trade alike, fill for fill. Seconds are of
the processor, after the candles were made. freqtrade and nautilus were not run: their figures are those they are known
for, 29,000 and 30,000 candles a second.
"""

import argparse
import sys
import time
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.report import Cell, Report
from bot.backtest.backtest import Backtest
from bot.backtest.candle_table import CandleTable
from bot.backtest.costs import FREE, Costs
from bot.backtest.generated import generate, tradable_symbols
from bot.backtest.plan import CopyUser, TradingPlan
from bot.domain.position import ExitPlan
from bot.strategies.interface import Strategy
from bot.strategies.loading import load_strategy
from tests.contract.peer_process import run_peer
from tests.contract.test_backtests_of_others import BACK, Momentum, rows

GOAL = 300_000
COLUMNS = ("way", "candles", "trades", "candles a trade", "seconds", "candles/s", "ms a trade")
PLAN = ExitPlan(stop_loss_percent=Decimal(2), take_profit_percent=Decimal(3), trailing_stop_percent=Decimal("2.5"))
SELDOM = {"channel": 300, "exit_channel": 300}


def main() -> None:
    """Run every way and print the table."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--symbols", type=int, default=20)
    words.add_argument("--days", type=int, default=10)
    words.add_argument("--seed", type=int, default=7)
    words.add_argument("--json", action="store_true")
    asked = words.parse_args()
    symbols = [symbol for symbol in tradable_symbols() if symbol.endswith("/USD")][: asked.symbols]
    tables = generate(asked.seed, asked.days, symbols)
    one = {symbols[0]: tables[symbols[0]]}
    users = [CopyUser(name=f"user{place}", balance=Decimal(1000)) for place in range(10)]
    found = [
        _row("buy_and_hold: next to nothing to decide", *_ours(tables, load_strategy("buy_and_hold", {}))),
        _row("breakout of 300 candles, many symbols", *_ours(tables, load_strategy("breakout", SELDOM))),
        _row("the same, with 10 users who copy", *_ours(tables, load_strategy("breakout", SELDOM), users=users)),
        _row(
            "the same, asked about every candle, one symbol", *_ours(one, load_strategy("breakout", SELDOM), fast=False)
        ),
        _row("rsi_trend as it is, one symbol", *_ours(one, load_strategy("rsi_trend", {}))),
        _row("a bare rule without screens, one symbol", *_ours(one, Momentum(), costs=FREE, plan=ExitPlan())),
        _row("backtesting.py, the bare rule, one symbol", *_peer(one[symbols[0]])),
    ]
    settings: dict[str, Cell] = {"symbols": asked.symbols, "days": asked.days, "goal": GOAL}
    Report("Backtests: candles a second", COLUMNS, found, settings=settings).say(as_json=asked.json)


def _ours(
    tables: Mapping[str, CandleTable],
    strategy: Strategy,
    *,
    users: list[CopyUser] | None = None,
    fast: bool = True,
    costs: Costs | None = None,
    plan: ExitPlan = PLAN,
) -> tuple[int, int, float]:
    began = time.process_time()
    result = Backtest(
        tables=tables, strategy=strategy, balance=Decimal(10_000), plan=TradingPlan(exit_plan=plan), costs=costs,
        users=users or [], use_screens=fast,
    ).run()  # fmt: skip
    return result.candles, len(result.master.round_trips), time.process_time() - began


def _peer(table: CandleTable) -> tuple[int, int, float]:
    answer = run_peer("backtesting_py.py", candles=rows(table), back=BACK, fee=0.0)
    return len(table), len(answer["trades"]), answer["seconds"]


def _row(way: str, candles: int, trades: int, seconds: float) -> dict[str, Cell]:
    return {
        "way": way,
        "candles": candles,
        "trades": trades,
        "candles a trade": round(candles / max(1, trades)),
        "seconds": round(seconds, 2),
        "candles/s": round(candles / seconds),
        "ms a trade": round(seconds / max(1, trades) * 1000, 2),
    }


if __name__ == "__main__":
    main()

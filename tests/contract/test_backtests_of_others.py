"""The same candles and the same simple rule in other people's backtests: every trade is the same one."""

import json
import os
import subprocess
from decimal import Decimal as D
from typing import Any

import pytest

from bot.backtest.backtest import Backtest
from bot.backtest.candle_table import CandleTable
from bot.backtest.costs import FREE, Costs
from bot.backtest.generated import generate
from bot.backtest.plan import TradingPlan
from bot.backtest.result import RoundTrip
from bot.domain.position import ExitPlan, Position
from bot.strategies.interface import EntryIntent, ExitIntent, MarketView, NoEntry
from tests.contract.peer_process import SCRIPTS, run_peer

BACK = 30
TICK = 0.1
FEE_UNIT = 0.0001
# Where vectorbt is installed: it needs a gigabyte of its own, which is asked of nobody.
VECTORBT = os.environ.get("NIJA_VECTORBT_PYTHON", "")


class Momentum:
    """Long while the close is above that of `BACK` candles ago."""

    name = "momentum"
    parameters = ()
    candles_needed = BACK + 1

    def entry(self, view: MarketView) -> EntryIntent | NoEntry:
        if view.candles[-1].close > view.candles[-1 - BACK].close:
            return EntryIntent(view.symbol, D("0.5"), "rises")
        return NoEntry("does not rise")

    def exit(self, view: MarketView, position: Position) -> ExitIntent | None:
        falls = view.candles[-1].close < view.candles[-1 - BACK].close
        return ExitIntent(view.symbol, "falls") if falls else None


def candles() -> CandleTable:
    return generate(5, 2, ["BTC/USD"])["BTC/USD"]


def ours(table: CandleTable, costs: Costs, plan: ExitPlan) -> list[RoundTrip]:
    result = Backtest(
        tables={"BTC/USD": table}, strategy=Momentum(), balance=D(1000), plan=TradingPlan(exit_plan=plan),
        costs=costs,
    ).run()  # fmt: skip
    return result.master.closed


def rows(table: CandleTable) -> list[list[float]]:
    return [
        [one.opened_at.timestamp(), *map(float, (one.open, one.high, one.low, one.close, one.volume))] for one in table
    ]


def assert_trade_for_trade(table: CandleTable, mine: list[RoundTrip], others: list[list[float]], *, fee: float) -> None:
    assert len(mine) == len(others) > 20
    begin = int(table.opened_at[0])
    for trip, (entry, exit_, bought, sold, profit, _) in zip(mine, others, strict=True):
        assert trip.closed_at is not None and trip.exit_price is not None and trip.profit is not None
        assert int(trip.opened_at.timestamp() - begin) // 60 == entry
        assert int(trip.closed_at.timestamp() - begin) // 60 == exit_
        assert float(trip.entry_price) == pytest.approx(bought, abs=1e-6)
        assert float(trip.exit_price) == pytest.approx(sold, abs=TICK)  # a level between two ticks is sold below
        by_unit = float(trip.profit / trip.quantity)
        # Each fee is rounded to a hundredth of a cent, as at the venue, and theirs is not.
        rounded = 2 * FEE_UNIT / float(trip.quantity)
        assert by_unit == pytest.approx(profit, abs=TICK * (1 + fee / 100) + rounded)


@pytest.mark.parametrize(("stop", "target", "fee"), [(None, None, 0.0), (None, None, 0.25), ("0.2", "0.35", 0.1)])
def test_backtesting_py_makes_the_same_trades(stop: str | None, target: str | None, fee: float) -> None:
    table = candles()
    plan = ExitPlan(
        stop_loss_percent=None if stop is None else D(stop), take_profit_percent=None if target is None else D(target)
    )
    mine = ours(table, Costs(**{**vars(FREE), "taker_fee_percent": D(str(fee))}), plan)
    options: dict[str, Any] = {"candles": rows(table), "back": BACK, "fee": fee}
    if stop is not None and target is not None:
        options |= {"stop": float(stop), "target": float(target)}
        assert {trip.exit_rule for trip in mine} == {"hard_stop", "target", "signal"}
    assert_trade_for_trade(table, mine, run_peer("backtesting_py.py", **options)["trades"], fee=fee)


@pytest.mark.skipif(not VECTORBT, reason="NIJA_VECTORBT_PYTHON names no Python that has vectorbt")
@pytest.mark.parametrize("fee", [0.0, 0.25])
def test_vectorbt_makes_the_same_trades(fee: float) -> None:
    table = candles()
    mine = ours(table, Costs(**{**vars(FREE), "taker_fee_percent": D(str(fee))}), ExitPlan())
    options = json.dumps({"candles": rows(table), "back": BACK, "fee": fee})
    done = subprocess.run(
        [VECTORBT, str(SCRIPTS / "vectorbt_signals.py")],
        input=options, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert_trade_for_trade(table, mine, json.loads(done.stdout)["trades"], fee=fee)

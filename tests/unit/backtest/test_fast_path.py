"""Passing over candles must change nothing: with and without it every fill and every answer is the same."""

from decimal import Decimal as D

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.backtest.backtest import Backtest
from bot.backtest.costs import Costs
from bot.backtest.generated import generate
from bot.backtest.plan import CopyUser, TradingPlan
from bot.backtest.result import BacktestResult
from bot.domain.position import ExitPlan
from bot.strategies.loading import load_strategy

TABLES = generate(11, 2, ["BTC/USD", "SOL/USD"])
USERS = [CopyUser(name="anna", balance=D(700)), CopyUser(name="ben", balance=D(40))]


def run(plan: ExitPlan, *, fast: bool, strategy: str = "rsi_trend", minutes: int = 1) -> BacktestResult:
    return Backtest(
        tables={symbol: table.folded(minutes) for symbol, table in TABLES.items()},
        strategy=load_strategy(strategy, {}),
        balance=D(5000),
        plan=TradingPlan(exit_plan=plan, max_positions=2),
        costs=Costs(),
        users=USERS,
        use_screens=fast,
    ).run()


def assert_same(left: BacktestResult, right: BacktestResult) -> None:
    assert left.copies == right.copies and left.not_entered == right.not_entered
    for mine, other in zip(left.accounts, right.accounts, strict=True):
        assert mine.fills == other.fills and mine.round_trips == other.round_trips
        assert mine.final_equity == other.final_equity
        assert mine.curve.equity.tolist() == other.curve.equity.tolist()


_distance = st.none() | st.decimals("0.05", "4", places=2)


@settings(max_examples=4, deadline=None, derandomize=True)
@given(
    stop=_distance, target=_distance, trail=_distance, even=_distance, minutes=st.none() | st.integers(1, 90)
)  # fmt: skip
def test_any_plan_of_exits_sells_the_same_at_the_same_prices(
    stop: D | None, target: D | None, trail: D | None, even: D | None, minutes: int | None
) -> None:
    plan = ExitPlan(
        stop_loss_percent=stop, take_profit_percent=target, trailing_stop_percent=trail, break_even_percent=even,
        max_hold_minutes=minutes,
    )  # fmt: skip
    fast, slow = run(plan, fast=True, minutes=5), run(plan, fast=False, minutes=5)
    assert fast.asked < slow.asked
    assert_same(fast, slow)


@pytest.mark.parametrize("strategy", ["rsi_trend", "breakout", "mean_reversion", "buy_and_hold"])
def test_every_shipped_strategy_trades_the_same(strategy: str) -> None:
    plan = ExitPlan(stop_loss_percent=D(1), take_profit_percent=D(2))
    fast = run(plan, fast=True, strategy=strategy, minutes=5)
    assert_same(fast, run(plan, fast=False, strategy=strategy, minutes=5))
    assert fast.master.fills and not fast.faults


def test_the_same_arguments_give_the_same_result_twice() -> None:
    plan = ExitPlan(stop_loss_percent=D(1))
    again = generate(11, 2, ["SOL/USD"])["SOL/USD"]
    assert (again.prices == TABLES["SOL/USD"].prices).all()
    assert_same(run(plan, fast=True, minutes=5), run(plan, fast=True, minutes=5))


def test_no_money_comes_from_nowhere() -> None:
    result = run(ExitPlan(stop_loss_percent=D(1), take_profit_percent=D(2)), fast=True)
    for account in result.accounts:
        profit = sum((trip.profit for trip in account.closed if trip.profit is not None), D(0))
        if len(account.closed) == len(account.round_trips):
            assert abs(account.final_cash - account.opening_cash - profit) < D("0.01")  # fees are rounded to the cent
        assert abs(account.curve.equity[-1] - float(account.final_equity)) < 0.01

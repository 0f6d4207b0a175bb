"""How orders go out in a backtest, and entries that their own fees forbid: as the bot itself judges."""

from dataclasses import replace
from decimal import Decimal as D

import pytest

from bot.backtest.backtest import Backtest
from bot.backtest.costs import FREE, Costs
from bot.backtest.plan import TradingPlan
from bot.backtest.result import BacktestResult
from bot.domain.position import ExitPlan
from bot.execution.repositioner import OrderRules, Policy
from bot.master_sizer import SizingRules
from tests.unit.backtest.marked import Marked, table

FLAT, MARK = "100 100 100 100", "100 101 99.5 100.7"
HALF = TradingPlan(sizing=SizingRules(percent_of_cash=D(50)), exit_plan=ExitPlan(stop_loss_percent=D(10)))
WISHED_AWAY = (FLAT, MARK, FLAT, "100 101 99 100.3", "102 103 101 102", FLAT)


def run(*rows: str, costs: Costs = FREE, orders: OrderRules | None = None, plan: TradingPlan = HALF) -> BacktestResult:
    plan = replace(plan, orders=orders or OrderRules())
    return Backtest(
        tables={"BTC/USD": table(*rows)}, strategy=Marked(), balance=D(1000), plan=plan, costs=costs
    ).run()  # fmt: skip


@pytest.mark.parametrize(("target", "entered"), [("2.02", False), ("2.03", True)])
def test_a_target_that_does_not_pay_for_its_own_trades_is_not_entered(target: str, entered: bool) -> None:
    plan = replace(HALF, exit_plan=ExitPlan(stop_loss_percent=D(10), take_profit_percent=D(target)))
    result = run(FLAT, MARK, FLAT, plan=plan, costs=replace(FREE, taker_fee_percent=D(1)))
    # 1 % of 100 and 1 % of 102.02 are 2.0202 % of the entry; 1 % of 102.03 makes 2.0203 %.
    assert bool(result.master.fills) is entered
    assert result.not_entered == ({} if entered else {"fees_exceed_target": 1})


def test_an_entry_with_a_cap_is_lost_where_the_market_slips_beyond_it() -> None:
    slips = replace(FREE, slippage_percent=D(1))
    capped = OrderRules(entry=Policy.MARKETABLE, marketable_cap_percent=D("0.5"))
    assert run(*WISHED_AWAY, costs=slips).master.round_trips[0].entry_price == 101
    result = run(*WISHED_AWAY, costs=slips, orders=capped)
    assert not result.master.fills and sum(result.not_entered.values()) == 1
    wide = run(*WISHED_AWAY, costs=slips, orders=replace(capped, marketable_cap_percent=D(2)))
    assert wide.master.round_trips[0].entry_price == 101


def test_an_exit_with_a_cap_ends_at_the_market() -> None:
    slips = replace(FREE, slippage_percent=D(1))
    (trip,) = run(*WISHED_AWAY, costs=slips, orders=OrderRules(exit=Policy.MARKETABLE)).master.round_trips
    assert (trip.exit_rule, trip.exit_price) == ("signal", D("100.9"))  # 102 less 1 %: 100.98, down to the tick


def test_what_should_rest_is_sent_with_a_cap() -> None:
    resting = OrderRules(entry=Policy.RESTING, exit=Policy.RESTING)
    capped = OrderRules(entry=Policy.MARKETABLE, exit=Policy.MARKETABLE)
    costs = replace(FREE, spread_percent=D("0.2"))
    one, other = run(*WISHED_AWAY, costs=costs, orders=resting), run(*WISHED_AWAY, costs=costs, orders=capped)
    assert one.master.fills == other.master.fills and len(one.master.fills) == 2

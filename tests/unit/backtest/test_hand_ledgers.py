"""Backtests whose every figure is worked out by hand beside it."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal as D

import pytest

from bot.backtest.backtest import Backtest
from bot.backtest.costs import FREE, Costs
from bot.backtest.plan import CopyTerms, CopyUser, TradingPlan
from bot.backtest.result import BacktestResult
from bot.domain.position import ExitPlan, Position
from bot.domain.signal import CopyReason
from bot.master_sizer import SizingRules
from bot.position_sizer import CopyRules
from bot.risk.case import LimitRules
from bot.strategies.interface import AccountFacts, ExitIntent, MarketView
from tests.unit.backtest.marked import BEGIN, Marked, table

FLAT = "100 100 100 100"
MARK = "100 101 99.5 100.7"
HALF = TradingPlan(
    sizing=SizingRules(percent_of_cash=D(50)),
    exit_plan=ExitPlan(stop_loss_percent=D(10), take_profit_percent=D(10)),
)
ONE_PERCENT = replace(FREE, taker_fee_percent=D(1))


def run(*rows: str, plan: TradingPlan = HALF, costs: Costs = ONE_PERCENT, **more: object) -> BacktestResult:
    arguments = {"tables": {"BTC/USD": table(*rows)}, "strategy": Marked(), "balance": D(1000)} | more
    return Backtest(plan=plan, costs=costs, **arguments).run()  # type: ignore[arg-type]


def test_half_of_the_cash_is_bought_at_the_next_open_and_sold_at_the_target_with_both_fees() -> None:
    result = run(FLAT, MARK, FLAT, "100 112 95 105", FLAT)
    (trip,) = result.master.round_trips
    assert (trip.quantity, trip.entry_price, trip.exit_price) == (5, 100, 110)  # 500 USD; 10 % above
    assert (trip.fees, trip.profit) == (D("10.5"), D("39.5"))  # 1 % of 500 and of 550; 550 - 500 - 10.5
    assert trip.exit_rule == "target"
    assert trip.opened_at == BEGIN + timedelta(minutes=2)
    assert (result.master.final_cash, result.master.final_equity) == (D("1039.5"), D("1039.5"))
    assert result.master.curve.equity.tolist() == [1000, 1000, 995, 1039.5, 1039.5]


def test_a_stop_is_met_before_the_target_when_one_candle_touches_both() -> None:
    (trip,) = run(FLAT, MARK, FLAT, "100 112 89 105").master.round_trips
    assert (trip.exit_rule, trip.exit_price) == ("hard_stop", 90)
    assert trip.profit == D("-59.5")  # 450 - 500 - 5 - 4.5


def test_a_market_that_opens_below_the_stop_is_sold_at_its_open() -> None:
    (trip,) = run(FLAT, MARK, FLAT, "80 85 79 82").master.round_trips
    assert (trip.exit_rule, trip.exit_price) == ("hard_stop", 80)


def test_the_candle_of_the_entry_can_sell_too() -> None:
    (trip,) = run(FLAT, MARK, "100 101 85 100").master.round_trips
    assert (trip.exit_rule, trip.exit_price, trip.opened_at) == ("hard_stop", 90, BEGIN + timedelta(minutes=2))


def test_a_trailing_stop_follows_the_high_of_its_candle_only_for_the_way_down_to_the_close() -> None:
    plan = replace(HALF, exit_plan=ExitPlan(stop_loss_percent=D(50), trailing_stop_percent=D(10)))
    (trip,) = run(FLAT, MARK, FLAT, "100 120 95 105", plan=plan).master.round_trips
    # Low 95 comes first and is above 90; then the high of 120 puts the stop at 108, which the close goes through.
    assert (trip.exit_rule, trip.exit_price) == ("trailing_stop", 108)


def test_the_strategys_wish_is_carried_out_at_the_next_open() -> None:
    (trip,) = run(FLAT, MARK, FLAT, "100 101 99 100.3", "102 103 101 102").master.round_trips
    assert (trip.exit_rule, trip.exit_price) == ("signal", 102)


def test_spread_and_slippage_are_paid_on_both_sides_to_the_tick_against_the_trader() -> None:
    costs = replace(FREE, spread_percent=D(1), slippage_percent=D("0.1"))
    (trip,) = run(FLAT, MARK, FLAT, "100 101 99 100.3", FLAT, FLAT, costs=costs).master.round_trips
    assert trip.entry_price == D("100.7")  # 100 x 1.005 x 1.001 = 100.6005, up to the tick of 0.1
    assert trip.exit_price == D("99.4")  # 100 x 0.995 x 0.999 = 99.4005, down


def test_latency_moves_an_order_along_its_candle() -> None:
    costs = replace(FREE, latency_seconds=15.0)
    (trip,) = run(FLAT, MARK, "100 108 100 108", FLAT, costs=costs).master.round_trips
    assert (trip.entry_price, trip.opened_at) == (102, BEGIN + timedelta(minutes=2, seconds=15))


def test_an_order_takes_its_part_of_the_volume_and_no_more_and_a_sale_goes_on_with_the_next_candle() -> None:
    tables = {"BTC/USD": table(FLAT, MARK, FLAT, "100 101 99 100.3", "99 99 99 99", "98 98 98 98", volume="20")}
    result = run(tables=tables, costs=replace(FREE, participation_percent=D(10)))
    (trip,) = result.master.round_trips
    assert trip.quantity == 2  # a tenth of 20, though half of the cash is 5
    assert (trip.exit_rule, trip.closed_at) == ("signal", BEGIN + timedelta(minutes=4))
    rows = (FLAT, MARK, FLAT, "80 80 80 80 2", "70 70 70 70 2", "60 60 60 60 2", "50 50 50 50 2")
    (trip,) = run(*rows, costs=FREE).master.round_trips
    # 5 at 100; 2 a candle can be sold, at 80, 70 and the last at 60.
    assert trip.exit_price == (2 * 80 + 2 * 70 + 60) / D(5)
    assert trip.profit == D(-140)


def test_what_the_venue_would_refuse_as_too_small_is_not_bought_and_counted() -> None:
    result = run(FLAT, MARK, FLAT, balance=D("0.0001"))
    assert not result.master.fills and result.not_entered == {"below_minimum": 1}


def test_an_entry_that_nobody_trades_against_is_lost_and_a_gap_has_no_entry() -> None:
    assert not run(FLAT, MARK, "", FLAT).master.fills
    nobody = run(tables={"BTC/USD": table(FLAT, MARK, FLAT, volume="0")})
    assert not nobody.master.fills and sum(nobody.not_entered.values()) == 1


def test_the_limits_of_the_bot_hold_entries_back() -> None:
    rows = (FLAT, MARK, "100 100 80 90", MARK, FLAT, FLAT)
    paused = replace(HALF, limits=LimitRules(cooldown_after_loss_minutes=60))
    assert len(run(*rows).master.round_trips) == 2
    result = run(*rows, plan=paused)
    assert len(result.master.round_trips) == 1 and result.not_entered == {"cooldown": 1}


def test_a_daily_loss_ends_the_entries_of_the_day() -> None:
    rows = (FLAT, MARK, "100 100 80 90", MARK, FLAT, FLAT)
    result = run(*rows, plan=replace(HALF, limits=LimitRules(max_daily_loss_percent=D(4))))
    assert len(result.master.round_trips) == 1 and result.not_entered == {"daily_loss": 1}


def test_users_copy_in_proportion_a_moment_later_and_every_answer_is_a_row() -> None:
    users = [
        CopyUser(name="anna", balance=D(100)),
        CopyUser(name="ben", balance=D(200), rules=CopyRules(deny_symbols=frozenset({"BTC/USD"}))),
        CopyUser(name="cleo", balance=D(500), rules=CopyRules(max_trade_notional_quote=D(50))),
    ]
    costs = replace(FREE, copy_latency_seconds=6.0)
    rows = (FLAT, MARK, "100 101 100 101", "101 101 100.3 100.3", "102 103 101 101")
    result = run(*rows, users=users, costs=costs, copy_terms=CopyTerms(reserve_percent=D(0)))
    anna, ben, cleo = result.users
    (trip,) = anna.round_trips
    # A tenth of the master's 5; six seconds are a tenth of the way from 100 to 101, and from 102 to 101.
    assert (trip.quantity, trip.entry_price, trip.exit_price) == (D("0.5"), D("100.1"), D("101.9"))
    assert trip.exit_rule == "copied_exit" and trip.profit == D("0.9")
    assert not ben.fills and cleo.round_trips[0].quantity == D("0.5")  # 50 USD at the master's price of 100
    reasons = [(row.user, row.side, row.reason) for row in result.copies]
    assert reasons[:3] == [
        ("anna", "buy", CopyReason.NONE),
        ("ben", "buy", CopyReason.SYMBOL_NOT_ALLOWED),
        ("cleo", "buy", CopyReason.NONE),
    ]
    assert [row.ideal for row in result.copies[:3]] == [D("0.5"), D(1), D("2.5")]


def test_a_copy_dearer_than_its_bound_is_not_bought() -> None:
    users = [CopyUser(name="anna", balance=D(100))]
    costs = replace(FREE, copy_latency_seconds=15.0)
    result = run(FLAT, MARK, "100 104 100 104", FLAT, users=users, costs=costs)  # 1 % dearer after 15 s
    assert [row.reason for row in result.copies] == [CopyReason.PRICE_MOVED]


def test_users_are_guarded_by_their_own_entry_price() -> None:
    users = [CopyUser(name="anna", balance=D(100))]
    costs = replace(FREE, copy_latency_seconds=12.0)
    rows = (FLAT, MARK, "100 102 100 102", "101 101 90.2 95", FLAT)
    result = run(*rows, users=users, costs=costs)
    (mine,) = result.users[0].round_trips
    assert mine.entry_price == D("100.4")  # so its stop is at 90.36, and the master's at 90
    assert (mine.exit_rule, mine.exit_price) == ("hard_stop", D("90.3"))
    assert result.master.round_trips[0].closed_at is None


@pytest.mark.parametrize(
    ("why", "arguments"),
    [
        ("there are no candles", {"tables": {}}),
        ("shorter than half a candle", {"costs": Costs(latency_seconds=30.0)}),
        ("one currency", {"tables": {"BTC/USD": table(FLAT), "BTC/EUR": table(FLAT, symbol="BTC/EUR")}}),
    ],
)
def test_what_does_not_go_together_is_refused_with_a_sentence(why: str, arguments: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=why):
        run(FLAT, **arguments)  # type: ignore[arg-type]


def test_the_strategy_is_told_the_same_of_the_account_when_it_is_asked_to_exit() -> None:
    class Asking(Marked):
        told: list[AccountFacts | None] = []  # noqa: RUF012 - of this test alone

        def exit(self, view: MarketView, position: Position) -> ExitIntent | None:
            self.told.append(view.account)
            return super().exit(view, position)

    run(FLAT, MARK, FLAT, FLAT, strategy=Asking())
    facts = Asking.told[0]
    assert facts is not None
    assert (facts.taker_fee_percent, facts.open_positions, facts.cash_quote < 1000) == (1, 1, True)

"""A bot that runs on the paper exchange and a backtest over the candles that it saw make the same trades.

The small size is twenty minutes of eight markets. The hours of docs/backtesting.md:

    NIJA_DAY=4h python -m pytest -n 0 -s tests/day/test_same_trades.py
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from bot.backtest.backtest import Backtest
from bot.backtest.candle_table import CandleTable
from bot.backtest.costs import Costs
from bot.backtest.plan import CopyTerms, CopyUser, TradingPlan
from bot.backtest.result import AccountResult, BacktestResult
from bot.domain.position import ExitPlan
from bot.followers import copy_limits
from bot.settings import Settings, load_settings
from bot.strategies.loading import load_strategy
from tests.day.day import Size
from tests.day.minutes import LOOK_AFTER, MINUTE, MinuteDay
from tests.day.same_trades import Compared, Trade, compared
from tests.unit.backtest.marked import BEGIN, table

# Of prices and of amounts of money: what the minute of a trade moves, and what earlier trades have left of the cash.
PRICES, AMOUNTS = Decimal("0.006"), Decimal("0.001")


def minutes() -> int:
    hours = os.environ.get("NIJA_DAY")
    return 20 if hours is None else round(float(hours.removesuffix("h")) * 60)


def test_a_running_bot_and_a_backtest_over_the_same_candles_make_the_same_trades(tmp_path: Path) -> None:
    size = Size(hours=minutes() / 60, brokerages=("kraken",), markets=8)
    with MinuteDay(tmp_path / "lived", size) as day:
        day.start()
        tables = day.live_through(minutes())
        settings = load_settings(environ=day.bot.environ)
        result = again(settings, tables, day)
        trades = {account: day.trades(account) for account in day.accounts}
        last = day.last_look
    plan = TradingPlan.of(settings).exit_plan
    for name, theirs in trades.items():
        mine = account_of(result, name)
        found = compared(until(theirs, last), until([Trade.of(one) for one in mine.round_trips], last), tables, plan)
        print(f"{name}: {len(found.same)} the same, {len(found.by_levels)} by levels; {figures(found)}")
        assert found.not_explained == [], "\n".join(found.not_explained)
        assert len(found.same) >= 3, "too few trades to prove anything"
        every_pair_has_near_prices_and_the_same_money(found, exact=not found.by_levels)


def again(settings: Settings, tables: Mapping[str, CandleTable], day: MinuteDay) -> BacktestResult:
    """By the configuration of the bot, beginning with the minute of its first look."""
    terms = copy_limits(settings)
    plugin, parameters = settings.strategy.plugin, settings.strategy.parameters
    return Backtest(
        tables=tables,
        strategy=load_strategy(plugin, {name: str(value) for name, value in parameters.items()}),
        balance=day.balances["kraken"],
        plan=TradingPlan.of(settings),
        costs=Costs(latency_seconds=LOOK_AFTER.total_seconds(), copy_latency_seconds=0.2),
        users=[CopyUser(name="ann", balance=day.balances["ann_kraken"])],
        copy_terms=CopyTerms(
            max_slippage_percent=terms.max_copy_slippage_percent,
            minimum_funded_quote=terms.minimum_funded_quote,
        ),
    ).run()


def account_of(result: BacktestResult, name: str) -> AccountResult:
    return result.master if name == "kraken" else result.users[0]


def until(trades: Sequence[Trade], last: datetime) -> list[Trade]:
    """What was traded at the last look is not there yet: its candle has not closed."""
    ended = (one.closed is not None and one.closed >= last for one in trades)
    cut = [
        replace(one, closed=None, rule="", sold_at=None) if late else one
        for one, late in zip(trades, ended, strict=True)
    ]
    return [one for one in cut if one.opened < last]


def every_pair_has_near_prices_and_the_same_money(found: Compared, *, exact: bool) -> None:
    """The quantity is what the same part of the same cash buys at the price that was paid."""
    for live, back in found.same:
        assert abs(back.bought_at / live.bought_at - 1) < PRICES, (live, back)
        if live.sold_at is not None and back.sold_at is not None:
            assert abs(back.sold_at / live.sold_at - 1) < PRICES, (live, back)
        if exact:
            money, other = live.quantity * live.bought_at, back.quantity * back.bought_at
            assert abs(other / money - 1) < AMOUNTS, (live, back)


def figures(found: Compared) -> str:
    prices = [abs(back.bought_at / live.bought_at - 1) for live, back in found.same]
    quantities = [abs(back.quantity / live.quantity - 1) for live, back in found.same]
    if not prices:
        return "none"
    return f"entry prices differ by at most {max(prices):.5%}, quantities by {max(quantities):.5%}"


def test_a_difference_that_no_level_explains_is_found() -> None:
    candles = table("100 101 99 100", "100 101 97 100", "100 101 99 100", "100 101 99 100")
    plan = ExitPlan(stop_loss_percent=Decimal(2))
    live = Trade(
        symbol="BTC/USD", opened=BEGIN, closed=BEGIN + 3 * MINUTE, rule="signal", quantity=Decimal(1),
        bought_at=Decimal(100), sold_at=Decimal(100),
    )  # fmt: skip
    stopped = replace(live, closed=BEGIN + MINUTE, rule="hard_stop", sold_at=Decimal(98))
    tables = {"BTC/USD": candles}
    assert compared([live], [stopped], tables, plan).by_levels
    for other in (
        replace(stopped, closed=BEGIN + 2 * MINUTE),  # that candle is nowhere near the stop
        replace(live, closed=BEGIN + 2 * MINUTE),
        replace(live, opened=BEGIN + MINUTE),
    ):
        assert compared([live], [other], tables, plan).not_explained

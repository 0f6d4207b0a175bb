"""What `python bot.py backtest` does: load, run, choose, show."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from bot import exit_codes
from bot.backtest.backtest import Backtest
from bot.backtest.candle_table import CandleTable
from bot.backtest.costs import Costs
from bot.backtest.plan import CopyTerms, CopyUser, TradingPlan
from bot.backtest.result import BacktestResult
from bot.backtest.sources import load
from bot.backtest.walk_forward import Parameters, Stretch, best_of, combinations, walk_forward
from bot.brokers.dearest_fees import dearest_taker_fee_percent
from bot.diagnostics.backtest_csv import write_trades
from bot.diagnostics.backtest_page import backtest_page
from bot.diagnostics.backtest_shown import as_json, show
from bot.domain.account import BrokerType
from bot.followers import copy_limits
from bot.position_sizer import rules_of
from bot.settings import Settings
from bot.settings.user_files import read_user_files
from bot.settings.users import UserSettings
from bot.strategies.loading import load_strategy

_MOST_COMBINATIONS = 500
_BAR = 40


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The words of the command line; percents, seconds and the quote currency."""

    strategy: str | None
    parameters: Mapping[str, str]
    source: str
    interval_minutes: int | None
    begin: datetime | None
    end: datetime | None
    broker: str
    balance: Decimal
    users: str | None
    choices: Mapping[str, Sequence[str]]
    stretches: int | None
    seed: int
    spread: Decimal
    slippage: Decimal
    fee: Decimal | None
    latency: Decimal
    participation: Decimal
    html: Path | None
    csv: str | None
    as_json: bool
    quiet: bool


@dataclass(frozen=True, kw_only=True, eq=False)
class Finding:
    """What is shown: one result, and how its parameters came about."""

    strategy: str
    parameters: Parameters
    source: str
    result: BacktestResult
    tried: int = 1
    stretches: Sequence[Stretch] = ()
    warnings: Sequence[str] = ()


def run_and_show(settings: Settings, asked: Asked) -> int:
    """Returns the exit code. Raises `BadCandles`, `ConfigurationError`, ValueError with sentences, or OSError."""
    bar = _Bar(silent=asked.quiet or not sys.stderr.isatty())
    finding = _find(settings, asked, bar)
    bar.end()
    if asked.html is not None:
        asked.html.write_text(backtest_page(finding), encoding="utf-8")
    if asked.csv is not None:
        write_trades(asked.csv, finding.result)
    if asked.as_json:
        print(as_json(finding))
    elif asked.csv != "-":
        show(finding)
        if asked.html is not None:
            print(f"Written: {asked.html}")
    return exit_codes.OK


def _find(settings: Settings, asked: Asked, bar: "_Bar") -> Finding:
    plugin = asked.strategy or settings.strategy.plugin
    configured = settings.strategy.parameters if plugin == settings.strategy.plugin else {}
    fixed = {name: str(value) for name, value in configured.items()} | dict(asked.parameters)
    load_strategy(plugin, fixed)
    choices = combinations(asked.choices) if asked.choices else [{}]
    if len(choices) > _MOST_COMBINATIONS:
        raise ValueError(f"{len(choices)} combinations to try; at most {_MOST_COMBINATIONS}")
    for chosen in choices:
        load_strategy(plugin, {**fixed, **chosen})
    bar.say("candles")
    tables = load(
        asked.source, interval_minutes=asked.interval_minutes, begin=asked.begin, end=asked.end, on_progress=bar.show
    )
    run = _runner(settings, asked, plugin, fixed, bar)
    if asked.stretches is not None:
        return _forward(asked, plugin, fixed, run, tables, choices, _not_resting(settings))
    chosen, result = best_of(run, tables, choices) if len(choices) > 1 else (choices[0], run(tables, choices[0]))
    warnings = [*_not_resting(settings), *(_chosen_on_the_same(len(choices)) if len(choices) > 1 else [])]
    return Finding(
        strategy=plugin, parameters={**fixed, **chosen}, source=asked.source, result=result, tried=len(choices),
        warnings=[*warnings, *result.faults[:10]],
    )  # fmt: skip


def _forward(
    asked: Asked,
    plugin: str,
    fixed: Parameters,
    run: Callable[[Mapping[str, CandleTable], Parameters], BacktestResult],
    tables: Mapping[str, CandleTable],
    choices: Sequence[Parameters],
    warnings: Sequence[str],
) -> Finding:
    assert asked.stretches is not None
    stretches = walk_forward(run, tables, choices, asked.stretches)
    last = stretches[-1]
    return Finding(
        strategy=plugin, parameters={**fixed, **last.parameters}, source=asked.source, result=last.judged_on,
        tried=len(choices), stretches=stretches, warnings=[*warnings, *last.judged_on.faults[:10]],
    )  # fmt: skip


def _not_resting(settings: Settings) -> list[str]:
    resting = [kind for kind in ("entry", "exit") if getattr(settings.orders, kind) == "resting"]
    if not resting:
        return []
    return [f"orders.{' and orders.'.join(resting)}: resting is not modelled; such orders are sent as marketable here."]


def _chosen_on_the_same(count: int) -> list[str]:
    return [
        f"These parameters are the best of {count} on the very candles shown here: the result says how well they fit "
        "the past, not what they will bring. Use --walk-forward to judge them on candles they were not chosen on."
    ]


def _runner(
    settings: Settings, asked: Asked, plugin: str, fixed: Parameters, bar: "_Bar"
) -> Callable[[Mapping[str, CandleTable], Parameters], BacktestResult]:
    costs = Costs(
        spread_percent=asked.spread,
        slippage_percent=asked.slippage,
        latency_seconds=float(asked.latency),
        copy_latency_seconds=float(asked.latency),
        participation_percent=asked.participation,
        taker_fee_percent=asked.fee,
    )
    users, limits = _users(settings, asked), copy_limits(settings)
    terms = CopyTerms(
        max_slippage_percent=limits.max_copy_slippage_percent,
        reserve_percent=dearest_taker_fee_percent(BrokerType(asked.broker)) if asked.fee is None else asked.fee,
        minimum_funded_quote=limits.minimum_funded_quote,
    )

    def run(tables: Mapping[str, CandleTable], chosen: Parameters) -> BacktestResult:
        bar.say(" ".join(f"{name}={value}" for name, value in chosen.items()) or plugin)
        return Backtest(
            tables=tables,
            strategy=load_strategy(plugin, {**fixed, **chosen}),
            balance=asked.balance,
            plan=TradingPlan.of(settings),
            costs=costs,
            users=users,
            copy_terms=terms,
            brokerage=asked.broker,
            seed=asked.seed,
            on_progress=bar.show,
        ).run()

    return run


def _users(settings: Settings, asked: Asked) -> list[CopyUser]:
    """So many users from a tenth of the master's balance up to all of it, or those of files."""
    words = asked.users
    if words is None:
        return []
    if words.isascii() and words.isdigit():
        count = int(words)
        if not 1 <= count <= 1000:
            raise ValueError(f"--users {words}: 1 to 1000 users")
        steps = [Decimal(place + 1) / count for place in range(count)]
        return [
            CopyUser(name=f"user_{place + 1}", balance=(asked.balance * step).quantize(Decimal("0.01")))
            for place, step in enumerate(steps)
        ]
    named = settings.users if words == "configured" else read_user_files(_directory(words))
    chosen = [user for user in named if user.enabled and str(user.broker) == asked.broker]
    if not chosen:
        raise ValueError(f"--users {words}: no enabled user of {asked.broker} there")
    return [_user(user) for user in chosen]


def _directory(words: str) -> Path:
    if not Path(words).is_dir():
        raise ValueError(f"--users {words}: neither a number, nor the word configured, nor a directory of user files")
    return Path(words)


def _user(user: UserSettings) -> CopyUser:
    return CopyUser(name=user.user_id, balance=user.paper_balance, rules=rules_of(user.copy_rules))


class _Bar:
    """A line on standard error that is written over and over; nothing when nobody looks at it."""

    def __init__(self, *, silent: bool) -> None:
        self._silent = silent
        self._what = ""
        self._shown = -1

    def say(self, what: str) -> None:
        self._what, self._shown = what[:30], -1

    def show(self, done: int, all_: int) -> None:
        percent = 100 * done // max(1, all_)
        if self._silent or percent == self._shown:
            return
        self._shown = percent
        full = _BAR * percent // 100
        sys.stderr.write(f"\r{self._what:30} [{'#' * full}{'.' * (_BAR - full)}] {percent:3} %")
        sys.stderr.flush()

    def end(self) -> None:
        if not self._silent and self._shown >= 0:
            sys.stderr.write("\n")

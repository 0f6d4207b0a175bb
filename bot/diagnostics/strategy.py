"""`python bot.py strategy`: the strategies there are, what can be set in one, and whether one keeps to the rules."""

import argparse
import inspect
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import asdict
from decimal import Decimal
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

from bot import exit_codes
from bot.diagnostics.command_line import Commands, add_command
from bot.diagnostics.listing import paper
from bot.diagnostics.strategy_answers import Trial
from bot.diagnostics.strategy_check import StrategyCheck
from bot.diagnostics.strategy_extremes import fault_of, parameter_extremes
from bot.diagnostics.strategy_markets import made_markets
from bot.diagnostics.strategy_pace import pace_of
from bot.diagnostics.terminal import table
from bot.domain.errors import ConfigurationError
from bot.domain.money import plain
from bot.domain.quote import Candle
from bot.strategies.interface import Parameter, Strategy
from bot.strategies.loading import SHIPPED, load_strategy

# Places of each market that can be asked about, beside the candles that the strategy needs first.
_PLACES = 200
# Candles that most strategies have enough of even with a parameter at the end of its range.
_LONG = 400


def add(commands: Commands) -> None:
    """Declare the command."""
    made = add_command(
        commands,
        "strategy",
        "the strategies: list them, show what can be set in one, check whether one keeps to the rules",
        lambda _settings, words: run(words),
        codes="0 shown, or every trial held; 1 a trial did not hold; 2 no such strategy, or it cannot be loaded",
        examples=[
            "strategy list",
            "strategy show breakout",
            "strategy check rsi_trend",
            "strategy check rules/dip.py --set period=20 --data btc.csv --json",
        ],
    )
    made.add_argument("action", choices=["list", "show", "check"], help="what to do")
    made.add_argument("plugin", nargs="?", metavar="PLUGIN", help="a shipped name, a file, or package.module:Class")
    made.add_argument(
        "--set", dest="parameters", type=_assignment, action="append", default=[], metavar="NAME=VALUE",
        help="check it with this parameter (may be repeated)",
    )  # fmt: skip
    made.add_argument("--data", type=Path, metavar="CSV", help="check on these candles instead of made ones")
    made.set_defaults(refuse=made.error)


def run(words: argparse.Namespace) -> int:
    """Do what the words say. 0 = shown or held, 1 = a trial did not hold, 2 = there is no such strategy."""
    if words.action == "list":
        if words.plugin:
            words.refuse("strategy list takes no name")
        return show_list(as_json=words.json)
    if not words.plugin:
        words.refuse(f"strategy {words.action} needs the name of a strategy")
    try:
        if words.action == "show":
            return show_one(words.plugin, as_json=words.json)
        return check(words.plugin, dict(words.parameters), data=words.data, as_json=words.json)
    except ConfigurationError as error:
        return _refused(error, as_json=words.json)


def show_list(*, as_json: bool) -> int:
    """Print the shipped strategies with what each is in a sentence."""
    found = [_described(name, load_strategy(name, {})) for name in SHIPPED]
    if as_json:
        print(json.dumps({"strategies": found}, indent=2))
        return exit_codes.OK
    console = paper()
    listed = table(console, "Shipped strategies", "name", "candles needed", "what it does")
    for one in found:
        listed.add_row(one["name"], str(one["candles_needed"]), one["text"])
    console.print(listed)
    console.print("What can be set in one: python bot.py strategy show NAME")
    return exit_codes.OK


def show_one(plugin: str, *, as_json: bool) -> int:
    """Print a strategy's description and its parameters with unit, range and default."""
    strategy = load_strategy(plugin, {})
    parameters = [_parameter(parameter) for parameter in strategy.parameters]
    if as_json:
        print(json.dumps(_described(plugin, strategy) | {"parameters": parameters}, indent=2))
        return exit_codes.OK
    console = paper()
    console.print(f"{strategy.name}: {inspect.getdoc(type(strategy)) or 'no description'}\n")
    console.print(f"With its defaults it looks at {strategy.candles_needed} closed candles.")
    listed = table(console, "Parameters", "name", "default", "range", "unit", "meaning")
    for one in parameters:
        span = f"{one['minimum']} to {one['maximum']}"
        listed.add_row(one["name"], one["default"], span, one["unit"], one["description"])
    console.print(listed)
    return exit_codes.OK


def check(plugin: str, parameters: Mapping[str, object], *, data: Path | None, as_json: bool) -> int:
    """Print every trial and whether it held. 0 = all held, 1 = one did not."""
    # What the strategy prints is not our answer.
    with redirect_stdout(sys.stderr):
        strategy = load_strategy(plugin, parameters)
        markets, interval = _markets(strategy, data)
        trials = list(_trials(plugin, parameters, strategy, markets, interval))
        pace = pace_of(strategy, markets)
    held = all(trial.passed for trial in trials)
    if as_json:
        told = [asdict(trial) for trial in trials]
        print(json.dumps({"strategy": plugin, "passed": held, "trials": told, "pace": pace.as_json()}, indent=2))
        return exit_codes.OK if held else exit_codes.SOMETHING_WRONG
    console = paper()
    title = f"{strategy.name} on {'made markets' if data is None else data}"
    listed = table(console, title, "trial", "held", "compared", "what was found")
    for trial in trials:
        listed.add_row(trial.name, "yes" if trial.passed else "NO", str(trial.checked), trial.detail)
    console.print(listed)
    console.print(pace.sentence, soft_wrap=True)
    console.print("Every trial held." if held else "A trial did not hold: do not trade with this.")
    return exit_codes.OK if held else exit_codes.SOMETHING_WRONG


def _trials(
    plugin: str,
    parameters: Mapping[str, object],
    strategy: Strategy,
    markets: Mapping[str, Sequence[Candle]],
    interval: int,
) -> "chain[Trial]":
    make: Callable[[], Strategy] = lambda: load_strategy(plugin, parameters)  # noqa: E731 - a name for the reader
    extremes = parameter_extremes(
        strategy.parameters,
        lambda values: load_strategy(plugin, values),
        lambda found: fault_of(found, _long_markets(found.candles_needed)),
    )
    return chain(StrategyCheck(make, markets, interval_minutes=interval).trials(), (extremes,))


def _markets(strategy: Strategy, data: Path | None) -> tuple[Mapping[str, Sequence[Candle]], int]:
    if data is None:
        return made_markets(strategy.candles_needed + _PLACES), 1
    from bot.backtest.candle_files import BadCandles, read_candles  # most calls read no file

    try:
        tables = read_candles(data, unnamed=data.stem)
    except BadCandles as error:
        raise ConfigurationError(str(error)) from error
    intervals = {table.interval_minutes for table in tables.values()}
    if len(intervals) > 1:
        raise ConfigurationError(f"{data} has candles of {sorted(intervals)} minutes; they are checked apart")
    for symbol, found in tables.items():
        if len(found) <= strategy.candles_needed:
            raise ConfigurationError(
                f"{data}: {symbol} has {len(found)} candles; {strategy.name} needs more than {strategy.candles_needed}"
            )
    # As many as are asked about in reasonable time: the newest.
    newest = strategy.candles_needed + _PLACES * 7
    return {symbol: found[max(0, len(found) - newest) :] for symbol, found in tables.items()}, intervals.pop()


@cache
def _long_markets(needed: int) -> Mapping[str, Sequence[Candle]]:
    """Long enough for a strategy that needs so many candles; the same ones for most."""
    return _long_markets(_LONG) if needed < _LONG else made_markets(needed + 3)


def _assignment(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE, such as period=20")
    return name.strip(), value.strip()


def _described(plugin: str, strategy: Strategy) -> dict[str, Any]:
    module = inspect.getmodule(type(strategy))
    text = (inspect.getdoc(module) if module else None) or inspect.getdoc(type(strategy)) or ""
    return {"name": plugin, "candles_needed": strategy.candles_needed, "text": " ".join(text.split("\n\n")[0].split())}


def _parameter(parameter: Parameter) -> dict[str, str]:
    return {
        "name": parameter.name,
        "default": plain(Decimal(parameter.default)),
        "minimum": plain(Decimal(parameter.minimum)),
        "maximum": plain(Decimal(parameter.maximum)),
        "unit": parameter.unit,
        "description": parameter.description,
    }


def _refused(error: ConfigurationError, *, as_json: bool) -> int:
    if as_json:
        print(json.dumps({"passed": None, "problems": list(error.problems)}, indent=2))
    else:
        for problem in error.problems:
            print(problem, file=sys.stderr)
    return exit_codes.WRONG_USE

"""`python bot.py backtest`: the strategy, exits, sizes, limits and copy rules of the bot over past candles."""

import argparse
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from bot import exit_codes
from bot.diagnostics.command_line import Commands, add_command, moment, number
from bot.diagnostics.listing import refused
from bot.domain.errors import ConfigurationError, NumberRefused
from bot.domain.money import parse_decimal
from bot.settings import Settings

if TYPE_CHECKING:
    from bot.diagnostics.backtest_run import Asked

_BROKERS = ("kraken", "coinbase", "okx", "binance", "alpaca")


def add(commands: Commands) -> None:
    """Declare the command."""
    made = add_command(
        commands,
        "backtest",
        "try a strategy, with everything that the bot does around it, on past or generated candles",
        run,
        codes="0 done, 2 candles, strategy or words that cannot be used",
        examples=[
            "backtest --data generated:7:2:BTC/USD",
            "backtest --strategy rsi_trend --parameters rsi_fast=7 --data candles.csv --users 3 --html backtest.html",
            "backtest --data candles.csv --optimise rsi_fast=5,7,9 --walk-forward 3 --json",
        ],
    )
    _add_what(made)
    _add_costs(made)
    _add_output(made)


def _add_what(made: argparse.ArgumentParser) -> None:
    made.add_argument("--strategy", metavar="PLUGIN", help="a name, file or package.module:Class; default: configured")
    made.add_argument(
        "--parameters", nargs="+", action="extend", type=_pair, default=[], metavar="NAME=VALUE",
        help="of the strategy; what is not said has its default",
    )  # fmt: skip
    made.add_argument(
        "--data", required=True, metavar="SOURCE", help="a file, a directory, or generated:SEED:DAYS[:SYMBOLS]"
    )
    made.add_argument("--interval", type=number, metavar="MINUTES", help="put candles together to this interval")
    made.add_argument("--from", dest="begin", type=moment, metavar="TIME", help="candles that opened then or later")
    made.add_argument("--to", dest="end", type=moment, metavar="TIME", help="candles that opened before")
    made.add_argument("--broker", choices=_BROKERS, default="kraken", help="whose fees are paid (default kraken)")
    made.add_argument("--balance", type=_amount, default=Decimal(10_000), metavar="N", help="the master's (10000)")
    made.add_argument(
        "--users", metavar="N|configured|DIR", help="who copies: so many, the configured ones, or a directory of files"
    )
    made.add_argument("--optimise", nargs="+", action="extend", type=_choices, default=[], metavar="NAME=A,B,C")
    made.add_argument(
        "--walk-forward", type=number, metavar="K", help="choose on a stretch, judge on the next, K times"
    )
    made.add_argument("--seed", type=int, default=0, help="names the orders; nothing else here is random")


def _add_costs(made: argparse.ArgumentParser) -> None:
    made.add_argument("--spread", type=_amount, default=Decimal("0.02"), metavar="PERCENT", help="bid to ask (0.02)")
    made.add_argument("--slippage", type=_amount, default=Decimal("0.02"), metavar="PERCENT", help="beyond it (0.02)")
    made.add_argument("--fee", type=_amount, metavar="PERCENT", help="of every fill; default: the broker's tiers")
    made.add_argument("--latency", type=_amount, default=Decimal(1), metavar="SECONDS", help="to the venue (1)")
    made.add_argument(
        "--participation",
        type=_amount,
        default=Decimal(10),
        metavar="PERCENT",
        help="of a candle's volume at most (10)",
    )


def _add_output(made: argparse.ArgumentParser) -> None:
    made.add_argument("--html", type=Path, metavar="FILE", help="write a page with pictures")
    made.add_argument("--csv", metavar="FILE", help="write every trade; - prints them")
    made.add_argument("--quiet", action="store_true", help="no progress bar")


def run(settings: Settings, words: argparse.Namespace) -> int:
    """Run it and show what came of it. 0 = done, 2 = something cannot be used."""
    # Years of candles need numpy; the bot's own start does not.
    from bot.backtest.candle_files import BadCandles
    from bot.diagnostics.backtest_run import run_and_show

    try:
        return run_and_show(settings, _asked(words))
    except ConfigurationError as error:
        said = "\n".join(error.problems)
    except (BadCandles, ValueError) as error:
        said = str(error)
    except OSError as error:
        said = f"cannot be written: {error}"
    return refused(said, as_json=words.json, code=exit_codes.WRONG_USE)


def _asked(words: argparse.Namespace) -> "Asked":
    from bot.diagnostics.backtest_run import Asked

    return Asked(
        strategy=words.strategy,
        parameters=dict(words.parameters),
        source=words.data,
        interval_minutes=words.interval,
        begin=words.begin,
        end=words.end,
        broker=words.broker,
        balance=words.balance,
        users=words.users,
        choices=_joined(words.optimise),
        stretches=words.walk_forward,
        seed=words.seed,
        spread=words.spread,
        slippage=words.slippage,
        fee=words.fee,
        latency=words.latency,
        participation=words.participation,
        html=words.html,
        csv=words.csv,
        as_json=words.json,
        quiet=words.quiet,
    )


def _joined(pairs: Sequence[tuple[str, Sequence[str]]]) -> Mapping[str, Sequence[str]]:
    return dict(pairs)


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip() or not value.strip():
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name.strip(), value.strip()


def _choices(text: str) -> tuple[str, Sequence[str]]:
    name, values = _pair(text)
    return name, [value.strip() for value in values.split(",") if value.strip()]


def _amount(text: str) -> Decimal:
    try:
        return parse_decimal(text, field="it", minimum=Decimal(0))
    except NumberRefused as error:
        raise argparse.ArgumentTypeError(str(error)) from error

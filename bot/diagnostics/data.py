"""`python bot.py data`: candles for backtests: fetched from a venue, checked, converted, or generated."""

import argparse
import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot import exit_codes
from bot.diagnostics.command_line import Commands, add_command, moment, number
from bot.diagnostics.listing import refused
from bot.domain.symbol import normalise_symbol
from bot.seams.clock import SystemClock
from bot.settings import Settings

if TYPE_CHECKING:
    from bot.backtest.candle_table import CandleTable

_VENUES = ("kraken", "coinbase", "binance", "okx", "alpaca")


def add(commands: Commands) -> None:
    """Declare the command."""
    made = add_command(
        commands,
        "data",
        "candles for backtests: fetch them from a venue, check or convert a file, or generate them",
        lambda _settings, words: run(_settings, words),
        codes="0 done, 1 the venue cannot be reached or has none, 2 wrong words, or a file that cannot be used",
        examples=[
            "data generate 7:2:BTC/USD,ETH/USD --out candles.csv",
            "data check candles.csv",
            "data convert candles.csv --interval 15 --out candles15.csv",
        ],
    )
    made.add_argument("action", choices=["fetch", "check", "convert", "generate"], help="what to do")
    made.add_argument(
        "words",
        nargs="+",
        metavar="WHAT",
        help="fetch: VENUE SYMBOL; check, convert: FILE; generate: SEED:DAYS[:SYMBOLS]",
    )
    made.add_argument("--interval", type=number, metavar="MINUTES", help="length of a candle (fetch: 1)")
    made.add_argument("--days", type=number, default=1, metavar="N", help="fetch: how far back (1)")
    made.add_argument("--from", dest="begin", type=moment, metavar="TIME", help="fetch: from then on instead")
    made.add_argument("--out", type=Path, metavar="FILE", help="the CSV to write")
    made.add_argument("--url", metavar="URL", help="fetch: another address than the venue's own")
    made.set_defaults(refuse=made.error)


def run(settings: Settings, words: argparse.Namespace) -> int:
    """0 = done, 1 = nothing could be fetched, 2 = it cannot be used."""
    from bot.backtest.candle_files import BadCandles
    from bot.diagnostics.data_fetch import CannotFetch

    if len(words.words) != (2 if words.action == "fetch" else 1):
        words.refuse(f"data {words.action} takes {'VENUE SYMBOL' if words.action == 'fetch' else 'one word'}")
    if words.action != "check" and words.out is None:
        words.refuse(f"data {words.action} needs --out FILE")
    try:
        tables = _tables(words)
        if words.out is not None:
            _write(words.out, tables)
    except CannotFetch as error:
        return refused(str(error), as_json=words.json, code=exit_codes.SOMETHING_WRONG)
    except (BadCandles, ValueError, OSError) as error:
        return refused(str(error), as_json=words.json, code=exit_codes.WRONG_USE)
    _show(tables, words)
    return exit_codes.OK


def _tables(words: argparse.Namespace) -> dict[str, "CandleTable"]:
    from bot.backtest.sources import GENERATED, load

    if words.action == "fetch":
        return _fetched(words)
    source = GENERATED + words.words[0] if words.action == "generate" else words.words[0]
    return load(source, interval_minutes=words.interval)


def _fetched(words: argparse.Namespace) -> dict[str, "CandleTable"]:
    from bot.backtest.candle_table import CandleTable
    from bot.diagnostics.data_fetch import CannotFetch, Wanted, fetch

    venue, symbol = words.words[0].lower(), normalise_symbol(words.words[1])
    if venue not in _VENUES:
        raise ValueError(f"{venue} is not one of {', '.join(_VENUES)}")
    now = SystemClock().now()
    minutes = words.interval or 1
    begin: datetime = words.begin or now - timedelta(days=words.days)
    wanted = Wanted(symbol, minutes, int(begin.timestamp()), int(now.timestamp()))
    candles = fetch(venue, wanted, url=words.url, now=now)
    if not candles:
        raise CannotFetch(f"{venue} has no candles of {symbol} since {begin:%Y-%m-%d %H:%M} UTC")
    return {symbol: CandleTable.of(symbol, minutes, candles)}


def _write(path: Path, tables: dict[str, "CandleTable"]) -> None:
    from bot.backtest.candle_files import write_candles

    write_candles(path, tables.values())


def _show(tables: dict[str, "CandleTable"], words: argparse.Namespace) -> None:
    rows = [_described(table) for table in tables.values()]
    if words.json:
        print(json.dumps({"file": None if words.out is None else str(words.out), "symbols": rows}, indent=2))
        return
    for row in rows:
        print(
            f"{row['symbol']}: {row['candles']} candles of {row['interval_minutes']} min, {row['begin']} to "
            f"{row['end']}, {row['missing']} missing"
        )
    if words.out is not None:
        print(f"Written: {words.out}")


def _described(table: "CandleTable") -> dict[str, Any]:
    span = int(table.closed_at[-1] - table.opened_at[0]) // table.interval_seconds
    return {
        "symbol": table.symbol,
        "candles": len(table),
        "interval_minutes": table.interval_minutes,
        "begin": f"{table[0].opened_at:%Y-%m-%d %H:%M}",
        "end": f"{table[-1].opened_at:%Y-%m-%d %H:%M}",
        "missing": span - len(table),
    }

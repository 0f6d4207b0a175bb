"""Command line of the paper exchange.

The first line on stdout is JSON with the addresses and the control token; nothing else is written there. Exit codes:
0 after SIGTERM, SIGINT (which ``--exit-with-stdin`` ignores) or the end of stdin, 2 for wrong use, a port that is
taken, or a state or file that can't be used.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from paper_exchange.replay import BadReplayFile
from paper_exchange.server import CannotStart, ServerOptions, serve
from paper_exchange.state import StateUnusable

WRONG_USE = 2


def read_command_line(arguments: Sequence[str] | None = None) -> ServerOptions:
    """Exits with code 2 and a sentence on stderr for options that make no sense."""
    parser = argparse.ArgumentParser(prog="python -m paper_exchange", description="A brokerage simulator on loopback.")
    parser.add_argument("--seed", type=int, help="seed of the market (default: that of the state, or 1)")
    parser.add_argument(
        "--port-base",
        type=_port,
        help="control gets this port, the brokerages and then their sockets those after it (default: free ports)",
    )
    parser.add_argument("--latency-ms", type=_latency, default=0.0, help="added to every answer of a brokerage")
    parser.add_argument("--state", type=Path, help="directory or file that keeps accounts and orders over a restart")
    parser.add_argument("--csv", type=Path, help="replay these candles (time,open,high,low,close,volume[,symbol])")
    parser.add_argument("--exit-with-stdin", action="store_true", help="end when stdin does, as when the parent dies")
    parser.add_argument(
        "--write-ahead-database",
        type=Path,
        metavar="PATH",
        help="a bot's SQLite database: the journal says of every arriving order whether it was written down there",
    )
    parser.add_argument(
        "--connects-per-10-minutes",
        type=_connects,
        metavar="N",
        help="sockets that clients may open in ten minutes, as at Kraken (about 150); beyond that none for ten minutes",
    )
    parser.add_argument(
        "--alpaca-session",
        choices=("calendar", "always-open"),
        help="trade stocks by New York's calendar, or round the clock (default: as the state says, or the calendar)",
    )
    options = parser.parse_args(arguments)
    return ServerOptions(
        seed=options.seed,
        port_base=options.port_base,
        latency_seconds=options.latency_ms / 1000,
        state=options.state,
        csv=options.csv,
        exit_with_stdin=options.exit_with_stdin,
        write_ahead_database=options.write_ahead_database,
        connects_per_10_minutes=options.connects_per_10_minutes,
        stock_session=options.alpaca_session.replace("-", "_") if options.alpaca_session is not None else None,
    )


def main() -> int:
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s")
    options = read_command_line()
    try:
        asyncio.run(serve(options))
    except (CannotStart, StateUnusable, BadReplayFile) as problem:
        print(problem, file=sys.stderr)
        return WRONG_USE
    return 0


def _port(text: str) -> int:
    port = int(text)
    if not 1 <= port <= 65_000:
        raise argparse.ArgumentTypeError("it must be from 1 to 65000")
    return port


def _connects(text: str) -> int:
    connects = int(text)
    if connects < 1:
        raise argparse.ArgumentTypeError("it must be from 1")
    return connects


def _latency(text: str) -> float:
    latency = float(text)
    if not 0 <= latency <= 60_000:
        raise argparse.ArgumentTypeError("it must be from 0 to 60000")
    return latency


if __name__ == "__main__":
    sys.exit(main())

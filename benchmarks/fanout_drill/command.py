"""The command line of the fan-out benchmark."""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

from benchmarks.fanout_drill.anchors import DOLLARS, BareSockets, naive_round
from benchmarks.fanout_drill.figures import Round, row
from benchmarks.fanout_drill.fleet import ELSEWHERE, WIRES, Fleet, settle
from benchmarks.fanout_drill.venue import MARKETS, MARKETS_OF, Venue
from benchmarks.report import Cell, Report
from tests.exchange_process import ExchangeProcess

MODES = (*WIRES, "naive", "bare")
# Under a lock every user costs a round trip of his own; over sockets all of them together cost one.
LOCKED = {"rest", "polled", "naive"}
SETTLE_SECONDS = 1.0
COLUMNS = (
    "way", "users", "fill to signal ms", "last accepted ms", "last ack ms", "ack / RTT", "ack / floor",
    "last ack recorded ms", "last answer ms", "one order each", "rounds",
)  # fmt: skip
NOTES = (
    "websocket, rest: `python bot.py` with a master and N users at Kraken, whose exchange is a process of its own and"
    " one round trip away. The master's owner buys by hand; times are from that fill, by the exchange's journal and the"
    " bot's books. rest = orders over REST under the global lock; polled = no WebSocket at all, so that the fill is"
    " found by polling: its times are from the signal. coinbase, okx, binance, alpaca: orders over REST"
    " there, each account on a connection of its own; times are from the signal.",
    "last ack: from the moment the fill is known in the bot to the last acknowledgement's arrival there, which equals"
    " the time from the fill to the last acceptance at the exchange: the way of the news and that of the ack are the"
    " same half round trip. last answer: from the fill until every user's copy is filled, booked and answered.",
    "naive: one lock, 200 ms between private calls, a balance read per order, the nonce's file rewritten for each call."
    " bare: finished orders sent on sockets that are open already, nothing else: the floor of websocket.",
    "floor: 1 round trip for websocket and bare, N round trips for the others. Medians of the rounds; one unmeasured"
    " round comes first, to warm up.",
)


def main(argv: Sequence[str] | None = None) -> int:
    arguments = _parser().parse_args(argv)
    rows = []
    for users in arguments.users:
        for mode in arguments.mode:
            rounds = measure(mode, users, arguments)
            trips = users if mode in LOCKED else 1
            rows.append(row(mode, rounds, rtt_milliseconds=arguments.rtt_ms, floor_trips=trips))
            if not arguments.json:
                print(f"{mode}, {users} users: {rows[-1]['last ack ms']:.1f} ms", file=sys.stderr, flush=True)
    report = Report(
        f"From a master's fill to the last user's order, {arguments.rtt_ms:g} ms round trip",
        COLUMNS,
        cast(Sequence[Mapping[str, Cell]], rows),
        NOTES,
        {"rtt_ms": arguments.rtt_ms, "rounds": arguments.rounds},
    )
    report.say(as_json=arguments.json)
    return 0 if all(one["one order each"] == "yes" for one in rows) else 1


def measure(mode: str, users: int, arguments: argparse.Namespace) -> Sequence[Round]:
    """The rounds of one way with so many users, each in a market of its own, without the first."""
    brokerage = mode if mode in ELSEWHERE else "kraken"
    symbols = MARKETS_OF.get(brokerage, MARKETS)[: arguments.rounds + 1]
    with ExchangeProcess(seed=1) as exchange:
        venue = Venue(exchange, brokerage)
        if mode == "naive":
            return _naive(venue, users, symbols[:1], arguments.rtt_ms)
        if mode == "bare":
            return asyncio.run(_bare(venue, users, symbols, arguments.rtt_ms))[1:]
        return _product(venue, users, symbols, mode, arguments)[1:]


def _naive(venue: Venue, users: int, symbols: Sequence[str], rtt_milliseconds: float) -> Sequence[Round]:
    """One round: it is slow, and varies little."""
    clients = [venue.client(venue.open_account(f"naive{number}", DOLLARS)) for number in range(users)]
    rounds = [naive_round(venue, clients, symbol, rtt_milliseconds=rtt_milliseconds) for symbol in symbols]
    for client in clients:
        client.session.close()
    return rounds


async def _bare(venue: Venue, users: int, symbols: Sequence[str], rtt_milliseconds: float) -> Sequence[Round]:
    clients = [venue.client(venue.open_account(f"bare{number}", DOLLARS)) for number in range(users)]
    sockets = BareSockets(venue)
    await sockets.open(clients)
    for client in clients:
        client.session.close()
    rounds = [await sockets.round(symbol, rtt_milliseconds=rtt_milliseconds) for symbol in symbols]
    await sockets.close()
    return rounds


def _product(
    venue: Venue, users: int, symbols: Sequence[str], mode: str, arguments: argparse.Namespace
) -> Sequence[Round]:
    rounds = []
    with tempfile.TemporaryDirectory() as directory, Fleet(Path(directory), venue, users=users, mode=mode) as fleet:
        settle(SETTLE_SECONDS)
        for symbol in symbols:
            rounds.append(fleet.round(symbol, rtt_milliseconds=arguments.rtt_ms))
            settle(SETTLE_SECONDS)
    return rounds


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="From a master's fill to the last user's order, in the whole product.")
    parser.add_argument(
        "--users", type=int, nargs="+", default=[1, 10, 100], help="how many users (default 1 10 100); one row each"
    )
    parser.add_argument("--rtt-ms", type=float, default=50.0, help="round trip to the exchange (default 50)")
    parser.add_argument(
        "--mode", choices=MODES, nargs="+", default=["websocket", "rest", "bare"],
        help="ways that orders go (default websocket rest bare)",
    )  # fmt: skip
    parser.add_argument("--rounds", type=_rounds, default=5, help="measured rounds of each, 1 to 9 (default 5)")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    return parser


def _rounds(text: str) -> int:
    rounds = int(text)
    if not 1 <= rounds < len(MARKETS):
        raise argparse.ArgumentTypeError(f"1 to {len(MARKETS) - 1} rounds are possible")
    return rounds

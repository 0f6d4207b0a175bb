"""What a private REST call of ours costs beyond the round trip, beside other people's clients.

    python benchmarks/private_call.py --calls 40 --rtt-ms 50 [--json]

Every client reads its balances (BalanceEx, or Balance where it has nothing else) from the same paper exchange, over a
connection that it keeps. Ours is the whole call: the gate, the rate counter, the lock, the nonce, the signature, the
deadline, the answer in decimals. krakenex and ours take turns in this process; ccxt and python-kraken-sdk run in
.venv-peers. bare = one finished, signed request over http.client: what the exchange and the machine take themselves.
"""

import argparse
import base64
import hashlib
import hmac
import http.client
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import krakenex
from pydantic import SecretStr

from benchmarks.report import Report
from bot.brokers.balance_book import BalanceBook
from bot.brokers.call_reaper import CallReaper
from bot.brokers.credentials import Credentials
from bot.brokers.http_session import CallLimits
from bot.brokers.kraken.broker import KrakenBroker
from bot.brokers.kraken.context import KrakenContext, nonce_path
from bot.brokers.kraken.keys import KrakenKeys
from bot.brokers.kraken.private_call_lock import PrivateCallLock, PrivateCallLocks
from bot.brokers.shared_reading import SharedReading
from bot.brokers.venue_access import VenueAccess
from bot.domain.account import AccountRef, BrokerType
from bot.seams.clock import SystemClock
from tests.exchange_process import ExchangeProcess, PaperAccount

GOAL_MILLISECONDS = 0.3
PEERS_PYTHON = Path(__file__).resolve().parents[1] / ".venv-peers" / "bin" / "python"
PEERS = ("ccxt", "python-kraken-sdk")
PEER_SECONDS = 120.0
COLUMNS = ("client", "call ms", "beyond the round trip ms", "more than krakenex ms", "90th percentile ms")
Call = Callable[[], object]


@contextmanager
def ours(url: str, account: PaperAccount) -> Iterator[Call]:
    """The bot's broker as the bot wires it, with the one lock over all accounts."""
    clock = SystemClock()
    reaper = CallReaper(clock)
    reference = AccountRef.user(BrokerType.KRAKEN, "measured")
    credentials = Credentials(api_key=account.api_key, api_secret=SecretStr(account.api_secret))
    with tempfile.TemporaryDirectory() as directory:
        context = KrakenContext(
            access=VenueAccess(base_url=url, credentials=credentials, mode="paper"),
            balance_book=BalanceBook(clock),
            nonce_path=nonce_path(Path(directory), reference),
            keys=KrakenKeys(),
            locks=PrivateCallLocks(lambda: PrivateCallLock(clock), per_key=False),
            catalogues=SharedReading(clock),
            reaper=reaper,
            clock=clock,
            limits=CallLimits(),
        )
        broker = KrakenBroker(reference.account_type, reference.user_id, context=context)
        yield broker.fetch_holdings
        broker.close()
    reaper.close()


@contextmanager
def by_krakenex(url: str, account: PaperAccount) -> Iterator[Call]:
    client = krakenex.API(key=account.api_key, secret=account.api_secret)
    client.uri = url
    client.session.trust_env = False
    yield lambda: client.query_private("BalanceEx", {}, timeout=(3.05, 10))
    client.close()


@contextmanager
def bare(url: str, account: PaperAccount) -> Iterator[Call]:
    """The least that a client can do: sign, send, read to the end."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
    secret, path = base64.b64decode(account.api_secret), "/0/private/BalanceEx"

    def call() -> None:
        nonce = str(time.time_ns())
        body = f"nonce={nonce}".encode()
        message = path.encode() + hashlib.sha256(nonce.encode() + body).digest()
        signature = base64.b64encode(hmac.new(secret, message, "sha512").digest()).decode()
        headers = {
            "API-Key": account.api_key, "API-Sign": signature, "Content-Type": "application/x-www-form-urlencoded",
        }  # fmt: skip
        connection.request("POST", path, body, headers)
        connection.getresponse().read()

    yield call
    connection.close()


def in_turns(calls: Mapping[str, Call], number: int) -> dict[str, list[float]]:
    """Milliseconds of each client's calls, made one after the other in turns, so that all meet the same machine."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(number + 1):
        for name, call in calls.items():
            began = time.perf_counter()
            call()
            if turn:  # the first opens the connection
                times[name].append((time.perf_counter() - began) * 1000)
    return times


def by_peer(client: str, url: str, account: PaperAccount, calls: int) -> list[float]:
    """Raises RuntimeError when the peer cannot be run."""
    if not PEERS_PYTHON.exists():
        raise RuntimeError(f"{PEERS_PYTHON} is missing: run ./test.sh, which makes it from requirements-peers.txt")
    options = {
        "client": client, "url": url, "api_key": account.api_key, "api_secret": account.api_secret, "calls": calls,
    }  # fmt: skip
    done = subprocess.run(
        [str(PEERS_PYTHON), str(Path(__file__).with_name("private_call_peer.py"))],
        input=json.dumps(options), capture_output=True, text=True, timeout=PEER_SECONDS, check=False,
        env={"NO_PROXY": "*", "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip
    if done.returncode != 0:
        raise RuntimeError(f"{client} ended with {done.returncode}: {done.stderr[-2000:]}")
    times: list[float] = json.loads(done.stdout)
    return times


def measure(calls: int, rtt_milliseconds: float, peers: Sequence[str]) -> dict[str, list[float]]:
    with ExchangeProcess(seed=1, options=["--latency-ms", str(rtt_milliseconds)]) as exchange:
        url = exchange.rest_url("kraken")
        accounts = {
            name: exchange.open_account("kraken", name.replace("-", "_"))
            for name in ("ours", "krakenex", "bare", *peers)
        }
        with (
            ours(url, accounts["ours"]) as our_call,
            by_krakenex(url, accounts["krakenex"]) as krakenex_call,
            bare(url, accounts["bare"]) as bare_call,
        ):
            times = in_turns({"ours": our_call, "krakenex": krakenex_call, "bare": bare_call}, calls)
        return times | {peer: by_peer(peer, url, accounts[peer], calls) for peer in peers}


def main(argv: Sequence[str] | None = None) -> int:
    arguments = _parser().parse_args(argv)
    times = measure(arguments.calls, arguments.rtt_ms, arguments.peers)
    medians = {client: median(values) for client, values in times.items()}
    rows = [
        {
            "client": client,
            "call ms": round(medians[client], 3),
            "beyond the round trip ms": round(medians[client] - arguments.rtt_ms, 3),
            "more than krakenex ms": round(medians[client] - medians["krakenex"], 3),
            "90th percentile ms": round(sorted(values)[int(len(values) * 0.9)], 3),
        }
        for client, values in times.items()
    ]
    more = medians["ours"] - medians["krakenex"]
    notes = (
        f"Medians of {arguments.calls} calls. Ours takes {more:+.2f} ms against krakenex; the goal is at most"
        f" +{GOAL_MILLISECONDS} ms.",
    )
    title = f"A private REST call at {arguments.rtt_ms:g} ms round trip"
    settings = {"calls": arguments.calls, "rtt_ms": arguments.rtt_ms}
    Report(title, COLUMNS, rows, notes, settings).say(as_json=arguments.json)
    return 0 if more <= GOAL_MILLISECONDS else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=40, help="timed calls of each client (default 40)")
    parser.add_argument("--rtt-ms", type=float, default=50.0, help="round trip to the exchange (default 50)")
    parser.add_argument(
        "--peers", nargs="*", choices=PEERS, default=list(PEERS), help="clients in .venv-peers (default both)"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())

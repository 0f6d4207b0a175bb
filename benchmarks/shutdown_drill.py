"""Starts a bot with many accounts on the paper exchange, disturbs it, tells it to end, and looks at the clock."""

import argparse
import json
import signal
import sqlite3
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.bot_process import BotProcess, environment, wait_until
from tests.exchange_process import ExchangeProcess

# What the bot meets while it is told to end.
TROUBLES = ("none", "locked database", "silent venue", "slow venue", "hung thread")
# What each answer of a slow venue takes: with one private call at a time, its accounts queue for their turns.
SLOW_SECONDS = 1.5
LONGEST_SECONDS = 60.0
# Every account has its thread by then, even on a busy machine: some seconds per account.
SECONDS_PER_ACCOUNT = 3.0
CONFIGURATION = """\
masters:
  - {broker: kraken}
  - {broker: coinbase}
pace:
  paper: {cycle_seconds: 2}
"""


@dataclass(frozen=True)
class Stop:
    """One end: how long it took, and how the bot said it ended."""

    trouble: str
    accounts: int
    seconds: float
    exit_code: int


class Crowd:
    """A bot with so many accounts, half of them users at each brokerage besides the two masters."""

    def __init__(self, directory: Path, exchange: ExchangeProcess, *, accounts: int) -> None:
        self.accounts = accounts
        self._exchange = exchange
        self._state = directory / "state"
        self._config = directory / "config"
        self._log = directory / "out.txt"
        self._state.mkdir()
        (self._config / "users").mkdir(parents=True)
        (self._config / "nija.yaml").write_text(CONFIGURATION, encoding="utf-8")
        for number, broker in enumerate(("kraken", "coinbase")):
            users = [_user(f"u{n}", broker) for n in range(accounts - 2) if n % 2 == number]
            (self._config / "users" / f"retail_{broker}.json").write_text(json.dumps(users), encoding="utf-8")

    def stop(self, trouble: str, *, after_seconds: float = 0.0) -> Stop:
        """Start it, let all accounts trade, bring the trouble upon it, and tell it to end."""
        more = {"NIJA_FAILPOINTS": "kraken.after_BalanceEx:hang=300"} if trouble == "hung thread" else {}
        self._log.unlink(missing_ok=True)
        environ = environment(self._state, self._exchange, NIJA_CONFIG_DIR=str(self._config), **more)
        with BotProcess(environ, log=self._log) as bot, ExitStack() as stack:
            self._await_threads(bot, self._wanted(trouble))
            time.sleep(after_seconds)
            stack.enter_context(self._trouble(trouble))
            asked_at = time.monotonic()
            bot.process.send_signal(signal.SIGTERM)
            code = bot.process.wait(LONGEST_SECONDS)
            return Stop(trouble, self.accounts, round(time.monotonic() - asked_at, 3), code)

    def log(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace")

    def _wanted(self, trouble: str) -> int:
        return 1 if trouble == "hung thread" else self.accounts

    def _await_threads(self, bot: BotProcess, number: int) -> None:
        def there() -> bool:
            assert bot.process.poll() is None, bot.log()[-3000:]
            return bot.log().count("Started independent trading thread") >= number

        seconds = 60 + SECONDS_PER_ACCOUNT * self.accounts
        wait_until(there, seconds=seconds, what="every account has its thread")

    @contextmanager
    def _trouble(self, name: str) -> Iterator[None]:
        if name == "locked database":
            with closing(sqlite3.connect(self._state / "nija.db", isolation_level=None, timeout=30)) as other:
                other.execute("BEGIN IMMEDIATE")
                yield
        elif name == "silent venue":
            self._exchange.fault({"kind": "hang", "seconds": 60}, times=None)
            # Calls that were under way are over by now, and all that began since hang.
            time.sleep(2)
            yield
            self._exchange.clear_faults()
        elif name == "slow venue":
            self._exchange.fault({"kind": "delay", "seconds": SLOW_SECONDS}, times=None)
            time.sleep(2 * SLOW_SECONDS)  # all accounts are in their cycles by then, and wait
            yield
            self._exchange.clear_faults()
        else:
            yield


def _user(name: str, broker: str) -> dict[str, object]:
    return {
        "user_id": name,
        "name": name,
        "account_type": "retail",
        "broker_type": broker,
        "enabled": True,
        "description": "",
    }


def main(argv: Sequence[str] | None = None) -> int:
    arguments = _parser().parse_args(argv)
    stops: list[Stop] = []
    troubles = TROUBLES if arguments.trouble == "each" else (arguments.trouble,)
    for trouble in troubles:
        for number in range(arguments.times):
            # A directory and an exchange each: what one life left must not slow down the next.
            with tempfile.TemporaryDirectory() as directory, ExchangeProcess(seed=3) as exchange:
                crowd = Crowd(Path(directory), exchange, accounts=arguments.accounts)
                stop = crowd.stop(trouble, after_seconds=number * 0.37 % 3)
            stops.append(stop)
            if not arguments.json:
                print(f"{trouble}: {stop.seconds:.2f} s, exit code {stop.exit_code}", flush=True)
    worst = max(stop.seconds for stop in stops)
    if arguments.json:
        print(json.dumps({"worst_seconds": worst, "stops": [asdict(stop) for stop in stops]}))
    else:
        print(f"worst of {len(stops)}: {worst:.2f} s")
    return 0 if worst <= arguments.limit else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="How long a bot takes to end after SIGTERM.")
    parser.add_argument("--accounts", type=int, default=200, help="masters and users together (default 200)")
    parser.add_argument("--times", type=int, default=3, help="ends of each kind (default 3)")
    parser.add_argument("--trouble", choices=(*TROUBLES, "each"), default="each", help="what it meets (default each)")
    parser.add_argument("--limit", type=float, default=8.0, help="seconds; a slower end gives exit code 1 (default 8)")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of lines")
    return parser

"""Hours lived through cycle by cycle: the real bot and the real paper exchange, whose clocks jump together.

Masters trade by the default strategy and its default settings, a user of each copies. After every jump each account
has its cycle; only when all are done the clocks jump again. So nothing is ever in flight when the time passes, and a
day takes minutes.
"""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import sqlalchemy as sa

from paper_exchange.catalogue import Catalogue
from tests import bot_process
from tests.bot_process import ROOT, BotProcess, environment
from tests.exchange_process import ExchangeProcess
from tests.month.month import AHEAD

# The pace of trading with real money.
STEP = timedelta(seconds=150)
# Of each brokerage, by name; their tapes differ, and so do their trends.
MARKETS = ("BTC/USD", "ETH/USD", "SOL/USD", "XRP/USD", "ADA/USD", "DOGE/USD", "LTC/USD", "LINK/USD")
CONFIGURATION = """\
masters:
{masters}
pace:
  paper: {{cycle_seconds: {step}, cycle_jitter_fraction: 0}}
scan: {{symbols: [{markets}], min_daily_volume_usd: null, max_spread_percent: null}}
balance: {{max_age_seconds: {patience}, refresh_seconds: {refresh}}}
instance: {{lease_seconds: 600}}
supervision: {{step_seconds: 3600, watchdog_silence_seconds: 3600}}
"""


@dataclass(frozen=True)
class Size:
    hours: float
    brokerages: tuple[str, ...]
    markets: int

    @property
    def steps(self) -> int:
        return round(timedelta(hours=self.hours) / STEP)


class JumpedBot(BotProcess):
    """The same process, by the clocks that jump."""

    def __init__(self, environ: Mapping[str, str], *, log: Path) -> None:
        self.environ = dict(environ)
        self._log = log
        self._output = log.open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.day.jumped_bot"],
            cwd=ROOT,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
        )


class Day:
    """A context manager: `start`, `step` as often as there are cycles, then `command` and `rows`."""

    def __init__(self, directory: Path, size: Size, *, seed: int = 5) -> None:
        self.size = size
        self._state = directory / "state"
        self._state.mkdir(parents=True)
        self._clock = directory / "clock"
        self._clock.write_bytes(AHEAD.pack(0) * 2)
        self._ahead = timedelta(0)
        self._configure(directory / "config")
        self.exchange = ExchangeProcess(seed=seed)
        self.accounts = self._open_accounts()
        self._engine = sa.create_engine(f"sqlite:///{self._state / 'nija.db'}")
        environ = environment(
            self._state,
            self.exchange,
            NIJA_CONFIG_DIR=str(directory / "config"),
            NIJA_MOVED_CLOCK=str(self._clock),
            # A socket takes a jump for a long silence.
            NIJA__COINBASE__PRIVATE_STREAM="false",
        )
        self.bot = JumpedBot(environ, log=directory / "bot.txt")

    # -- living -------------------------------------------------------------------------------------------------------
    def start(self) -> None:
        """Until every account has had a cycle with its books known."""
        query = "SELECT count(*) FROM account_state WHERE hydrated_at IS NOT NULL AND cycles > 0"
        self._wait(lambda: self.count(query) == len(self.accounts), what="all accounts are at work", seconds=120)

    def step(self) -> datetime:
        """A cycle later, each account has had its cycle, and every copy has its answer; returns when it began."""
        self._wait(self._idle, what="every account's thread waits", seconds=60)
        self._jump(STEP)
        moment = self.now()
        done = "SELECT count(*) FROM account_state WHERE last_cycle_at >= :moment"
        self._wait(
            lambda: self.count(done, moment=text(moment)) == len(self.accounts) and self._all_answered(),
            what=f"the cycles of {moment:%H:%M}",
            seconds=60,
        )
        return moment

    def now(self) -> datetime:
        return datetime.now(UTC) + self._ahead

    def _jump(self, more: timedelta) -> None:
        self.exchange.advance_clock(more.total_seconds())
        self._ahead += more
        with self._clock.open("r+b") as file:
            file.write(AHEAD.pack(round(self._ahead.total_seconds() * 1_000_000_000)))

    def _idle(self) -> bool:
        """As the bot says itself."""
        return AHEAD.unpack_from(self._clock.read_bytes(), AHEAD.size) == (1,)

    def _all_answered(self) -> bool:
        return not self.count(
            "SELECT (SELECT count(*) FROM copy_result WHERE status = 'planned')"
            " + (SELECT count(*) FROM signal WHERE planned_at IS NULL)"
        )

    # -- what is seen of it -------------------------------------------------------------------------------------------
    def rows(self, query: str, **values: str) -> Sequence[Mapping[str, Any]]:
        with self._engine.connect() as connection:
            return [dict(row) for row in connection.execute(sa.text(query), values).mappings()]

    def count(self, query: str, **values: str) -> int:
        try:
            with self._engine.connect() as connection:
                return int(connection.execute(sa.text(query), values).scalar_one())
        except sa.exc.OperationalError:
            return -1

    def command(self, *words: str) -> tuple[int, dict[str, Any]]:
        """What a command says, as JSON, while the bot runs."""
        self.bot.environ["NIJA_TEST_CLOCK_OFFSET_SECONDS"] = str(self._ahead.total_seconds())
        done = self.bot.command("bot.py", *words, "--json")
        assert done.stdout.strip(), f"{words}: {done.returncode} {done.stderr[-2000:]}"
        said: dict[str, Any] = json.loads(done.stdout)
        return done.returncode, said

    def _wait(self, condition: Any, *, what: str, seconds: float) -> None:
        def there() -> bool:
            assert self.bot.process.poll() is None, f"the bot ended before {what}: {self.bot.log()[-3000:]}"
            return bool(condition())

        bot_process.wait_until(there, seconds=seconds, what=what)

    # -- making it ----------------------------------------------------------------------------------------------------
    def _configure(self, config: Path) -> None:
        (config / "users").mkdir(parents=True)
        masters = "\n".join(f"  - {{broker: {name}}}" for name in self.size.brokerages)
        step = STEP.total_seconds()
        filled = CONFIGURATION.format(
            masters=masters, step=step, patience=2 * step, refresh=step / 2, markets=", ".join(self._markets())
        )
        (config / "nija.yaml").write_text(filled, encoding="utf-8")
        for name in self.size.brokerages:
            row = {"user_id": f"ann_{name}", "name": "Ann", "account_type": "retail", "broker_type": name}
            (config / "users" / f"retail_{name}.json").write_text(json.dumps([row]), encoding="utf-8")

    def _markets(self) -> Sequence[str]:
        listed = {one.symbol for name in self.size.brokerages for one in Catalogue().for_brokerage(name).trading()}
        return [symbol for symbol in MARKETS if symbol in listed][: self.size.markets]

    def _open_accounts(self) -> Sequence[str]:
        opened = []
        for name in self.size.brokerages:
            self.exchange.open_account(name, "master", {"USD": Decimal(10_000)})
            self.exchange.open_account(name, f"ann_{name}", {"USD": Decimal(2_500)})
            opened += [name, f"ann_{name}_{name}"]
        return opened

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bot.kill()
        self._engine.dispose()
        self.exchange.__exit__(kind, error, trace)


def text(moment: datetime) -> str:
    """As the rows have it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")

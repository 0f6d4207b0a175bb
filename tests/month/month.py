"""A stretch of days lived through quickly: the real bot and the real paper exchange, whose clocks are moved together.

Masters buy and sell what they are told, their users copy; money and coins come and go; the bot is killed and started
again. Every evening both clocks jump to shortly before the end of the day, and again to shortly after it, so that each
account's day is closed from readings near its end.
"""

import json
import random
import struct
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
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

AHEAD = struct.Struct("<q")
CURRENCIES = {"okx": "USDT", "binance": "USDT"}
# The bot looks at markets in alphabetical order, and here at no more of them than are traded.
MARKETS = 3
# Before and after the end of a day: prices must be near it, and a settled reading soon after it.
EVENING = timedelta(seconds=20)
CLOSING = timedelta(seconds=12)
CONFIGURATION = """\
masters:
{masters}
strategy:
  plugin: tests.month.told_strategy:ToldStrategy
pace:
  paper: {{cycle_seconds: {pace}, reconcile_seconds: 10}}
books: {{cash_events_seconds: {look}, equity_point_seconds: {look}, price_max_age_seconds: 120}}
kraken: {{private_call_lock: per_key}}
risk:
  max_entries_per_minute: null
  max_rejects_in_a_row: null
  duplicate_entry_seconds: null
  max_daily_loss_percent: null
  max_drawdown_percent: null
  max_entries_per_cycle: 3
  stop_loss_percent: 90
  take_profit_percent: 900
  trailing_stop_percent: 90
  scan_symbols_limit: 3
"""


@dataclass(frozen=True)
class Size:
    days: int
    brokerages: tuple[str, ...]
    users_each: int

    @property
    def pace(self) -> int:
        """Seconds from one cycle to the next: two processors have time for so many accounts."""
        return 1 + self.accounts // 10

    @property
    def accounts(self) -> int:
        return len(self.brokerages) * (1 + self.users_each)


@dataclass(frozen=True)
class Moved:
    """What the test itself moved, so that no ledger need be asked for it."""

    brokerage: str
    name: str
    asset: str
    amount: Decimal
    at: datetime


class Month:
    """A context manager. `live` goes through one day; afterwards `command` asks the bot's own commands."""

    def __init__(self, directory: Path, size: Size, *, seed: int = 11) -> None:
        self.size = size
        self.directory = directory
        self.moved: list[Moved] = []
        self.opened: dict[str, dict[str, Decimal]] = {}
        self._openings: list[dict[str, Decimal]] = []
        self.kills = 0
        self._random = random.Random(seed)
        self._state = directory / "state"
        self._state.mkdir(parents=True)
        self._log = directory / "bot.txt"
        self._clock = directory / "clock"
        self._told = directory / "orders.json"
        self._ahead = timedelta(0)
        self._clock.write_bytes(AHEAD.pack(0))
        self._tell([], [])
        self._configure()
        self.exchange = ExchangeProcess(seed=seed, options=["--alpaca-session", "always-open"])
        self._held: list[str] = []
        self._seen: dict[str, int] = {}
        self.markets = {name: _markets(name) for name in size.brokerages}
        self.accounts = self._open_accounts()
        self._engine = sa.create_engine(f"sqlite:///{self._state / 'nija.db'}")
        self._bot: BotProcess | None = None

    # -- what a day brings ----------------------------------------------------------------------------------------
    def start(self) -> None:
        """Until every account's books have begun."""
        self._run()
        self._wait(lambda: self._count("SELECT count(DISTINCT account_id) FROM opening_balance") == len(self.accounts),
                   seconds=240, what="all books have begun")  # fmt: skip

    def live(self, day: int) -> None:
        """Trade, move money, on some days die; then let the day end and all accounts be closed."""
        self._trade(day)
        self._move_money(day)
        if day == self.size.days // 2:
            self._kill_and_start()
        elif day % 7 == 3:
            self._stop_and_start()
        self._end_day()

    def _trade(self, day: int) -> None:
        """What is held is sold on every second day; something is bought on every day, and a day apart from its sale."""
        bought = [symbols[day % MARKETS] for symbols in self.markets.values()]
        sold = [symbol for symbol in self._held if symbol not in bought] if day % 2 else []
        before = self._fills()
        self._tell(buy=bought, sell=[])
        self._wait_for_signals("entry", len(self.size.brokerages))
        self._tell(buy=[], sell=sold)
        self._held = sorted({*self._held, *bought} - {*sold})
        if sold:
            self._wait_for_signals("exit", len(self.size.brokerages))
        self._wait(self._all_answered, seconds=240, what="every copy has its answer")
        assert self._fills() > before

    def _wait_for_signals(self, kind: str, more: int) -> None:
        query = f"SELECT count(*) FROM signal WHERE kind = '{kind}'"
        wanted = self._seen.get(kind, 0) + more
        self._wait(lambda: self._count(query) >= wanted, seconds=240, what=f"{more} more signals of kind {kind}")
        self._seen[kind] = self._count(query)

    def _move_money(self, day: int) -> None:
        """Two accounts a day: money in, money out, coins in kind, a reward."""
        for number in range(2):
            brokerage, name = self._random.choice(list(self.accounts.values()))
            currency = CURRENCIES.get(brokerage, "USD")
            amount = Decimal(self._random.randrange(100, 90_000)) / 100
            if (day + number) % 3 == 0:
                self._move(brokerage, name, currency, -amount)
            elif (day + number) % 3 == 1:
                self._move(brokerage, name, currency, amount)
            elif brokerage != "alpaca":
                coins = Decimal(self._random.randrange(1, 900)) / 10_000
                self._move(brokerage, name, self.markets[brokerage][0].partition("/")[0], coins)

    def _move(self, brokerage: str, name: str, asset: str, amount: Decimal) -> None:
        kind = "deposit" if amount > 0 else "withdrawal"
        # At the place where the bot trades: OKX has another one, where deposits wait to be moved over.
        if brokerage == "okx" and amount > 0:
            body = {"asset": asset, "amount": f"{amount}", "to": "trading"}
            self.exchange.control("POST", f"/accounts/{brokerage}/{name}/deposit", body)
        else:
            self.exchange.move(brokerage, name, kind, asset, abs(amount))
        self.moved.append(Moved(brokerage, name, asset, amount, self.now()))

    def _end_day(self) -> None:
        now = self.now()
        end = datetime(now.year, now.month, now.day, tzinfo=UTC) + timedelta(days=1)
        self.jump_to(end - EVENING)
        since = self.now()
        self._wait(lambda: self._points_since(since) == len(self.accounts), seconds=240, what="an evening's prices")
        self.jump_to(end + CLOSING)
        closed = "SELECT count(*) FROM day_close WHERE closes_at >= :end"
        self._wait(lambda: self._count(closed, end=_text(end)) == len(self.accounts), seconds=240,
                   what=f"all days of {now:%F} are closed")  # fmt: skip
        self.jump_to(end + timedelta(hours=9))
        self._wait_for_readings()

    # -- the clocks -----------------------------------------------------------------------------------------------
    def now(self) -> datetime:
        return datetime.now(UTC) + self._ahead

    def jump_to(self, moment: datetime) -> None:
        """Both clocks; never back."""
        more = moment - self.now()
        if more <= timedelta(0):
            return
        self.exchange.advance_clock(more.total_seconds())
        self._ahead += more
        with self._clock.open("r+b") as file:
            file.write(AHEAD.pack(round(self._ahead.total_seconds() * 1_000_000_000)))

    # -- the bot --------------------------------------------------------------------------------------------------
    @property
    def bot(self) -> BotProcess:
        assert self._bot is not None, "it was never started"
        return self._bot

    def command(self, *words: str) -> dict[str, Any]:
        """What a command says, as JSON; the bot may have ended (3)."""
        done = self._commands.command("bot.py", *words, "--json")
        assert done.returncode in (0, 1, 3), f"{words}: {done.returncode} {done.stdout[-2000:]} {done.stderr[-2000:]}"
        said: dict[str, Any] = json.loads(done.stdout)
        return said

    @property
    def _commands(self) -> BotProcess:
        self.bot.environ["NIJA_TEST_CLOCK_OFFSET_SECONDS"] = str(self._ahead.total_seconds())
        return self.bot

    def rest(self) -> None:
        """Prices stand still, every account is read once more, and the bot ends: now all figures are of one moment."""
        self.exchange.pause()
        self._wait_for_readings()
        self._wait_for_readings()
        self.stop()

    def stop(self) -> None:
        assert self.bot.stop(seconds=40) == 0, self.bot.log()[-3000:]

    def _run(self) -> None:
        environ = environment(
            self._state,
            self.exchange,
            NIJA_CONFIG_DIR=str(self.directory / "config"),
            NIJA_MOVED_CLOCK=str(self._clock),
            NIJA_TOLD_ORDERS=str(self._told),
        )
        self._bot = MovedBot(environ, log=self._log)

    def _kill_and_start(self) -> None:
        """As when the power fails: in the middle of whatever it does."""
        self.bot.kill()
        self.kills += 1
        self._run()
        self._wait_for_readings()

    def _stop_and_start(self) -> None:
        self.stop()
        self._run()
        self._wait_for_readings()

    def _wait_for_readings(self) -> None:
        """Every account has read its balances anew, and so has noticed what time it is."""
        since = self.now()
        self._wait(lambda: self._points_since(since, settled=True) == len(self.accounts), seconds=240,
                   what="all are at work again")  # fmt: skip

    # -- what is seen of it ---------------------------------------------------------------------------------------
    def rows(self, query: str, **values: str) -> Sequence[Mapping[str, Any]]:
        with self._engine.connect() as connection:
            return [dict(row) for row in connection.execute(sa.text(query), values).mappings()]

    def balances(self, account_id: str) -> dict[str, Decimal]:
        """The exchange's own word."""
        brokerage, name = self.accounts[account_id]
        there = self.exchange.account(brokerage, name)
        units: dict[str, Decimal] = {}
        for asset, amount in (*there["balances"].items(), *there.get("funding", {}).items()):
            units[asset] = units.get(asset, Decimal(0)) + Decimal(amount)
        return {asset: amount for asset, amount in units.items() if amount}

    def _wait(self, condition: Callable[[], bool], *, seconds: float, what: str) -> None:
        def there() -> bool:
            assert self.bot.process.poll() is None, f"the bot ended before {what}: {self.bot.log()[-3000:]}"
            return condition()

        bot_process.wait_until(there, seconds=seconds, what=what)

    def _count(self, query: str, **values: str) -> int:
        try:
            with self._engine.connect() as connection:
                return int(connection.execute(sa.text(query), values).scalar_one())
        except sa.exc.OperationalError:
            return 0

    def _fills(self) -> int:
        return self._count("SELECT count(*) FROM fill")

    def _points_since(self, moment: datetime, *, settled: bool = False) -> int:
        query = "SELECT count(DISTINCT account_id) FROM equity_point WHERE at >= :moment"
        query += " AND settled" if settled else ""
        return self._count(query, moment=_text(moment))

    def _all_answered(self) -> bool:
        open_copies = self._count("SELECT count(*) FROM copy_result WHERE status = 'planned'")
        unplanned = self._count("SELECT count(*) FROM signal WHERE planned_at IS NULL")
        return open_copies == unplanned == 0

    # -- making it ------------------------------------------------------------------------------------------------
    def _tell(self, buy: Sequence[str], sell: Sequence[str]) -> None:
        told = {"buy": list(map(str, buy)), "sell": list(map(str, sell))}
        fresh = self._told.with_suffix(".new")
        fresh.write_text(json.dumps(told), encoding="utf-8")
        fresh.replace(self._told)

    def _configure(self) -> None:
        config = self.directory / "config"
        (config / "users").mkdir(parents=True)
        masters = "\n".join(f"  - {{broker: {name}}}" for name in self.size.brokerages)
        pace = self.size.pace
        text = CONFIGURATION.format(masters=masters, pace=pace, look=2 * pace)
        (config / "nija.yaml").write_text(text, encoding="utf-8")
        for brokerage in self.size.brokerages:
            rows = [
                {"user_id": name, "name": name.title(), "account_type": "retail", "broker_type": brokerage}
                for name in self._users(brokerage)
            ]
            (config / "users" / f"retail_{brokerage}.json").write_text(json.dumps(rows), encoding="utf-8")

    def _users(self, brokerage: str) -> list[str]:
        return [f"u{number}_{brokerage}" for number in range(self.size.users_each)]

    def _open_accounts(self) -> dict[str, tuple[str, str]]:
        """Account ids of the bot, and who they are at the exchange. Some have coins from before."""
        accounts = {}
        for brokerage in self.size.brokerages:
            currency = CURRENCIES.get(brokerage, "USD")
            accounts[brokerage] = self._open(brokerage, "master", {currency: Decimal(20_000)})
            for number, name in enumerate(self._users(brokerage)):
                coin = self.markets[brokerage][1].partition("/")[0]
                own = {coin: Decimal("1.5")} if number % 2 else {}
                there = {currency: Decimal(3_000 + 777 * number), **own}
                accounts[f"{name}_{brokerage}"] = self._open(brokerage, name, there)
        self.opened = dict(zip(accounts, self._openings, strict=True))
        return accounts

    def _open(self, brokerage: str, name: str, units: dict[str, Decimal]) -> tuple[str, str]:
        self.exchange.open_account(brokerage, name, units)
        self._openings.append(units)
        return brokerage, name

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bot is not None:
            self._bot.kill()
        self._engine.dispose()
        self.exchange.__exit__(kind, error, trace)


class MovedBot(BotProcess):
    """The same process, by the clock that is moved."""

    def __init__(self, environ: Mapping[str, str], *, log: Path) -> None:
        self.environ = dict(environ)
        self._log = log
        self._output = log.open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.month.moved_bot"],
            cwd=ROOT,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
        )


def _markets(brokerage: str) -> list[str]:
    """The first ones of the alphabet that are paid for in the accounts' own currency."""
    currency = CURRENCIES.get(brokerage, "USD")
    listed = Catalogue().for_brokerage(brokerage).trading()
    return sorted(one.symbol for one in listed if one.quote == currency)[:MARKETS]


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")

"""One installation of the bot, made for the drill: its configuration, its users, and its processes."""

import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import ROUND_DOWN, Decimal
from pathlib import Path

from benchmarks.kill_drill.books import open_books
from benchmarks.kill_drill.by_hand import Keys, rest_sale
from benchmarks.kill_drill.exchange_process import PROJECT, DrillExchange
from benchmarks.kill_drill.exchange_side import label_of
from benchmarks.kill_drill.terms import Market, Terms, VenueTimes
from paper_exchange.catalogue import Catalogue

BROKERAGES = ("kraken", "coinbase")
ALL_BROKERAGES = (*BROKERAGES, "okx", "binance", "alpaca")
USER_DOLLARS = (Decimal(60_000), Decimal(15_000), Decimal(4_000))
MASTER_DOLLARS = Decimal(100_000)
OWN_COINS_DOLLARS = Decimal(700)
CASH = {"okx": "USDT", "binance": "USDT"}
"""What an account is paid in; dollars where nothing is said."""
UNRESOLVED = "SELECT account_id FROM order_intent WHERE state IN ('submitted', 'unknown') AND sent_at < ?"
SYMBOLS = 16
OFFERED = {"kraken": "ADA/USD", "coinbase": "ADA/USD"}
"""What users have left resting by hand."""
CONFIGURATION = """\
masters: [{masters}]
strategy:
  plugin: benchmarks.kill_drill.busy_strategy:BusyStrategy
  parameters: {{entries: {entries}}}
pace:
  paper: {{cycle_seconds: 0.4}}
{times}
risk:
  max_positions: 12
  max_entries_per_cycle: 2
  order_fraction_of_balance_percent: 0.3
  scan_symbols_limit: {symbols}
  # The drill trades as fast as it can, and things are made to fail.
  max_entries_per_minute: null
  max_rejects_in_a_row: null
  duplicate_entry_seconds: null
"""


class Installation:
    """State directory, configuration, and accounts at the exchange with coins of the users' own."""

    def __init__(
        self,
        directory: Path,
        exchange: DrillExchange,
        *,
        users: int,
        times: Mapping[str, VenueTimes],
        brokerages: Sequence[str] = BROKERAGES,
    ) -> None:
        self.brokerages = brokerages
        self.directory = directory
        self.exchange = exchange
        self.state = directory / "state"
        self.times = times
        self.database = self.state / "nija.db"
        self._names = [f"copier_{number + 1}" for number in range(users)]
        self._catalogue = Catalogue()
        self._write_configuration(entries=True)
        self._write_users()
        self.by_hand: set[str] = set()
        self.own_coins = self._open_accounts()

    # -- making it --------------------------------------------------------------------------------------------------
    def _write_configuration(self, *, entries: bool) -> None:
        (self.directory / "config" / "users").mkdir(parents=True, exist_ok=True)
        self.state.mkdir(exist_ok=True)
        text = CONFIGURATION.format(entries=int(entries), symbols=SYMBOLS, **self._of_each_brokerage())
        (self.directory / "config" / "nija.yaml").write_text(text, encoding="utf-8")

    def _of_each_brokerage(self) -> dict[str, str]:
        """The parts of a configuration that name every brokerage: its masters and the times of its orders."""
        times = [
            f"{name}: {{order_deadline_seconds: {self.times[name].deadline_seconds}, "
            f"settle_margin_seconds: {self.times[name].margin_seconds}}}"
            for name in self.brokerages
        ]
        return {
            "masters": ", ".join(f"{{broker: {name}}}" for name in self.brokerages),
            "times": "\n".join(times),
        }

    def _write_users(self) -> None:
        for brokerage in self.brokerages:
            users = [
                {
                    "user_id": name, "name": name, "account_type": "retail", "broker_type": brokerage,
                    "enabled": True, "description": "",
                }
                for name in self._names
            ]  # fmt: skip
            path = self.directory / "config" / "users" / f"retail_{brokerage}.json"
            path.write_text(json.dumps(users), encoding="utf-8")

    def _open_accounts(self) -> dict[tuple[str, str], Decimal]:
        own_coins: dict[tuple[str, str], Decimal] = {}
        for brokerage in self.brokerages:
            coins, cash = self._coins(brokerage), cash_of(brokerage)
            self.exchange.open_account(brokerage, "master", {cash: MASTER_DOLLARS})
            for number, name in enumerate(self._names):
                dollars = USER_DOLLARS[number % len(USER_DOLLARS)]
                keys = self.exchange.open_account(brokerage, name, {cash: dollars, **coins})
                own_coins |= {(label_of(brokerage, name), asset): amount for asset, amount in coins.items()}
                if brokerage in OFFERED:
                    self.by_hand.add(self._offer_own(brokerage, keys, coins))
        return own_coins

    def _offer_own(self, brokerage: str, keys: Keys, coins: Mapping[str, Decimal]) -> str:
        """All that a user owns of one coin that is traded, at thrice its price: those coins are then on hold."""
        offered = OFFERED[brokerage]
        price = self._catalogue.listing(offered).reference_price * 3
        tick = self._catalogue.listing(offered).tick_size
        return rest_sale(brokerage, keys, offered, coins[offered.partition("/")[0]], price.quantize(tick))

    def _coins(self, brokerage: str) -> dict[str, Decimal]:
        """Some of every coin that is traded: what a user had before must be there afterwards."""
        cash = cash_of(brokerage)
        listings = [one for one in self._catalogue.for_brokerage(brokerage).trading() if one.quote == cash]
        coins = {
            one.base: (OWN_COINS_DOLLARS / one.reference_price).quantize(one.lot_step, ROUND_DOWN) for one in listings
        }
        return {asset: amount for asset, amount in coins.items() if amount > 0}

    # -- its processes ----------------------------------------------------------------------------------------------
    def start(self, *, failpoint: str | None = None) -> "Life":
        environ = {
            "PATH": os.environ.get("PATH", ""), "HOME": str(self.directory), "STATE_DIR": str(self.state),
            "LOG_JSON": "false",
            # It is killed again and again on purpose, and must go on entering.
            "NIJA__SUPERVISION__CRASHED_BOOTS": "0",
            "NIJA_CONFIG_DIR": str(self.directory / "config"), "METRICS_PORT": "0",
            "PAPER_EXCHANGE_CONTROL": self.exchange.url, "PAPER_EXCHANGE_TOKEN": self.exchange.token,
        }  # fmt: skip
        if failpoint is not None:
            environ["NIJA_FAILPOINTS"] = f"{failpoint}:kill"
        return Life(self, environ)

    def enter_no_more(self) -> None:
        """From the next start on the masters only sell."""
        self._write_configuration(entries=False)

    # -- what is known of it ----------------------------------------------------------------------------------------
    def terms(self) -> Terms:
        users = {
            brokerage: frozenset(label_of(brokerage, name) for name in self._names) for brokerage in self.brokerages
        }
        markets = {
            one.symbol: Market(one.minimum_quantity, one.minimum_notional, one.lot_step)
            for one in self._catalogue.trading()
        }
        return Terms(users, markets, self.own_coins, self.exchange.balances(), frozenset(self.by_hand), self.times)

    @property
    def accounts(self) -> Sequence[str]:
        return [*self.brokerages, *(label_of(brokerage, name) for brokerage in self.brokerages for name in self._names)]


def cash_of(brokerage: str) -> str:
    """What its accounts are paid in."""
    return CASH.get(brokerage, "USD")


class Life:
    """One run of the bot, from its start to its death."""

    def __init__(self, installation: Installation, environ: dict[str, str]) -> None:
        self._installation = installation
        self.started_at = datetime.now(UTC)
        self._started = time.monotonic()
        with (installation.directory / "output.txt").open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "bot.py"], cwd=PROJECT, env=environ, stdin=subprocess.DEVNULL, stdout=output,
                stderr=output,
            )  # fmt: skip

    @property
    def born(self) -> str:
        """When it was started, as the books write times: such texts compare like the times."""
        return self.started_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    @property
    def age_seconds(self) -> float:
        return time.monotonic() - self._started

    def ends_within(self, seconds: float) -> bool:
        """Wait so long, counted from the start; True if it has ended by itself."""
        try:
            self.process.wait(max(0.0, seconds - self.age_seconds))
        except subprocess.TimeoutExpired:
            return False
        return True

    def kill(self) -> int:
        """kill -9; returns the exit code, which is another one if it had ended before."""
        self.process.kill()
        return self.process.wait()

    def wait_until_ready(self, limit_seconds: float) -> float | None:
        """Seconds from the start until every account was ready, None if that did not come in time."""
        while self.age_seconds < limit_seconds and self.process.poll() is None:
            ready_at = self._ready_at()
            if ready_at is not None:
                return (ready_at - self.started_at).total_seconds()
            time.sleep(0.02)
        return None

    def _ready_at(self) -> datetime | None:
        """When the last account was hydrated, that is, knew its orders, fills and holdings from its brokerage.

        A master that waits for the outcome of an order of an earlier life is left out: its time is the settle time.
        """
        try:
            with open_books(self._installation.database) as connection:
                rows = connection.execute("SELECT account_id, hydrated_at FROM account_state").fetchall()
                waiting = {row["account_id"] for row in connection.execute(UNRESOLVED, (self.born,))} & set(
                    self._installation.brokerages
                )
        except sqlite3.Error:
            return None  # There are no books before the first start has come so far.
        moments = {row["account_id"]: row["hydrated_at"] for row in rows if (row["hydrated_at"] or "") >= self.born}
        if not moments.keys() >= set(self._installation.accounts) - waiting:
            return None
        return datetime.fromisoformat(max(moments.values()))

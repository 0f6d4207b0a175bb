"""An installation at Kraken alone with a few users, made to be disturbed, and judged by the exchange's journal."""

import json
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from decimal import ROUND_DOWN, Decimal
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from benchmarks.kill_drill.books import FINAL_STATES, Books, open_books
from benchmarks.kill_drill.exchange_side import ExchangeSide
from benchmarks.kill_drill.judge import judge
from benchmarks.kill_drill.terms import Market, Terms
from paper_exchange.catalogue import Catalogue
from tests.bot_process import BotProcess, environment, wait_until
from tests.exchange_process import ExchangeProcess

SYMBOLS = 8
OWN_COINS_DOLLARS = Decimal(700)
UNFINISHED = (
    "order_intent WHERE state NOT IN ({})".format(", ".join(f"'{state}'" for state in sorted(FINAL_STATES))),
    "copy_result WHERE status = 'planned'",
    "signal WHERE planned_at IS NULL",
    "position WHERE account_id = 'kraken'",
)
# The deadline and the margin are as short as they may be, so that an order that never left is soon known to be absent.
CONFIGURATION = """\
masters:
  - {{broker: kraken}}
strategy:
  plugin: benchmarks.kill_drill.busy_strategy:BusyStrategy
  parameters: {{entries: {entries}}}
pace:
  paper: {{cycle_seconds: 0.4}}
kraken: {{order_deadline_seconds: 5, settle_margin_seconds: 1}}
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


class OneBrokerage:
    """A context manager; `users` have coins of their own that must be there at the end."""

    def __init__(self, directory: Path, users: Sequence[str] = ("ann",), *, latency_milliseconds: int = 0) -> None:
        self.state = directory / "state"
        self.state.mkdir()
        self.database = self.state / "nija.db"
        self._log = directory / "out.txt"
        self._config = directory / "config"
        self._users = users
        self._write_users()
        self.enter(entries=True)
        options = ["--write-ahead-database", str(self.database), "--latency-ms", str(latency_milliseconds)]
        self.exchange = ExchangeProcess(seed=5, options=options)
        self._own_coins = self._open_accounts()

    # -- its processes ----------------------------------------------------------------------------------------------
    def start(self, *words: str, **environ: str) -> BotProcess:
        there = environment(self.state, self.exchange, NIJA_CONFIG_DIR=str(self._config), **environ)
        return BotProcess(there, *words, log=self._log)

    def killed_at(self, failpoint: str, *, seconds: float = 30.0, **environ: str) -> bool:
        """Start a bot that dies of SIGKILL at a failpoint; False if it lived on without ever coming there."""
        with self.start(NIJA_FAILPOINTS=f"{failpoint}:kill", **environ) as bot:
            try:
                wait_until(lambda: bot.process.poll() is not None, seconds=seconds, what=failpoint)
            except AssertionError:
                return False
            assert bot.process.returncode == -9, bot.log()[-3000:]
            return True

    def settle(self, *, seconds: float = 90.0) -> list[str]:
        """Let a last bot finish everything and sell what it holds; returns what the judge finds wrong afterwards."""
        self.exchange.clear_faults()
        self.enter(entries=False)
        with self.start() as bot:
            earlier = len(bot.log())  # what the bots before it have said
            wait_until(
                lambda: "kraken cycle completed successfully" in bot.log()[earlier:],
                seconds=seconds,
                what="the last bot has had its first cycle",
            )
            wait_until(lambda: not self.unfinished(), seconds=seconds, what="nothing is left to be done")
            code = bot.stop()
            assert code == 0, f"{code}: {bot.log()[-2000:]}"
        return self.problems()

    # -- what is seen of it -----------------------------------------------------------------------------------------
    def problems(self) -> list[str]:
        exchange = ExchangeSide.from_lines(self.exchange.journal())
        assert exchange.orders, "nothing was traded, so nothing was shown"
        return [str(problem) for problem in judge(exchange, Books.read(self.database), self._terms())]

    def unfinished(self) -> dict[str, int]:
        found = {rows: int(self.rows(f"SELECT count(*) AS n FROM {rows}")[0]["n"]) for rows in UNFINISHED}
        return {rows: count for rows, count in found.items() if count}

    def rows(self, query: str) -> list[sqlite3.Row]:
        """What the bot's database says; nothing while there is none yet."""
        try:
            with open_books(self.database) as connection:
                return connection.execute(query).fetchall()
        except sqlite3.Error:
            return []

    def accepted(self, since: int = 0, **wanted: Any) -> list[dict[str, Any]]:
        return self.exchange.journal(since, type="accept", **wanted)

    def write(self, statement: str) -> None:
        """Change the database behind the bot's back, as nobody should."""
        with closing(sqlite3.connect(self.database, timeout=10)) as connection, connection:
            connection.execute(statement)

    def waits_for(self, condition: Callable[[], Any], what: str, *, seconds: float = 40.0) -> Any:
        return wait_until(condition, seconds=seconds, what=what)

    # -- making it --------------------------------------------------------------------------------------------------
    def enter(self, *, entries: bool) -> None:
        """Whether the master of the next bot enters anything."""
        text = CONFIGURATION.format(entries=int(entries), symbols=SYMBOLS)
        (self._config / "nija.yaml").write_text(text, encoding="utf-8")

    def _write_users(self) -> None:
        (self._config / "users").mkdir(parents=True)
        users = [
            {"user_id": name, "name": name.title(), "account_type": "retail", "broker_type": "kraken", "enabled": True}
            for name in self._users
        ]
        (self._config / "users" / "retail_kraken.json").write_text(json.dumps(users), encoding="utf-8")

    def _open_accounts(self) -> dict[tuple[str, str], Decimal]:
        listings = [one for one in Catalogue().for_brokerage("kraken").trading() if one.quote == "USD"]
        coins = {
            one.base: (OWN_COINS_DOLLARS / one.reference_price).quantize(one.lot_step, ROUND_DOWN) for one in listings
        }
        self.exchange.open_account("kraken", "master", {"USD": 100_000})
        for name in self._users:
            self.exchange.open_account("kraken", name, {"USD": 30_000, **coins})
        return {(f"{name}_kraken", asset): amount for name in self._users for asset, amount in coins.items()}

    def _terms(self) -> Terms:
        users = {"kraken": frozenset(f"{name}_kraken" for name in self._users)}
        markets = {
            one.symbol: Market(one.minimum_quantity, one.minimum_notional, one.lot_step)
            for one in Catalogue().trading()
        }
        left = {
            (f"{account['name']}_kraken", asset): Decimal(amount)
            for account in self.exchange.accounts()
            if account["name"] != "master"
            for asset, amount in account["balances"].items()
        }
        return Terms(users, markets, self._own_coins, left)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.exchange.__exit__(kind, error, trace)

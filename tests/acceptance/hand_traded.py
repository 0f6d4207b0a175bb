"""An installation at Kraken alone whose master is traded by hand, in a market that stands still: nothing by chance."""

import json
import time
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.bot_process import BotProcess, environment, wait_until
from tests.exchange_process import ExchangeProcess
from tests.paper_exchange.kraken_client import KrakenClient

CONFIGURATION = """\
masters:
  - {broker: kraken}
strategy:
  plugin: bot.diagnostics.drills.still_strategy:StillStrategy
pace:
  paper: {cycle_seconds: 0.4}
kraken: {order_deadline_seconds: 5, settle_margin_seconds: 1}
risk: {scan_symbols_limit: 1}
"""
NONCE_WINDOW_NS = 60_000_000_000


class Hand(KrakenClient):
    """The owner of an account beside the bot, with the same key: as late as the bot, and allowed to be later."""

    def next_nonce(self) -> int:
        self._nonce = max(self._nonce + 1, time.time_ns())
        return self._nonce

    def trades(self, side: str, quantity: str, symbol: str) -> None:
        self.ok("AddOrder", pair=symbol, type=side, ordertype="market", volume=quantity)


class HandTraded:
    """A context manager. `users` maps user ids to what their file says besides the required keys."""

    def __init__(self, directory: Path, **users: Mapping[str, Any]) -> None:
        self.state = directory / "state"
        self.state.mkdir()
        self._log = directory / "out.txt"
        self._config = directory / "config"
        (self._config / "users").mkdir(parents=True)
        (self._config / "nija.yaml").write_text(CONFIGURATION, encoding="utf-8")
        self.users_are(**users)
        self.exchange = ExchangeProcess(seed=5)
        self.exchange.pause()
        master = self.exchange.open_account("kraken", "master", {"USD": 100_000}, nonce_window=NONCE_WINDOW_NS)
        for name in users:
            self.exchange.open_account("kraken", name, {"USD": 50_000})
        self.master = Hand(self.exchange.rest_url("kraken"), master)

    def users_are(self, **users: Mapping[str, Any]) -> None:
        """Write the user file anew, for the next start."""
        self._active = [name for name, more in users.items() if more.get("enabled", True)]
        rows = [
            {"user_id": name, "name": name.title(), "account_type": "retail", "broker_type": "kraken", **more}
            for name, more in users.items()
        ]
        (self._config / "users" / "retail_kraken.json").write_text(json.dumps(rows), encoding="utf-8")

    def start(self, **environ: str) -> BotProcess:
        """A bot whose master and active users have all ended a cycle."""
        # Each start's log is a file of its own: "says" must not hear an earlier start.
        log = self._log.with_suffix(f".{time.monotonic_ns()}.txt")
        bot = BotProcess(environment(self.state, self.exchange, NIJA_CONFIG_DIR=str(self._config), **environ), log=log)
        try:
            for account in ("kraken", *(f"{name}_kraken" for name in self._active)):
                bot.says(f"{account} cycle completed successfully")
        except BaseException:
            bot.kill()
            raise
        return bot

    def traded(self, name: str, side: str, symbol: str) -> Decimal:
        """Base units that an account has bought or sold altogether, by the exchange's journal."""
        fills = self.exchange.journal(type="fill", account=name, side=side, symbol=symbol)
        return sum((Decimal(line["quantity"]) for line in fills), Decimal(0))

    def held(self, name: str, symbol: str) -> Decimal:
        return self.traded(name, "buy", symbol) - self.traded(name, "sell", symbol)

    def comes_to(self, name: str, symbol: str, quantity: str) -> None:
        """Wait until an account holds this much of what it bought."""
        wait_until(
            lambda: self.held(name, symbol) == Decimal(quantity),
            seconds=60,
            what=f"{name} holds {quantity} {symbol}, not {self.held(name, symbol)}",
        )

    def orders(self, name: str, **wanted: Any) -> list[dict[str, Any]]:
        return self.exchange.journal(type="accept", account=name, **wanted)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.master.session.close()
        self.exchange.__exit__(kind, error, trace)

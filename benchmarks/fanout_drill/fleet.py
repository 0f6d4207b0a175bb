"""A bot with a master and many users at one brokerage, as `python bot.py` runs it, and the rounds it is measured in."""

import json
import sqlite3
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from benchmarks.fanout_drill.figures import Round
from benchmarks.fanout_drill.hand import owner_of_master
from benchmarks.fanout_drill.venue import Venue, moment
from tests.bot_process import BotProcess, environment, wait_until

MASTER_DOLLARS = 1_000_000
USER_DOLLARS = 100_000
ORDER_DOLLARS = 5_000
# An account is up a few times as fast as this; a busy machine may take its time.
SECONDS_PER_ACCOUNT = 1.0
ROUND_SECONDS = 30.0
# Nobody trades by himself, cycles are as rare as with real money, and no limit is in the way. The connections of all
# users are begun at once: that they are spread over minutes at the real venue is not what is measured.
CONFIGURATION = """\
masters:
  - {broker: %s}
strategy:
  plugin: bot.diagnostics.drills.still_strategy:StillStrategy
pace:
  paper: {cycle_seconds: %s, user_connection_delay_seconds: 0, min_connection_delay_seconds: 0}
kraken: {websocket_connects_per_10_minutes: 10000}
risk:
  scan_symbols_limit: 1
  max_positions: 1000
  max_entries_per_minute: null
  max_rejects_in_a_row: null
  duplicate_entry_seconds: null
"""
ELSEWHERE = ("coinbase", "okx", "binance", "alpaca")
CYCLE_SECONDS = 150
POLL_SECONDS = 3
# By mode: orders over WebSocket with private streams; orders over REST under the lock, fills still heard of at once, so
# that a poll's interval is no part of the figures; no WebSocket at all. Elsewhere each account has a way of its own.
WIRES: Mapping[str, Mapping[str, str]] = {
    "websocket": {"NIJA__KRAKEN__ORDER_ENTRY": "websocket", "NIJA__KRAKEN__PRIVATE_STREAM": "true"},
    "rest": {"NIJA__KRAKEN__ORDER_ENTRY": "rest", "NIJA__KRAKEN__PRIVATE_STREAM": "true"},
    "polled": {"NIJA__KRAKEN__ORDER_ENTRY": "rest", "NIJA__KRAKEN__PRIVATE_STREAM": "false"},
    **{brokerage: {} for brokerage in ELSEWHERE},
}
# Their times count from the signal: how the fill was found is not what is measured.
FROM_THE_SIGNAL = {"polled", *ELSEWHERE}


class Fleet:
    """A context manager around one bot. The exchange must be near while it starts."""

    def __init__(
        self, directory: Path, venue: Venue, *, users: int, mode: str, cycle_seconds: int | None = None
    ) -> None:
        self.users = users
        self._venue = venue
        self._mode = mode
        self._state = directory / "state"
        self._log = directory / "out.txt"
        self._state.mkdir(parents=True)
        config = directory / "config"
        _configure(config, venue.brokerage, users, cycle_seconds or _cycle_seconds(mode))
        self._owner = owner_of_master(venue, MASTER_DOLLARS)
        for number in range(users):
            venue.open_account(f"u{number}", USER_DOLLARS)
        self._environ = environment(self._state, venue.exchange, NIJA_CONFIG_DIR=str(config), **WIRES[mode])

    def __enter__(self) -> Self:
        self._bot = BotProcess(self._environ, log=self._log)
        try:
            wait_until(self._ready, seconds=60 + SECONDS_PER_ACCOUNT * self.users, what="every account is ready")
        except BaseException:
            self._bot.kill()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._owner.close()
        try:
            self._bot.stop(seconds=60)
        finally:
            self._bot.__exit__(kind, error, trace)

    @property
    def pid(self) -> int:
        return self._bot.process.pid

    def log(self) -> str:
        return self._bot.log()

    def round(self, symbol: str, *, rtt_milliseconds: float) -> Round:
        """The master's owner buys by hand; everybody follows. Raises AssertionError when somebody does not."""
        quantity = self._venue.quantity(symbol, ORDER_DOLLARS)
        with self._venue.away(rtt_milliseconds):
            since = self._venue.exchange.last_seq()
            self._owner.trades("buy", quantity, symbol)
            wait_until(
                lambda: self._answers(symbol) >= self.users,
                seconds=ROUND_SECONDS + 10 * self.users * rtt_milliseconds / 1000,
                what=f"{self.users} users have answers; the bot said: {self.log()[-2000:]}",
            )
        measured = self._measured(symbol, since, rtt_milliseconds)
        if not measured.exact:
            print(
                f"{symbol}: {measured.orders} orders for {self.users} users: {self._reasons(symbol)}", file=sys.stderr
            )
        return measured

    # -- what is known ------------------------------------------------------------------------------------------------
    def _ready(self) -> bool:
        if self._bot.process.poll() is not None:
            raise AssertionError(f"the bot ended with {self._bot.process.returncode}: {self.log()[-3000:]}")
        # The books say how orders go only at an account's next cycle, the log at once.
        if self._mode == "websocket" and self.log().count(": orders over WebSocket since") <= self.users:
            return False
        rows = self._rows("SELECT hydrated_at FROM account_state")
        return len(rows) > self.users and all(row["hydrated_at"] for row in rows)

    def _answers(self, symbol: str) -> int:
        query = (
            "SELECT count(*) AS number FROM copy_result JOIN signal USING (signal_id)"
            " WHERE symbol = ? AND answered_at IS NOT NULL"
        )
        rows = self._rows(query, symbol)
        return int(rows[0]["number"]) if rows else 0

    def _reasons(self, symbol: str) -> str:
        """How the users were answered, and how many each way."""
        rows = self._rows(
            "SELECT status, reason, max(detail) AS detail, count(*) AS number FROM copy_result"
            " JOIN signal USING (signal_id) WHERE symbol = ? GROUP BY status, reason",
            symbol,
        )
        return "; ".join(f"{row['number']} {row['status']} {row['reason']} ({row['detail']})" for row in rows)

    def _rows(self, query: str, *values: str) -> Sequence[Mapping[str, Any]]:
        """Empty while there are no books yet."""
        try:
            with closing(sqlite3.connect(f"file:{self._state / 'nija.db'}?mode=ro", uri=True, timeout=30)) as books:
                books.row_factory = sqlite3.Row
                return [dict(row) for row in books.execute(query, values)]
        except sqlite3.OperationalError:
            return []

    def _measured(self, symbol: str, since: int, rtt_milliseconds: float) -> Round:
        fills = self._venue.exchange.journal(since, type="fill", account="master", symbol=symbol)
        filled_at = max(moment(line["time"]) for line in fills)
        accepts = [line for line in self._venue.accepts(symbol, since) if line["account"] != "master"]
        accounts = {line["account"] for line in accepts}

        def after(query: str) -> float | None:
            (row,) = self._rows(query, symbol)
            return None if row["at"] is None else (moment(row["at"]) - filled_at) * 1000

        way_back = 0.0
        signal = after("SELECT min(created_at) AS at FROM signal WHERE symbol = ?")
        if self._mode in FROM_THE_SIGNAL and signal is not None:
            # How long the fill waited for the next poll is a setting, and nothing to be measured. The news is not
            # under way in these figures, so the ack's way back is added.
            filled_at += signal / 1000
            way_back = rtt_milliseconds / 2
        last_accept = max(moment(line["time"]) for line in accepts) - filled_at
        return Round(
            users=self.users,
            orders=len(accepts),
            doubles=len(accepts) - len(accounts),
            signal=signal,
            last_accept=last_accept * 1000,
            last_ack=last_accept * 1000 + way_back,
            last_recorded=after(
                "SELECT max(e.at) AS at FROM order_event AS e JOIN order_intent AS i USING (client_order_id)"
                " WHERE i.symbol = ? AND e.old = 'submitted'"
            ),
            last_answer=after(
                "SELECT max(answered_at) AS at FROM copy_result JOIN signal USING (signal_id) WHERE symbol = ?"
            ),
        )


def _cycle_seconds(mode: str) -> int:
    """Whoever hears of a master's fills needs no poll for them."""
    return POLL_SECONDS if mode == "polled" else CYCLE_SECONDS


def _configure(config: Path, brokerage: str, users: int, cycle_seconds: int) -> None:
    (config / "users").mkdir(parents=True)
    (config / "nija.yaml").write_text(CONFIGURATION % (brokerage, cycle_seconds), encoding="utf-8")
    rows = [
        {"user_id": f"u{number}", "name": f"U{number}", "account_type": "retail", "broker_type": brokerage}
        for number in range(users)
    ]
    (config / "users" / f"retail_{brokerage}.json").write_text(json.dumps(rows), encoding="utf-8")


def settle(seconds: float) -> None:
    """Let what a round left behind end before the next one."""
    time.sleep(seconds)

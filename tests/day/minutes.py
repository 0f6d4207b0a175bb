"""Hours of which every minute is lived through: the bot looks a few seconds after each candle has closed.

So its strategy is asked about every single candle, as in a backtest. The exchange's candles can be had afterwards.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

from bot.backtest.candle_table import CandleTable
from bot.diagnostics.data_fetch import Wanted, fetch
from bot.domain.quote import Candle
from bot.strategies.loading import load_strategy
from tests.day.day import Day, text
from tests.day.same_trades import Trade

MINUTE = timedelta(minutes=1)
# After a candle's close, so that the bot may ask for it; and it has the rest of the minute for all that it does.
LOOK_AFTER = timedelta(seconds=4)
# The exchange tells the newest 720 candles.
COLLECT_EVERY = 300
CONFIGURATION = """\
masters:
  - {{broker: kraken}}
pace:
  paper: {{cycle_seconds: 45, cycle_jitter_fraction: 0}}
scan: {{symbols: [{markets}], min_daily_volume_usd: null, max_spread_percent: null}}
risk: {{max_entries_per_cycle: 8}}
balance: {{max_age_seconds: 300, refresh_seconds: 30}}
instance: {{lease_seconds: 600}}
supervision: {{step_seconds: 3600, watchdog_silence_seconds: 3600}}
"""


class MinuteDay(Day):
    """At Kraken, with the first look in the minute of its start."""

    balances: Mapping[str, Decimal] = {"kraken": Decimal(10_000), "ann_kraken": Decimal(2_500)}

    def start(self) -> None:
        super().start()
        self._begin = self.now().replace(second=0, microsecond=0)
        self._candles: dict[str, dict[datetime, Candle]] = {symbol: {} for symbol in self._markets()}

    def live_through(self, minutes: int) -> dict[str, CandleTable]:
        """Returns the candles: as many as a strategy needs before the first look, then all until the last."""
        for number in range(minutes):
            self.last_look = self.step()
            if number % COLLECT_EVERY == COLLECT_EVERY - 1:
                self._collect()
                print(f"{number + 1} minutes: {self.count('SELECT count(*) FROM round_trip')} round trips", flush=True)
        self._collect()
        first = self._begin - load_strategy("rsi_trend", {}).candles_needed * MINUTE
        return {
            symbol: CandleTable.of(symbol, 1, [known[at] for at in sorted(known) if at >= first])
            for symbol, known in self._candles.items()
        }

    def step(self) -> datetime:
        """To a few seconds after the next full minute; returns that minute."""
        minute = self.now().replace(second=0, microsecond=0) + MINUTE
        self._wait(self._idle, what="every account's thread waits", seconds=60)
        self._jump(minute + LOOK_AFTER - self.now())
        moment = self.now()
        done = "SELECT count(*) FROM account_state WHERE last_cycle_at >= :moment"
        self._wait(
            lambda: self.count(done, moment=text(moment)) == len(self.accounts) and self._all_answered(),
            what=f"the cycles of {minute:%H:%M}",
            seconds=60,
        )
        assert self.now() < minute + MINUTE, "the machine is too slow: a cycle has taken the rest of its minute"
        return minute

    def trades(self, account: str) -> list[Trade]:
        """The account's, ended and open."""
        ended = self.rows("SELECT * FROM round_trip WHERE account_id = :account", account=account)
        held = self.rows("SELECT * FROM position WHERE account_id = :account", account=account)
        return [Trade.of_row(row) for row in ended] + [Trade.of_open_row(row) for row in held]

    def _collect(self) -> None:
        """The closed candles, as Kraken's public interface tells them."""
        now = self.now()
        for symbol, known in self._candles.items():
            wanted = Wanted(symbol, 1, int((now - 700 * MINUTE).timestamp()), int(now.timestamp()))
            for candle in fetch("kraken", wanted, url=self.exchange.rest_url("kraken"), now=now):
                if candle.opened_at + MINUTE <= now:
                    known[candle.opened_at] = candle

    def _configure(self, config: Path) -> None:
        super()._configure(config)
        markets = ", ".join(self._markets())
        (config / "nija.yaml").write_text(CONFIGURATION.format(markets=markets), encoding="utf-8")

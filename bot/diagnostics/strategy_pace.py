"""How long a strategy thinks: for a scan of many markets, and for a backtest over many candles."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from bot.diagnostics.strategy_answers import position_at
from bot.domain.quote import Candle
from bot.seams.clock import Clock, SystemClock
from bot.strategies.asking import ask_entry, ask_exit
from bot.strategies.interface import MarketView, Strategy
from bot.strategies.screening import ScreensEntries

_CALLS = 200
# A catalogue as large as Kraken's.
_MARKETS_OF_A_SCAN = 1500


@dataclass(frozen=True)
class Pace:
    """Seconds for one answer about an entry and about a position, views included; and whether a backtest can skip."""

    entry_seconds: float
    exit_seconds: float
    screens: bool

    @property
    def sentence(self) -> str:
        """For people."""
        scan = self.entry_seconds * _MARKETS_OF_A_SCAN
        told = (
            f"{self.entry_seconds * 1e6:.0f} µs an entry, {self.exit_seconds * 1e6:.0f} µs an exit: "
            f"{scan:.2f} s for {_MARKETS_OF_A_SCAN} markets."
        )
        return told if self.screens else f"{told} It has no screen: a backtest asks it about every candle."

    def as_json(self) -> dict[str, object]:
        """The same in microseconds."""
        return {
            "entry_microseconds": round(self.entry_seconds * 1e6, 1),
            "exit_microseconds": round(self.exit_seconds * 1e6, 1),
            "screens_entries": self.screens,
        }


def pace_of(strategy: Strategy, markets: Mapping[str, Sequence[Candle]], clock: Clock | None = None) -> Pace:
    """Measured on these markets' newest candles, each answer from a view of its own."""
    clock = clock or SystemClock()
    runs = [(name, tuple(candles[-strategy.candles_needed :])) for name, candles in markets.items()]
    asked = [runs[number % len(runs)] for number in range(_CALLS)]
    begun = clock.monotonic()
    for name, candles in asked:
        ask_entry(strategy, MarketView(name, candles))
    between = clock.monotonic()
    for name, candles in asked:
        ask_exit(strategy, MarketView(name, candles), position_at(name, candles[-1], Decimal(1)))
    ended = clock.monotonic()
    return Pace((between - begun) / _CALLS, (ended - between) / _CALLS, isinstance(strategy, ScreensEntries))

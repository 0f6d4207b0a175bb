"""A strategy that trades for trading's sake: it buys whatever it is shown and sells it soon after."""

from decimal import Decimal
from hashlib import sha256

from bot.domain.position import Position
from bot.strategies.interface import EntryIntent, ExitIntent, MarketView, NoEntry, Parameter, ParameterValues


class BusyStrategy:
    """Drawn from the market's own figures, so that it keeps to the rule that the same view gets the same answer."""

    name = "busy"
    parameters = (
        Parameter("entries", 1, 0, 1, "yes or no", "0 = buy nothing any more and sell everything"),
        Parameter("kept_percent", 25, 0, 100, "percent", "positions that are kept until the next candle"),
    )
    candles_needed = 1

    def __init__(self, values: ParameterValues) -> None:
        self._enters = values.integer("entries") == 1
        self._kept_percent = values.integer("kept_percent") if self._enters else 0

    def entry(self, view: MarketView) -> EntryIntent | NoEntry:
        if not self._enters:
            return NoEntry("the drill is ending")
        confidence = Decimal(_draw(view.symbol, str(view.candles[-1].close))) / 100
        return EntryIntent(view.symbol, confidence, "the drill buys")

    def exit(self, view: MarketView, position: Position) -> ExitIntent | None:
        kept = _draw(view.symbol, str(position.quantity), str(view.candles[-1].opened_at)) < self._kept_percent
        return None if kept else ExitIntent(view.symbol, "the drill sells")


def _draw(*parts: str) -> int:
    """0 to 99, the same for the same parts."""
    return int(sha256("|".join(parts).encode()).hexdigest()[:8], 16) % 100

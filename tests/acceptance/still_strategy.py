"""A strategy that never trades, so that a test's own trades are the only ones."""

from bot.domain.position import Position
from bot.strategies.interface import EntryIntent, ExitIntent, MarketView, NoEntry, Parameter, ParameterValues


class StillStrategy:
    """Enters nothing and keeps everything; the positions' own stops and targets are not its business."""

    name = "still"
    parameters: tuple[Parameter, ...] = ()
    candles_needed = 1

    def __init__(self, values: ParameterValues) -> None:
        """Nothing can be set."""

    def entry(self, view: MarketView) -> EntryIntent | NoEntry:
        return NoEntry("this strategy never trades")

    def exit(self, view: MarketView, position: Position) -> ExitIntent | None:
        return None

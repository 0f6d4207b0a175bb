"""A strategy that never trades, so that a drill's own trades are the only ones and each can be followed to its end."""

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
        return NoEntry("a drill trades by hand")

    def exit(self, view: MarketView, position: Position) -> ExitIntent | None:
        return None

"""A strategy that wants everything it is shown, so that only what comes after it decides."""

from decimal import Decimal

from bot.domain.position import Position
from bot.strategies.interface import EntryIntent, ExitIntent, MarketView, NoEntry, Parameter, ParameterValues


class WishfulStrategy:
    """BTC with a far target and a stop 4 % away; every other market with a target that costs more than it brings."""

    name = "wishful"
    parameters: tuple[Parameter, ...] = ()
    candles_needed = 1

    def __init__(self, values: ParameterValues) -> None:
        """Nothing can be set."""

    def entry(self, view: MarketView) -> EntryIntent | NoEntry:
        target = Decimal(20) if view.symbol == "BTC/USD" else Decimal("0.6")
        return EntryIntent(
            view.symbol,
            Decimal("0.5"),
            "this strategy wants everything",
            stop_loss_percent=Decimal(4),
            take_profit_percent=target,
            trailing_stop_percent=Decimal(90),
        )

    def exit(self, view: MarketView, position: Position) -> ExitIntent | None:
        return None

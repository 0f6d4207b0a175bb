"""The yardstick: buys what it does not hold and keeps it. What does worse than this is not worth its fees."""

from decimal import Decimal
from typing import TYPE_CHECKING

from bot.domain.position import Position
from bot.strategies.interface import EntryIntent, ExitIntent, MarketView, NoEntry
from bot.strategies.parameters import Parameter, ParameterValues

if TYPE_CHECKING:
    from bot.market.candle_arrays import CandleArrays, Mask

# As far as an exit may be from the price: held is held, and still no position is without a rule.
_FARTHEST_TARGET_PERCENT = Decimal(9999)
_TEN_YEARS_MINUTES = 10 * 365 * 24 * 60


class BuyAndHold:
    """Buys every market that is not held, whatever it does, and has no wish to sell.

    So that the account's own stops and targets do not end the holding, it asks for exits far away: a stop and a
    trailing stop at `stop_loss`, a target of a hundred times the price, and ten years.
    """

    name = "buy_and_hold"
    parameters = (
        Parameter("stop_loss", Decimal(90), Decimal(5), Decimal(99), "percent", "the only exit that may ever be met"),
    )
    candles_needed = 1

    def __init__(self, values: ParameterValues) -> None:
        self._stop_loss = values.decimal("stop_loss")

    def entry(self, view: MarketView) -> EntryIntent | NoEntry:
        """Always, with the same confidence."""
        return EntryIntent(
            view.symbol,
            Decimal("0.5"),
            "not held yet",
            stop_loss_percent=self._stop_loss,
            trailing_stop_percent=self._stop_loss,
            take_profit_percent=_FARTHEST_TARGET_PERCENT,
            break_even_percent=_FARTHEST_TARGET_PERCENT,
            max_hold_minutes=_TEN_YEARS_MINUTES,
        )

    def exit(self, view: MarketView, position: Position) -> ExitIntent | None:
        """Never."""
        return None

    def screen_exit(self, arrays: "CandleArrays") -> "Mask":
        """See `bot/strategies/screening.py`."""
        import numpy as np

        return np.zeros(len(arrays), dtype=np.bool_)

"""How far a market's price moves in a usual day, told from its candles."""

import math
from collections.abc import Sequence
from decimal import Decimal

from bot.domain.quote import Candle
from bot.market.indicators import atr

ATR_CANDLES = 14
MINUTES_OF_A_DAY = 1440


def daily_move_percent(candles: Sequence[Candle], *, interval_minutes: int) -> Decimal | None:
    """The average true range of the last candles as percent of the last close, scaled to a day; None = too few.

    Moves add up by the square root of time, as those of a walk without direction do: a day of 1-minute candles moves
    about 38 times as far as one of them.
    """
    if len(candles) <= ATR_CANDLES:
        return None
    ranges = atr(candles[-10 * ATR_CANDLES :], ATR_CANDLES)
    close = float(candles[-1].close)
    if not ranges or not math.isfinite(ranges[-1]) or close <= 0:
        return None
    move = 100 * ranges[-1] / close * math.sqrt(MINUTES_OF_A_DAY / interval_minutes)
    return Decimal(f"{move:.8f}")

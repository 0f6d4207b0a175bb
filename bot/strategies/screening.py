"""Reading years of candles at once: where a strategy certainly says nothing, nobody needs to ask it.

A strategy may have `screen(arrays)` and `screen_exit(arrays)`: for each candle, False when it certainly answers
`NoEntry` (or None) to the candles up to and including that one. True promises nothing. A strategy without them is asked
about every candle. What a screen leaves out is never looked at, so `python bot.py strategy check` compares the two.
"""

from typing import TYPE_CHECKING, Protocol, runtime_checkable

from bot.strategies.interface import Strategy

if TYPE_CHECKING:
    from bot.market.candle_arrays import CandleArrays, Mask


@runtime_checkable
class ScreensEntries(Protocol):
    """A strategy that can rule out entries of many candles at once."""

    def screen(self, arrays: "CandleArrays") -> "Mask":
        """One element a candle; False = `entry` certainly says no to the candles up to this one."""


@runtime_checkable
class ScreensExits(Protocol):
    """A strategy that can rule out its wishes to sell of many candles at once."""

    def screen_exit(self, arrays: "CandleArrays") -> "Mask":
        """One element a candle; False = `exit` certainly says None to the candles up to this one, whatever is held."""


def may_enter(strategy: Strategy, arrays: "CandleArrays") -> "Mask":
    """Candles after which it has to be asked about an entry. Raises ValueError for a screen of wrong shape."""
    enough = _enough(strategy, arrays)
    return enough & _checked(strategy.screen(arrays), arrays) if isinstance(strategy, ScreensEntries) else enough


def may_exit(strategy: Strategy, arrays: "CandleArrays") -> "Mask":
    """Candles after which it has to be asked about a position. Raises ValueError for a screen of wrong shape."""
    enough = _enough(strategy, arrays)
    return enough & _checked(strategy.screen_exit(arrays), arrays) if isinstance(strategy, ScreensExits) else enough


def _enough(strategy: Strategy, arrays: "CandleArrays") -> "Mask":
    """With fewer candles than it needs a strategy is not asked."""
    import numpy as np

    return np.arange(len(arrays)) >= strategy.candles_needed - 1


def _checked(mask: "Mask", arrays: "CandleArrays") -> "Mask":
    if mask.dtype != bool or mask.shape != (len(arrays),):
        raise ValueError(f"a screen has one True or False for each of {len(arrays)} candles, not {mask.shape}")
    return mask

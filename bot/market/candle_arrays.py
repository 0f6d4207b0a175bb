"""Closed candles as columns of numbers, for reading years of them at once. Shapes only: money stays in decimals."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bot.domain.quote import Candle

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class CandleArrays:
    """One symbol's closed candles, oldest first: element i of every column belongs to candle i.

    `opened_at` is in whole seconds since 1970 (UTC), prices are in quote, `volume` is in base.
    Raises ValueError for columns of different lengths.
    """

    opened_at: NDArray[np.int64]
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats

    def __post_init__(self) -> None:
        lengths = {column.shape for column in (self.opened_at, self.open, self.high, self.low, self.close, self.volume)}
        if len(lengths) != 1 or self.opened_at.ndim != 1:
            raise ValueError(f"the columns of candles have different shapes: {sorted(lengths)}")

    @classmethod
    def of(cls, candles: Sequence[Candle]) -> "CandleArrays":
        """The same candles as columns."""
        return cls(
            np.array([int(candle.opened_at.timestamp()) for candle in candles], dtype=np.int64),
            *(
                np.array([float(getattr(candle, name)) for candle in candles], dtype=np.float64)
                for name in ("open", "high", "low", "close", "volume")
            ),
        )

    def __len__(self) -> int:
        return len(self.opened_at)

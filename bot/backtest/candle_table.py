"""One symbol's past candles: exact decimals without a Python object for each of a million rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import cached_property
from typing import overload

import numpy as np
from numpy.typing import NDArray

from bot.domain.quote import Candle
from bot.market.candle_arrays import CandleArrays

Whole = NDArray[np.int64]

# Candles are made in blocks when somebody looks at them, and so many blocks are kept.
_BLOCK = 64
_KEPT_BLOCKS = 256
_KEPT_ALONE = 4096
# Whole numbers up to here are floats too, and a float divided by a power of ten is the float nearest to the decimal.
_EXACT_AS_FLOATS = 2**53
_LARGEST_EXACT_POWER_OF_TEN = 22


@dataclass(frozen=True, eq=False)
class CandleTable(Sequence[Candle]):
    """Closed candles of one interval, oldest first; `table[i]` is a `Candle`, a slice is a list of them.

    `opened_at` is whole seconds since 1970 (UTC). `prices` has the columns open, high, low and close in units of
    10^-`price_decimals` quote, `volumes` are units of 10^-`volume_decimals` base: whole numbers, so nothing is rounded.
    Raises ValueError for columns of different lengths, candles out of order, or prices that cannot be.
    """

    symbol: str
    interval_minutes: int
    opened_at: Whole
    prices: Whole
    volumes: Whole
    price_decimals: int
    volume_decimals: int

    def __post_init__(self) -> None:
        count = len(self.opened_at)
        if self.prices.shape != (count, 4) or self.volumes.shape != (count,):
            raise ValueError(f"{self.symbol}: the columns have different lengths")
        if count and not bool((np.diff(self.opened_at) >= self.interval_seconds).all()):
            raise ValueError(f"{self.symbol}: candles must be oldest first and {self.interval_minutes} minutes apart")
        bad = self._impossible()
        if bad is not None:
            raise ValueError(f"{self.symbol}: candle {bad + 1} has prices or a volume that cannot be")

    def _impossible(self) -> int | None:
        opened, high, low, close = self.prices.T
        wrong = (low <= 0) | (high < np.maximum(opened, close)) | (low > np.minimum(opened, close)) | (self.volumes < 0)
        found = np.flatnonzero(wrong)
        return int(found[0]) if len(found) else None

    @classmethod
    def of(cls, symbol: str, interval_minutes: int, candles: Sequence[Candle]) -> "CandleTable":
        """The same candles as columns."""
        price_decimals = max((_decimals(price) for one in candles for price in _prices(one)), default=0)
        volume_decimals = max((_decimals(one.volume) for one in candles), default=0)
        return cls(
            symbol=symbol,
            interval_minutes=interval_minutes,
            opened_at=np.array([int(one.opened_at.timestamp()) for one in candles], dtype=np.int64),
            prices=np.array(
                [[int(price.scaleb(price_decimals)) for price in _prices(one)] for one in candles], dtype=np.int64
            ).reshape(len(candles), 4),
            volumes=np.array([int(one.volume.scaleb(volume_decimals)) for one in candles], dtype=np.int64),
            price_decimals=price_decimals,
            volume_decimals=volume_decimals,
        )

    def __len__(self) -> int:
        return len(self.opened_at)

    @overload
    def __getitem__(self, index: int) -> Candle: ...
    @overload
    def __getitem__(self, index: slice) -> list[Candle]: ...
    def __getitem__(self, index: int | slice) -> Candle | list[Candle]:
        if isinstance(index, slice):
            begin, end, step = index.indices(len(self))
            return (
                self._run(begin, max(begin, end))[::step] if step == 1 else [self[n] for n in range(begin, end, step)]
            )
        number = range(len(self))[index]
        known = self._made.get(number // _BLOCK)
        return self._one(number) if known is None else known[number % _BLOCK]

    def _one(self, number: int) -> Candle:
        """A candle that is looked at alone, as those that may sell are."""
        known = self._alone.get(number)
        if known is None:
            if len(self._alone) >= _KEPT_ALONE:
                self._alone.clear()
            known = self._alone[number] = self._make(number, number + 1)[0]
        return known

    def _run(self, begin: int, end: int) -> list[Candle]:
        found: list[Candle] = []
        for block in range(begin // _BLOCK, -(-end // _BLOCK)):
            first = block * _BLOCK
            found += self._block(block)[max(0, begin - first) : end - first]
        return found

    def _block(self, block: int) -> list[Candle]:
        """Views of neighbouring moments share nearly all of their candles; those of long ago are let go of."""
        known = self._made.get(block)
        if known is None:
            if len(self._made) >= _KEPT_BLOCKS:
                del self._made[next(iter(self._made))]
            known = self._made[block] = self._make(block * _BLOCK, (block + 1) * _BLOCK)
        return known

    def _make(self, begin: int, end: int) -> list[Candle]:
        exponent, volume_exponent = -self.price_decimals, -self.volume_decimals
        rows = zip(
            self.opened_at[begin:end].tolist(),
            self.prices[begin:end].tolist(),
            self.volumes[begin:end].tolist(),
            strict=True,
        )
        return [
            Candle(
                datetime.fromtimestamp(opened_at, UTC),
                Decimal(opened).scaleb(exponent),
                Decimal(high).scaleb(exponent),
                Decimal(low).scaleb(exponent),
                Decimal(close).scaleb(exponent),
                Decimal(volume).scaleb(volume_exponent),
            )
            for opened_at, (opened, high, low, close), volume in rows
        ]

    @cached_property
    def _made(self) -> dict[int, list[Candle]]:
        return {}

    @cached_property
    def _alone(self) -> dict[int, Candle]:
        return {}

    @property
    def interval_seconds(self) -> int:
        return self.interval_minutes * 60

    @cached_property
    def closed_at(self) -> Whole:
        """When each candle closed, in seconds since 1970."""
        return self.opened_at + self.interval_seconds

    @cached_property
    def arrays(self) -> CandleArrays:
        """The same as floats, for looking at all of them at once."""
        scale = float(10**self.price_decimals)
        opened, high, low, close = (np.ascontiguousarray(column) / scale for column in self.prices.T)
        return CandleArrays(self.opened_at, opened, high, low, close, self.volumes / float(10**self.volume_decimals))

    @cached_property
    def floats_are_exact(self) -> bool:
        """Whether `arrays` has just the numbers that `float` makes of the candles' decimals."""
        largest = max(int(self.prices.max(initial=0)), int(self.volumes.max(initial=0)))
        decimals = max(self.price_decimals, self.volume_decimals)
        return largest <= _EXACT_AS_FLOATS and decimals <= _LARGEST_EXACT_POWER_OF_TEN

    def price(self, units: int) -> Decimal:
        """Units of a price as the price."""
        return Decimal(units).scaleb(-self.price_decimals)

    def folded(self, minutes: int) -> "CandleTable":
        """The same as longer candles, by the clock of UTC; a last one that is not complete is left out.

        Raises ValueError for an interval that is not a multiple of this one.
        """
        if minutes == self.interval_minutes:
            return self
        if minutes % self.interval_minutes:
            raise ValueError(f"{self.symbol}: candles of {self.interval_minutes} minutes make none of {minutes}")
        number = self.opened_at // (minutes * 60)
        first = np.flatnonzero(np.append(True, number[1:] != number[:-1]))
        last = np.append(first[1:] - 1, len(self) - 1)
        if len(self) and self.closed_at[-1] < (number[-1] + 1) * minutes * 60:
            first, last = first[:-1], last[:-1]
        whole = self.prices[: int(last[-1]) + 1] if len(last) else self.prices[:0]
        volumes = self.volumes[: len(whole)]
        prices = np.stack(
            [
                whole[first, 0],
                np.maximum.reduceat(whole[:, 1], first) if len(first) else first,
                np.minimum.reduceat(whole[:, 2], first) if len(first) else first,
                whole[last, 3],
            ],
            axis=1,
        )
        return CandleTable(
            self.symbol,
            minutes,
            number[first] * minutes * 60,
            prices,
            np.add.reduceat(volumes, first) if len(first) else volumes,
            self.price_decimals,
            self.volume_decimals,
        )

    def between(self, begin_seconds: int | None, end_seconds: int | None) -> "CandleTable":
        """The candles that opened in [begin, end)."""
        first = 0 if begin_seconds is None else int(np.searchsorted(self.opened_at, begin_seconds))
        end = len(self) if end_seconds is None else int(np.searchsorted(self.opened_at, end_seconds))
        return CandleTable(
            self.symbol,
            self.interval_minutes,
            self.opened_at[first:end],
            self.prices[first:end],
            self.volumes[first:end],
            self.price_decimals,
            self.volume_decimals,
        )


def _prices(candle: Candle) -> tuple[Decimal, Decimal, Decimal, Decimal]:
    return candle.open, candle.high, candle.low, candle.close


def _decimals(number: Decimal) -> int:
    exponent = number.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0

"""A market's closed candles in a tenth of the memory: text and times are kept, candles are made when looked at.

A candle of five decimals and a date takes some 650 bytes; a venue of 1,500 markets has a quarter of a million of them.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import overload

from bot.domain.quote import Candle

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class PackedCandles(Sequence[Candle]):
    """Oldest first, each once; never changes, so any thread may look. Amounts are exact; a slice is a tuple."""

    __slots__ = ("_lines", "_times", "newest")

    def __init__(self, candles: Iterable[Candle] = ()) -> None:
        given = tuple(candles)
        self._take(array("q", map(_microseconds, (one.opened_at for one in given))), "\n".join(map(_line, given)))

    def _take(self, times: "array[int]", lines: str) -> None:
        self._times, self._lines = times, lines
        self.newest = _EPOCH + times[-1] * _MICROSECOND if times else None

    def merged(self, candles: Sequence[Candle], *, capacity: int) -> "PackedCandles":
        """With the candles of an answer, whose word counts; the newest `capacity` of them.

        Between the answer's first and last candle only what it holds is kept.
        """
        if not candles:
            return self
        before = bisect_left(self._times, _microseconds(candles[0].opened_at))
        after = bisect_right(self._times, _microseconds(candles[-1].opened_at))
        known, answer = self._lines.split("\n") if self._lines else [], PackedCandles(candles)
        times = self._times[:before] + answer._times + self._times[after:]
        lines = [*known[:before], *answer._lines.split("\n"), *known[after:]]
        made = PackedCandles()
        made._take(times[-capacity:], "\n".join(lines[-capacity:]))
        return made

    def __len__(self) -> int:
        return len(self._times)

    def __iter__(self) -> Iterator[Candle]:
        return iter(self[:])

    @overload
    def __getitem__(self, index: int) -> Candle: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Candle, ...]: ...
    def __getitem__(self, index: int | slice) -> Candle | tuple[Candle, ...]:
        if isinstance(index, slice):
            chosen = range(len(self._times))[index]
            if not chosen:
                return ()
            first = min(chosen[0], chosen[-1])
            # From the end: the newest few are what is looked at most.
            lines = self._lines.rsplit("\n", len(self._times) - first)[-(len(self._times) - first) :]
            return tuple(_candle(self._times[place], lines[place - first]) for place in chosen)
        place = range(len(self._times))[index]
        return self[place : place + 1][0]


def _microseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // _MICROSECOND


def _line(candle: Candle) -> str:
    return f"{candle.open:f} {candle.high:f} {candle.low:f} {candle.close:f} {candle.volume:f}"


def _candle(microseconds: int, line: str) -> Candle:
    opened, high, low, close, volume = map(Decimal, line.split(" "))
    return Candle(_EPOCH + microseconds * _MICROSECOND, opened, high, low, close, volume)

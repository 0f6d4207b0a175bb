"""The last hour of one market in a bounded number of points: what movers are found by and sparklines are drawn from.

The numbers are floats: they rank and draw, and no order is sized or priced by them.
"""

from array import array
from collections.abc import Sequence

POINT_SECONDS = 120.0
WINDOW_SECONDS = 3600.0
# One point more than the window holds, so that its beginning is known.
MOST_POINTS = int(WINDOW_SECONDS / POINT_SECONDS) + 1
HOURS_A_DAY = 24.0


class PriceHistory:
    """Points of one market, oldest first: unix seconds, price, volume of the 24 hours before (base units).

    Wall time, so that a restart can go on with what was kept; a clock that is set back begins a new line.
    """

    def __init__(self, points: Sequence[Sequence[float]] = ()) -> None:
        self._at, self._price, self._volume = array("d"), array("d"), array("d")
        for at, price, volume in points:
            self.add(at, price, volume)

    def __len__(self) -> int:
        return len(self._at)

    def add(self, at: float, price: float, volume: float) -> bool:
        """Keep it if the last point is old enough; True if it was kept."""
        if self._at and at < self._at[-1] - POINT_SECONDS:
            self._cut(len(self._at))
        if self._at and at - self._at[-1] < POINT_SECONDS:
            return False
        for column, value in ((self._at, at), (self._price, price), (self._volume, volume)):
            column.append(value)
        old = sum(moment < at - WINDOW_SECONDS - POINT_SECONDS for moment in self._at)
        self._cut(max(old, len(self._at) - MOST_POINTS))
        return True

    def momentum_percent(self, price: float, *, now: float) -> tuple[float, float] | None:
        """How far `price` is from that of an hour ago, or the oldest known: percent, and over how many seconds."""
        at = self._first_in_window(now)
        if at is None or self._price[at] <= 0:
            return None
        return 100.0 * (price / self._price[at] - 1.0), now - self._at[at]

    def volume_ratio(self, volume: float, *, now: float) -> float | None:
        """The volume of the window as a multiple of an average stretch of that length in the day before it.

        The venue tells the volume of the last 24 hours. What it has grown by is what the window had more than the
        stretch that fell out at the other end, which is taken to have been an average one.
        """
        at = self._first_in_window(now)
        if at is None:
            return None
        usual = self._volume[at] / HOURS_A_DAY * ((now - self._at[at]) / 3600.0)
        return None if usual <= 0 else max(0.0, (volume - self._volume[at]) / usual + 1.0)

    def points(self) -> list[tuple[int, float, float]]:
        """As they are written down."""
        return [
            (round(at), float(f"{price:.8g}"), float(f"{volume:.6g}"))
            for at, price, volume in zip(self._at, self._price, self._volume, strict=True)
        ]

    def _first_in_window(self, now: float) -> int | None:
        return next((index for index, at in enumerate(self._at) if now - WINDOW_SECONDS - 1 <= at < now), None)

    def _cut(self, count: int) -> None:
        for column in (self._at, self._price, self._volume):
            del column[:count]

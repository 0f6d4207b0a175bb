"""Which markets move more than others now. Pure: figures in, promotions and expiries out.

A mover has moved far in the last hour, on more volume than usual, and can be traded without paying a wide spread. It
stays one for a while after it last was one, so that markets at the threshold do not come and go.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

# With less than this of the hour known, a move says nothing yet.
LEAST_WINDOW_SECONDS = 900.0
CENT = Decimal("0.01")


@dataclass(frozen=True, kw_only=True)
class MoverRules:
    """Percents are of the price; `volume_ratio` is a multiple of the market's own usual volume."""

    momentum_percent: Decimal
    volume_ratio: Decimal
    max_spread_percent: Decimal
    hold: timedelta
    most: int


@dataclass(frozen=True, kw_only=True)
class Movement:
    """The figures of one market now; `window_seconds` = over how long its momentum was measured."""

    momentum_percent: Decimal
    volume_ratio: Decimal
    spread_percent: Decimal
    window_seconds: int

    @classmethod
    def of(cls, *, momentum: float, window_seconds: float, volume_ratio: float, spread_percent: Decimal) -> "Movement":
        """From the floats that ranking is done in."""
        return cls(
            momentum_percent=Decimal(str(momentum)).quantize(CENT),
            volume_ratio=Decimal(str(volume_ratio)).quantize(CENT),
            spread_percent=spread_percent.quantize(Decimal("0.0001")),
            window_seconds=round(window_seconds),
        )

    def meets(self, rules: MoverRules) -> bool:
        """Whether the market is a mover at this moment."""
        return (
            self.window_seconds >= LEAST_WINDOW_SECONDS
            and abs(self.momentum_percent) >= rules.momentum_percent
            and self.volume_ratio >= rules.volume_ratio
            and self.spread_percent <= rules.max_spread_percent
        )


@dataclass(frozen=True, kw_only=True)
class Mover:
    """A promoted market. `met_at` is when it last met the rules."""

    symbol: str
    movement: Movement
    promoted_at: datetime
    met_at: datetime

    def expires_at(self, rules: MoverRules) -> datetime:
        return self.met_at + rules.hold


def next_movers(
    movers: Mapping[str, Mover],
    movements: Mapping[str, Movement],
    *,
    tradable: Collection[str],
    rules: MoverRules,
    now: datetime,
) -> dict[str, Mover]:
    """The movers after one look: who meets the rules is (still) one, who has not for too long is not any more.

    A market that cannot be traded leaves at once. When there are too many, the strongest stay.
    """
    found: dict[str, Mover] = {}
    for symbol, movement in movements.items():
        if symbol in tradable and movement.meets(rules):
            known = movers.get(symbol)
            since = now if known is None else known.promoted_at
            found[symbol] = Mover(symbol=symbol, movement=movement, promoted_at=since, met_at=now)
    for symbol, mover in movers.items():
        if symbol not in found and symbol in tradable and now < mover.expires_at(rules):
            movement = movements.get(symbol, mover.movement)
            found[symbol] = Mover(symbol=symbol, movement=movement, promoted_at=mover.promoted_at, met_at=mover.met_at)
    strongest = sorted(found.values(), key=lambda one: (-abs(one.movement.momentum_percent), one.symbol))
    return {mover.symbol: mover for mover in strongest[: rules.most]}

"""Where a protective stop lies: below the level at which the bot itself would sell, on the venue's tick."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from bot.domain.instrument import Instrument
from bot.domain.money import floor_to_step
from bot.domain.position import Position
from bot.domain.quote import Quote
from bot.strategies.exits import decide_exit
from bot.strategies.percent import Percent

# A stop that lies no further than this from where it should is left there: each replacement is a moment without one.
STEP = Percent(Decimal("0.5"))
# Where the venue knows stops with a limit only, it lies so far below the trigger: a fall through both fills nothing.
LIMIT_BELOW_STOP = Percent(Decimal(5))


@dataclass(frozen=True)
class ProtectiveStopRules:
    """`distance_percent` is how far below the bot's own stop it lies.

    A plan without a stop gets one at `default_stop_percent`, as for the bot's own.
    """

    enabled: bool = False
    distance_percent: Decimal = Decimal(1)
    default_stop_percent: Decimal | None = None

    def limit_of(self, level: Decimal, instrument: Instrument) -> Decimal:
        """The lowest price at which a stop with a limit sells (quote per base)."""
        return floor_to_step(LIMIT_BELOW_STOP.below(level), instrument.tick_size)


def stop_level_of(
    position: Position,
    rules: ProtectiveStopRules,
    instrument: Instrument,
    *,
    now: datetime,
    taker_fee_percent: Decimal | None = None,
) -> Decimal | None:
    """The trigger of the position's stop (quote per base); None = the position has no stop, or no price to measure it.

    Asks for no price: it follows from the average entry and the highest bid seen, so that it is the same however far
    the market has fallen since.
    """
    highest = max(position.highest_price, position.average_entry_price)
    if highest <= 0:
        return None
    decision = decide_exit(
        position,
        Quote(position.symbol, highest, highest, now),
        round_trip_fee=None if taker_fee_percent is None else Percent(2 * taker_fee_percent),
        default_stop_percent=rules.default_stop_percent,
    )
    if decision.stop_level is None:
        return None
    level = floor_to_step(Percent.of_stop(rules.distance_percent).below(decision.stop_level), instrument.tick_size)
    return level if level > 0 else None


def too_far_apart(level: Decimal, wanted: Decimal) -> bool:
    """Whether a stop at `level` should be moved to `wanted` (both quote per base)."""
    return abs(level - wanted) > wanted - STEP.below(wanted)

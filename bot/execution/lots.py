"""How much of the lots that we account for can be sold. The one owner of that decision, for masters and users."""

from dataclasses import dataclass
from decimal import Decimal

from bot.brokers.base import BaseBroker
from bot.domain.balance import BalanceReading
from bot.domain.position import Position
from bot.domain.symbol import base_of


@dataclass(frozen=True)
class Lots:
    """Base units of a position: booked, still in the account, and free to be sold now (never more than booked)."""

    booked: Decimal
    existing: Decimal
    free: Decimal

    @property
    def locked(self) -> Decimal:
        """In the account, but tied up in open orders."""
        return self.existing - self.free


def lots_of(position: Position | None, broker: BaseBroker) -> Lots:
    """Ask the account when its last reading shows less than the books.

    A sale is never held back by what is not known: without a reading made now, all that is booked counts as free. To
    be called in the account's own thread: no fill is booked between the reading and its use.
    """
    if position is None:
        return Lots(Decimal(0), Decimal(0), Decimal(0))
    known = broker.balance_book.reading()
    if _covers(known, position):
        return _all_free(position)
    reading = broker.refresh_balance(max_age_seconds=0)
    if reading.holdings is None or reading.reason:
        return _all_free(position)
    held = reading.holdings.of(base_of(position.symbol))
    return Lots(position.quantity, min(position.quantity, held.total), min(position.quantity, held.available))


def _covers(reading: BalanceReading, position: Position) -> bool:
    if reading.holdings is None:
        return False
    return reading.holdings.of(base_of(position.symbol)).available >= position.quantity


def _all_free(position: Position) -> Lots:
    return Lots(position.quantity, position.quantity, position.quantity)

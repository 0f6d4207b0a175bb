"""Rows of round trips: positions from their first lot to their last, written when they have ended."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Row, insert, select

from bot.storage.schema import round_trip


@dataclass(frozen=True, kw_only=True)
class RoundTrip:
    """Quantities in base units, amounts in the market's quote currency. `exit_rule` is what ended it, as it was called.

    `fees_quote` is None where a fee was in another currency than the market's two: then the result is not known.
    """

    account_id: str
    symbol: str
    opened_at: datetime
    closed_at: datetime
    bought_quantity: Decimal
    bought_quote: Decimal
    sold_quote: Decimal
    fees_quote: Decimal | None
    exit_rule: str = ""
    signal_id: str | None = None

    @property
    def result_quote(self) -> Decimal | None:
        """What it made after fees; None = a fee cannot be counted."""
        return None if self.fees_quote is None else self.sold_quote - self.bought_quote - self.fees_quote

    @property
    def is_loss(self) -> bool:
        """By its result; where a fee cannot be counted, by the prices alone."""
        known = self.result_quote
        return (self.sold_quote - self.bought_quote if known is None else known) < 0


def add_round_trip(connection: Connection, trip: RoundTrip) -> None:
    """In the transaction of the fill that ended it."""
    connection.execute(insert(round_trip).values(asdict(trip)))


def round_trips_of(
    connection: Connection,
    account_id: str,
    *,
    symbol: str | None = None,
    since: datetime | None = None,
    limit: int | None = None,
) -> Sequence[RoundTrip]:
    """The last ended first; of one market or of all."""
    query = select(round_trip).where(round_trip.c.account_id == account_id)
    if symbol is not None:
        query = query.where(round_trip.c.symbol == symbol)
    if since is not None:
        query = query.where(round_trip.c.closed_at >= since)
    query = query.order_by(round_trip.c.closed_at.desc(), round_trip.c.id.desc()).limit(limit)
    return [_trip(row) for row in connection.execute(query)]


def _trip(row: Row[Any]) -> RoundTrip:
    values = row._asdict()
    del values["id"]
    return RoundTrip(**values)

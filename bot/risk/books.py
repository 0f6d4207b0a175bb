"""What the limits read: from rows for one entry, or for a batch of entries at once, in a handful of queries."""

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from sqlalchemy import Connection

from bot.storage import exposure, risk_marks, round_trips
from bot.storage.exposure import Answer, Held, OpenEntry, Rough, Twin
from bot.storage.intents import OrderIntent
from bot.storage.risk_marks import LossMark
from bot.storage.round_trips import RoundTrip

Place = tuple[str, str]
MastersTrade = tuple[str | None, Decimal | None]
# What a row that holds nonsense makes of its reading.
UNREADABLE = (ValueError, TypeError, ArithmeticError)


class Pricing(Protocol):
    """How costs are made of rows. Raises `NotKnown` for what has none."""

    def cost_of(self, held: Iterable[Held]) -> Decimal:
        """What positions have cost."""

    def cost_of_open(self, entries: Iterable[OpenEntry]) -> Decimal:
        """What open entries may still cost."""

    def is_dust(self, held: Held) -> bool:
        """Whether the venue is known to refuse to sell as little as this."""


class Books(Protocol):
    """Rows as one entry's judges need them, always without that entry itself (`besides`).

    Amounts are base units for quantities and quote units for costs. Raises what an unreadable row raises.
    """

    def held_of(self, account_id: str) -> Sequence[Held]:
        """The account's positions."""

    def entries_of(self, account_id: str, *, besides: str) -> Sequence[OpenEntry]:
        """The account's open entries."""

    def cost_of_all(self, pricing: Pricing, *, besides: str) -> Decimal:
        """What all accounts hold and may still buy, in quote units. Raises what `pricing` raises."""

    def places_of_all(self, pricing: Pricing, *, besides: str) -> AbstractSet[Place]:
        """(account, symbol) of all that is held, dust apart, and of all that is being entered."""

    def rough_of_all(self, *, currencies: AbstractSet[str], besides: str) -> Rough:
        """About what all accounts hold and are entering in these currencies, one to one."""

    def sent(self, account_id: str, *, since: datetime, besides: str) -> int:
        """How many entries of the account were sent after `since`."""

    def sent_by_all(self, *, since: datetime, besides: str) -> int:
        """How many entries of all accounts were."""

    def answers(self, account_id: str, *, most: int) -> Sequence[Answer]:
        """What the venue said to the account's last entries, the last sent first."""

    def twins(self, intent: OrderIntent, *, since: datetime) -> Sequence[Twin]:
        """Entries of exactly the shape of `intent` that were sent after `since`."""

    def masters_trade(self, signal_id: str) -> MastersTrade:
        """(what names the order or chain of orders, price) of the trade behind a signal."""

    def mark(self, account_id: str) -> LossMark | None:
        """What the account's trades have made."""

    def trips(
        self, account_id: str, *, symbol: str | None = None, since: datetime | None = None, limit: int | None = None
    ) -> Sequence[RoundTrip]:
        """The account's ended positions, the last ended first; of one market or of all."""

    def has_traded(self, account_id: str) -> bool:
        """Whether any trade of the account was ever booked."""


def places(pricing: Pricing, held: Iterable[Held], entries: Iterable[OpenEntry]) -> set[Place]:
    """(account, symbol) of what is held, dust apart, and of what is being entered."""
    taken = {(one.account_id, one.symbol) for one in held if not pricing.is_dust(one)}
    taken.update((one.account_id, one.symbol) for one in entries)
    return taken


class RowBooks:
    """Reads each thing when it is asked for."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def held_of(self, account_id: str) -> Sequence[Held]:
        return exposure.held_of(self._connection, account_id)

    def entries_of(self, account_id: str, *, besides: str) -> Sequence[OpenEntry]:
        return exposure.open_entries_of(self._connection, account_id, besides=besides)

    def cost_of_all(self, pricing: Pricing, *, besides: str) -> Decimal:
        entries = exposure.open_entries_of_all(self._connection, besides=besides)
        return pricing.cost_of(exposure.held_by_all(self._connection)) + pricing.cost_of_open(entries)

    def places_of_all(self, pricing: Pricing, *, besides: str) -> AbstractSet[Place]:
        entries = exposure.open_entries_of_all(self._connection, besides=besides)
        return places(pricing, exposure.held_by_all(self._connection), entries)

    def rough_of_all(self, *, currencies: AbstractSet[str], besides: str) -> Rough:
        return exposure.rough_of_all(self._connection, currencies=currencies, besides=besides)

    def sent(self, account_id: str, *, since: datetime, besides: str) -> int:
        return exposure.entries_sent(self._connection, account_id, since=since, besides=besides)

    def sent_by_all(self, *, since: datetime, besides: str) -> int:
        return exposure.entries_sent_by_all(self._connection, since=since, besides=besides)

    def answers(self, account_id: str, *, most: int) -> Sequence[Answer]:
        return exposure.answers_to_entries(self._connection, account_id, most=most)

    def twins(self, intent: OrderIntent, *, since: datetime) -> Sequence[Twin]:
        return exposure.twins_of(
            self._connection,
            intent.account_id,
            symbol=intent.symbol,
            side=intent.side,
            quantity=intent.quantity,
            since=since,
            besides=intent.client_order_id,
        )

    def masters_trade(self, signal_id: str) -> MastersTrade:
        return exposure.masters_trade(self._connection, signal_id)

    def mark(self, account_id: str) -> LossMark | None:
        return risk_marks.find_loss_mark(self._connection, account_id)

    def trips(
        self, account_id: str, *, symbol: str | None = None, since: datetime | None = None, limit: int | None = None
    ) -> Sequence[RoundTrip]:
        return round_trips.round_trips_of(self._connection, account_id, symbol=symbol, since=since, limit=limit)

    def has_traded(self, account_id: str) -> bool:
        return exposure.has_traded(self._connection, account_id)

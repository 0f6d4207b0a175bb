"""The books of a batch of entries that were never sent: read once for all of them, and kept up as they are let out."""

import math
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from decimal import Decimal
from typing import TypeVar

from sqlalchemy import Connection

from bot.domain.symbol import quote_of
from bot.risk.books import UNREADABLE, MastersTrade, Place, Pricing, RowBooks
from bot.storage import exposure_of_many
from bot.storage.exposure import Answer, Held, OpenEntry, Rough, Twin
from bot.storage.intents import OrderIntent
from bot.storage.risk_marks import LossMark
from bot.storage.round_trips import RoundTrip

T = TypeVar("T")
_UNREAD = object()
Shape = tuple[str, str, str, Decimal]


class BatchBooks:
    """As `RowBooks`, for the accounts of `intents`; `let_out` adds an entry as if its row said that it is sent `now`.

    A row that cannot be read is one account's trouble alone: what was to be read for all is then read one by one.
    """

    def __init__(self, connection: Connection, intents: Sequence[OrderIntent], *, now: datetime) -> None:
        self._connection = connection
        self._rows = RowBooks(connection)
        self._now = now
        self._accounts = list(dict.fromkeys(intent.account_id for intent in intents))
        self._symbols = list(dict.fromkeys(intent.symbol for intent in intents))
        self._known: dict[str, object] = {}
        self._out: list[OpenEntry] = []
        self._out_of: dict[str, list[OrderIntent]] = defaultdict(list)
        self._priced = 0
        self._cost_of_out = Decimal(0)
        self._rough_of_out: dict[str, float] = defaultdict(float)

    def let_out(self, intent: OrderIntent) -> None:
        """This entry counts from now on."""
        entry = _open_entry(intent)
        self._out.append(entry)
        self._out_of[intent.account_id].append(intent)
        price = entry.reference_price if entry.limit_price is None else entry.limit_price
        self._rough_of_out[quote_of(intent.symbol)] += (
            math.nan if price is None else float(intent.quantity) * float(price)
        )

    # -- of one account ---------------------------------------------------------------------------------------------
    def held_of(self, account_id: str) -> Sequence[Held]:
        found = self._of_many("held", lambda: exposure_of_many.held_of_many(self._connection, self._accounts))
        return self._rows.held_of(account_id) if found is None else found.get(account_id, ())

    def entries_of(self, account_id: str, *, besides: str) -> Sequence[OpenEntry]:
        found = self._of_many(
            "entries", lambda: exposure_of_many.open_entries_of_many(self._connection, self._accounts)
        )
        rows = self._rows.entries_of(account_id, besides=besides) if found is None else found.get(account_id, ())
        out = self._out_of.get(account_id)
        return [*rows, *map(_open_entry, out)] if out else rows

    def sent(self, account_id: str, *, since: datetime, besides: str) -> int:
        return self._sent_of_all(since).get(account_id, 0) + len(self._out_of.get(account_id, ()))

    def having_sent(self, number: int, *, since: datetime) -> Collection[str]:
        """Accounts that have sent so many entries after `since`, or more."""
        return (
            {label for label, sent in self._sent_of_all(since).items() if sent >= number}
            if number > 0
            else self._accounts
        )

    def _sent_of_all(self, since: datetime) -> Mapping[str, int]:
        def read() -> Mapping[str, int]:
            return exposure_of_many.entries_sent_of_many(self._connection, self._accounts, since=since)

        return self._once("sent", read)

    def answers(self, account_id: str, *, most: int) -> Sequence[Answer]:
        """Nothing for an account whose last entry was not refused: there is no row of refusals then."""
        return self._rows.answers(account_id, most=most) if account_id in self.refused() else ()

    def refused(self) -> Collection[str]:
        """Accounts whose last answered entry was refused."""
        return self._once("refused", lambda: exposure_of_many.last_refused_among(self._connection, self._accounts))

    def twins(self, intent: OrderIntent, *, since: datetime) -> Sequence[Twin]:
        found = self._of_many("twins", lambda: self._twins_of_all(since))
        rows = self._rows.twins(intent, since=since) if found is None else found.get(_shape(intent), ())
        out = self._out_of.get(intent.account_id)
        if not out:
            return rows
        return [*rows, *(self._twin(one) for one in out if _shape(one) == _shape(intent))]

    def with_twins(self, *, since: datetime) -> Collection[str]:
        """Accounts that have sent anything in these markets after `since`."""
        return {shape[0] for shape in self._once("twins", lambda: self._twins_of_all(since))}

    def _twins_of_all(self, since: datetime) -> Mapping[Shape, Sequence[Twin]]:
        return exposure_of_many.twins_of_many(self._connection, self._accounts, symbols=self._symbols, since=since)

    def mark(self, account_id: str) -> LossMark | None:
        found = self._of_many("marks", lambda: exposure_of_many.loss_marks_of_many(self._connection, self._accounts))
        return self._rows.mark(account_id) if found is None else found.get(account_id)

    def trips(
        self, account_id: str, *, symbol: str | None = None, since: datetime | None = None, limit: int | None = None
    ) -> Sequence[RoundTrip]:
        return self._rows.trips(account_id, symbol=symbol, since=since, limit=limit)

    def has_traded(self, account_id: str) -> bool:
        return account_id in self._once(
            "traded", lambda: exposure_of_many.traded_among(self._connection, self._accounts)
        )

    def masters_trade(self, signal_id: str) -> MastersTrade:
        return self._once(f"signal {signal_id}", lambda: self._rows.masters_trade(signal_id))

    # -- of all -----------------------------------------------------------------------------------------------------
    def cost_of_all(self, pricing: Pricing, *, besides: str) -> Decimal:
        before = self._once("cost", lambda: self._rows.cost_of_all(pricing, besides=""))
        for entry in self._out[self._priced :]:
            self._cost_of_out += pricing.cost_of_open([entry])
            self._priced += 1
        return before + self._cost_of_out

    def places_of_all(self, pricing: Pricing, *, besides: str) -> AbstractSet[Place]:
        taken = self._once("places", lambda: set(self._rows.places_of_all(pricing, besides="")))
        counted = self._once("places counted", lambda: [0])
        taken.update((entry.account_id, entry.symbol) for entry in self._out[counted[0] :])
        counted[0] = len(self._out)
        return taken

    def rough_of_all(self, *, currencies: AbstractSet[str], besides: str) -> Rough:
        rows = self._once("rough", lambda: self._rows.rough_of_all(currencies=currencies, besides=""))
        # What is in another currency has no cost in these.
        out = sum(self._rough_of_out.values()) if self._rough_of_out.keys() <= currencies else math.nan
        cost = None if rows.cost is None or math.isnan(out) else rows.cost + out
        return Rough(rows.places + len(self._out), cost)

    def sent_by_all(self, *, since: datetime, besides: str) -> int:
        return self._once("sent by all", lambda: self._rows.sent_by_all(since=since, besides="")) + len(self._out)

    # -- inside -----------------------------------------------------------------------------------------------------
    def _once(self, name: str, read: Callable[[], T]) -> T:
        """What was read before, or the error that this made."""
        known = self._known.get(name, _UNREAD)
        if known is _UNREAD:
            try:
                known = read()
            except Exception as error:
                self._known[name] = error
                raise
            self._known[name] = known
        if isinstance(known, Exception):
            raise known.with_traceback(None)
        return known  # type: ignore[return-value]

    def _of_many(self, name: str, read: Callable[[], T]) -> T | None:
        """None when some account's rows cannot be read."""
        try:
            return self._once(name, read)
        except UNREADABLE:
            return None

    def _twin(self, intent: OrderIntent) -> Twin:
        order = None if intent.signal_id is None else self.masters_trade(intent.signal_id)[0]
        return Twin(intent.client_order_id, self._now, order)


def _shape(intent: OrderIntent) -> Shape:
    return intent.account_id, intent.symbol, str(intent.side), intent.quantity


def _open_entry(intent: OrderIntent) -> OpenEntry:
    return OpenEntry(
        intent.account_id,
        intent.client_order_id,
        intent.symbol,
        intent.quantity,
        intent.filled_quantity,
        intent.limit_price,
        intent.reference_price,
    )

"""Rests that were too small to be sold: looked at again at their time, and a position again once they can be sold."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import groupby

from sqlalchemy import Connection

from bot.account_desk import AccountDesk
from bot.domain.errors import CredentialsRejected, VenueError
from bot.domain.money import plain
from bot.domain.position import ExitPlan, Position
from bot.domain.quote import Quote
from bot.domain.symbol import base_of
from bot.execution.dust_book import end_as_dust
from bot.seams.clock import Clock
from bot.storage import positions
from bot.storage.dust import Dust, due_dust, mark_reopened, postpone_dust, schedule_dust
from bot.storage.store import Store

log = logging.getLogger(__name__)


class DustKeeping:
    """Of any account, in that account's thread. Between its times dust costs no order, no call and no line in the log.

    A rest that comes back is judged by `plan`, the account's own, from its old price on; of what the venue says is
    there it is never more than its rows have, and nothing that another position has.
    """

    def __init__(self, *, store: Store, clock: Clock, plan: ExitPlan, retry_minutes: int) -> None:
        self._store = store
        self._clock = clock
        self._plan = plan
        self._retry = timedelta(minutes=retry_minutes)

    def close(self, desk: AccountDesk, position: Position, reason: str) -> None:
        """End a position that is too small to be sold."""
        now = self._clock.now()

        def work(connection: Connection) -> None:
            desk.executor.refuse_when_fenced(connection)
            end_as_dust(connection, position, now=now, reason=reason, retry_at=now + self._retry)

        self._store.write(work)
        until = now + self._retry
        log.info("%s: %s is dust until %s: %s", desk.account.label, position.symbol, f"{until:%H:%M} UTC", reason)

    def retry(self, desk: AccountDesk, quotes: Mapping[str, Quote]) -> bool:
        """Look at what is due; True when something has become a position again.

        Raises `CredentialsRejected`, `Fenced` and `StoreUnavailable`; whatever else a venue says is the row's reason.
        """
        now = self._clock.now()
        due = self._due(desk, now)
        reopened = [
            self._look_at(desk, symbol, list(items), quotes.get(symbol), now)
            for symbol, items in groupby(sorted(due, key=lambda item: item.symbol), key=lambda item: item.symbol)
        ]
        return any(reopened)

    def _due(self, desk: AccountDesk, now: datetime) -> Sequence[Dust]:
        with self._store.read() as connection:
            rows = due_dust(connection, desk.account.label, now=now)
        if any(row.retry_at is None for row in rows):
            self._store.write(lambda connection: schedule_dust(connection, rows, after=self._retry))
        return [row for row in rows if (row.retry_at or row.closed_at + self._retry) <= now]

    def _look_at(
        self, desk: AccountDesk, symbol: str, items: Sequence[Dust], quote: Quote | None, now: datetime
    ) -> bool:
        try:
            quote = quote or desk.broker.get_best_bid_ask(symbol)
            quantity, why = self._sellable(desk, symbol, items, quote)
        except CredentialsRejected:
            raise
        except VenueError as error:
            quantity, why = Decimal(0), str(error)
        if quote is None or why:
            self._store.write(
                lambda connection: postpone_dust(connection, items, until=now + self._retry, reason=why[:500])
            )
            return False
        return self._reopen(desk, items, quantity, quote)

    def _sellable(self, desk: AccountDesk, symbol: str, items: Sequence[Dust], quote: Quote) -> tuple[Decimal, str]:
        """Base units that are there of it, and why they cannot be sold (empty = they can)."""
        instrument = desk.broker.get_trading_pairs().get(symbol)
        if instrument is None:
            return Decimal(0), f"{symbol} is not listed any more"
        units = sum((item.quantity for item in items), Decimal(0))
        with self._store.read() as connection:
            held, _ = positions.readable_positions_of(connection, desk.account.label)
        present = sum((one.quantity for one in held if one.symbol == symbol), Decimal(0))
        together = instrument.floor_quantity(units + present)
        too_small = instrument.below_minimum(together, quote.bid)
        if too_small:
            return Decimal(0), too_small
        reading = desk.broker.refresh_balance(max_age_seconds=0)
        if reading.holdings is None or reading.reason:
            return Decimal(0), f"what is held of it is not known: {reading.reason}"
        booked = sum((one.quantity for one in held if base_of(one.symbol) == base_of(symbol)), Decimal(0))
        there = min(units, reading.holdings.of(base_of(symbol)).available - booked)
        if there <= 0:
            return Decimal(0), f"the account has no {base_of(symbol)} beside its lots"
        return there, instrument.below_minimum(instrument.floor_quantity(there + present), quote.bid) or ""

    def _reopen(self, desk: AccountDesk, items: Sequence[Dust], quantity: Decimal, quote: Quote) -> bool:
        price = _average_price(items)

        def work(connection: Connection) -> None:
            desk.executor.refuse_when_fenced(connection)
            present = positions.find_position(connection, items[0].account_id, items[0].symbol)
            positions.save_position(connection, self._with(present, items, quantity, price, quote))
            mark_reopened(connection, items, now=self._clock.now())

        self._store.write(work)
        log.info("%s: %s of %s can be sold again", desk.account.label, plain(quantity), items[0].symbol)
        return True

    def _with(
        self, present: Position | None, items: Sequence[Dust], quantity: Decimal, price: Decimal, quote: Quote
    ) -> Position:
        if present is not None:
            together = present.quantity + quantity
            average = (present.cost_quote + quantity * price) / together
            return replace(present, quantity=together, average_entry_price=average)
        return Position(
            account_id=items[0].account_id,
            symbol=items[0].symbol,
            quantity=quantity,
            average_entry_price=price,
            opened_at=quote.taken_at,
            highest_price=max(price, quote.bid),
            exit_plan=self._plan,
            signal_id=items[-1].signal_id,
        )


def _average_price(items: Iterable[Dust]) -> Decimal:
    rows = list(items)
    units = sum((row.quantity for row in rows), Decimal(0))
    return sum((row.quantity * row.average_entry_price for row in rows), Decimal(0)) / units

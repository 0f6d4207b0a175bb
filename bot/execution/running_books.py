"""The books of one account as they stand now: from the last closed day, or from the beginning, and what came since."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from bot.books.book_text import from_json
from bot.books.entries import Entry, Opening
from bot.books.flows import Flows, moved_in_kind
from bot.books.ledger import Books, LateEntry
from bot.storage.book_entries import EVER, NEVER, BookedUntil, book_entries, booked_until, late_entries
from bot.storage.day_closes import DayClose, last_close
from bot.storage.opening_balances import OpeningBalances, find_opening
from bot.supervision.heart import beat

# A long history is gone through in steps, so that the watchdog sees progress.
ENTRIES_PER_BEAT = 5000


@dataclass(frozen=True)
class Base:
    """From where the books go on: the last closed day, or the opening balances and everything from the beginning."""

    opening: OpeningBalances
    close: DayClose | None

    @property
    def at(self) -> datetime:
        return EVER if self.close is None else self.close.closes_at

    def books(self, currency: str) -> Books:
        """A new copy of the books there."""
        return opened_books(self.opening, currency) if self.close is None else from_json(self.close.books_json)


def base_of_books(connection: Connection, account_id: str) -> Base | None:
    """None = the books of this account have not begun."""
    opening = find_opening(connection, account_id)
    return None if opening is None else Base(opening, last_close(connection, account_id))


def opened_books(opening: OpeningBalances, currency: str) -> Books:
    """With the opening balances alone."""
    books = Books(currency)
    for asset, units in sorted(opening.units.items()):
        if units:
            books.apply(Opening(asset=asset, units=units, at=opening.at))
    return books


def apply_all(books: Books, entries: Iterable[Entry]) -> None:
    """Raises `LateEntry` when one belongs before what is booked."""
    for number, entry in enumerate(entries):
        if number % ENTRIES_PER_BEAT == 0:
            beat("going through the books")
        books.apply(entry)


class RunningBooks:
    """Kept in memory by the account's thread; any reading that finds them out of step states them anew."""

    def __init__(self, account_id: str, currency: str) -> None:
        self._account_id = account_id
        self._currency = currency
        self._base: Base | None = None
        self._booked = BookedUntil()
        self._books: Books | None = None
        self._flows_before = Flows()

    @property
    def trades(self) -> int:
        """Of these books since their base, as `now` has found them."""
        return 0 if self._books is None else self._books.flows.trades - self._flows_before.trades

    @property
    def moved_in_kind(self) -> set[str]:
        """Assets of which units came or left in kind since then: their price is needed, also if none is held now."""
        return set() if self._books is None else moved_in_kind(self._flows_before, self._books.flows)

    def now(self, connection: Connection) -> Books | None:
        """With all that is booked; None = they have not begun. To be read, not to be applied to."""
        base, booked = base_of_books(connection, self._account_id), booked_until(connection, self._account_id)
        if base is None:
            return None
        if self._books is None or base != self._base or not self._go_on(connection, self._books):
            self._books = base.books(self._currency)
            self._flows_before = self._books.flows.copy()
            apply_all(self._books, book_entries(connection, self._account_id, since=base.at))
        self._base, self._booked = base, booked
        return self._books

    def _go_on(self, connection: Connection, books: Books) -> bool:
        """Apply what is new; False when some of it belongs before what is applied."""
        try:
            apply_all(books, late_entries(connection, self._account_id, self._booked, before=NEVER))
        except LateEntry:
            return False
        return True

"""What an entry has to pass on its way out. Exits pass none of it."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from sqlalchemy import Connection

from bot.domain.veto import Veto
from bot.storage.intents import OrderIntent


class EntryGate(Protocol):
    """Asked twice for every entry; a veto means that nothing is sent.

    The two for many answer by client order id, and who is not in the answer may go on.
    """

    def admit(self, connection: Connection, intent: OrderIntent) -> Veto | None:
        """In the transaction that marks the entry as being sent: all writes go one after the other, so what is counted
        here (open orders, positions, notional) cannot change before the entry itself counts."""

    def still(self, connection: Connection, intent: OrderIntent) -> Veto | None:
        """Right before the wire, by reading only: what a person may have stopped since the commit."""

    def admit_all(self, connection: Connection, intents: Sequence[OrderIntent]) -> Mapping[str, Veto]:
        """`admit` for many, in their order: each that is let out counts for those behind it, as if it were marked."""

    def still_all(self, connection: Connection, intents: Sequence[OrderIntent]) -> Mapping[str, Veto]:
        """`still` for many."""


class OpenGate:
    """Lets everything out: for orders that are judged elsewhere, and for tests of sending alone."""

    def admit(self, connection: Connection, intent: OrderIntent) -> Veto | None:
        return None

    def still(self, connection: Connection, intent: OrderIntent) -> Veto | None:
        return None

    def admit_all(self, connection: Connection, intents: Sequence[OrderIntent]) -> Mapping[str, Veto]:
        return {}

    def still_all(self, connection: Connection, intents: Sequence[OrderIntent]) -> Mapping[str, Veto]:
        return {}

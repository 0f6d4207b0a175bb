"""How many answers are missing while the bot runs, cheaply enough to be asked by every scrape."""

import threading

from sqlalchemy import Connection

from bot.storage.audited_answers import is_overdue, pairs_without_row, planned_entries
from bot.storage.audits import Patience, Scope
from bot.storage.signals import newest_sequence

# Signals looked at by one scrape. After a start on a large database the old ones are gone through bit by bit.
SIGNALS_AT_ONCE = 20_000


class MissingAnswers:
    """Counts pairs of signal and user without a row, and entries whose time is over.

    A pair that has its row keeps it, so that signals which were once complete are not looked at again.
    """

    def __init__(self) -> None:
        self._complete_until = 0
        self._one_at_a_time = threading.Lock()

    def count(self, connection: Connection, patience: Patience) -> int:
        """Missing now; work that is within its time does not count, and exits are debts, which have none."""
        with self._one_at_a_time:
            missing = self._without_row(connection, patience)
        return missing + sum(is_overdue(row, patience) for row in planned_entries(connection, Scope()))

    def _without_row(self, connection: Connection, patience: Patience) -> int:
        until = min(newest_sequence(connection), self._complete_until + SIGNALS_AT_ONCE)
        scope = Scope(after_signal=self._complete_until, until_signal=until)
        missing, first_open = 0, until + 1
        for row, is_missing in pairs_without_row(connection, scope, patience):
            missing += is_missing
            first_open = min(first_open, row.sequence)
        self._complete_until = first_open - 1
        return missing

"""What an account's private stream has told, into the books: after a break its history is read first.

The stream is only faster than the readings, never the only witness: what it could not tell is in the history, what it
tells twice is booked once, and the cursor of the history moves by readings alone.
"""

import logging
from collections.abc import Sequence

from bot.brokers.base import BaseBroker
from bot.domain.errors import CredentialsRejected, RetryLater, UnreadableReply
from bot.domain.fill import Fill
from bot.execution.reconciliation import Reconciler

log = logging.getLogger(__name__)

WAIT_SECONDS = 1.0
AGAIN_SECONDS = 5.0
# More than that are not kept waiting: the history has them too.
MOST_FILLS = 1000


class StreamBooking:
    """For the account's own thread: `hear`, then `book`."""

    def __init__(self, *, broker: BaseBroker, reconciler: Reconciler) -> None:
        self._broker = broker
        self._reconciler = reconciler
        self._label = broker.account.label
        self._fills: list[Fill] = []
        self._missed = False

    def hear(self) -> bool:
        """Take the news, and give the stream what it needs. True when there is something to book."""
        news = self._broker.tend_stream()
        self._fills += news.fills
        self._missed = self._missed or news.missed
        if len(self._fills) > MOST_FILLS:
            self._fills, self._missed = [], True
        return bool(self._fills) or self._missed

    def book(self) -> float | None:
        """Book what was heard. Returns in how many seconds to try again, or None when nothing is left."""
        if not self._fills and not self._missed:
            return None
        if not self._reconciler.hydrated or self._waits_for_an_outcome():
            return WAIT_SECONDS
        try:
            self._book()
        except (UnreadableReply, RetryLater, CredentialsRejected) as error:
            log.info("%s: what the stream told waits: %s", self._label, error)
            return AGAIN_SECONDS
        return None

    def _book(self) -> None:
        if self._missed:
            # What came before decides what a copy of the later is a share of.
            self._reconciler.read_history()
            self._missed = False
        fills: Sequence[Fill] = tuple(self._fills)
        self._reconciler.take_streamed(fills)
        self._fills = []

    def _waits_for_an_outcome(self) -> bool:
        """A trade could be that of an order whose outcome is not known yet, which is asked about first."""
        return self._broker.account.is_master and self._reconciler.awaits_outcome() != ""

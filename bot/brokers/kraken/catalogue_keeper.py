"""Keeps the shared list of Kraken's markets true: read anew once a day, and amended as the venue says it.

The instrument channel tells at once that a market goes into cancel_only or comes back. It lists markets under one name
only, so a new one makes the list be read over REST, which has all names.
"""

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bot.brokers.kraken.symbols import TRADABLE_STATUS, KrakenCatalogue
from bot.brokers.shared_reading import SharedReading
from bot.domain.errors import NijaError, VenueError
from bot.seams.clock import Clock

log = logging.getLogger(__name__)

# After a failed reading; and at least so long between two readings because of new markets.
RETRY_SECONDS = 60.0
MOST_LOGGED = 10


@dataclass
class _Said:
    """What the instrument channel has said on the present connection."""

    statuses: dict[str, str]
    unlisted: set[str]


class CatalogueKeeper:
    """`said` comes from the feed's loop, `keep` from one thread of the process; accounts only read the shared value."""

    def __init__(
        self,
        catalogues: SharedReading[KrakenCatalogue],
        *,
        key: str,
        read: Callable[[], KrakenCatalogue],
        clock: Clock,
    ) -> None:
        self._catalogues = catalogues
        self._key = key
        self._read = read
        self._clock = clock
        self._mutex = threading.Lock()
        self._said = _Said({}, set())
        self._tried_at = float("-inf")
        # The list as it was when all that was said had been put into it.
        self._amended: KrakenCatalogue | None = None
        self.problem = ""
        # The venue's own word on itself; while it is not heard nothing is known against it.
        self.system = TRADABLE_STATUS

    def known(self) -> KrakenCatalogue | None:
        """The list as it is now; None before it was ever read."""
        return self._catalogues.known(self._key)

    def said(self, statuses: Mapping[str, str]) -> None:
        """The venue names these markets and their status. On the loop: nothing here waits for a reading."""
        with self._mutex:
            self._said.statuses.update(statuses)
        self._amend(statuses)
        known = self.known()
        if known is not None:
            new = {symbol for symbol, status in statuses.items() if symbol not in known.pairs and status == "online"}
            with self._mutex:
                self._said.unlisted |= new

    def system_is(self, status: str) -> None:
        """The venue as a whole is online, in maintenance, cancel_only, post_only. On the loop."""
        if status != self.system:
            log.warning("Kraken says that it is %s", status)
            self.system = status

    def unheard(self) -> None:
        """The channel is down: what it said grows old, and the next connection begins with all of it anew."""
        with self._mutex:
            self._said = _Said({}, set())
        self.system = TRADABLE_STATUS

    def keep(self) -> KrakenCatalogue | None:
        """Read the list if it is due or a new market wants it, and put the channel's newer words into it.

        May take as long as a reading. Does not raise for what the venue does: `problem` says it.
        """
        try:
            known = self._catalogues.get(self._key, self._read)
            self.problem = ""
        except VenueError as error:
            self.problem, known = str(error), None
        if known is not None:
            self._read_for_new_markets(known)
        if self.known() is not self._amended:
            # A reading by anybody may have brought an older word back.
            with self._mutex:
                statuses = dict(self._said.statuses)
            self._amend(statuses)
            self._amended = self.known()
        return self.known()

    def _read_for_new_markets(self, known: KrakenCatalogue) -> None:
        now = self._clock.monotonic()
        with self._mutex:
            new = {symbol for symbol in self._said.unlisted if symbol not in known.pairs}
            if not new or now - self._tried_at < RETRY_SECONDS:
                return
            self._said.unlisted.clear()
        self._tried_at = now
        log.info("Kraken: new markets: %s; the list is read anew", ", ".join(sorted(new)[:MOST_LOGGED]))
        try:
            self._catalogues.renew(self._key, self._read)
        except NijaError as error:
            self.problem = str(error)

    def _amend(self, statuses: Mapping[str, str]) -> None:
        before = self.known()
        self._catalogues.amend(self._key, lambda catalogue: catalogue.with_statuses(statuses))
        after = self.known()
        if before is None or after is None or after is before:
            return
        changed = [
            f"{symbol} is {status}"
            for symbol, status in statuses.items()
            if symbol in before.pairs and before.pairs[symbol].instrument.status != status
        ]
        if changed:
            more = f" and {len(changed) - MOST_LOGGED} more" if len(changed) > MOST_LOGGED else ""
            log.info("Kraken: %s%s", ", ".join(changed[:MOST_LOGGED]), more)

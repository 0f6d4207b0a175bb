"""Seals new rows of history, a few at a time, beside the trading and never in its way."""

import logging

from bot.books.chain import Link
from bot.domain.errors import NijaError
from bot.seams.clock import Clock
from bot.seams.failpoints import failpoint
from bot.storage.chain_links import append, head_of, next_batch
from bot.storage.store import Store

log = logging.getLogger(__name__)

# One write of so many takes a few milliseconds: an order that is committed behind it waits no longer.
ROWS_PER_WRITE = 200
# A long history from before there was a chain is sealed within minutes, and no turn takes long.
WRITES_PER_TURN = 5
EVERY_SECONDS = 5.0
# Who waits longer for the store than this tries again at the next turn.
WRITE_SECONDS = 1.0


class ChainSealer:
    """Digests are made while reading; the write only adds them, if nobody else has sealed since."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._problem = ""
        self._due_at = clock.monotonic()

    def turn(self) -> int:
        """Every few seconds: seal what waits, as long as nobody waits for the store. Returns how many rows."""
        if self._clock.monotonic() < self._due_at:
            return 0
        self._due_at = self._clock.monotonic() + EVERY_SECONDS
        sealed = 0
        for _ in range(WRITES_PER_TURN):
            if self._store.queue_depth:
                break
            rows = self._guarded()
            sealed += rows
            if rows < ROWS_PER_WRITE:
                break
        return sealed

    def finish(self, *, within_seconds: float) -> Link | None:
        """Seal all that waits, if it can be done in this time; returns the head, which is worth noting elsewhere."""
        until = self._clock.monotonic() + within_seconds
        while self._clock.monotonic() < until and self._guarded():
            continue
        try:
            with self._store.read() as connection:
                return head_of(connection)
        except NijaError:
            return None

    def _guarded(self) -> int:
        """What goes wrong here is tried again at the next turn; it is said once."""
        try:
            rows = self._seal()
        except NijaError as error:
            if str(error) != self._problem:
                log.warning("new rows of history are not sealed: %s", error)
            self._problem = str(error)
            return 0
        except Exception as error:
            # Whatever a row holds that nobody has foreseen: it must not end the thread that looks after the process.
            if repr(error) != self._problem:
                log.exception("unexpected error while new rows of history were sealed")
            self._problem = repr(error)
            return 0
        self._problem = ""
        return rows

    def _seal(self) -> int:
        with self._store.read() as connection:
            batch = next_batch(connection, now=self._clock.now(), limit=ROWS_PER_WRITE)
        if not batch.links:
            return 0
        failpoint("chain_batch")
        return self._store.write(lambda connection: append(connection, batch), timeout_seconds=WRITE_SECONDS)

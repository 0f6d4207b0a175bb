"""When the state is saved: quickly before an answer leaves, properly soon after."""

from __future__ import annotations

import asyncio
import contextlib
import sys

from paper_exchange.clock import steady_seconds
from paper_exchange.state import StateStore
from paper_exchange.wiring import Opened, encoded_state

SAVE_SHARE = 20
"""A snapshot is taken at most so often that taking it costs a twentieth of the time, and at least once a second."""
LONGEST_UNSAVED_SECONDS = 1.0
SYNCED_AFTER_SECONDS = 0.5
"""How soon the synced snapshot follows changes that the unsynced one already has."""
KEEP_BYTES = 60_000
"""An answer waits for its changes to be kept while a snapshot is no larger: some fifty accounts, under 1 ms."""
LONGEST_UNCHANGED_SECONDS = 60.0


class Saver:
    """Writes the state soon after it changed, never twice at a time, and never slower than clients can bear."""

    def __init__(self, opened: Opened, store: StateStore) -> None:
        self._opened = opened
        self._exchange = opened.exchange
        self._store = store
        self._pause_seconds = 0.0
        self._snapshot_bytes = 0
        self._kept_changes = 0
        self._failing = False
        opened.exchange.keep = self.keep

    async def run(self) -> None:
        while True:
            # Nonces alone are not worth a snapshot each: they are noted in a file of their own, emptied by this.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LONGEST_UNCHANGED_SECONDS):
                    await self._exchange.changed.wait()
            kept = self._kept_changes == self._exchange.changes
            await asyncio.sleep(SYNCED_AFTER_SECONDS if kept else self._pause_seconds)
            try:
                await self.save()
            except OSError as problem:
                self._complain(problem)
                self._exchange.changed.set()
                await asyncio.sleep(LONGEST_UNSAVED_SECONDS)
            else:
                self._failing = False

    def keep(self) -> None:
        """Write what changed since the last time, unsynced, if that is quick; ``run`` saves it properly soon after."""
        if self._exchange.changes == self._kept_changes or self._snapshot_bytes > KEEP_BYTES:
            return
        try:
            snapshot = encoded_state(self._opened, self._store)
            self._store.write_recent(snapshot)
        except OSError:
            return  # The save that follows meets the same disk, and reports it.
        self._kept_changes = self._exchange.changes
        self._snapshot_bytes = len(snapshot)

    async def save(self) -> None:
        """Take a snapshot now and return when it is on the disk."""
        self._exchange.changed.clear()
        started = steady_seconds()
        self._store.begin_snapshot()
        snapshot = encoded_state(self._opened, self._store)
        self._snapshot_bytes = len(snapshot)
        self._pause_seconds = min(LONGEST_UNSAVED_SECONDS, SAVE_SHARE * (steady_seconds() - started))
        # Shielded: a write once begun is finished before the next one starts, whatever is cancelled meanwhile.
        writing = asyncio.ensure_future(asyncio.to_thread(self._store.write, snapshot))
        try:
            await asyncio.shield(writing)
        except asyncio.CancelledError:
            await writing
            raise

    def _complain(self, problem: OSError) -> None:
        """Once for each stretch of failures."""
        if not self._failing:
            print(f"The state {self._store.paths.snapshot} could not be written: {problem}", file=sys.stderr)
        self._failing = True

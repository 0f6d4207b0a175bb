"""What one account's reconciliation has seen, kept in the store and said aloud once."""

import logging
from collections import Counter
from collections.abc import Callable, Collection, Mapping

from bot.domain.account import AccountRef
from bot.domain.drift import DriftKind
from bot.seams.clock import Clock
from bot.storage import drifts
from bot.storage.store import Store

log = logging.getLogger(__name__)

# How loud the first sight of each kind is. A surplus is what most users have: coins of their own.
_LEVELS = {
    DriftKind.ORPHAN_ORDER: logging.CRITICAL,
    DriftKind.FILL_MISSING: logging.CRITICAL,
    DriftKind.PHANTOM: logging.CRITICAL,
    DriftKind.BOOKS: logging.CRITICAL,
    DriftKind.SHORTFALL: logging.WARNING,
    DriftKind.SURPLUS: logging.DEBUG,
    DriftKind.DUST: logging.INFO,
}


class DriftBook:
    """`on_drifts` hears how many of each kind are open, after every change."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        account: AccountRef,
        on_drifts: Callable[[Mapping[DriftKind, int]], None] = lambda _counts: None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._account = account
        self._on_drifts = on_drifts

    def note(self, kind: DriftKind, subject: str, detail: str, *, loud_at: int = 1) -> None:
        """Seen once more; said aloud once, at this reading (later ones where a single look may be behind)."""
        now, label = self._clock.now(), self._account.label
        readings = self._store.write(
            lambda connection: drifts.note_drift(connection, label, kind, subject, detail=detail, now=now)
        )
        if readings == loud_at:
            log.log(_LEVELS[kind], "%s drift %s: %s", label, kind, detail)

    def only(self, kind: DriftKind, still: Collection[str]) -> None:
        """A complete look saw none of this kind besides `still`."""
        label = self._account.label
        if all(subject in still for subject in self.subjects(kind)):
            return
        now = self._clock.now()
        gone = self._store.write(lambda connection: drifts.clear_drifts(connection, label, kind, still=still, now=now))
        for subject in gone:
            log.info("%s drift %s of %s is gone", label, kind, subject)

    def subjects(self, kind: DriftKind) -> list[str]:
        """What is open of one kind."""
        with self._store.read() as connection:
            return [row.subject for row in drifts.open_drifts(connection, self._account.label) if row.kind == kind]

    def publish(self) -> None:
        """Tell how many are open."""
        with self._store.read() as connection:
            found = Counter(row.kind for row in drifts.open_drifts(connection, self._account.label))
        self._on_drifts({kind: found[kind] for kind in DriftKind})

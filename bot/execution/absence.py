"""When "not found" proves that an order does not exist."""

from dataclasses import dataclass

# A look-up that finds nothing counts only if the last one was at least this long ago.
LOOKUP_SPACING_SECONDS = 10.0
EMPTY_LOOKUPS_NEEDED = 2


@dataclass
class _Watch:
    since: float
    empty_lookups: int = 0
    last_empty_at: float | None = None


class AbsenceWatch:
    """Judges by the monotonic clock of this process alone: the wall clock may have been set since the order was sent.

    An order that an earlier process sent is watched from this process's first look-up on, so that whatever was still
    under way then had its full time to arrive.
    """

    def __init__(self) -> None:
        self._watches: dict[str, _Watch] = {}

    def sent(self, client_order_id: str, *, now: float) -> None:
        """The order is about to leave, for the first time or again: all earlier evidence is worth nothing."""
        self._watches[client_order_id] = _Watch(since=now)

    def found_nothing(self, client_order_id: str, *, asked_at: float) -> int | None:
        """Count a look-up, begun at `asked_at`, that found nothing. None: too soon after the last one to count."""
        watch = self._watches.setdefault(client_order_id, _Watch(since=asked_at))
        if watch.last_empty_at is not None and asked_at - watch.last_empty_at < LOOKUP_SPACING_SECONDS:
            return None
        watch.last_empty_at = asked_at
        watch.empty_lookups += 1
        return watch.empty_lookups

    def proven(self, client_order_id: str, *, settle_seconds: float) -> bool:
        """Two empty look-ups apart, the last one begun after the time in which the order could still arrive."""
        watch = self._watches.get(client_order_id)
        if watch is None or watch.last_empty_at is None or watch.empty_lookups < EMPTY_LOOKUPS_NEEDED:
            return False
        return watch.last_empty_at - watch.since > settle_seconds

    def forget(self, client_order_id: str) -> None:
        """It has ended."""
        self._watches.pop(client_order_id, None)

"""Kraken's ledger without its trades: what came, went, was earned, converted or charged."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType

from bot.brokers.kraken.lookups import MAX_PAGES, PAGE_SIZE, PAGE_STEP, PrivateReading
from bot.brokers.kraken.symbols import KrakenCatalogue
from bot.brokers.replies import as_id, as_object, field_of, number_of, optional_text, text_of, unix_text, unix_time
from bot.domain.cash_event import CashEvent, CashKind
from bot.domain.errors import CredentialsRejected, UnreadableReply

WHERE = "Kraken Ledgers"
TRADE = "trade"
# The right that a key needs for it, beside those it trades with.
LEDGER_PERMISSION = "query-ledger"
NO_PERMISSION = "EGeneral:Permission denied"
# Kraken's types (its documentation of Ledgers). One that is not here is told as it is.
KINDS: Mapping[str, CashKind] = MappingProxyType(
    {
        "deposit": CashKind.DEPOSIT,
        "withdrawal": CashKind.WITHDRAWAL,
        "transfer": CashKind.TRANSFER,
        "staking": CashKind.STAKING,
        "reward": CashKind.STAKING,
        "dividend": CashKind.DIVIDEND,
        "spend": CashKind.CONVERSION,
        "receive": CashKind.CONVERSION,
        "sale": CashKind.CONVERSION,
        "conversion": CashKind.CONVERSION,
        "rollover": CashKind.FEE,
        "adjustment": CashKind.ADJUSTMENT,
    }
)
# What is earned is one type with many subtypes: the reward is earned, the rest goes to and fro.
EARN, REWARD = "earn", "reward"
# An entry may be listed so long after the time that stands in it.
LATE = timedelta(minutes=10)


@dataclass
class _Unfinished:
    """A reading that was broken off: pages are dear here, and what was read is not asked for again.

    Everything from `frontier` to `newest` is in `found`; `skip` rows from the frontier on are known already.
    """

    since: datetime
    newest: datetime | None = None
    frontier: datetime | None = None
    skip: int = 0
    found: dict[str, CashEvent] = field(default_factory=dict)


class KrakenLedger:
    """One account's. Fifty entries cost four points of its counter, trades among them."""

    def __init__(self, private: PrivateReading, catalogue: Callable[[], KrakenCatalogue]) -> None:
        self._private = private
        self._catalogue = catalogue
        self._unfinished: _Unfinished | None = None

    def events_since(self, since: datetime, *, permissions: frozenset[str]) -> Sequence[CashEvent]:
        """Oldest first. A page that fails fails the reading, and the next one goes on where it was broken off.

        Raises `RetryLater`, `CredentialsRejected`, or `UnreadableReply`, also for a key that may not read the ledger.
        """
        if permissions and LEDGER_PERMISSION not in permissions:
            raise _without_right()
        try:
            found = self._read(since - LATE)
        except CredentialsRejected as error:
            if error.venue_code.startswith(NO_PERMISSION):
                raise _without_right() from error
            raise
        return sorted(found.values(), key=lambda event: (event.at, event.event_id))

    def _read(self, since: datetime) -> Mapping[str, CashEvent]:
        before = self._unfinished
        if before is None or before.newest is None or before.since > since:
            self._unfinished = whole = _Unfinished(since)
            self._finish(whole)
        else:
            # First what came since it was broken off, then the rest of it.
            fresh = _Unfinished(before.newest - LATE)
            self._finish(fresh)
            before.found |= fresh.found
            before.newest = max(before.newest, fresh.newest or before.newest)
            whole = before
            self._finish(whole)
        self._unfinished = None
        return whole.found

    def _finish(self, reading: _Unfinished) -> None:
        """Go on from its frontier to its beginning, page by page, the newest first."""
        for _ in range(MAX_PAGES):
            times = self._page(reading)
            if len(times) < PAGE_SIZE:
                return
            reading.newest = reading.newest or max(times)
            oldest = min(times)
            # Where a whole page has one moment, that moment is gone through by number.
            reading.skip = reading.skip + PAGE_STEP if oldest == reading.frontier else 0
            reading.frontier = oldest
        raise UnreadableReply(f"{WHERE} does not end")

    def _page(self, reading: _Unfinished) -> Sequence[datetime]:
        """Read one page into it; the times of all its rows."""
        asked = {"start": unix_text(reading.since - timedelta(milliseconds=1)), "ofs": str(reading.skip)}
        if reading.frontier is not None:
            asked["end"] = unix_text(reading.frontier)  # inclusive: a moment may have rows on both pages
        result = as_object(self._private("Ledgers", asked), where=WHERE)
        rows = as_object(field_of(result, "ledger", where=WHERE), where=WHERE)
        said = int(number_of(result, "count", where=WHERE))
        if len(rows) < PAGE_SIZE and reading.skip + len(rows) < said:
            # A page that came short would otherwise look like the last one.
            raise UnreadableReply(f"{WHERE}: {said} entries are told of and {reading.skip + len(rows)} were given")
        catalogue = self._catalogue()
        times = []
        for entry_id, row in rows.items():
            at, event = _entry(entry_id, row, catalogue)
            times.append(at)
            if event is not None:
                reading.found[event.event_id] = event
        return times


def _entry(entry_id: str, row: object, catalogue: KrakenCatalogue) -> tuple[datetime, CashEvent | None]:
    """When it was booked, and the event if it is one. Raises `UnreadableReply`."""
    where = f"Kraken ledger entry {as_id(entry_id, where=WHERE)}"
    fields = as_object(row, where=where)
    at = unix_time(field_of(fields, "time", where=where), where=f"{where} time")
    word, subtype = text_of(fields, "type", where=where), optional_text(fields, "subtype") or ""
    amount = number_of(fields, "amount", where=where, minimum=None)
    fee = number_of(fields, "fee", where=where)
    asset = text_of(fields, "asset", where=where)
    if word == TRADE or (amount == 0 and fee == 0):
        return at, None
    if not asset:
        raise UnreadableReply(f"{where}: the field asset is empty")
    return at, CashEvent(
        event_id=entry_id,
        kind=_kind(word, subtype),
        asset=catalogue.asset_of(asset),
        amount=amount,
        fee=fee,
        at=at,
        reference=optional_text(fields, "refid") or "",
        detail=f"{word} {subtype}".strip(),
    )


def _kind(word: str, subtype: str) -> CashKind:
    if word == EARN:
        return CashKind.STAKING if subtype == REWARD else CashKind.TRANSFER
    return KINDS.get(word, CashKind.OTHER)


def _without_right() -> UnreadableReply:
    return UnreadableReply(
        f"{WHERE}: the API key lacks the right {LEDGER_PERMISSION} (Query ledger entries); without it deposits, "
        f"withdrawals and fees are not known: grant it at Kraken",
        venue_code=NO_PERMISSION,
    )

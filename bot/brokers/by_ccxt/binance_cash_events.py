"""What changed Binance's spot account without a trade. There is no ledger there, but a list for each kind of matter.

Money in the funding account, on margin or in futures is another account: what comes from there or goes there is a
transfer, and what lands there from outside is not counted.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from bot.brokers.by_ccxt.binance_errors import NO_SUCH_PAGE
from bot.brokers.by_ccxt.calls import CcxtCalls, Endpoint, Params
from bot.brokers.by_ccxt.times import milliseconds, time_of
from bot.brokers.replies import ZERO, as_list, as_object, field_of, iso_time, number_of, optional_text, text_of
from bot.domain.cash_event import CashEvent, CashKind
from bot.domain.errors import UnreadableReply

WEIGHT = 1 / 20
DEPOSITS = Endpoint(verb="GET", path="capital/deposit/hisrec", interface="sapi", cost=WEIGHT)
WITHDRAWALS = Endpoint(verb="GET", path="capital/withdraw/history", interface="sapi", cost=WEIGHT)
DISTRIBUTIONS = Endpoint(verb="GET", path="asset/assetDividend", interface="sapi", cost=10 * WEIGHT)
DUST = Endpoint(verb="GET", path="asset/dribblet", interface="sapi", cost=WEIGHT)
CONVERSIONS = Endpoint(verb="GET", path="convert/tradeFlow", interface="sapi", cost=WEIGHT)
TRANSFERS = Endpoint(verb="GET", path="asset/transfer", interface="sapi", cost=WEIGHT)
# What one answer lists at most, and how long a time may be asked for at once.
MOST_MOVEMENTS, LONGEST_MOVEMENTS = 1000, timedelta(days=89)
MOST_DISTRIBUTIONS, LONGEST_DISTRIBUTIONS = 500, timedelta(days=179)
MOST_DUST, LONGEST_DUST = 100, timedelta(days=89)
MOST_CONVERSIONS, LONGEST_CONVERSIONS = 1000, timedelta(days=29)
MOST_TRANSFERS, LONGEST_TRANSFERS = 100, timedelta(days=89)
MAX_PAGES = 200
# Deposits and withdrawals are listed by when they began, and are done much later.
LATE = timedelta(days=7)
ARRIVED = frozenset({1, 6})  # 6: it is there, and may not be withdrawn yet
WITHDRAWN = 6
IN_FUNDING = 1
DUST_INTO = "BNB"
# Ways into the spot account and out of it: the venue wants each named.
OTHER_ACCOUNTS = ("FUNDING", "UMFUTURE", "MARGIN")
MILLISECOND = timedelta(milliseconds=1)
Rows = Sequence[Mapping[str, object]]


class BinanceLedger:
    """One account's."""

    def __init__(self, calls: CcxtCalls) -> None:
        self._calls = calls
        # Hosts other than the main one lack some of the lists, and with them what they would tell of.
        self._missing: set[str] = set()

    def events_since(self, since: datetime) -> Sequence[CashEvent]:
        """Oldest first, also those of the week before that may have been done since. A list that fails fails it all.

        Raises `RetryLater`, `UnreadableReply` or `CredentialsRejected`.
        """
        begin, end = since - LATE, self._calls.venue_clock.now() + timedelta(seconds=1)
        lists = (
            self._deposits,
            self._withdrawals,
            self._distributions,
            self._dust,
            self._conversions,
            self._transfers,
        )
        found = {event.event_id: event for one in lists for event in one(begin, end)}
        return sorted(found.values(), key=lambda event: (event.at, event.event_id))

    # -- from and to outside ----------------------------------------------------------------------------------------
    def _deposits(self, begin: datetime, end: datetime) -> Iterator[CashEvent]:
        where = self._calls.where(DEPOSITS)
        for fields in self._by_offset(DEPOSITS, begin, end):
            number = _name(fields, "id", where=where)
            if _number(fields, "status", where=where) not in ARRIVED or fields.get("walletType") == IN_FUNDING:
                continue
            done = "completeTime" if fields.get("completeTime") else "insertTime"
            yield CashEvent(
                event_id=f"deposit-{number}",
                kind=CashKind.DEPOSIT,
                asset=_asset(fields, "coin", where=where),
                amount=number_of(fields, "amount", where=where),
                at=time_of(fields, done, where=where),
                detail=optional_text(fields, "network") or "",
            )

    def _withdrawals(self, begin: datetime, end: datetime) -> Iterator[CashEvent]:
        where = self._calls.where(WITHDRAWALS)
        for fields in self._by_offset(WITHDRAWALS, begin, end):
            number = _name(fields, "id", where=where)
            if _number(fields, "status", where=where) != WITHDRAWN or fields.get("walletType") == IN_FUNDING:
                continue
            yield CashEvent(
                event_id=f"withdrawal-{number}",
                kind=CashKind.WITHDRAWAL,
                asset=_asset(fields, "coin", where=where),
                amount=-number_of(fields, "amount", where=where),
                fee=number_of(fields, "transactionFee", where=where),
                # Text in UTC, of when it was asked for: since then the account is without it.
                at=iso_time(text_of(fields, "applyTime", where=where), where=where),
                detail=optional_text(fields, "network") or "",
            )

    # -- paid and made into something else --------------------------------------------------------------------------
    def _distributions(self, begin: datetime, end: datetime) -> Iterator[CashEvent]:
        where = self._calls.where(DISTRIBUTIONS)
        read = self._listed(DISTRIBUTIONS, "rows", MOST_DISTRIBUTIONS)
        for fields in self._within(read, begin, end, LONGEST_DISTRIBUTIONS, MOST_DISTRIBUTIONS):
            words = optional_text(fields, "enInfo") or ""
            yield CashEvent(
                event_id=f"distribution-{_name(fields, 'id', where=where)}",
                kind=CashKind.STAKING if "staking" in words.lower() else CashKind.DIVIDEND,
                asset=_asset(fields, "asset", where=where),
                amount=number_of(fields, "amount", where=where),
                at=time_of(fields, "divTime", where=where),
                detail=words,
            )

    def _dust(self, begin: datetime, end: datetime) -> Iterator[CashEvent]:
        where = self._calls.where(DUST)
        read = self._listed(DUST, "userAssetDribblets", MOST_DUST)
        for dribblet in self._within(read, begin, end, LONGEST_DUST, MOST_DUST):
            into = optional_text(dribblet, "targetAsset") or DUST_INTO
            for row in as_list(dribblet.get("userAssetDribbletDetails"), where=where):
                fields = as_object(row, where=where)
                asset = _asset(fields, "fromAsset", where=where)
                name = f"dust-{_name(fields, 'transId', where=where)}-{asset}"
                at = time_of(fields, "operateTime", where=where)
                charge = number_of(fields, "serviceChargeAmount", where=where)
                net = number_of(fields, "transferedAmount", where=where)  # the venue's spelling
                given = number_of(fields, "amount", where=where)
                yield _leg(f"{name}-out", asset, -given, at, reference=name, detail="dust")
                yield _leg(f"{name}-in", into, net + charge, at, reference=name, detail="dust", fee=charge)

    def _conversions(self, begin: datetime, end: datetime) -> Iterator[CashEvent]:
        where = self._calls.where(CONVERSIONS)
        read = self._listed(CONVERSIONS, "list", MOST_CONVERSIONS)
        for fields in self._within(read, begin, end, LONGEST_CONVERSIONS, MOST_CONVERSIONS):
            if text_of(fields, "orderStatus", where=where) != "SUCCESS":
                continue
            name, at = f"conversion-{_name(fields, 'orderId', where=where)}", time_of(fields, "createTime", where=where)
            given, got = (number_of(fields, each, where=where) for each in ("fromAmount", "toAmount"))
            out, into = (_asset(fields, each, where=where) for each in ("fromAsset", "toAsset"))
            yield _leg(f"{name}-out", out, -given, at, reference=name, detail="convert")
            yield _leg(f"{name}-in", into, got, at, reference=name, detail="convert")

    # -- between accounts -------------------------------------------------------------------------------------------
    def _transfers(self, begin: datetime, end: datetime) -> Iterator[CashEvent]:
        for other in OTHER_ACCOUNTS:
            yield from self._one_way(f"{other}_MAIN", 1, begin, end)
            yield from self._one_way(f"MAIN_{other}", -1, begin, end)

    def _one_way(self, way: str, sign: int, begin: datetime, end: datetime) -> Iterator[CashEvent]:
        where = f"{self._calls.where(TRANSFERS)} {way}"
        for fields in self._by_page(way, begin, end):
            if text_of(fields, "status", where=where) != "CONFIRMED":
                continue
            yield CashEvent(
                event_id=f"transfer-{_name(fields, 'tranId', where=where)}-{way}",
                kind=CashKind.TRANSFER,
                asset=_asset(fields, "asset", where=where),
                amount=sign * number_of(fields, "amount", where=where),
                at=time_of(fields, "timestamp", where=where),
                detail=way,
            )

    # -- lists ------------------------------------------------------------------------------------------------------
    def _by_offset(self, endpoint: Endpoint, begin: datetime, end: datetime) -> Iterator[Mapping[str, object]]:
        where = self._calls.where(endpoint)
        for first, last in _windows(begin, end, LONGEST_MOVEMENTS):
            for page in range(MAX_PAGES):
                place = {"offset": page * MOST_MOVEMENTS, "limit": MOST_MOVEMENTS}
                rows = as_list(self._calls.read(endpoint, {**_window(first, last), **place}), where=where)
                yield from (as_object(row, where=where) for row in rows)
                if len(rows) < MOST_MOVEMENTS:
                    break
            else:
                raise UnreadableReply(f"{where}: the list does not end")

    def _by_page(self, way: str, begin: datetime, end: datetime) -> Iterator[Mapping[str, object]]:
        where = f"{self._calls.where(TRANSFERS)} {way}"
        for first, last in _windows(begin, end, LONGEST_TRANSFERS):
            for page in range(1, MAX_PAGES + 1):
                place = {"type": way, "current": page, "size": MOST_TRANSFERS}
                document = self._optional(TRANSFERS, {**place, **_window(first, last)})
                rows = as_list(document.get("rows") or [], where=where)
                yield from (as_object(row, where=where) for row in rows)
                if len(rows) < MOST_TRANSFERS:
                    break
            else:
                raise UnreadableReply(f"{where}: the list does not end")

    def _listed(self, endpoint: Endpoint, name: str, most: int) -> Callable[[datetime, datetime], Rows]:
        where = self._calls.where(endpoint)

        def read(first: datetime, last: datetime) -> Rows:
            document = self._optional(endpoint, {**_window(first, last), "limit": most})
            if not document:
                return []
            return [as_object(row, where=where) for row in as_list(document.get(name), where=where)]

        return read

    def _within(
        self, read: Callable[[datetime, datetime], Rows], begin: datetime, end: datetime, longest: timedelta, most: int
    ) -> Iterator[Mapping[str, object]]:
        """Lists that have no pages: a time with too much in it is asked for by halves."""
        waiting = list(_windows(begin, end, longest))
        while waiting:
            first, last = waiting.pop()
            rows = read(first, last)
            if len(rows) < most:
                yield from rows
            elif last - first <= MILLISECOND:
                raise UnreadableReply(f"Binance: more than {most} entries in one millisecond")
            else:
                middle = first + (last - first) / 2
                waiting += [(first, middle), (middle, last)]

    def _optional(self, endpoint: Endpoint, asked: Params) -> Mapping[str, object]:
        """The document; empty where this host has no such list."""
        if endpoint.path in self._missing:
            return {}
        try:
            return as_object(self._calls.read(endpoint, asked), where=self._calls.where(endpoint))
        except UnreadableReply as error:
            if error.venue_code not in NO_SUCH_PAGE:
                raise
            self._missing.add(endpoint.path)
            return {}


def _leg(
    event_id: str, asset: str, amount: Decimal, at: datetime, *, reference: str, detail: str, fee: Decimal = ZERO
) -> CashEvent:
    """One side of a conversion."""
    return CashEvent(
        event_id=event_id,
        kind=CashKind.CONVERSION,
        asset=asset,
        amount=amount,
        fee=fee,
        at=at,
        reference=reference,
        detail=detail,
    )


def _windows(begin: datetime, end: datetime, longest: timedelta) -> Iterator[tuple[datetime, datetime]]:
    while begin < end:
        yield begin, min(begin + longest, end)
        begin += longest


def _window(first: datetime, last: datetime) -> Mapping[str, object]:
    """Both ends count at the venue, so that neighbours share a moment: what is given twice has one name."""
    return {"startTime": milliseconds(first), "endTime": milliseconds(last)}


def _name(fields: Mapping[str, object], name: str, *, where: str) -> str:
    """A number or a text that is nobody else's."""
    value = field_of(fields, name, where=where)
    text = str(value)
    if isinstance(value, bool) or not isinstance(value, int | str) or not text.isascii() or not text.isalnum():
        raise UnreadableReply(f"{where}: the field {name} is no id: {text[:40]!r}")
    return text


def _number(fields: Mapping[str, object], name: str, *, where: str) -> int:
    return int(number_of(fields, name, where=where))


def _asset(fields: Mapping[str, object], name: str, *, where: str) -> str:
    asset = text_of(fields, name, where=where)
    if not asset:
        raise UnreadableReply(f"{where}: the field {name} is empty")
    return asset

"""What changed OKX's trading account without a trade, from its bills.

The books are of the trading account (decision 0017): money that lands in the funding account is a transfer when it
comes over, and what happens there in between is no entry here.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType

from bot.brokers.by_ccxt.calls import Endpoint, Params
from bot.brokers.by_ccxt.times import milliseconds, time_of
from bot.brokers.replies import as_object, id_of, number_of, optional_text, text_of
from bot.domain.cash_event import CashEvent, CashKind
from bot.domain.errors import UnreadableReply

BILLS = Endpoint(verb="GET", path="account/bills", cost=1.0)
OLD_BILLS = Endpoint(verb="GET", path="account/bills-archive", cost=2.0)
# The bills tell of seven days, the archive of three months; near its end the other list is asked.
RECENT = timedelta(days=7) - timedelta(hours=1)
# An entry may be listed so long after the time that stands in it.
LATE = timedelta(minutes=10)
TRADE = "2"
# OKX's numbers of its types of bills (its documentation of bills). One that is not here is told as it is.
KINDS: Mapping[str, CashKind] = MappingProxyType(
    {
        "1": CashKind.TRANSFER,
        "4": CashKind.CONVERSION,  # automatic, against a debt
        "6": CashKind.TRANSFER,  # margin
        "7": CashKind.FEE,  # interest on what was borrowed
        "8": CashKind.FEE,  # funding of perpetuals
        "11": CashKind.ADJUSTMENT,  # a token that the venue has made into another
        "12": CashKind.TRANSFER,  # to and from a trading bot of the venue's
        "27": CashKind.CONVERSION,
        "28": CashKind.CONVERSION,  # remainders
        "30": CashKind.CONVERSION,  # a simple trade, which is in no list of trades
    }
)
Pages = Callable[[Endpoint, Params, str], Iterator[object]]


def cash_events(pages: Pages, since: datetime, *, now: datetime) -> Sequence[CashEvent]:
    """Every bill since then that is no trade's, oldest first; `now` is the venue's time. Raises as `pages` does."""
    since -= LATE
    endpoint = BILLS if now - since < RECENT else OLD_BILLS
    events = map(event_from, pages(endpoint, {"begin": str(milliseconds(since))}, "billId"))
    found = {event.event_id: event for event in events if event is not None}
    return sorted(found.values(), key=lambda event: (event.at, len(event.event_id), event.event_id))


def event_from(row: object) -> CashEvent | None:
    """One bill; None for a trade's, and for one that changed nothing here. Raises `UnreadableReply`."""
    fields = as_object(row, where="OKX bill")
    bill_id = id_of(fields, "billId", where="OKX bill")
    where = f"OKX bill {bill_id}"
    number = text_of(fields, "type", where=where)
    at = time_of(fields, "ts", where=where)
    # What it says of a fee is part of the change.
    change = number_of(fields, "balChg", where=where, minimum=None)
    asset = text_of(fields, "ccy", where=where)
    if not asset:
        raise UnreadableReply(f"{where}: the field ccy is empty")
    if number == TRADE or change == 0:
        return None
    kind = KINDS.get(number, CashKind.OTHER)
    return CashEvent(
        event_id=bill_id,
        kind=kind,
        asset=asset,
        amount=change,
        at=at,
        reference=_reference(fields, number, kind),
        detail=f"type {number} {_sub_type(fields)}".strip(),
    )


def _sub_type(fields: Mapping[str, object]) -> str:
    sub_type = optional_text(fields, "subType")
    return "" if sub_type is None else f"subtype {sub_type}"


def _reference(fields: Mapping[str, object], number: str, kind: CashKind) -> str:
    """The two bills of a conversion have the order in common, or else the moment."""
    order = optional_text(fields, "ordId") or ""
    if order or kind is not CashKind.CONVERSION:
        return order
    return f"{number}-{fields.get('ts')}"

"""What moved without a trade and is neither deposit nor withdrawal: distributions, conversions, dust, transfers."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal

from paper_exchange.binance.amounts import milliseconds, text
from paper_exchange.binance.errors import TOO_LONG, BinanceError, json_reply
from paper_exchange.binance.routes import Request
from paper_exchange.http import Reply
from paper_exchange.orders import LedgerEntry, LedgerKind

KINDS = frozenset(
    {
        LedgerKind.DEPOSIT,
        LedgerKind.WITHDRAWAL,
        LedgerKind.TRANSFER,
        LedgerKind.STAKING,
        LedgerKind.DIVIDEND,
        LedgerKind.CONVERSION,
    }
)
DUST_INTO = "BNB"
"""What remainders are made into; a conversion into anything else is one of the converting page."""
INTO_SPOT, OUT_OF_SPOT = "FUNDING_MAIN", "MAIN_FUNDING"
MOST_DISTRIBUTIONS = 500
MOST_DRIBLETS = 100
MOST_CONVERSIONS = 1000
MOST_TRANSFERS = 100
DAY_NS = 86_400_000_000_000
LONGEST_NS = {"distributions": 180 * DAY_NS, "conversions": 30 * DAY_NS, "dust": 90 * DAY_NS, "transfers": 180 * DAY_NS}


def distributions(request: Request) -> Reply:
    """Rewards and payments on what is held, newest first."""
    asset = request.parameters.text("asset")
    found = [
        entry
        for entry in _entries(request, "distributions", {LedgerKind.STAKING, LedgerKind.DIVIDEND})
        if asset in (None, entry.asset)
    ]
    limit = request.parameters.limit(20, MOST_DISTRIBUTIONS)
    return json_reply({"rows": [_distribution(entry) for entry in found[:limit]], "total": len(found)})


def dust(request: Request) -> Reply:
    """The last hundred makings of remainders into BNB."""
    pairs = [(out, into) for out, into in _conversions(request, "dust") if into.asset == DUST_INTO]
    rows = [_dribblet(out, into) for out, into in pairs[:MOST_DRIBLETS]]
    return json_reply({"total": len(pairs), "userAssetDribblets": rows})


def conversions(request: Request) -> Reply:
    """Both ends of the time are asked for here."""
    parameters = request.parameters
    parameters.required("startTime")
    parameters.required("endTime")
    pairs = [(out, into) for out, into in _conversions(request, "conversions") if into.asset != DUST_INTO]
    limit = parameters.limit(100, MOST_CONVERSIONS)
    body = {
        "list": [_conversion(out, into) for out, into in pairs[:limit]],
        "startTime": parameters.whole("startTime"),
        "endTime": parameters.whole("endTime"),
        "limit": limit,
        "moreData": len(pairs) > limit,
    }
    return json_reply(body)


def transfers(request: Request) -> Reply:
    """Of one way, which has to be named: into the spot account or out of it; page by page, newest first."""
    parameters = request.parameters
    way = parameters.required("type")
    signs = {INTO_SPOT: 1, OUT_OF_SPOT: -1}
    found = [
        entry
        for entry in _entries(request, "transfers", {LedgerKind.TRANSFER})
        if way in signs and entry.amount * signs[way] > 0
    ]
    size = min(parameters.whole("size") or 10, MOST_TRANSFERS)
    start = ((parameters.whole("current") or 1) - 1) * size
    rows = [_transfer(entry, way) for entry in found[start : start + size]]
    return json_reply({"total": len(found), "rows": rows} if found else {"total": 0})


def _entries(request: Request, what: str, kinds: set[LedgerKind]) -> list[LedgerEntry]:
    parameters = request.parameters
    since_ns, until_ns = parameters.time_ns("startTime"), parameters.time_ns("endTime")
    until_ns = request.now_ns if until_ns is None else until_ns + 1_000_000
    longest = LONGEST_NS[what]
    if since_ns is not None and until_ns - since_ns > longest + 1_000_000:
        raise BinanceError(TOO_LONG, f"The interval between startTime and endTime must be within {longest // DAY_NS}.")
    since_ns = until_ns - longest if since_ns is None else since_ns
    return [
        entry
        for entry in reversed(request.exchange.engine.ledger(request.account.account_id))
        if entry.kind in kinds and since_ns <= entry.time_ns < until_ns
    ]


def _conversions(request: Request, what: str) -> list[tuple[LedgerEntry, LedgerEntry]]:
    """What was given and what came of it, the newest first."""
    legs: defaultdict[str, list[LedgerEntry]] = defaultdict(list)
    for entry in _entries(request, what, {LedgerKind.CONVERSION}):
        legs[entry.reference_id].append(entry)
    pairs = [sorted(both, key=lambda entry: entry.amount) for both in legs.values() if len(both) == 2]
    return [(out, into) for out, into in pairs]


def _distribution(entry: LedgerEntry) -> dict[str, object]:
    return {
        "id": int(entry.ledger_id),
        "amount": text(entry.amount),
        "asset": entry.asset,
        "divTime": milliseconds(entry.time_ns),
        "enInfo": "Staking rewards" if entry.kind is LedgerKind.STAKING else f"{entry.asset} distribution",
        "tranId": int(entry.ledger_id),
        "direction": 1,
    }


def _dribblet(out: LedgerEntry, into: LedgerEntry) -> dict[str, object]:
    """``transferedAmount`` is after the charge, which is in BNB too."""
    given, net, charge = text(-out.amount), text(into.amount - into.fee), text(into.fee)
    number, time = int(into.ledger_id), milliseconds(into.time_ns)
    detail = {
        "transId": number,
        "serviceChargeAmount": charge,
        "amount": given,
        "operateTime": time,
        "transferedAmount": net,
        "fromAsset": out.asset,
    }
    return {
        "operateTime": time,
        "totalTransferedAmount": net,
        "totalServiceChargeAmount": charge,
        "transId": number,
        "userAssetDribbletDetails": [detail],
    }


def _conversion(out: LedgerEntry, into: LedgerEntry) -> dict[str, object]:
    given, got = -out.amount, into.amount - into.fee
    return {
        "quoteId": into.ledger_id,
        "orderId": int(into.ledger_id),
        "orderStatus": "SUCCESS",
        "fromAsset": out.asset,
        "fromAmount": text(given),
        "toAsset": into.asset,
        "toAmount": text(got),
        "ratio": text(_ratio(got, given)),
        "inverseRatio": text(_ratio(given, got)),
        "createTime": milliseconds(into.time_ns),
    }


def _ratio(one: Decimal, other: Decimal) -> Decimal:
    return one / other if other else Decimal(0)


def _transfer(entry: LedgerEntry, way: str) -> dict[str, object]:
    return {
        "asset": entry.asset,
        "amount": text(abs(entry.amount)),
        "type": way,
        "status": "CONFIRMED",
        "tranId": int(entry.ledger_id),
        "timestamp": milliseconds(entry.time_ns),
    }

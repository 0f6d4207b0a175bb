"""The bills of the trading account: everything that changed one of its balances, trades among it."""

from __future__ import annotations

from paper_exchange.clock import NANOSECONDS_PER_SECOND
from paper_exchange.http import Reply
from paper_exchange.okx.instruments import inst_id_of
from paper_exchange.okx.query import amount, charged, milliseconds, page
from paper_exchange.okx.replies import data_reply
from paper_exchange.okx.routes import Request
from paper_exchange.orders import LedgerEntry, LedgerKind, Side

MOST_BILLS = 100
DAY_NS = 86_400 * NANOSECONDS_PER_SECOND
RECENT_DAYS, ARCHIVED_DAYS = 7, 90
TRADE, TRANSFER = "2", "1"
TYPES = {
    LedgerKind.TRADE: TRADE,
    LedgerKind.DEPOSIT: TRANSFER,
    LedgerKind.WITHDRAWAL: TRANSFER,
    LedgerKind.TRANSFER: TRANSFER,
    LedgerKind.CONVERSION: "27",
    LedgerKind.FEE: "7",
    LedgerKind.ADJUSTMENT: "11",
}
"""Money reaches the trading account from the funding account only, also what the account was opened with."""
KINDS = frozenset(TYPES) - {LedgerKind.TRADE}


def recent(request: Request) -> Reply:
    return _bills(request, RECENT_DAYS)


def archive(request: Request) -> Reply:
    return _bills(request, ARCHIVED_DAYS)


def _bills(request: Request, days: int) -> Reply:
    """Newest first, paged by ``billId``."""
    query = request.query
    asset, kind = query.text("ccy"), query.text("type")
    begin, end = query.time_ns("begin"), query.time_ns("end")
    oldest = max(begin or 0, request.now_ns - days * DAY_NS)
    chosen = [
        entry
        for entry in request.exchange.engine.ledger(request.account_id)
        if asset in (None, entry.asset)
        and kind in (None, TYPES[entry.kind])
        and entry.time_ns >= oldest
        and (end is None or entry.time_ns <= end)
    ]
    rows = page(query, chosen, lambda entry: int(entry.ledger_id), limit=query.limit(MOST_BILLS, MOST_BILLS))
    return data_reply([_bill(request, entry) for entry in rows])


def _bill(request: Request, entry: LedgerEntry) -> dict[str, str]:
    """``fee`` is told of trades; the change of the balance is always after it."""
    change = entry.amount - entry.fee
    row = {
        "bal": amount(entry.balance_after),
        "balChg": amount(change),
        "billId": entry.ledger_id,
        "ccy": entry.asset,
        "clOrdId": "",
        "execType": "",
        "fee": "0",
        "fillTime": "",
        "from": "",
        "instId": "",
        "instType": "",
        "interest": "0",
        "mgnMode": "",
        "notes": "",
        "ordId": "",
        "pnl": "0",
        "posBal": "0",
        "posBalChg": "0",
        "px": "",
        "subType": _sub_type(entry),
        "sz": amount(abs(change)),
        "tag": "",
        "to": "",
        "tradeId": "",
        "ts": milliseconds(entry.time_ns),
        "type": TYPES[entry.kind],
    }
    if entry.kind is LedgerKind.TRADE:
        return {**row, **_of_trade(request, entry)}
    if TYPES[entry.kind] == TRANSFER:
        incoming = entry.amount > 0
        return {**row, "from": "6" if incoming else "18", "to": "18" if incoming else "6"}
    return row


def _sub_type(entry: LedgerEntry) -> str:
    into = entry.amount > 0
    match TYPES[entry.kind]:
        case "1":
            return "11" if into else "12"
        case "2":
            return "1" if into else "2"
        case "27":
            return "318" if into else "319"
        case "7":
            return "9"
        case _:
            return "50"


def _of_trade(request: Request, entry: LedgerEntry) -> dict[str, str]:
    engine = request.exchange.engine
    trade = engine.trade(entry.reference_id)
    side = "1" if trade.side is Side.BUY else "2"
    return {
        "clOrdId": engine.order(trade.order_id).client_order_id or "",
        "execType": "M" if trade.maker else "T",
        "fee": charged(entry.fee),
        "fillTime": milliseconds(trade.time_ns),
        "instId": inst_id_of(trade.symbol),
        "instType": "SPOT",
        "ordId": trade.order_id,
        "px": amount(trade.price),
        "subType": side,
        "tradeId": trade.trade_id,
    }

"""Endpoints about the funding account: deposits land there, and only what is transferred can be traded with."""

from __future__ import annotations

from decimal import Decimal
from hashlib import sha256

from paper_exchange.assets import FIAT
from paper_exchange.funding import Transfer
from paper_exchange.http import Reply
from paper_exchange.okx.query import amount, milliseconds, page, plain_decimal
from paper_exchange.okx.replies import ApiError, data_reply, missing, wrong
from paper_exchange.okx.routes import Request
from paper_exchange.orders import LedgerEntry, LedgerKind, Refusal

FUNDING, TRADING = "6", "18"
"""How a transfer names the two accounts."""
MOST_ROWS = 100
CREDITED = "2"
"""State of a deposit that has arrived for good."""


def balances(request: Request) -> Reply:
    wanted = request.query.texts("ccy")
    held = request.exchange.funding.balances(request.account_id)
    rows = [
        {"ccy": asset, "bal": amount(total), "availBal": amount(total), "frozenBal": "0"}
        for asset, total in sorted(held.items())
        if total and (not wanted or asset in wanted)
    ]
    return data_reply(rows)


def transfer(request: Request) -> Reply:
    """Between the account's own funding and trading accounts, at once."""
    fields = request.fields
    asset, size = _asset(request, fields.get("ccy")), _size(fields.get("amt"))
    ends = (str(fields.get("from") or ""), str(fields.get("to") or ""))
    if ends not in ((FUNDING, TRADING), (TRADING, FUNDING)):
        raise wrong("from" if ends[0] not in (FUNDING, TRADING) else "to")
    if str(fields.get("type") or "0") != "0":
        raise wrong("type")
    moved = _move(request, asset, size, into_trading=ends[1] == TRADING)
    row = {
        "transId": moved.transfer_id,
        "ccy": asset,
        "clientId": str(fields.get("clientId") or ""),
        "from": ends[0],
        "amt": amount(size),
        "to": ends[1],
    }
    return data_reply([row])


def _move(request: Request, asset: str, size: Decimal, *, into_trading: bool) -> Transfer:
    try:
        return request.exchange.transfer(request.account, asset, size if into_trading else -size, request.now_ns)
    except Refusal:
        raise ApiError("58350", "Insufficient balance.") from None
    except ValueError:
        raise wrong("amt") from None


def deposit_history(request: Request) -> Reply:
    """What came from outside, also what the account was opened with; transfers are not among it. Newest first."""
    account_id, query = request.account_id, request.query
    asset, state = query.text("ccy"), query.text("state")
    transferred = {one.ledger_id for one in request.exchange.funding.transfers(account_id)}
    to_trade_with = [
        (entry.time_ns, entry.ledger_id, entry.asset, entry.amount)
        for entry in request.exchange.engine.ledger(account_id)
        if entry.kind is LedgerKind.DEPOSIT and entry.ledger_id not in transferred
    ]
    landed = [
        (one.time_ns, one.deposit_id, one.asset, one.amount) for one in request.exchange.funding.deposits(account_id)
    ]
    rows = [
        row for row in (*to_trade_with, *landed) if asset in (None, row[2]) and state in (None, CREDITED) and row[3]
    ]
    chosen = page(query, rows, lambda row: row[0] // 1_000_000, limit=query.limit(MOST_ROWS, MOST_ROWS))
    return data_reply([_deposit(*row) for row in chosen])


def withdrawal_history(request: Request) -> Reply:
    """What left for outside. Newest first."""
    query = request.query
    asset, state = query.text("ccy"), query.text("state")
    rows = [
        entry
        for entry in request.exchange.engine.ledger(request.account_id)
        if entry.kind is LedgerKind.WITHDRAWAL and asset in (None, entry.asset) and state in (None, CREDITED)
    ]
    chosen = page(query, rows, lambda entry: entry.time_ns // 1_000_000, limit=query.limit(MOST_ROWS, MOST_ROWS))
    return data_reply([_withdrawal(entry) for entry in chosen])


def currencies(request: Request) -> Reply:
    """What can be held, each with one chain."""
    wanted = request.query.texts("ccy")
    rows = [_currency(name) for name in request.listings.assets() if not wanted or name in wanted]
    return data_reply(rows)


def _deposit(time_ns: int, deposit_id: str, asset: str, size: Decimal) -> dict[str, str]:
    return {
        "ccy": asset,
        "chain": _chain(asset),
        "amt": amount(size),
        "from": "",
        "areaCodeFrom": "",
        "to": sha256(f"address {asset}".encode()).hexdigest()[:40],
        "txId": sha256(deposit_id.encode()).hexdigest(),
        "ts": milliseconds(time_ns),
        "state": CREDITED,
        "depId": deposit_id,
        "fromWdId": "",
        "actualDepBlkConfirm": "2",
    }


def _withdrawal(entry: LedgerEntry) -> dict[str, object]:
    return {
        "ccy": entry.asset,
        "chain": _chain(entry.asset),
        "amt": amount(-entry.amount),
        "fee": amount(entry.fee),
        "feeCcy": entry.asset,
        "from": "",
        "areaCodeFrom": "",
        "to": sha256(f"address {entry.asset}".encode()).hexdigest()[:40],
        "areaCodeTo": "",
        "txId": sha256(entry.ledger_id.encode()).hexdigest(),
        "ts": milliseconds(entry.time_ns),
        "state": CREDITED,
        "wdId": entry.ledger_id,
        "clientId": "",
        "nonTradableAsset": False,
    }


def _currency(name: str) -> dict[str, object]:
    return {
        "ccy": name,
        "name": name,
        "chain": _chain(name),
        "canDep": True,
        "canWd": True,
        "canInternal": True,
        "mainNet": True,
        "minDep": "0.00001",
        "minWd": "0.001",
        "maxWd": "1000000",
        "minFee": "0",
        "maxFee": "0",
        "fee": "0",
        "wdTickSz": "8",
        "wdQuota": "10000000",
        "usedWdQuota": "0",
        "minDepArrivalConfirm": "1",
        "minWdUnlockConfirm": "2",
        "needTag": False,
        "depQuotaFixed": "",
        "logoLink": "",
        "ctAddr": "",
    }


def _chain(asset: str) -> str:
    return f"{asset}-{'Bank' if asset in FIAT else 'Paper'}"


def _asset(request: Request, value: object) -> str:
    if not isinstance(value, str) or not value:
        raise missing("ccy")
    if value not in request.listings.assets():
        raise wrong("ccy")
    return value


def _size(value: object) -> Decimal:
    if not isinstance(value, str) or not value:
        raise missing("amt")
    size = plain_decimal(value)
    if size is None or not size:
        raise wrong("amt")
    return size

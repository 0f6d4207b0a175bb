"""Balances, ledgers, fees, transfers and the key itself."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from decimal import Decimal

from paper_exchange.kraken.context import Context
from paper_exchange.kraken.envelope import (
    UNKNOWN_ASSET,
    UNKNOWN_PAIR,
    KrakenError,
    fixed,
    invalid_argument,
    seconds,
    whole_seconds,
)
from paper_exchange.kraken.form import Params
from paper_exchange.kraken.ledger_types import ledger_type
from paper_exchange.kraken.naming import altname, asset_id
from paper_exchange.kraken.page import counted, newest_page, read_bounds
from paper_exchange.kraken.price_text import plain_decimal
from paper_exchange.orders import LedgerEntry, LedgerKind, Side
from paper_exchange.websocket_tokens import LIFETIME_SECONDS

ZERO = Decimal(0)
MAXIMUM_QUERIED = 20
MOST_TRANSFERS = 500
LEDGER_TYPES = frozenset(
    [
        "all",
        "trade",
        "deposit",
        "withdrawal",
        "transfer",
        "margin",
        "adjustment",
        "rollover",
        "credit",
        "settled",
        "staking",
        "dividend",
        "sale",
        "nft_rebate",
    ]
)


def balance(context: Context) -> object:
    """Totals, holds included; assets once held stay listed."""
    return {
        asset_id(asset): _amount(context, asset, entry.total)
        for asset, entry in context.exchange.engine.balances(context.account.account_id).items()
    }


def balance_ex(context: Context) -> object:
    return {
        asset_id(asset): {
            "balance": _amount(context, asset, entry.total),
            "hold_trade": _amount(context, asset, entry.held),
        }
        for asset, entry in context.exchange.engine.balances(context.account.account_id).items()
    }


def trade_balance(context: Context) -> object:
    """Everything held, valued at the last prices in ``asset``; there is no margin here."""
    asset = _asset(context, context.params.text("asset") or "ZUSD")
    unit = _usd_value(context, asset, Decimal(1))
    if not unit:
        raise KrakenError(UNKNOWN_ASSET)
    held = context.exchange.engine.balances(context.account.account_id)
    worth = sum((_usd_value(context, name, entry.total) for name, entry in held.items()), ZERO) / unit
    live = context.exchange.engine.open_orders(context.account.account_id)
    unfilled = sum(((order.limit_price or ZERO) * order.remaining for order in live if order.side is Side.BUY), ZERO)
    equity, zero = _amount(context, asset, worth), _amount(context, asset, ZERO)
    return {
        "eb": equity,
        "tb": equity,
        "m": zero,
        "uv": _amount(context, asset, unfilled),
        "n": zero,
        "c": zero,
        "v": zero,
        "e": equity,
        "mf": equity,
    }


def trade_volume(context: Context) -> object:
    """The 30-day volume, and for the asked pairs the rates it earns, in percent."""
    engine, account_id = context.exchange.engine, context.account.account_id
    volume = engine.volume_30_days(account_id, context.now_ns)
    answer: dict[str, object] = {"currency": "ZUSD", "volume": fixed(volume, 4)}
    wanted = context.params.items("pair")
    if not wanted:
        return answer
    taker_fees: dict[str, object] = {}
    maker_fees: dict[str, object] = {}
    for text in wanted:
        pair = context.names.pair(text)
        if pair is None:
            raise KrakenError(UNKNOWN_PAIR)
        maker, taker = engine.fee_rates(account_id, pair.symbol)
        taker_fees[pair.pair_id], maker_fees[pair.pair_id] = _fee(taker), _fee(maker)
    return {**answer, "fees": taker_fees, "fees_maker": maker_fees}


def ledgers(context: Context) -> object:
    """Fifty a page, newest first. A trade has two rows with its id as ``refid``: base (no fee) and quote."""
    kind = context.params.text("type") or "all"
    if kind not in LEDGER_TYPES:
        raise invalid_argument("type")
    assets = {_asset(context, text) for text in context.params.items("asset") if text.lower() != "all"}
    entries = context.exchange.engine.ledger(context.account.account_id)
    times = {entry.ledger_id: entry.time_ns for entry in entries}
    bounds = read_bounds(context.params, times.get)
    found = [
        entry
        for entry in entries
        if kind in ("all", ledger_type(entry)) and (not assets or entry.asset in assets) and bounds.hold(entry.time_ns)
    ]
    return counted("ledger", _shown(context, newest_page(found, context.params)), len(found), context.params)


def query_ledgers(context: Context) -> object:
    ids = context.params.items("id")
    if not ids or len(ids) > MAXIMUM_QUERIED:
        raise invalid_argument("id")
    entries = context.exchange.engine.ledger(context.account.account_id)
    return _shown(context, [entry for entry in entries if entry.ledger_id in ids])


def deposit_status(context: Context) -> object:
    return _transfers(context, LedgerKind.DEPOSIT, "deposit")


def withdraw_status(context: Context) -> object:
    return _transfers(context, LedgerKind.WITHDRAWAL, "withdrawals")


def api_key_info(context: Context) -> object:
    account = context.account
    return {
        "apiKeyName": account.name,
        "apiKey": account.api_key,
        "nonce": str(context.exchange.nonces.highest(account.api_key) or 0),
        "nonceWindow": account.nonce_window,
        "permissions": sorted(account.permissions),
        "ipAllowlist": [],
        "validUntil": "0",
        "queryFrom": "0",
        "queryTo": "0",
        "createdTime": str(whole_seconds(account.created_ns)),
        "lastUsed": str(whole_seconds(context.now_ns)),
    }


def websockets_token(context: Context) -> object:
    token = secrets.token_urlsafe(32)
    context.exchange.websocket_tokens.issue(token, context.account, context.now_ns)
    return {"token": token, "expires": LIFETIME_SECONDS}


def _amount(context: Context, asset: str, amount: Decimal) -> str:
    return fixed(amount, context.exchange.catalogue.asset(asset).decimals)


def _asset(context: Context, text: str) -> str:
    asset = context.names.asset(text)
    if asset is None:
        raise KrakenError(UNKNOWN_ASSET)
    return asset


def _usd_value(context: Context, asset: str, amount: Decimal) -> Decimal:
    """At the last price against the dollar; an asset without such a market counts nothing."""
    if asset == "USD" or not amount:
        return amount
    symbol = f"{asset}/USD"
    if symbol not in context.exchange.catalogue or not context.exchange.catalogue.listing(symbol).trades:
        return ZERO
    return amount * context.exchange.engine.quote(symbol).last


def _fee(fraction: Decimal) -> dict[str, object]:
    percent = fixed(fraction * 100, 4)
    return {
        "fee": percent,
        "minfee": percent,
        "maxfee": percent,
        "nextfee": None,
        "nextvolume": None,
        "tiervolume": "0.0000",
    }


def _shown(context: Context, entries: Iterable[LedgerEntry]) -> dict[str, object]:
    return {
        entry.ledger_id: {
            "refid": entry.reference_id,
            "time": seconds(entry.time_ns),
            "type": ledger_type(entry),
            "subtype": "",
            "aclass": "currency",
            "asset": asset_id(entry.asset),
            "amount": _amount(context, entry.asset, entry.amount),
            "fee": _amount(context, entry.asset, entry.fee),
            "balance": _amount(context, entry.asset, entry.balance_after),
        }
        for entry in entries
    }


def _transfers(context: Context, kind: LedgerKind, name: str) -> object:
    """Newest first. With ``cursor`` (true, or what the page before said) page by page, as an object."""
    params = context.params
    text = params.text("asset")
    wanted = _asset(context, text) if text is not None else None
    bounds = read_bounds(params, lambda _: None)
    found = [
        entry
        for entry in reversed(context.exchange.engine.ledger(context.account.account_id))
        if entry.kind is kind
        and wanted in (None, entry.asset)
        and params.text("method") in (None, altname(entry.asset))
        and bounds.hold(entry.time_ns)
    ]
    rows = [_transfer(context, entry) for entry in found]
    cursor, limit = params.text("cursor"), _limit(params)
    if cursor is None or cursor.lower() in ("false", "0"):
        return rows[:limit]
    start = _after(found, cursor)
    more = start + limit < len(found)
    return {name: rows[start : start + limit], "next_cursor": found[start + limit - 1].ledger_id if more else None}


def _limit(params: Params) -> int:
    limit = plain_decimal(params.text("limit") or str(MOST_TRANSFERS))
    if limit is None or not 1 <= limit <= MOST_TRANSFERS:
        raise invalid_argument("limit")
    return int(limit)


def _after(entries: Sequence[LedgerEntry], cursor: str) -> int:
    """Where the page after ``cursor`` begins."""
    if cursor.lower() == "true":
        return 0
    places = [place for place, entry in enumerate(entries, start=1) if entry.ledger_id == cursor]
    if not places:
        raise invalid_argument("cursor")
    return places[0]


def _transfer(context: Context, entry: LedgerEntry) -> dict[str, object]:
    name = altname(entry.asset)
    shown: dict[str, object] = {
        "method": name,
        "network": name,
        "aclass": "currency",
        "asset": asset_id(entry.asset),
        "refid": entry.reference_id,
        "txid": entry.reference_id,
        "info": "paper",
        "amount": _amount(context, entry.asset, abs(entry.amount)),
        "fee": _amount(context, entry.asset, entry.fee),
        "time": whole_seconds(entry.time_ns),
        "status": "Success",
    }
    return {**shown, "key": "paper"} if entry.kind is LedgerKind.WITHDRAWAL else shown

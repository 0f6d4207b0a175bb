"""The older ``/v2`` endpoints that clients still need: wallets and what moved them, currencies, rates, the time."""

from __future__ import annotations

from hashlib import sha256

from paper_exchange.assets import FIAT
from paper_exchange.clock import NANOSECONDS_PER_SECOND, rfc3339
from paper_exchange.coinbase.products import product_id, text
from paper_exchange.coinbase.replies import json_reply, old_api_error_reply
from paper_exchange.coinbase.routes import OLD_API_PREFIX, Request
from paper_exchange.coinbase.wallets import wallet_id, wallets
from paper_exchange.http import Reply
from paper_exchange.orders import Balance, LedgerEntry, LedgerKind

DEFAULT_ROWS = 25
MOST_ROWS = 250

Rows = list[tuple[str, dict[str, object]]]
"""Each with the id that a page is continued after."""


def server_time(request: Request) -> Reply:
    iso = rfc3339(request.now_ns)[:19] + "Z"
    return json_reply({"data": {"iso": iso, "epoch": request.now_ns // NANOSECONDS_PER_SECOND}})


def accounts(request: Request) -> Reply:
    """The wallets with their totals: this API does not tell what orders hold."""
    owner = request.account
    rows: Rows = [
        (wallet_id(owner, asset), _account(request, asset, balance))
        for asset, balance in sorted(wallets(request).items())
    ]
    return _page(request, rows)


def one_account(request: Request) -> Reply:
    asset = _asked_asset(request)
    if asset is None:
        return old_api_error_reply("not_found", "Not found")
    return json_reply({"data": _account(request, asset, wallets(request)[asset])})


def transactions(request: Request) -> Reply:
    """Everything that moved a wallet: deposits, withdrawals, and both sides of trades."""
    return _entries(request, frozenset(LedgerKind), "transaction")


def deposits(request: Request) -> Reply:
    return _entries(request, frozenset({LedgerKind.DEPOSIT}), "deposit")


def withdrawals(request: Request) -> Reply:
    return _entries(request, frozenset({LedgerKind.WITHDRAWAL}), "withdrawal")


def currencies(request: Request) -> Reply:
    """The currencies of states; coins have an endpoint of their own."""
    return json_reply({"data": [{"id": name, "name": name, "min_size": "0.01000000"} for name in FIAT]})


def crypto_currencies(request: Request) -> Reply:
    assets = request.exchange.catalogue.assets()
    names = sorted({listing.base for listing in request.listings} | {listing.quote for listing in request.listings})
    coins = [name for name in names if name not in FIAT]
    return json_reply({"data": [_coin(name, rank, assets[name].decimals) for rank, name in enumerate(coins, start=1)]})


def exchange_rates(request: Request) -> Reply:
    """How much of each asset one US dollar buys, for what is traded against the dollar."""
    rates = {"USD": "1"}
    for listing in request.listings.trading():
        if listing.quote == "USD":
            rates[listing.base] = text(1 / request.exchange.engine.quote(listing.symbol).last)
    return json_reply({"data": {"currency": "USD", "rates": rates}})


def _coin(name: str, rank: int, decimals: int) -> dict[str, object]:
    return {
        "asset_id": sha256(name.encode()).hexdigest()[:32],
        "code": name,
        "name": name,
        "color": "#000000",
        "sort_index": rank,
        "exponent": min(8, decimals),
        "type": "crypto",
        "address_regex": "",
    }


def _account(request: Request, asset: str, balance: Balance) -> dict[str, object]:
    wallet = wallet_id(request.account, asset)
    opened = rfc3339(request.account.created_ns)[:19] + "Z"
    return {
        "id": wallet,
        "name": f"{asset} Wallet",
        "primary": asset == "USD",
        "type": "fiat" if asset in FIAT else "wallet",
        "currency": {"code": asset, "name": asset, "type": "fiat" if asset in FIAT else "crypto"},
        "balance": {"amount": text(balance.total), "currency": asset},
        "created_at": opened,
        "updated_at": opened,
        "resource": "account",
        "resource_path": f"{OLD_API_PREFIX}accounts/{wallet}",
        "allow_deposits": True,
        "allow_withdrawals": True,
    }


def _asked_asset(request: Request) -> str | None:
    """The asset of the wallet in the path, which may be named by its id or by its asset."""
    asked = request.parameters["account_uuid"]
    return next((asset for asset in wallets(request) if asked in (wallet_id(request.account, asset), asset)), None)


def _entries(request: Request, kinds: frozenset[LedgerKind], resource: str) -> Reply:
    asset = _asked_asset(request)
    if asset is None:
        return old_api_error_reply("not_found", "Not found")
    ledger = request.exchange.engine.ledger(request.account.account_id)
    chosen = [entry for entry in reversed(ledger) if entry.asset == asset and entry.kind in kinds]
    return _page(request, [(entry.ledger_id, _entry(request, entry, resource)) for entry in chosen])


def _page(request: Request, rows: Rows) -> Reply:
    query = request.query
    limit = query.whole("limit", DEFAULT_ROWS, maximum=MOST_ROWS)
    after = query.text("starting_after")
    positions = [position for position, (row_id, _) in enumerate(rows) if row_id == after]
    if after and not positions:
        return old_api_error_reply("validation_error", "starting_after is not one of this list")
    start = positions[0] + 1 if positions else 0
    chosen = rows[start : start + limit]
    next_after = chosen[-1][0] if start + limit < len(rows) else None
    pagination = {
        "ending_before": None,
        "starting_after": after or None,
        "previous_ending_before": None,
        "next_starting_after": next_after,
        "limit": limit,
        "order": "desc",
        "previous_uri": None,
        "next_uri": f"{request.call.path}?limit={limit}&starting_after={next_after}" if next_after else None,
    }
    return json_reply({"pagination": pagination, "data": [row for _, row in chosen]})


def _entry(request: Request, entry: LedgerEntry, resource: str) -> dict[str, object]:
    net = entry.amount - entry.fee
    size = net if resource == "transaction" else abs(net)
    money = {"amount": text(size), "currency": entry.asset}
    time = rfc3339(entry.time_ns)[:19] + "Z"
    row: dict[str, object] = {
        "id": entry.ledger_id,
        "type": _type(entry),
        "status": "completed",
        "amount": money,
        "description": None,
        "created_at": time,
        "updated_at": time,
        "resource": resource,
        "resource_path": f"{OLD_API_PREFIX}accounts/{request.parameters['account_uuid']}/{resource}s/{entry.ledger_id}",
    }
    if resource != "transaction":
        row |= {"committed": True, "subtotal": money, "fee": {"amount": "0", "currency": entry.asset}}
    elif entry.kind is LedgerKind.TRADE:
        row["advanced_trade_fill"] = _fill_note(request, entry)
    elif entry.kind is LedgerKind.CONVERSION:
        row["trade"] = {"id": entry.reference_id, "fee": {"amount": text(entry.fee), "currency": entry.asset}}
    elif entry.asset not in FIAT and entry.kind not in TYPES:
        row["network"] = {
            "status": "confirmed",
            "network_name": "paper",
            "hash": sha256(entry.ledger_id.encode()).hexdigest(),
            **_network_amounts(entry),
        }
    return row


def _network_amounts(entry: LedgerEntry) -> dict[str, dict[str, str]]:
    """Of what was sent: what arrives, and what the network took of it."""
    if entry.kind is not LedgerKind.WITHDRAWAL:
        return {}
    return {
        "transaction_fee": {"amount": text(entry.fee), "currency": entry.asset},
        "transaction_amount": {"amount": text(-entry.amount), "currency": entry.asset},
    }


TYPES = {
    LedgerKind.TRADE: "advanced_trade_fill",
    LedgerKind.STAKING: "staking_reward",
    LedgerKind.DIVIDEND: "interest",
    LedgerKind.CONVERSION: "trade",
    LedgerKind.TRANSFER: "transfer",
    LedgerKind.FEE: "subscription",
    LedgerKind.ADJUSTMENT: "clawback",
}
"""What is not here came from outside or went there."""
KINDS = frozenset(LedgerKind)


def _type(entry: LedgerEntry) -> str:
    named = TYPES.get(entry.kind)
    if named is not None:
        return named
    if entry.asset not in FIAT:
        return "send"
    return "fiat_deposit" if entry.kind is LedgerKind.DEPOSIT else "fiat_withdrawal"


def _fill_note(request: Request, entry: LedgerEntry) -> dict[str, str]:
    trade = request.exchange.engine.trade(entry.reference_id)
    return {
        "order_id": trade.order_id,
        "product_id": product_id(trade.symbol),
        "order_side": trade.side.value,
        "fill_price": text(trade.price),
        "commission": text(trade.fee),
    }

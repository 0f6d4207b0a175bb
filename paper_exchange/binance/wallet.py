"""The account: balances, commissions, what the key may do, deposits and withdrawals, coins."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from hashlib import sha256

from paper_exchange.assets import FIAT
from paper_exchange.binance.amounts import milliseconds, text
from paper_exchange.binance.errors import TOO_LONG, BinanceError, json_reply
from paper_exchange.binance.order_lookup import required_symbol
from paper_exchange.binance.routes import Request, Right
from paper_exchange.http import Reply
from paper_exchange.orders import ZERO, Balance, LedgerEntry, LedgerKind

BASIS_POINTS = Decimal(10_000)
TIER_SYMBOL = "BTC/USDT"
"""Fees don't depend on the symbol here; one is needed to ask for them."""
DEPOSITED = 1
WITHDRAWN = 6
"""Statuses of a deposit and of a withdrawal that are done."""
MOST_ROWS = 1000
LONGEST_NS = 90 * 86_400_000_000_000


def account(request: Request) -> Reply:
    maker, taker = request.exchange.engine.fee_rates(request.account.account_id, TIER_SYMBOL)
    body = {
        "makerCommission": int(maker * BASIS_POINTS),
        "takerCommission": int(taker * BASIS_POINTS),
        "buyerCommission": 0,
        "sellerCommission": 0,
        "commissionRates": {"maker": text(maker), "taker": text(taker), "buyer": text(ZERO), "seller": text(ZERO)},
        "canTrade": True,
        "canWithdraw": True,
        "canDeposit": True,
        "brokered": False,
        "requireSelfTradePrevention": False,
        "preventSor": False,
        "updateTime": milliseconds(_changed_ns(request)),
        "accountType": "SPOT",
        "balances": _balances(request, without_empty=request.parameters.flag("omitZeroBalances")),
        "permissions": ["SPOT"],
        "uid": user_id(request),
    }
    return json_reply(body)


def commission(request: Request) -> Reply:
    symbol = required_symbol(request)
    maker, taker = request.exchange.engine.fee_rates(request.account.account_id, symbol)
    none = {"maker": text(ZERO), "taker": text(ZERO), "buyer": text(ZERO), "seller": text(ZERO)}
    body = {
        "symbol": request.symbols.name(symbol),
        "standardCommission": {**none, "maker": text(maker), "taker": text(taker)},
        "specialCommission": none,
        "taxCommission": none,
        "discount": {
            "enabledForAccount": False,
            "enabledForSymbol": False,
            "discountAsset": "BNB",
            "discount": "0.75000000",
        },
    }
    return json_reply(body)


def order_counts(request: Request) -> Reply:
    """How many orders the account has sent in each interval that has a limit."""
    ten_seconds, day = request.shared.limits.orders_used(request.account.account_id, request.now_ns)
    orders = {"rateLimitType": "ORDERS"}
    return json_reply(
        [
            {**orders, "interval": "SECOND", "intervalNum": 10, "limit": 100, "count": ten_seconds},
            {**orders, "interval": "DAY", "intervalNum": 1, "limit": 200_000, "count": day},
        ]
    )


def trade_fee(request: Request) -> Reply:
    """Of one symbol, or of all that are traded."""
    name = request.parameters.symbol()
    listings = request.symbols.listings.trading() if name is None else [request.symbols.listing(name)]
    maker, taker = request.exchange.engine.fee_rates(request.account.account_id, TIER_SYMBOL)
    fees = {"makerCommission": text(maker), "takerCommission": text(taker)}
    return json_reply([{"symbol": request.symbols.name(listing.symbol), **fees} for listing in listings])


def key_rights(request: Request) -> Reply:
    held = request.account.permissions
    body = {
        "ipRestrict": True,
        "createTime": milliseconds(request.account.created_ns),
        **{right.value: right in held for right in Right},
        "enableMargin": False,
        "enableFutures": False,
        "enableVanillaOptions": False,
        "enablePortfolioMarginTrading": False,
        "enableFixApiTrade": False,
        "enableFixReadOnly": False,
    }
    return json_reply(body)


def system_status(_request: Request) -> Reply:
    return json_reply({"status": 0, "msg": "normal"})


def account_status(_request: Request) -> Reply:
    return json_reply({"data": "Normal"})


def trading_status(request: Request) -> Reply:
    """No account is ever locked here."""
    body = {"isLocked": False, "plannedRecoverTime": 0, "triggerCondition": {}, "updateTime": 0}
    return json_reply({"data": body})


def coins(request: Request) -> Reply:
    """Every asset that is traded here or that the account holds."""
    owned = request.exchange.engine.balances(request.account.account_id)
    return json_reply([_coin(name, owned.get(name, Balance(ZERO, ZERO))) for name in _assets(request)])


def deposits(request: Request) -> Reply:
    return json_reply([_deposit(entry) for entry in _transfers(request, LedgerKind.DEPOSIT)])


def withdrawals(request: Request) -> Reply:
    return json_reply([_withdrawal(entry) for entry in _transfers(request, LedgerKind.WITHDRAWAL)])


def nothing(_request: Request) -> Reply:
    """Nothing is lent here, and there is no wallet beside the spot one; clients ask for both."""
    return json_reply([])


def user_id(request: Request) -> int:
    """A number that is always the same for an account."""
    return int(sha256(request.account.account_id.encode()).hexdigest()[:7], 16)


def _assets(request: Request) -> list[str]:
    held = request.exchange.engine.balances(request.account.account_id)
    return sorted({*request.symbols.listings.assets(), *held})


def _balances(request: Request, *, without_empty: bool) -> list[dict[str, str]]:
    owned = request.exchange.engine.balances(request.account.account_id)
    rows = ((asset, owned.get(asset, Balance(ZERO, ZERO))) for asset in _assets(request))
    return [
        {"asset": asset, "free": text(balance.available), "locked": text(balance.held)}
        for asset, balance in rows
        if balance.total or not without_empty
    ]


def _changed_ns(request: Request) -> int:
    ledger = request.exchange.engine.ledger(request.account.account_id)
    return ledger[-1].time_ns if ledger else request.account.created_ns


def _coin(name: str, balance: Balance) -> dict[str, object]:
    network = {
        "network": name,
        "coin": name,
        "name": name,
        "isDefault": True,
        "depositEnable": True,
        "withdrawEnable": False,
        "withdrawFee": "0",
        "withdrawMin": "0",
        "withdrawMax": "0",
        "withdrawIntegerMultiple": "0.00000001",
    }
    return {
        "coin": name,
        "name": name,
        "depositAllEnable": True,
        "withdrawAllEnable": False,
        "free": text(balance.available),
        "locked": text(balance.held),
        "freeze": "0",
        "withdrawing": "0",
        "ipoing": "0",
        "ipoable": "0",
        "storage": "0",
        "isLegalMoney": name in FIAT,
        "trading": True,
        "networkList": [network],
    }


def _transfers(request: Request, kind: LedgerKind) -> list[LedgerEntry]:
    """Of at most 90 days, newest first."""
    parameters = request.parameters
    since_ns, until_ns = parameters.time_ns("startTime"), parameters.time_ns("endTime")
    until_ns = request.now_ns if until_ns is None else until_ns + 1_000_000
    if since_ns is not None and until_ns - since_ns > LONGEST_NS + 1_000_000:
        raise BinanceError(TOO_LONG, "The interval between startTime and endTime must be within 90 days.")
    since_ns = until_ns - LONGEST_NS if since_ns is None else since_ns
    coin = parameters.text("coin")
    chosen = [
        entry
        for entry in reversed(request.exchange.engine.ledger(request.account.account_id))
        if entry.kind is kind and coin in (None, entry.asset) and since_ns <= entry.time_ns < until_ns
    ]
    offset = parameters.whole("offset") or 0
    return chosen[offset : offset + parameters.limit(MOST_ROWS, MOST_ROWS)]


def _deposit(entry: LedgerEntry) -> dict[str, object]:
    return {
        "id": entry.ledger_id,
        "amount": text(entry.amount),
        "coin": entry.asset,
        "network": entry.asset,
        "status": DEPOSITED,
        "address": "",
        "addressTag": "",
        "txId": _transaction_id(entry),
        "insertTime": milliseconds(entry.time_ns),
        "completeTime": milliseconds(entry.time_ns),
        "transferType": 0,
        "confirmTimes": "1/1",
        "unlockConfirm": 0,
        "walletType": 0,
    }


def _withdrawal(entry: LedgerEntry) -> dict[str, object]:
    """Its time is text, in UTC, of whole seconds."""
    applied = datetime.fromtimestamp(entry.time_ns // 10**9, tz=UTC)
    return {
        "id": entry.ledger_id,
        "amount": text(-entry.amount),
        "transactionFee": text(entry.fee),
        "coin": entry.asset,
        "status": WITHDRAWN,
        "address": "",
        "txId": _transaction_id(entry),
        "applyTime": f"{applied:%Y-%m-%d %H:%M:%S}",
        "network": entry.asset,
        "transferType": 0,
        "withdrawOrderId": "",
        "info": "",
        "confirmNo": 1,
        "walletType": 0,
        "txKey": "",
        "completeTime": f"{applied:%Y-%m-%d %H:%M:%S}",
    }


def _transaction_id(entry: LedgerEntry) -> str:
    return sha256(entry.ledger_id.encode()).hexdigest()

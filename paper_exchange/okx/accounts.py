"""Endpoints about an account: what it holds to trade with, its mode, its key's rights and its fees."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from hashlib import sha256

from paper_exchange.api_keys import Account
from paper_exchange.exchange import Exchange
from paper_exchange.http import Reply
from paper_exchange.okx.account_levels import LEVELS
from paper_exchange.okx.instruments import SPOT
from paper_exchange.okx.market_data import instruments
from paper_exchange.okx.query import amount, charged, milliseconds
from paper_exchange.okx.replies import ApiError, data_reply, wrong
from paper_exchange.okx.routes import Request
from paper_exchange.orders import Balance

CENTS = Decimal("0.01")
MOST_CURRENCIES = 20
PERMISSIONS_IN_ORDER = ("read_only", "withdraw", "trade")
FEE_SYMBOL = "BTC/USDT"
"""Fees don't depend on the symbol here; one is needed to ask for them."""


def balance(request: Request) -> Reply:
    """The trading account. Currencies of which it has nothing are not listed."""
    wanted = request.query.texts("ccy")
    if len(wanted) > MOST_CURRENCIES:
        raise ApiError("50025", f"Parameter ccy count exceeds the limit {MOST_CURRENCIES}")
    return data_reply([render_balance(request.exchange, request.account_id, request.now_ns, wanted)])


def render_balance(exchange: Exchange, account_id: str, now_ns: int, wanted: Sequence[str] = ()) -> dict[str, object]:
    """What the account can trade with; only the ``wanted`` currencies, if any are named."""
    held = exchange.engine.balances(account_id)
    details = [
        _detail(exchange, asset, each, now_ns)
        for asset, each in sorted(held.items())
        if each.total and (not wanted or asset in wanted)
    ]
    total = sum((each.total * usd_per_unit(exchange, asset) for asset, each in held.items()), Decimal(0))
    return {
        "totalEq": amount(total.quantize(CENTS)),
        "uTime": milliseconds(now_ns),
        "details": details,
        **dict.fromkeys(MARGIN_FIELDS, ""),
    }


def config(request: Request) -> Reply:
    account = request.account
    number = user_number(account)
    row = {
        "uid": number,
        "mainUid": number,
        "acctLv": request.levels.of(account.account_id),
        "acctStpMode": "cancel_taker",
        "posMode": "net_mode",
        "autoLoan": False,
        "greeksType": "PA",
        "level": "Lv1",
        "levelTmp": "",
        "ctIsoMode": "automatic",
        "mgnIsoMode": "automatic",
        "spotOffsetType": "",
        "stgyType": "0",
        "roleType": "0",
        "traderInsts": [],
        "spotRoleType": "0",
        "spotTraderInsts": [],
        "opAuth": "0",
        "kycLv": "3",
        "label": account.name,
        "ip": "127.0.0.1",
        "perm": ",".join(name for name in PERMISSIONS_IN_ORDER if name in account.permissions),
        "discountType": "0",
        "liquidationGear": "-1",
        "enableSpotBorrow": False,
        "spotBorrowAutoRepay": False,
        "feeType": "0",
        "settleCcy": "",
        "settleCcyList": [],
        "type": "0",
    }
    return data_reply([row])


def positions(_request: Request) -> Reply:
    """Only derivatives and margin have positions; what spot trading brings is in the balance."""
    return data_reply([])


def set_account_level(request: Request) -> Reply:
    """The mode is changed at once; orders under way stop it (59000)."""
    level = str(request.fields.get("acctLv"))
    if level not in LEVELS:
        raise wrong("acctLv")
    if request.exchange.engine.open_orders(request.account_id):
        raise ApiError(
            "59000", "Settings failed. Cancel any open orders, close positions, and stop trading bots first."
        )
    request.levels.set(request.account_id, level)
    request.exchange.note_change()
    return data_reply([{"acctLv": level}])


def trade_fee(request: Request) -> Reply:
    """Below zero for what is charged."""
    query = request.query
    if query.required("instType") != SPOT:
        raise wrong("instType")
    inst_id = query.text("instId")
    symbol = request.listing(inst_id).symbol if inst_id is not None else FEE_SYMBOL
    maker, taker = request.exchange.engine.fee_rates(request.account_id, symbol)
    row = {
        "instType": SPOT,
        "category": "1",
        "level": "Lv1",
        "maker": charged(maker),
        "taker": charged(taker),
        "ruleType": "normal",
        "ts": milliseconds(request.now_ns),
        "feeGroup": [{"groupId": "1", "maker": charged(maker), "taker": charged(taker)}],
        "fiat": [],
        **dict.fromkeys(("makerU", "takerU", "makerUSDC", "takerUSDC", "delivery", "exercise", "settle"), ""),
    }
    return data_reply([row])


account_instruments = instruments
"""What the account may trade is what there is."""


def user_number(account: Account) -> str:
    """Eighteen digits that stay the same for an account, whatever its key."""
    digest = sha256(f"okx uid {account.account_id}".encode()).digest()
    return str(10**17 + int.from_bytes(digest[:8], "big") % (9 * 10**17))


def usd_per_unit(exchange: Exchange, asset: str) -> Decimal:
    """The tape's price, or the catalogue's order of magnitude for what has no tape in dollars."""
    symbol = f"{asset}/USD"
    if symbol in exchange.catalogue and exchange.catalogue.listing(symbol).trades:
        return exchange.market.last(symbol)
    return exchange.catalogue.asset(asset).reference_usd


def _detail(exchange: Exchange, asset: str, held: Balance, now_ns: int) -> dict[str, str]:
    worth = amount((held.total * usd_per_unit(exchange, asset)).quantize(CENTS))
    return {
        "ccy": asset,
        "eq": amount(held.total),
        "cashBal": amount(held.total),
        "availBal": amount(held.available),
        "frozenBal": amount(held.held),
        "ordFrozen": amount(held.held),
        "eqUsd": worth,
        "disEq": worth,
        "spotBal": amount(held.total),
        "uTime": milliseconds(now_ns),
        "fixedBal": "0",
        "stgyEq": "0",
        "uplLiab": "",
        "rewardBal": "0",
        "collateralEnabled": "",
        **dict.fromkeys(MARGIN_DETAIL_FIELDS, ""),
    }


MARGIN_FIELDS = (
    "adjEq", "availEq", "borrowFroz", "delta", "imr", "isoEq", "mgnRatio", "mmr", "notionalUsd", "notionalUsdForBorrow",
    "notionalUsdForFutures", "notionalUsdForOption", "notionalUsdForSwap", "ordFroz", "upl",
)  # fmt: skip
"""Empty in spot mode."""
MARGIN_DETAIL_FIELDS = (
    "availEq", "borrowFroz", "crossLiab", "imr", "interest", "isoEq", "isoLiab", "isoUpl", "liab", "maxLoan",
    "mgnRatio", "mmr", "notionalLever", "smtSyncEq", "spotInUseAmt", "spotIsoBal", "twap", "upl",
)  # fmt: skip

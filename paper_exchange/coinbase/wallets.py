"""Endpoints about an account's money and its key: wallets, fee tier, permissions."""

from __future__ import annotations

from uuid import UUID, uuid5

from paper_exchange.api_keys import Account
from paper_exchange.assets import FIAT
from paper_exchange.clock import rfc3339
from paper_exchange.coinbase.products import text
from paper_exchange.coinbase.query import page_after
from paper_exchange.coinbase.replies import ApiError, json_reply
from paper_exchange.coinbase.routes import Request, Scope
from paper_exchange.http import Reply
from paper_exchange.orders import ZERO, Balance

IDS_OF_THIS_FRONT = UUID("7a1e5c0e-6d1f-4b43-9d64-0d1f2c6b8e10")
"""Name space of the ids that follow from other facts (wallets, portfolios), so that they never change."""
DEFAULT_WALLETS = 49
MOST_WALLETS = 250
TIER_SYMBOL = "BTC/USD"
"""Fees don't depend on the symbol here; one is needed to ask for them."""


def list_accounts(request: Request) -> Reply:
    query = request.query
    limit = query.whole("limit", DEFAULT_WALLETS, minimum=0, maximum=MOST_WALLETS) or DEFAULT_WALLETS
    rows = [(asset, (asset, balance)) for asset, balance in sorted(wallets(request).items())]
    page = page_after(rows, query.text("cursor"), limit)
    accounts = [_wallet(request.account, asset, balance) for asset, balance in page.rows]
    return json_reply(
        {"accounts": accounts, "has_next": bool(page.cursor), "cursor": page.cursor, "size": len(accounts)}
    )


def one_account(request: Request) -> Reply:
    for asset, balance in wallets(request).items():
        if wallet_id(request.account, asset) == request.parameters["account_uuid"]:
            return json_reply({"account": _wallet(request.account, asset, balance)})
    raise ApiError("NOT_FOUND", "account not found")


def transaction_summary(request: Request) -> Reply:
    """The fee tier. The sums are JSON numbers at the venue, too."""
    engine, account_id = request.exchange.engine, request.account.account_id
    maker, taker = engine.fee_rates(account_id, TIER_SYMBOL)
    volume = float(engine.volume_30_days(account_id, request.now_ns))
    fees = float(sum((trade.fee for trade in engine.trades(account_id)), ZERO))
    tier = {
        "pricing_tier": "Advanced",
        "usd_from": "0",
        "usd_to": "",
        "taker_fee_rate": text(taker),
        "maker_fee_rate": text(maker),
        "aop_from": "",
        "aop_to": "",
    }
    return json_reply(
        {
            "total_volume": volume,
            "total_fees": fees,
            "fee_tier": tier,
            "margin_rate": None,
            "goods_and_services_tax": None,
            "advanced_trade_only_volume": volume,
            "advanced_trade_only_fees": fees,
            "coinbase_pro_volume": 0,
            "coinbase_pro_fees": 0,
            "total_balance": "",
            "has_promo_fee": False,
        }
    )


def key_permissions(request: Request) -> Reply:
    held = request.account.permissions
    return json_reply(
        {
            "can_view": Scope.VIEW in held,
            "can_trade": Scope.TRADE in held,
            "can_transfer": "transfer" in held,
            "portfolio_uuid": portfolio_id(request.account),
            "portfolio_type": "DEFAULT",
        }
    )


def wallets(request: Request) -> dict[str, Balance]:
    """Every balance the account has or had, and US dollars in any case."""
    return {"USD": Balance(ZERO, ZERO), **request.exchange.engine.balances(request.account.account_id)}


def wallet_id(account: Account, asset: str) -> str:
    return str(uuid5(IDS_OF_THIS_FRONT, f"wallet:{account.account_id}:{asset}"))


def portfolio_id(account: Account) -> str:
    return str(uuid5(IDS_OF_THIS_FRONT, f"portfolio:{account.account_id}"))


def user_id(account: Account) -> str:
    return str(uuid5(IDS_OF_THIS_FRONT, f"user:{account.account_id}"))


def _wallet(account: Account, asset: str, balance: Balance) -> dict[str, object]:
    opened = rfc3339(account.created_ns)
    return {
        "uuid": wallet_id(account, asset),
        "name": f"{asset} Wallet",
        "currency": asset,
        "available_balance": {"value": text(balance.available), "currency": asset},
        "hold": {"value": text(balance.held), "currency": asset},
        "default": asset == "USD",
        "active": True,
        "ready": True,
        "type": "ACCOUNT_TYPE_FIAT" if asset in FIAT else "ACCOUNT_TYPE_CRYPTO",
        "created_at": opened,
        "updated_at": opened,
        "deleted_at": None,
        "retail_portfolio_id": portfolio_id(account),
        "platform": "ACCOUNT_PLATFORM_CONSUMER",
    }

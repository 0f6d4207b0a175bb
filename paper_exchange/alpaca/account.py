"""The account: money, buying power and flags. It is a cash account: buying power is what no open order has taken."""

from __future__ import annotations

from decimal import Decimal
from hashlib import sha256
from uuid import uuid5

from paper_exchange.alpaca.instruments import IDS_OF_THIS_FRONT
from paper_exchange.alpaca.numbers import CENT, text
from paper_exchange.alpaca.replies import json_reply
from paper_exchange.alpaca.routes import Request
from paper_exchange.api_keys import Account
from paper_exchange.assets import STOCKS
from paper_exchange.catalogue import STOCK_QUOTE
from paper_exchange.clock import rfc3339
from paper_exchange.http import Reply
from paper_exchange.orders import ZERO, Balance


def show_account(request: Request) -> Reply:
    """``cash`` does not move for open orders; ``buying_power`` shrinks by open buys."""
    account, dollars = request.account, dollars_of(request)
    shares = _market_value(request, last_day=False)
    available = text(dollars.available)
    return json_reply(
        {
            "id": account_uuid(account),
            "account_number": account_number(account),
            **_flags(request),
            "currency": STOCK_QUOTE,
            "cash": text(dollars.total),
            "buying_power": available,
            "regt_buying_power": available,
            "daytrading_buying_power": "0",
            "effective_buying_power": available,
            "non_marginable_buying_power": available,
            "options_buying_power": "0",
            "bod_dtbp": "0",
            "accrued_fees": "0",
            "pending_transfer_in": "0",
            "pending_transfer_out": "0",
            "portfolio_value": text(dollars.total + shares),
            "equity": text(dollars.total + shares),
            "last_equity": text(dollars.total + _market_value(request, last_day=True)),
            "long_market_value": text(shares),
            "short_market_value": "0",
            "position_market_value": text(shares),
            "initial_margin": text(shares),
            "maintenance_margin": text(shares),
            "last_maintenance_margin": "0",
            "sma": "0",
            "multiplier": "1",
            "shorting_enabled": False,
            "created_at": rfc3339(account.created_ns),
        }
    )


def configurations(_request: Request) -> Reply:
    """What a client may configure at the venue; here it is fixed."""
    return json_reply(
        {
            "dtbp_check": "entry",
            "fractional_trading": True,
            "max_margin_multiplier": "1",
            "no_shorting": True,
            "pdt_check": "entry",
            "suspend_trade": False,
            "trade_confirm_email": "none",
            "ptp_no_exception_entry": False,
        }
    )


def dollars_of(request: Request) -> Balance:
    return request.exchange.engine.balances(request.account_id).get(STOCK_QUOTE, Balance(ZERO, ZERO))


def equity_of(request: Request) -> Decimal:
    """Dollars and shares at the last price."""
    return dollars_of(request).total + _market_value(request, last_day=False)


def account_uuid(account: Account) -> str:
    return str(uuid5(IDS_OF_THIS_FRONT, f"account {account.account_id}"))


def account_number(account: Account) -> str:
    return "PA3" + sha256(account.account_id.encode()).hexdigest()[:9].upper()


def _market_value(request: Request, *, last_day: bool) -> Decimal:
    value = ZERO
    for asset, balance in request.exchange.engine.balances(request.account_id).items():
        if asset in STOCKS and balance.total:
            symbol = f"{asset}/{STOCK_QUOTE}"
            price = request.venue.last_day.of(symbol) if last_day else request.exchange.market.last(symbol)
            value += balance.total * price
    return value.quantize(CENT)


def _flags(request: Request) -> dict[str, object]:
    flags = request.venue.flags.of(request.account_id)
    return {
        "status": flags.status,
        "trading_blocked": flags.trading_blocked,
        "account_blocked": flags.account_blocked,
        "transfers_blocked": flags.transfers_blocked,
        "trade_suspended_by_user": flags.trade_suspended_by_user,
        "pattern_day_trader": flags.pattern_day_trader,
        "daytrade_count": flags.daytrade_count,
    }

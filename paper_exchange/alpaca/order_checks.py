"""Whether an account may place an order: its flags, its money and shares, and its own orders on the other side."""

from __future__ import annotations

from decimal import Decimal

from paper_exchange.alpaca.account import dollars_of, equity_of
from paper_exchange.alpaca.account_flags import ACTIVE
from paper_exchange.alpaca.numbers import CENT, text
from paper_exchange.alpaca.order_forms import collar
from paper_exchange.alpaca.replies import DAY_TRADER, FORBIDDEN, ApiError
from paper_exchange.alpaca.routes import Request
from paper_exchange.orders import ZERO, Balance, NewOrder, Order, OrderKind, Side
from paper_exchange.trading_calendar import new_york_date

DAY_TRADER_EQUITY = Decimal(25_000)
FREE_DAY_TRADES = 3


def check_account(request: Request) -> None:
    """Raises ApiError for an account that may not trade at all."""
    flags = request.venue.flags.of(request.account_id)
    if flags.status != ACTIVE:
        raise ApiError(FORBIDDEN, f"account is not active: its status is {flags.status}")
    if flags.trade_suspended_by_user:
        raise ApiError(FORBIDDEN, "new orders are rejected by user request")
    if flags.account_blocked or flags.trading_blocked:
        raise ApiError(FORBIDDEN, "account is restricted from trading")


def check_day_trading(request: Request, new: NewOrder) -> None:
    """With less than 25,000 dollars a flagged account may buy nothing, and nobody may day-trade a fourth time."""
    flags = request.venue.flags.of(request.account_id)
    buys_while_flagged = flags.pattern_day_trader and new.side is Side.BUY
    too_often = flags.daytrade_count >= FREE_DAY_TRADES and _closes_what_was_opened_today(request, new)
    if (buys_while_flagged or too_often) and equity_of(request) < DAY_TRADER_EQUITY:
        raise ApiError(DAY_TRADER, "trade denied due to pattern day trading protection")


def check_own_orders(request: Request, new: NewOrder) -> None:
    """An order that one's own order on the other side could fill is refused as a wash trade."""
    for order in request.exchange.engine.open_orders(new.account_id):
        if order.symbol == new.symbol and order.side is not new.side and _could_meet(new, order):
            more = {"existing_order_id": order.order_id, "reject_reason": "opposite side order exists"}
            raise ApiError(FORBIDDEN, "potential wash trade detected. use complex orders", more)


def check_funds(request: Request, new: NewOrder, *, freed: Decimal = ZERO) -> None:
    """``freed`` is what an order that is to be replaced holds: dollars of a buy, shares of a sell."""
    if new.side is Side.SELL:
        _check_shares(request, new, freed)
        return
    available, needed = dollars_of(request).available + freed, cost_basis(request, new)
    if needed > available:
        raise insufficient_buying_power(available, needed)


def cost_basis(request: Request, new: NewOrder) -> Decimal:
    """The dollars that Alpaca wants to see for a buy: for a market order some percent more than it costs now."""
    if new.quote_amount is not None:
        return new.quote_amount
    assert new.quantity is not None
    if new.kind is not OrderKind.MARKET:
        return new.quantity * (new.limit_price or ZERO)
    ask = request.exchange.engine.quote(new.symbol).ask
    return new.quantity * ask * (1 + collar(ask))


def insufficient_buying_power(available: Decimal, needed: Decimal) -> ApiError:
    more = {"buying_power": text(available), "cost_basis": text(needed.quantize(CENT))}
    return ApiError(FORBIDDEN, "insufficient buying power", more)


def _check_shares(request: Request, new: NewOrder, freed: Decimal) -> None:
    assert new.quantity is not None
    stock = new.symbol.partition("/")[0]
    balance = request.exchange.engine.balances(new.account_id).get(stock, Balance(ZERO, ZERO))
    available = balance.available + freed
    if new.quantity <= available:
        return
    related = [order.order_id for order in _open_sells(request, new.symbol)]
    more = {
        "symbol": stock,
        "existing_qty": text(balance.total),
        "available": text(available),
        "held_for_orders": text(balance.held),
        "related_orders": related,
    }
    asked = f"requested: {text(new.quantity)}, available: {text(available)}"
    raise ApiError(FORBIDDEN, f"insufficient qty available for order ({asked})", more)


def _open_sells(request: Request, symbol: str) -> list[Order]:
    orders = request.exchange.engine.open_orders(request.account_id)
    return [order for order in orders if order.symbol == symbol and order.side is Side.SELL]


def _could_meet(new: NewOrder, order: Order) -> bool:
    """Market orders and stops could meet anything; limits meet only if they cross."""
    kinds = {new.kind, order.kind}
    if kinds != {OrderKind.LIMIT}:
        return True
    assert new.limit_price is not None and order.limit_price is not None
    gap = order.limit_price - new.limit_price
    return gap <= 0 if new.side is Side.BUY else gap >= 0


def _closes_what_was_opened_today(request: Request, new: NewOrder) -> bool:
    """Shares are only ever held, never owed, so that only a sell can close what a buy of the same day opened."""
    if new.side is Side.BUY:
        return False
    today = new_york_date(request.now_ns)
    for trade in reversed(request.exchange.engine.trades(new.account_id)):
        if new_york_date(trade.time_ns) != today:
            return False
        if trade.symbol == new.symbol and trade.side is Side.BUY:
            return True
    return False

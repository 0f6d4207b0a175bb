"""What the close of a session does: orders for the day expire, and the day's sales are charged regulatory fees.

There is no commission on fills. The SEC takes a fraction of what is sold, FINRA a little for each share sold; both are
rounded up to cents and come as activities of kind FEE, once a day (rates of 2024).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import ROUND_CEILING, Decimal

from paper_exchange.alpaca.numbers import CENT
from paper_exchange.alpaca.order_terms import DAY, Terms
from paper_exchange.api_keys import Account
from paper_exchange.catalogue import STOCK_QUOTE, STOCK_VENUE
from paper_exchange.exchange import Exchange
from paper_exchange.orders import ZERO, Balance, Side, Trade
from paper_exchange.trading_calendar import new_york_date

STATE_NAME = "alpaca_session_end"
SEC_RATE = Decimal("0.0000278")
"""Dollars for each dollar of sales."""
TAF_A_SHARE, MOST_TAF_A_TRADE = Decimal("0.000166"), Decimal("8.30")


class SessionEnd:
    """Remembers, over a restart, how many of each account's trades have been charged."""

    def __init__(self, exchange: Exchange, saved: Mapping[str, int] | None = None) -> None:
        self._exchange = exchange
        self._charged = dict(saved or {})

    def close(self, now_ns: int) -> None:
        for account in self._exchange.registry:
            if account.brokerage == STOCK_VENUE:
                self._expire_day_orders(account, now_ns)
                self._charge(account, now_ns)

    def snapshot(self) -> dict[str, int]:
        return dict(self._charged)

    def _expire_day_orders(self, account: Account, now_ns: int) -> None:
        for order in self._exchange.engine.open_orders(account.account_id):
            if Terms.of(order.new).time_in_force == DAY:
                self._exchange.engine.expire(account.account_id, order.order_id, now_ns)

    def _charge(self, account: Account, now_ns: int) -> None:
        """What can't be paid now is charged at a later close."""
        trades = self._exchange.engine.trades(account.account_id)
        fees = regulatory_fees(trades[self._charged.get(account.account_id, 0) :])
        available = self._dollars(account).available
        if sum(fees.values(), ZERO) > available:
            return
        self._charged[account.account_id] = len(trades)
        day = new_york_date(now_ns).isoformat()
        for name, fee in fees.items():
            if fee:
                self._exchange.engine.charge(account.account_id, STOCK_QUOTE, fee, f"{name} fee for {day}", now_ns)

    def _dollars(self, account: Account) -> Balance:
        return self._exchange.engine.balances(account.account_id).get(STOCK_QUOTE, Balance(ZERO, ZERO))


def regulatory_fees(trades: Iterable[Trade]) -> dict[str, Decimal]:
    """Dollars by the fee's name, for the sales among the trades."""
    sales = [trade for trade in trades if trade.side is Side.SELL]
    proceeds = sum((trade.cost for trade in sales), ZERO)
    activity = sum((min(MOST_TAF_A_TRADE, trade.quantity * TAF_A_SHARE) for trade in sales), ZERO)
    return {"REG": _cents_up(proceeds * SEC_RATE), "TAF": _cents_up(activity)}


def _cents_up(amount: Decimal) -> Decimal:
    return amount.quantize(CENT, rounding=ROUND_CEILING)

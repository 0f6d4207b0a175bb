"""Changes to orders, each whole: state, hold, ledger, index and event together. It decides nothing about matching."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

from paper_exchange.accounts import Accounts, IdFactory, TradingAccount
from paper_exchange.catalogue import Catalogue
from paper_exchange.matching import full_hold, hold_asset, quote_unit, round_down, round_up
from paper_exchange.orders import (
    ZERO,
    Accepted,
    Amended,
    Amendment,
    Canceled,
    CloseReason,
    Event,
    Expired,
    Filled,
    NewOrder,
    Order,
    OrderStatus,
    Side,
    Trade,
    Triggered,
)
from paper_exchange.resting import RestingOrders

FIRST_TRADE_NUMBER = 1
BASE_FEE_UNIT = Decimal("0.00000001")
"""Fees in base are charged in units of 10^-8: the smallest lot step, so that they never split a balance's unit."""


class OrderDesk:
    def __init__(
        self, catalogue: Catalogue, accounts: Accounts, ids: IdFactory, usd_per_unit: Callable[[str], Decimal]
    ) -> None:
        """`usd_per_unit` gives the present price of a quote asset, for the 30-day volume."""
        self._catalogue = catalogue
        self._accounts = accounts
        self._ids = ids
        self._usd_per_unit = usd_per_unit
        self.orders: dict[str, Order] = {}
        self.trades: dict[str, Trade] = {}
        self.resting: defaultdict[str, RestingOrders] = defaultdict(RestingOrders)
        self.events: list[Event] = []
        self.sequence = 0
        self.trade_number = FIRST_TRADE_NUMBER

    def accept(
        self,
        new: NewOrder,
        status: OrderStatus,
        *,
        quantity: Decimal,
        rates: tuple[Decimal, Decimal],
        queue_ahead: Decimal,
        now_ns: int,
    ) -> Order:
        """A new order, not yet in the book. `rates` are the maker's and the taker's; `quantity` as in `Accepted`."""
        account = self._accounts[new.account_id]
        self.sequence += 1
        order = Order(
            order_id=self._ids.order_id(account.brokerage), new=new, sequence=self.sequence, opened_at_ns=now_ns,
            status=status, maker_rate=rates[0], taker_rate=rates[1], queue_ahead=queue_ahead,
            fee_in_base=account.rules.fee_in_base(new.side),
        )  # fmt: skip
        self.orders[order.order_id] = order
        account.live[order.order_id] = order
        self.events.append(Accepted(order=_copy(order), time_ns=now_ns, quantity=quantity))
        return order

    def hold(self, order: Order, price: Decimal) -> None:
        """Reserve what the whole order needs at `price`, on top of nothing."""
        listing = self._catalogue.original(order.symbol)
        self._set_reserved(order, full_hold(order.new, order.quantity or ZERO, price, order.rate_on_top, listing))

    def release(self, order: Order) -> None:
        self._set_reserved(order, ZERO)

    def _set_reserved(self, order: Order, amount: Decimal) -> None:
        asset = hold_asset(order.side, self._catalogue.original(order.symbol))
        self._accounts[order.account_id].hold(asset, amount - order.reserved)
        order.reserved = amount

    def readmit(self, order: Order) -> None:
        """Take a saved live order back, with its hold."""
        self.orders[order.order_id] = order
        reserved, order.reserved = order.reserved, ZERO
        self._set_reserved(order, reserved)
        self.rest(order)

    def rest(self, order: Order) -> None:
        self.resting[order.symbol].add(order)

    def trigger(self, order: Order, now_ns: int) -> None:
        self.resting[order.symbol].remove(order)
        order.status = OrderStatus.OPEN
        order.triggered_at_ns = now_ns
        self.events.append(Triggered(order=_copy(order), time_ns=now_ns))

    def hold_under(self, order: Order, new: NewOrder) -> Decimal:
        """What a resting order would reserve if its terms were `new` from now on."""
        price = new.limit_price or new.trigger_price
        assert new.quantity is not None and price is not None
        remaining = new.quantity - order.filled_quantity
        if order.side is Side.SELL:
            return remaining
        unit = quote_unit(self._catalogue.original(order.symbol))
        spent = order.exact_spent
        needed = round_up(spent + remaining * price * (1 + order.rate_on_top), unit)
        return needed - max(order.spent, round_down(spent, unit))

    def amend(self, order: Order, new: NewOrder, now_ns: int) -> None:
        """Give a live order new terms, and hold what they need; its place in the book is not touched."""
        if not order.amendments:
            order.amendments.append(_terms(order, None, order.quantity, order.opened_at_ns))
        reserved = self.hold_under(order, new) if order.reserved else ZERO
        order.new = new
        order.filled_before, order.spent_before = order.filled_quantity, order.exact_spent
        self._set_reserved(order, reserved)
        amend_id = self._ids.amend_id(self._accounts[order.account_id].brokerage)
        order.amendments.append(_terms(order, amend_id, order.remaining, now_ns))
        self.events.append(Amended(order=_copy(order), time_ns=now_ns))

    def leave_place(self, order: Order) -> None:
        """Take a live order out of the book, to `rest` or to be filled as the newest."""
        self.resting[order.symbol].remove(order)
        self.sequence += 1
        order.sequence = self.sequence

    def fill(self, order: Order, quantity: Decimal, price: Decimal, *, maker: bool, now_ns: int) -> Trade:
        """Book one fill; a completed order closes. Totals are rounded down over the order, so parts add up to them."""
        listing = self._catalogue.original(order.symbol)
        unit = quote_unit(listing)
        order.filled_quantity += quantity
        order.exact_cost += quantity * price
        received = quantity if order.fee_in_base else quantity * price
        order.exact_fee += received * (order.maker_rate if maker else order.taker_rate)
        cost = round_down(order.exact_cost, unit) - order.filled_cost
        fee = round_down(order.exact_fee, BASE_FEE_UNIT if order.fee_in_base else unit) - order.fee
        order.filled_cost += cost
        order.fee += fee
        self._shrink_hold(order)
        trade = self._record(order, quantity, price, cost, fee, maker, now_ns)
        self._accounts.settle(trade, listing.base, listing.quote)
        account = self._accounts[order.account_id]
        account.add_volume(cost * self._usd_per_unit(listing.quote), now_ns)
        if order.quantity is not None and order.remaining <= 0:
            self._finish(order, OrderStatus.FILLED, None, now_ns)
        self.events.append(Filled(order=_copy(order), time_ns=now_ns, trade=trade))
        return trade

    def _record(
        self, order: Order, quantity: Decimal, price: Decimal, cost: Decimal, fee: Decimal, maker: bool, now_ns: int
    ) -> Trade:
        brokerage = self._accounts[order.account_id].brokerage
        trade = Trade(
            trade_id=self._ids.trade_id(brokerage), trade_number=self.trade_number, order_id=order.order_id,
            account_id=order.account_id, symbol=order.symbol, side=order.side, quantity=quantity, price=price,
            cost=cost, fee=fee, maker=maker, time_ns=now_ns, fee_in_base=order.fee_in_base,
        )  # fmt: skip
        self.trade_number += 1
        self.trades[trade.trade_id] = trade
        order.trades.append(trade.trade_id)
        return trade

    def _shrink_hold(self, order: Order) -> None:
        """A hold falls by at least what a fill spends, so what is available never falls by a fill."""
        if not order.reserved:
            return
        if order.side is Side.SELL or order.remaining <= 0:
            self._set_reserved(order, order.remaining)
            return
        assert order.quantity is not None and order.limit_price is not None
        unit = quote_unit(self._catalogue.original(order.symbol))
        dearest = order.limit_price * (1 + order.rate_on_top)
        at_limit = order.spent_before + (order.filled_quantity - order.filled_before) * dearest
        gone = max(order.spent, round_down(at_limit, unit))
        hold = round_up(order.spent_before + (order.quantity - order.filled_before) * dearest, unit)
        self._set_reserved(order, hold - gone)

    def cancel(self, order: Order, reason: CloseReason, now_ns: int) -> None:
        self._finish(order, OrderStatus.CANCELED, reason, now_ns)
        self.events.append(Canceled(order=_copy(order), time_ns=now_ns))

    def expire(self, order: Order, now_ns: int) -> None:
        self._finish(order, OrderStatus.EXPIRED, CloseReason.EXPIRED, now_ns)
        self.events.append(Expired(order=_copy(order), time_ns=now_ns))

    def complete(self, order: Order, now_ns: int) -> None:
        """A market order by notional has spent its amount."""
        self._finish(order, OrderStatus.FILLED, None, now_ns)
        last = self.events[-1]
        assert isinstance(last, Filled) and last.order.order_id == order.order_id
        self.events[-1] = replace(last, order=_copy(order))

    def _finish(self, order: Order, status: OrderStatus, reason: CloseReason | None, now_ns: int) -> None:
        self.release(order)
        if self._rests(order):
            self.resting[order.symbol].remove(order)
        order.status = status
        order.closed_at_ns = now_ns
        order.close_reason = reason.value if reason is not None else None
        account: TradingAccount = self._accounts[order.account_id]
        del account.live[order.order_id]
        account.closed.append(order)

    def _rests(self, order: Order) -> bool:
        book = self.resting[order.symbol]
        return order in (book.pending if order.status is OrderStatus.PENDING else book.open(order.side))


def _copy(order: Order) -> Order:
    """As it stands; there are several for every order, so it is made without the constructor's work."""
    twin = Order.__new__(Order)
    twin.__dict__.update(order.__dict__)
    twin.trades, twin.amendments = [*order.trades], [*order.amendments]
    return twin


def _terms(order: Order, amend_id: str | None, remaining: Decimal | None, time_ns: int) -> Amendment:
    assert order.quantity is not None and remaining is not None
    return Amendment(
        amend_id=amend_id, time_ns=time_ns, quantity=order.quantity, remaining=remaining,
        limit_price=order.limit_price, trigger_price=order.trigger_price,
    )  # fmt: skip

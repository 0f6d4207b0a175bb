"""The matching engine: orders in, trades, balances and events out. Pure: no sockets, no clock, no randomness.

Rules. Stops trigger on the last price. An incoming order takes the best price first, and at one price whoever came
first, generated liquidity and accounts' orders alike. A resting order fills when the generated quote crosses it (at its
own price, as far as the quote's quantity goes) or when the tape prints through it, at its price only after what stood
before it. Liquidity that was taken is back in the next second. Fees are in quote, at the rates that held when the order
was accepted; at some venues a buy's are in base (`venue_rules`). While the exchange is down nothing matches, nor while
a market with sessions is closed: an order that comes then waits for the opening, and what rests stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Context, Decimal, localcontext
from functools import wraps
from heapq import merge
from typing import Concatenate, ParamSpec, TypeVar

from paper_exchange.accounts import Accounts, IdFactory, TradingAccount
from paper_exchange.amending import amended_terms, leaves_nothing, loses_place
from paper_exchange.catalogue import Catalogue, Listing, TradingMode
from paper_exchange.engine_state import engine_from_json, engine_to_json
from paper_exchange.market import Quote, Tick
from paper_exchange.matching import Plan, full_hold, hold_asset, make_plan, price_allows
from paper_exchange.order_desk import OrderDesk
from paper_exchange.order_rules import check_order
from paper_exchange.orders import (
    TRIGGERED_KINDS,
    ZERO,
    AmendRequest,
    Balance,
    CloseReason,
    Event,
    LedgerEntry,
    Movement,
    NewOrder,
    Order,
    OrderAlreadyClosed,
    OrderKind,
    OrderStatus,
    Refusal,
    RefusalCode,
    Side,
    TimeInForce,
    Trade,
    UnknownOrder,
)
from paper_exchange.resting import Offer, is_triggered, offers
from paper_exchange.traded_market import TradedMarket
from paper_exchange.venue_rules import VenueRules

EXACT = Context(prec=60)  # products of the largest prices, quantities and rates fit without rounding
MATCHING_MODES = frozenset({TradingMode.ONLINE, TradingMode.POST_ONLY, TradingMode.LIMIT_ONLY})
IMMEDIATE = frozenset({TimeInForce.IOC, TimeInForce.FOK})
MARKET_KINDS = frozenset({OrderKind.MARKET, OrderKind.STOP_LOSS, OrderKind.TAKE_PROFIT})
Levels = list[tuple[Decimal, Decimal]]
P = ParamSpec("P")
R = TypeVar("R")

__all__ = ["Engine", "IdFactory"]


def exactly(method: Callable[Concatenate[Engine, P], R]) -> Callable[Concatenate[Engine, P], R]:
    """Run with a precision at which sums and products of amounts are exact, whatever the caller's context is."""

    @wraps(method)
    def run(self: Engine, /, *args: P.args, **kwargs: P.kwargs) -> R:
        with localcontext(EXACT):
            return method(self, *args, **kwargs)

    return run


@dataclass(frozen=True)
class Prepared:
    """A checked order: nothing has changed yet, and nothing that follows can be refused."""

    new: NewOrder
    listing: Listing
    plan: Plan
    rates: tuple[Decimal, Decimal]
    hold_price: Decimal | None
    close_at_once: CloseReason | None = None


class Engine:
    def __init__(self, catalogue: Catalogue, market: TradedMarket, *, ids: IdFactory) -> None:
        self._catalogue = catalogue
        self._market = market
        self._accounts = Accounts(ids)
        self._desk = OrderDesk(catalogue, self._accounts, ids, self._usd_per_unit)
        self._views: dict[str, Catalogue] = {}
        self._processed_ns = market.now_ns

    # Accounts.

    @exactly
    def open_account(
        self,
        account_id: str,
        brokerage: str,
        balances: Mapping[str, Decimal],
        tier: str | None = None,
        *,
        now_ns: int = 0,
        rules: VenueRules | None = None,
    ) -> None:
        """Open an account with deposits of `balances`; `rules` stand in for those of its brokerage.

        Raises `ValueError` when it exists or an amount is no amount.
        """
        for asset, amount in balances.items():
            self._check_amount(asset, amount)
        self._accounts.open(account_id, brokerage, tier, rules)
        for asset, amount in balances.items():
            self._accounts.transfer(account_id, asset, amount, now_ns or self._processed_ns)

    @exactly
    def deposit(self, account_id: str, asset: str, amount: Decimal, now_ns: int) -> LedgerEntry:
        """Raises `UnknownAccount`, or `ValueError` for an unknown asset or an amount that is none."""
        self._check_amount(asset, amount)
        return self._accounts.transfer(account_id, asset, amount, now_ns)

    @exactly
    def withdraw(self, account_id: str, asset: str, amount: Decimal, now_ns: int) -> LedgerEntry:
        """As `deposit`; raises `Refusal` (INSUFFICIENT_FUNDS) for more than is available."""
        self._check_amount(asset, amount)
        return self._accounts.transfer(account_id, asset, -amount, now_ns)

    @exactly
    def charge(self, account_id: str, asset: str, amount: Decimal, reference: str, now_ns: int) -> LedgerEntry:
        """Take a fee that no fill has; `reference` says what for. Raises as `withdraw`."""
        self._check_amount(asset, amount)
        return self._accounts.charge(account_id, asset, amount, reference, now_ns)

    @exactly
    def move(self, account_id: str, movements: Sequence[Movement], reference: str, now_ns: int) -> list[LedgerEntry]:
        """Book what moves without an order, all of it or nothing. Raises as `withdraw`."""
        for one in movements:
            self._check_amount(one.asset, abs(one.amount))
            self._check_amount(one.asset, one.fee)
        return self._accounts.move(account_id, movements, reference, now_ns)

    def _check_amount(self, asset: str, amount: Decimal) -> None:
        known = self._catalogue.assets().get(asset)
        if known is None:
            raise ValueError(f"there is no asset {asset!r}")
        if not amount.is_finite() or not 0 <= amount < Decimal(10) ** 18:
            raise ValueError(f"{amount} {asset} is not an amount")
        if amount % Decimal(1).scaleb(-known.decimals):
            raise ValueError(f"{asset} has {known.decimals} decimals, {amount} has more")

    def balances(self, account_id: str) -> dict[str, Balance]:
        """Every asset the account has ever held."""
        account = self._accounts[account_id]
        return {asset: account.balance(asset) for asset in account.totals}

    def balance(self, account_id: str, asset: str) -> Balance:
        """One asset; zero for one that the account never held."""
        return self._accounts[account_id].balance(asset)

    def fee_rates(self, account_id: str, symbol: str) -> tuple[Decimal, Decimal]:
        """Maker and taker fee as fractions of the cost, by the account's 30-day volume; the same for all symbols."""
        account = self._accounts[account_id]
        tier = account.rules.fee_tier(account.volume_30_days(self._market.now_ns))
        return tier.maker, tier.taker

    def volume_30_days(self, account_id: str, now_ns: int) -> Decimal:
        """USD traded in the 30 days before `now_ns`."""
        return self._accounts[account_id].volume_30_days(now_ns)

    def house_balances(self) -> dict[str, tuple[Decimal, Decimal, Decimal]]:
        """Per asset (clearing, fees, outside): accounts + clearing + fees = outside, the deposits less withdrawals."""
        books = (self._accounts.clearing, self._accounts.fees, self._accounts.outside)
        assets = sorted({asset for book in books for asset in book})
        return {asset: (books[0][asset], books[1][asset], books[2][asset]) for asset in assets}

    # Reading orders.

    def order(self, order_id: str) -> Order:
        """Raises `UnknownOrder`."""
        try:
            return self._desk.orders[order_id]
        except KeyError:
            raise UnknownOrder(order_id) from None

    def open_orders(self, account_id: str) -> list[Order]:
        """Resting orders and waiting stops, oldest first."""
        return list(self._accounts[account_id].live.values())

    def closed_orders(self, account_id: str) -> list[Order]:
        """In the order in which they closed."""
        return list(self._accounts[account_id].closed)

    def trades(self, account_id: str) -> list[Trade]:
        """Oldest first."""
        return list(self._accounts[account_id].trades)

    def trade(self, trade_id: str) -> Trade:
        """Raises `KeyError`."""
        return self._desk.trades[trade_id]

    def ledger(self, account_id: str) -> list[LedgerEntry]:
        """Oldest first."""
        return list(self._accounts[account_id].entries)

    def ledger_since(self, account_id: str, count: int) -> list[LedgerEntry]:
        """All but the oldest ``count`` entries, oldest first."""
        return self._accounts[account_id].entries[count:]

    def drain_events(self) -> list[Event]:
        """What happened since the last call, in order."""
        events, self._desk.events = self._desk.events, []
        return events

    # The public book.

    def book(self, symbol: str, depth: int) -> tuple[Levels, Levels]:
        """The best `depth` (price, quantity) levels, generated liquidity and accounts' orders together: bids, asks."""
        bids, asks = (self._levels(symbol, side, depth) for side in Side)
        return bids, asks

    def quote(self, symbol: str) -> Quote:
        """Best bid and ask over generated liquidity and accounts' orders. Raises `UnknownSymbol`."""
        quote = self._market.quote(symbol)
        if symbol not in self._desk.resting or not self._desk.resting[symbol]:
            return quote
        bid, bid_quantity = next(iter(self._levels(symbol, Side.BUY, 1)), (quote.bid, ZERO))
        ask, ask_quantity = next(iter(self._levels(symbol, Side.SELL, 1)), (quote.ask, ZERO))
        return Quote(symbol, bid, bid_quantity, ask, ask_quantity, quote.last, quote.last_quantity, quote.time_ns)

    def _levels(self, symbol: str, side: Side, depth: int) -> Levels:
        levels: Levels = []
        for offer in self._offers(symbol, side):
            if levels and levels[-1][0] == offer.price:
                levels[-1] = (offer.price, levels[-1][1] + offer.quantity)
            elif len(levels) == depth:
                break
            else:
                levels.append((offer.price, offer.quantity))
        return levels

    def _offers(self, symbol: str, side: Side) -> Iterator[Offer]:
        return offers(self._market.offers(symbol, side), self._desk.resting[symbol].open(side), side)

    # Placing and canceling.

    @exactly
    def validate(self, new: NewOrder, now_ns: int) -> None:
        """Raises `Refusal` when `place` would."""
        self.advance(now_ns)
        self._prepare(new)

    @exactly
    def place(self, new: NewOrder, now_ns: int) -> Order:
        """Accept and match at once. Raises `Refusal`, and then nothing has changed."""
        self.advance(now_ns)
        prepared = self._prepare(new)
        now_ns = self._processed_ns
        waits = new.kind in TRIGGERED_KINDS or self._market.is_closed(new.symbol)
        status = OrderStatus.PENDING if waits else OrderStatus.OPEN
        order = self._desk.accept(
            new, status, quantity=prepared.plan.quantity if new.quantity is None else new.quantity,
            rates=prepared.rates, queue_ahead=self._queue_ahead(new), now_ns=now_ns,
        )  # fmt: skip
        if prepared.close_at_once is not None:
            self._desk.cancel(order, prepared.close_at_once, now_ns)
            return order
        if prepared.hold_price is not None:
            self._desk.hold(order, prepared.hold_price)
        if not waits:
            self._execute(order, prepared.plan, now_ns)
            return order
        if new.kind in TRIGGERED_KINDS and is_triggered(order, self._market.last(new.symbol)):
            self._desk.cancel(order, CloseReason.WOULD_TRIGGER_AT_ONCE, now_ns)
        else:
            self._desk.rest(order)
        return order

    @exactly
    def cancel(
        self, account_id: str, order_id: str, now_ns: int, reason: CloseReason = CloseReason.USER_REQUESTED
    ) -> Order:
        """Raises `UnknownOrder` (also for another account's) or `OrderAlreadyClosed`."""
        self.advance(now_ns)
        order = self._live(account_id, order_id)
        self._desk.cancel(order, reason, self._processed_ns)
        return order

    @exactly
    def expire(self, account_id: str, order_id: str, now_ns: int) -> Order:
        """End a live order whose time is over, as at the close of a session; raises as `cancel`."""
        self.advance(now_ns)
        order = self._live(account_id, order_id)
        self._desk.expire(order, self._processed_ns)
        return order

    @exactly
    def amend(self, account_id: str, order_id: str, change: AmendRequest, now_ns: int) -> Order:
        """Change a live order in place; it may trade at once. Raises as `cancel`, or `Refusal`, and nothing changed."""
        self.advance(now_ns)
        now_ns = self._processed_ns
        order = self._live(account_id, order_id)
        new = amended_terms(order, change, now_ns)
        if leaves_nothing(order, new):
            self._desk.amend(order, new, now_ns)
            self._desk.cancel(order, CloseReason.USER_REQUESTED, now_ns)
            return order
        plan = self._prepare_amended(order, new, change)
        if not loses_place(order, new):
            self._desk.amend(order, new, now_ns)
            return order
        self._desk.leave_place(order)
        self._desk.amend(order, new, now_ns)
        order.queue_ahead = self._queue_ahead(new)
        if order.status is OrderStatus.PENDING:
            self._desk.rest(order)
        else:
            self._execute(order, plan, now_ns)
        return order

    def _live(self, account_id: str, order_id: str) -> Order:
        order = self.order(order_id)
        if order.account_id != account_id:
            raise UnknownOrder(order_id)
        if not order.is_live:
            raise OrderAlreadyClosed(order)
        return order

    def _prepare_amended(self, order: Order, new: NewOrder, change: AmendRequest) -> Plan:
        """What the order would take at once under terms that leave something of it. Raises `Refusal`."""
        listing = self._catalogue.listing(order.symbol)
        last = self._market.last(order.symbol) if listing.trades else listing.reference_price
        check_order(replace(new, deadline_ns=change.deadline_ns), listing, last, self._processed_ns)
        account = self._accounts[order.account_id]
        asset = hold_asset(order.side, listing)
        if order.reserved and self._desk.hold_under(order, new) > account.balance(asset).available + order.reserved:
            raise Refusal(RefusalCode.INSUFFICIENT_FUNDS, f"not enough {asset} is available")
        if order.status is OrderStatus.PENDING:
            if new.trigger_price is not None and is_triggered(replace(order, new=new), last):
                raise Refusal(RefusalCode.STOP_WOULD_TRIGGER, f"the last price is {last:f} already")
            return Plan((), meets_own_order=False)
        assert new.quantity is not None
        plan = self._plan(new, new.quantity - order.filled_quantity, order.taker_rate, listing)
        if (new.post_only or change.post_only) and (plan.fills or plan.meets_own_order):
            raise Refusal(RefusalCode.POST_ONLY_WOULD_CROSS, "the order would take liquidity")
        return plan

    def _prepare(self, new: NewOrder) -> Prepared:
        account = self._accounts[new.account_id]
        if new.symbol not in self._view(account.brokerage):
            raise Refusal(RefusalCode.UNKNOWN_SYMBOL, f"{new.symbol} is not listed")
        listing = self._catalogue.listing(new.symbol)
        last = self._market.last(new.symbol) if listing.trades else listing.reference_price
        check_order(new, listing, last, self._processed_ns)
        live = sum(1 for order in account.live.values() if order.symbol == new.symbol)
        if live >= account.rules.open_orders_per_symbol:
            raise Refusal(RefusalCode.TOO_MANY_OPEN_ORDERS, f"{live} orders are open in {new.symbol}")
        rates = self.fee_rates(new.account_id, new.symbol)
        if new.kind in TRIGGERED_KINDS:
            return self._prepare_stop(new, account, listing, rates, last)
        if self._market.is_closed(new.symbol):
            return self._prepare_waiting(new, account, listing, rates, last)
        plan = self._plan(new, new.quantity, rates[1], listing)
        crosses = new.post_only and bool(plan.fills or plan.meets_own_order)
        if crosses and not account.rules.closes_crossing_post_only:
            raise Refusal(RefusalCode.POST_ONLY_WOULD_CROSS, "the order would take liquidity")
        if new.kind is OrderKind.MARKET and not plan.fills and not plan.meets_own_order:
            raise Refusal(RefusalCode.NO_LIQUIDITY, f"nothing is offered in {new.symbol} for this order")
        if not self._affords(account, new, plan, rates[1], listing):
            raise Refusal(RefusalCode.INSUFFICIENT_FUNDS, f"not enough {hold_asset(new.side, listing)} is available")
        return Prepared(new, listing, plan, rates, new.limit_price, CloseReason.POST_ONLY if crosses else None)

    def _prepare_stop(
        self, new: NewOrder, account: TradingAccount, listing: Listing, rates: tuple[Decimal, Decimal], last: Decimal
    ) -> Prepared:
        nothing = Plan((), meets_own_order=False)
        if account.rules.refuses_stops_that_trigger_at_once and self._would_trigger(new, rates, last):
            raise Refusal(RefusalCode.STOP_WOULD_TRIGGER, f"the last price is {last:f} already")
        if not account.rules.stops_hold:
            return Prepared(new, listing, nothing, rates, None)
        price = new.limit_price or new.trigger_price
        assert price is not None and new.quantity is not None
        needed = full_hold(new, new.quantity, price, account.rules.rate_on_top(new.side, rates[1]), listing)
        if needed > account.balance(hold_asset(new.side, listing)).available:
            raise Refusal(RefusalCode.INSUFFICIENT_FUNDS, f"not enough {hold_asset(new.side, listing)} is available")
        return Prepared(new, listing, nothing, rates, price)

    def _prepare_waiting(
        self, new: NewOrder, account: TradingAccount, listing: Listing, rates: tuple[Decimal, Decimal], last: Decimal
    ) -> Prepared:
        """An order that waits for the opening holds what it will need, as well as that can be known before."""
        price = new.limit_price or last * (1 + account.rules.opening_margin)
        needed = full_hold(new, new.quantity or ZERO, price, account.rules.rate_on_top(new.side, rates[1]), listing)
        if needed > account.balance(hold_asset(new.side, listing)).available:
            raise Refusal(RefusalCode.INSUFFICIENT_FUNDS, f"not enough {hold_asset(new.side, listing)} is available")
        quantity = (new.quote_amount / price).quantize(listing.lot_step) if new.quote_amount is not None else ZERO
        expected = (Offer(price, quantity, None),) if quantity else ()
        return Prepared(new, listing, Plan(expected, meets_own_order=False), rates, price)

    def _would_trigger(self, new: NewOrder, rates: tuple[Decimal, Decimal], last: Decimal) -> bool:
        trial = Order(
            order_id="", new=new, sequence=0, opened_at_ns=0, status=OrderStatus.PENDING,
            maker_rate=rates[0], taker_rate=rates[1],
        )  # fmt: skip
        return is_triggered(trial, last)

    def _view(self, brokerage: str) -> Catalogue:
        return self._views.get(brokerage) or self._views.setdefault(brokerage, self._catalogue.for_brokerage(brokerage))

    def _plan(self, new: NewOrder, remaining: Decimal | None, taker_rate: Decimal, listing: Listing) -> Plan:
        budget = new.quote_amount or ZERO
        if new.quote_includes_fee:
            budget /= 1 + taker_rate
        plan = make_plan(new, remaining, self._offers(new.symbol, new.side.opposite), budget, listing.lot_step)
        if new.time_in_force is TimeInForce.FOK and plan.quantity != remaining:
            return Plan((), plan.meets_own_order)
        return plan

    def _affords(
        self, account: TradingAccount, new: NewOrder, plan: Plan, taker_rate: Decimal, listing: Listing
    ) -> bool:
        available = account.balance(hold_asset(new.side, listing)).available
        rate_on_top = account.rules.rate_on_top(new.side, taker_rate)
        if new.side is Side.SELL:
            return (plan.quantity if new.quantity is None else new.quantity) <= available
        if new.limit_price is not None:
            assert new.quantity is not None
            return full_hold(new, new.quantity, new.limit_price, rate_on_top, listing) <= available
        return plan.cost * (1 + rate_on_top) <= available

    def _queue_ahead(self, new: NewOrder) -> Decimal:
        """The generated quantity that already stands at a new order's price, which only matters if it can rest."""
        if new.limit_price is None or new.time_in_force in IMMEDIATE:
            return ZERO
        return self._market.offered_at(new.symbol, new.side, new.limit_price)

    def _execute(self, order: Order, plan: Plan, now_ns: int) -> None:
        """Carry a plan out, then rest or end what is left of the order."""
        for offer in plan.fills:
            self._take(order.symbol, order.side.opposite, offer, now_ns)
            self._desk.fill(order, offer.quantity, offer.price, maker=False, now_ns=now_ns)
        if not order.is_live:
            return
        if plan.meets_own_order:
            # The newest order gives way, so that an account never trades with itself.
            self._desk.cancel(order, CloseReason.SELF_TRADE, now_ns)
        elif order.quote_amount is not None and plan.fills:
            self._desk.complete(order, now_ns)
        elif order.kind in MARKET_KINDS:
            self._desk.cancel(order, CloseReason.NO_LIQUIDITY, now_ns)
        elif order.time_in_force in IMMEDIATE:
            fok = order.time_in_force is TimeInForce.FOK
            self._desk.cancel(order, CloseReason.FILL_OR_KILL if fok else CloseReason.NOT_FILLED_AT_ONCE, now_ns)
        else:
            self._desk.rest(order)

    def _take(self, symbol: str, side: Side, offer: Offer, now_ns: int) -> None:
        if offer.order is not None:
            self._desk.fill(offer.order, offer.quantity, offer.price, maker=True, now_ns=now_ns)
            return
        self._market.take(symbol, side, offer.price, offer.quantity)
        self._desk.resting[symbol].taken_from_queue(side, offer.price, offer.quantity)

    # Time.

    def advance(self, now_ns: int) -> None:
        """Move the market on; trigger stops, fill resting orders, expire those whose time is over, second by second."""
        if now_ns > self._processed_ns or self._market.now_ns != self._processed_ns:
            self._move_on(now_ns)

    @exactly
    def _move_on(self, now_ns: int) -> None:
        now_ns = max(now_ns, self._market.now_ns)
        resting = [symbol for symbol, orders in self._desk.resting.items() if orders]
        # In a closed market nothing happens but that time runs out, however long it is closed.
        busy = [symbol for symbol in resting if not self._market.is_closed(symbol)]
        streams = (self._ticks(symbol, now_ns) for symbol in busy)
        for tick, symbol in merge(*streams, key=lambda item: item[0].time_ns):
            self._market.advance(tick.time_ns)
            self._processed_ns = tick.time_ns
            self._expire(symbol, tick.time_ns)
            if self._catalogue.listing(symbol).mode in MATCHING_MODES:
                self._trigger_stops(symbol, tick)
                for side in Side:
                    self._fill_resting(symbol, side, tick)
        self._market.advance(now_ns)
        self._processed_ns = now_ns
        for symbol in resting:
            self._expire(symbol, now_ns)

    def _ticks(self, symbol: str, now_ns: int) -> Iterator[tuple[Tick, str]]:
        return ((tick, symbol) for tick in self._market.ticks_between(symbol, self._processed_ns, now_ns))

    def _expire(self, symbol: str, now_ns: int) -> None:
        orders = self._desk.resting[symbol]
        for order in [*orders.pending, *orders.open(Side.BUY), *orders.open(Side.SELL)]:
            if order.expires_at_ns is not None and order.expires_at_ns <= now_ns:
                self._desk.expire(order, order.expires_at_ns)

    def _trigger_stops(self, symbol: str, tick: Tick) -> None:
        for order in self._desk.resting[symbol].triggered_at(tick.last):
            self._desk.trigger(order, tick.time_ns)
            self._activate(order, tick.time_ns)

    def _activate(self, order: Order, now_ns: int) -> None:
        """A triggered stop becomes a market or limit order; only now does it need funds where stops hold none.

        So does an order that has waited for the opening.
        """
        account = self._accounts[order.account_id]
        listing = self._catalogue.listing(order.symbol)
        self._desk.release(order)
        remaining = order.remaining if order.quantity is not None else None
        plan = self._plan(order.new, remaining, order.taker_rate, listing)
        if not self._affords(account, order.new, plan, order.taker_rate, listing):
            self._desk.cancel(order, CloseReason.INSUFFICIENT_FUNDS, now_ns)
            return
        if order.limit_price is not None:
            self._desk.hold(order, order.limit_price)
            order.queue_ahead = self._queue_ahead(order.new)
        self._execute(order, plan, now_ns)

    def _fill_resting(self, symbol: str, side: Side, tick: Tick) -> None:
        """Fill what rests on `side` from the generated market of one second, best price and earliest first."""
        printed = tick.quantity if tick.taker is side.opposite else ZERO
        for order in self._desk.resting[symbol].open(side):
            assert order.limit_price is not None
            if price_allows(order.new, tick.ask if side is Side.BUY else tick.bid):
                self._fill_from_quote(order, tick.time_ns)
            elif printed and price_allows(order.new, tick.last):
                printed = self._fill_from_print(order, tick, printed)
            else:
                break

    def _fill_from_quote(self, order: Order, now_ns: int) -> None:
        """The generated quote has come to cross the order: it trades at its own price, as the maker it is."""
        generated = self._market.offers(order.symbol, order.side.opposite)
        for price, quantity in generated:
            if not order.is_live or not price_allows(order.new, price):
                return
            assert order.limit_price is not None
            size = min(quantity, order.remaining)
            self._market.take(order.symbol, order.side.opposite, price, size)
            self._desk.fill(order, size, order.limit_price, maker=True, now_ns=now_ns)

    def _fill_from_print(self, order: Order, tick: Tick, printed: Decimal) -> Decimal:
        """Somebody's order came through the order's price; gives what is left of it for the next in line."""
        assert order.limit_price is not None
        if tick.last == order.limit_price:
            served = min(printed, order.queue_ahead)
            order.queue_ahead -= served
            printed -= served
        size = min(printed, order.remaining)
        if size:
            self._desk.fill(order, size, order.limit_price, maker=True, now_ns=tick.time_ns)
        return printed - size

    def _usd_per_unit(self, asset: str) -> Decimal:
        symbol = f"{asset}/USD"
        if asset != "USD" and symbol in self._catalogue and self._catalogue.listing(symbol).trades:
            return self._market.last(symbol)
        return self._catalogue.asset(asset).reference_usd

    # Keeping.

    def snapshot(self, *, history: bool = True) -> dict[str, object]:
        """All accounts, orders and trades, JSON-able, amounts as text. Events not drained yet are not in it.

        Without `history`, closed orders, trades and ledger entries are left empty: they never change once written.
        """
        return engine_to_json(self._accounts, self._desk, history=history)

    def restore(self, state: Mapping[str, object], now_ns: int) -> None:
        """Into a new engine; matching goes on from `now_ns`. Raises `ValueError` with a sentence for an odd state."""
        engine_from_json(state, self._accounts, self._desk)
        self._market.advance(now_ns)
        self._processed_ns = max(now_ns, self._market.now_ns)

"""Orders, trades and balances of one account as its private stream shows them.

It answers only what it knows completely: an order whose trades add up to what it has filled, balances while nothing is
missing. Anything else, and every "there is no such order", is a question for the readings.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal

from bot.domain.balance import AssetBalance, Holdings
from bot.domain.fill import Fill
from bot.domain.order import Side, VenueOrder, VenueOrderStatus
from bot.domain.symbol import base_of, quote_of
from bot.seams.clock import Clock

# Ended orders that are remembered, and trades by which a second telling is known.
ORDERS_KEPT = 64
TRADES_KEPT = 500
# Orders whose trades nobody takes, because the account's thread hangs: past that they are left to its history.
MOST_ORDERS = 1000
LEGS_KEPT = 50
# A trade's money that the balances have not shown after so long is in them already, under another name.
LEG_SECONDS = 10.0
# Balances that nothing has changed are dated anew this often.
RENEW_SECONDS = 1.0
ZERO = Decimal(0)


@dataclass(frozen=True, kw_only=True)
class OrderEvent:
    """One thing that happened to an order. None = not said; the end of an order may carry little but its id."""

    venue_order_id: str
    status: VenueOrderStatus | None = None
    client_order_id: str | None = None
    symbol: str | None = None
    side: Side | None = None
    quantity: Decimal | None = None
    limit_price: Decimal | None = None
    filled_quantity: Decimal | None = None
    average_price: Decimal | None = None
    opened_at: datetime | None = None
    reason: str | None = None
    fill: Fill | None = None


@dataclass
class _Order:
    said: OrderEvent
    fills: dict[str, Fill] = field(default_factory=dict)
    untold: list[Fill] = field(default_factory=list)
    untold_since: float = 0.0

    @property
    def filled(self) -> Decimal:
        return self.said.filled_quantity or ZERO

    @property
    def status(self) -> VenueOrderStatus:
        if self.said.quantity is not None and self.filled >= self.said.quantity > ZERO:
            return VenueOrderStatus.FILLED
        return self.said.status or VenueOrderStatus.PENDING

    @property
    def adds_up(self) -> bool:
        return sum((fill.quantity for fill in self.fills.values()), ZERO) == self.filled

    def merge(self, event: OrderEvent) -> None:
        """What is said replaces what was; what is not said stays. An end stays the end, and fills only grow."""
        changes = {name: value for name, value in vars(event).items() if value is not None and name != "fill"}
        if self.status.ended:
            changes.pop("status", None)
        if event.filled_quantity is not None:
            changes["filled_quantity"] = max(event.filled_quantity, self.filled)
        if self.said.opened_at is not None:
            changes.pop("opened_at", None)
        self.said = replace(self.said, **changes)


class AccountView:
    """The loop writes, any thread reads. `heard` says whether the stream has said something lately.

    `gather_seconds`: the trades of an order that goes on are told together after so long, an ended one's at once.
    """

    def __init__(self, clock: Clock, *, heard: Callable[[], bool], gather_seconds: float = 0.5) -> None:
        self._clock = clock
        self._heard = heard
        self._gather_seconds = gather_seconds
        self._mutex = threading.Lock()
        self._orders: OrderedDict[str, _Order] = OrderedDict()
        self._trades: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._totals: dict[str, Decimal] = {}
        # What trades have spent and the balances do not show yet, and what they have shown before the trade was told.
        self._legs: dict[tuple[str, str], tuple[Decimal, float]] = {}
        self._shown_legs: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._waiting: dict[str, threading.Event] = {}
        # What `holdings` has made of it all, until something changes.
        self._made: Holdings | None = None
        self._made_at = 0.0
        self._orders_known = self._balances_known = False
        self.gapless_since: datetime | None = None

    # -- asking -----------------------------------------------------------------------------------------------------
    @property
    def live(self) -> bool:
        """Whether orders and balances are those of now: nothing is missing, and the stream was heard lately."""
        return self._orders_known and self._balances_known and self._heard()

    def order(self, venue_order_id: str) -> VenueOrder | None:
        """The order, if it is known with all its trades while the stream is live; None proves nothing."""
        if not self.live:
            return None
        with self._mutex:
            order = self._orders.get(venue_order_id)
            return None if order is None else _shown(order)

    def order_by_client_id(self, client_order_id: str) -> VenueOrder | None:
        """As `order`, by our id."""
        if not self.live:
            return None
        with self._mutex:
            found = [each for each in self._orders.values() if each.said.client_order_id == client_order_id]
            # An id is unique among open orders only: of two, neither is said to be the one.
            return _shown(found[0]) if len(found) == 1 else None

    def fills_of(self, venue_order_id: str) -> Sequence[Fill] | None:
        """All trades of an order that `order` shows, oldest first."""
        if not self.live:
            return None
        with self._mutex:
            order = self._orders.get(venue_order_id)
            return None if order is None or _shown(order) is None else _sorted(order.fills.values())

    def await_end(self, venue_order_id: str, seconds: float) -> None:
        """Wait until the order has ended and is known completely, at most so long."""
        ended = threading.Event()
        with self._mutex:
            order = self._orders.get(venue_order_id)
            if order is not None and order.status.ended and order.adds_up:
                return
            self._waiting[venue_order_id] = ended
        try:
            self._clock.wait(ended, seconds)
        finally:
            with self._mutex:
                self._waiting.pop(venue_order_id, None)

    def holdings(self) -> Holdings | None:
        """Balances now: totals less what open orders hold, and less what is spent and not in the totals yet.

        None while they are not known, also when nobody can tell how much an open order holds.
        """
        if not self.live:
            return None
        now = self._clock.monotonic()
        with self._mutex:
            if self._made is None or (self._legs and now - self._made_at >= RENEW_SECONDS):
                self._made = self._make_holdings()
                self._made_at = now
            elif now - self._made_at >= RENEW_SECONDS:
                # Still true: only the moment is another one.
                self._made, self._made_at = Holdings(self._made.assets, self._clock.now()), now
            return self._made

    def _make_holdings(self) -> Holdings | None:
        held = self._held()
        if held is None:
            return None
        for asset, amount in self._spent():
            held[asset] = held.get(asset, ZERO) + amount
        assets = {asset: _balance(total, held.get(asset, ZERO)) for asset, total in self._totals.items()}
        return Holdings(assets, self._clock.now())

    def take_fills(self) -> Sequence[Fill]:
        """New trades that are ripe, oldest first, each given out once."""
        now, taken = self._clock.monotonic(), []
        with self._mutex:
            for order in self._orders.values():
                if order.untold and self._is_ripe(order, now):
                    taken += order.untold
                    order.untold = []
            self._forget_old()
        return _sorted(taken)

    def ripe_in(self) -> float | None:
        """In how many seconds there are trades to take; None = there are none."""
        now = self._clock.monotonic()
        with self._mutex:
            waits = [
                0.0 if self._is_ripe(order, now) else order.untold_since + self._gather_seconds - now
                for order in self._orders.values()
                if order.untold
            ]
        return min(waits, default=None)

    # -- hearing ----------------------------------------------------------------------------------------------------
    def orders_lost(self) -> None:
        """Something is missing: until the next snapshot no order is known."""
        self._orders_known = False
        self.gapless_since = None

    def balances_lost(self) -> None:
        """As `orders_lost`, for the balances."""
        self._balances_known = False

    def show_orders(self, events: Iterable[OrderEvent]) -> None:
        """A snapshot: every open order, and the latest trades. What became of the others meanwhile is not known."""
        with self._mutex:
            self._made = None
            for key in [key for key, order in self._orders.items() if not order.untold]:
                del self._orders[key]
            for key, order in self._orders.items():
                self._orders[key] = _Order(OrderEvent(venue_order_id=key), {}, order.untold, order.untold_since)
            for event in events:
                self._merge(event)
            self.gapless_since = self._clock.now()
            self._orders_known = True

    def happened(self, event: OrderEvent) -> bool:
        """An update, whose turn it was. False when untold trades had to be let go: the history must be read."""
        with self._mutex:
            self._merge(event)
            return self._is_within_bounds()

    def show_balances(self, totals: Mapping[str, Decimal]) -> None:
        """A snapshot of all assets, holds included."""
        with self._mutex:
            self._totals = dict(totals)
            self._legs.clear()
            self._made = None
            self._balances_known = True

    def knows_trade(self, trade_id: str) -> bool:
        """Whether this trade was told, lately."""
        with self._mutex:
            return any(known == trade_id for _, known in reversed(self._trades))

    def awaits_money(self, seconds: float) -> bool:
        """Whether the balances have not shown the money of some trade for so long."""
        before = self._clock.monotonic() + LEG_SECONDS - seconds
        with self._mutex:
            return any(until <= before for _, until in self._legs.values())

    def balance_is(self, asset: str, total: Decimal, reference: str) -> None:
        """An update; `reference` is the trade it belongs to, if it is one's."""
        with self._mutex:
            self._totals[asset] = total
            self._made = None
            if self._legs.pop((reference, asset), None) is None and reference:
                _remember(self._shown_legs, (reference, asset), most=LEGS_KEPT)

    # -- inside, with the mutex held --------------------------------------------------------------------------------
    def _merge(self, event: OrderEvent) -> None:
        self._made = None
        order = self._orders.get(event.venue_order_id)
        if order is None:
            order = self._orders[event.venue_order_id] = _Order(event)
        else:
            order.merge(event)
        if event.fill is not None:
            self._add_fill(order, event.fill)
        if order.status.ended and order.adds_up and event.venue_order_id in self._waiting:
            self._waiting[event.venue_order_id].set()

    def _add_fill(self, order: _Order, fill: Fill) -> None:
        order.fills.setdefault(fill.trade_id, fill)
        key = (fill.symbol, fill.trade_id)
        if key in self._trades:
            return
        _remember(self._trades, key, most=TRADES_KEPT)
        if not order.untold:
            order.untold_since = self._clock.monotonic()
        order.untold.append(fill)
        if self._orders_known:  # in a snapshot the totals are from after its trades
            asset, amount = _spent_by(fill)
            if (fill.trade_id, asset) in self._shown_legs:
                return
            self._legs[fill.trade_id, asset] = (amount, self._clock.monotonic() + LEG_SECONDS)

    def _is_ripe(self, order: _Order, now: float) -> bool:
        over = order.status.ended and order.adds_up
        return over or now >= order.untold_since + self._gather_seconds

    def _held(self) -> dict[str, Decimal] | None:
        held: dict[str, Decimal] = {}
        for order in self._orders.values():
            said = order.said
            if order.status.ended or (said.status is None and said.quantity is None):
                continue  # over, or only an old trade of it is known
            if said.symbol is None or said.quantity is None or said.side is None:
                return None
            left = max(ZERO, said.quantity - order.filled)
            if said.side is Side.SELL:
                asset, amount = base_of(said.symbol), left
            elif said.limit_price is None:
                return None
            else:
                asset, amount = quote_of(said.symbol), left * said.limit_price
            held[asset] = held.get(asset, ZERO) + amount
        return held

    def _spent(self) -> list[tuple[str, Decimal]]:
        now = self._clock.monotonic()
        for key in [key for key, (_, until) in self._legs.items() if until <= now]:
            del self._legs[key]
        return [(asset, amount) for (_, asset), (amount, _) in self._legs.items()]

    def _is_within_bounds(self) -> bool:
        if len(self._orders) <= MOST_ORDERS:
            return True
        self._forget_old()
        if len(self._orders) <= MOST_ORDERS:
            return True
        for key in [key for key, order in self._orders.items() if order.status.ended][: MOST_ORDERS // 2]:
            del self._orders[key]
        return False

    def _forget_old(self) -> None:
        done = [key for key, order in self._orders.items() if order.status.ended and not order.untold]
        for key in done[: max(0, len(done) - ORDERS_KEPT)]:
            del self._orders[key]


def _shown(order: _Order) -> VenueOrder | None:
    said = order.said
    if said.symbol is None or said.side is None or said.quantity is None or not order.adds_up:
        return None
    fees = [
        fill.fee * (fill.price if fill.fee_currency == base_of(fill.symbol) else 1) for fill in order.fills.values()
    ]
    notional = sum((fill.notional for fill in order.fills.values()), ZERO)
    return VenueOrder(
        venue_order_id=said.venue_order_id,
        client_order_id=said.client_order_id,
        symbol=said.symbol,
        side=said.side,
        status=order.status,
        quantity=said.quantity,
        filled_quantity=order.filled,
        average_price=said.average_price or (notional / order.filled if order.filled else None),
        fee_quote=sum(fees, ZERO),
        opened_at=said.opened_at,
        reason=said.reason or "",
    )


def _balance(total: Decimal, held: Decimal) -> AssetBalance:
    """Never more available than there is; a total below the holds is being moved at this moment."""
    held = min(max(held, ZERO), max(total, ZERO))
    return AssetBalance(available=max(ZERO, total - held), held=held)


def _spent_by(fill: Fill) -> tuple[str, Decimal]:
    """The asset that a trade takes away, and how much of it; what it brings counts when the balances show it."""
    if fill.side is Side.SELL:
        return base_of(fill.symbol), fill.quantity
    fee = fill.fee if fill.fee_currency == quote_of(fill.symbol) else ZERO
    return quote_of(fill.symbol), fill.notional + fee


def _remember(seen: "OrderedDict[tuple[str, str], None]", key: tuple[str, str], *, most: int) -> None:
    seen[key] = None
    while len(seen) > most:
        seen.popitem(last=False)


def _sorted(fills: Iterable[Fill]) -> list[Fill]:
    return sorted(fills, key=lambda fill: (fill.executed_at, fill.trade_id))

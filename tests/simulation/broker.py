"""An account's way to the simulated venue: replies get lost, requests linger, readings fail."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from bot.brokers.balance_book import BalanceBook
from bot.brokers.base import BaseBroker
from bot.brokers.socket_lane import SocketLane
from bot.domain.account import AccountRef
from bot.domain.balance import AssetBalance, Holdings
from bot.domain.errors import CredentialsRejected, OrderRefused, OutcomeUnknown, RetryLater, UnreadableReply
from bot.domain.fill import Fill
from bot.domain.instrument import Instrument
from bot.domain.order import OrderAck, OrderRequest, VenueOrder
from bot.domain.quote import Candle, Quote
from bot.domain.symbol import base_of
from tests.lone_brokers import facts_of
from tests.simulation.clock import WorldClock
from tests.simulation.dice import FaultRates
from tests.simulation.semantics import LONGEST_DELAY_SECONDS
from tests.simulation.socket_lane import SimulatedLane, SimulatedLoop
from tests.simulation.venue import INSTRUMENTS, IdTaken, LateRequest, Order, Venue

QUEUE_SECONDS = 4.0


class Surroundings(Protocol):
    """What may happen to a process around a call."""

    def crash_here(self, where: str) -> None:
        """The process may end."""

    def meanwhile(self, account: AccountRef) -> None:
        """Other threads may run while this one waits."""

    def hold_up(self, where: str) -> None:
        """This thread may stand still for long, be replaced, and go on."""

    def order_queued(self) -> None:
        """An order begins to wait for its turn."""

    def order_leaves(self, broker: "SimulatedBroker", request: OrderRequest, *, by_lane: bool = False) -> None:
        """The first byte of an order is about to leave."""

    def order_handed_over(self, broker: "SimulatedBroker", request: OrderRequest) -> None:
        """A finished order is given to the feed loop."""

    def asked_about(self, broker: "SimulatedBroker", client_order_id: str) -> None:
        """The bot asks the venue whether it has an order."""

    def touched(self, venue_order_id: str) -> None:
        """The bot asks to cancel this order."""


class SimulatedBroker(BaseBroker):
    """Closed, it sends nothing any more: its sockets are shut, as those of a replaced thread are."""

    def __init__(self, account: AccountRef, venue: Venue, clock: WorldClock, around: Surroundings) -> None:
        super().__init__(account, BalanceBook(clock))
        self._venue = venue
        self._clock = clock
        self.dice = venue.dice
        self.around = around
        self.connected = True
        self.epoch = 0
        # Of worlds whose users' entries go over sockets.
        self.loop: SimulatedLoop | None = None
        semantics = venue.semantics
        self.settle_seconds = semantics.settle_seconds
        self.order_expiry_seconds = semantics.expiry_seconds
        self.capabilities = facts_of(account.broker).capabilities

    def venue_now(self) -> datetime | None:
        """The venue's time, where it tells it."""
        return self._clock.at(self._clock.seconds) if self._venue.tells_time else None

    def connect(self) -> bool:
        return True

    def close(self) -> None:
        self.connected = False

    @property
    def rates(self) -> FaultRates:
        """Of the moment: a healed world has none."""
        return self._venue.rates

    @property
    def now(self) -> float:
        return self._clock.seconds

    def lane(self) -> SocketLane | None:
        return None if self.loop is None else SimulatedLane(self, self.loop)

    def streamed_order(self, venue_order_id: str) -> VenueOrder | None:
        """Its events may come before the acknowledgement, after it, or not at all."""
        if self.loop is None or self.dice.chance(0.4):
            return None
        order = self._venue.find(venue_order_id)
        return self._venue.view(order) if order.account == self.account.label else None

    def streamed_order_of(self, client_order_id: str) -> VenueOrder | None:
        if self.loop is None or self.dice.chance(0.4):
            return None
        own = [one for one in self._venue.orders if one.account == self.account.label]
        found = [one for one in own if one.request.client_order_id == client_order_id]
        return self._venue.view(found[0]) if len(found) == 1 else None

    # -- orders -----------------------------------------------------------------------------------------------------
    def place_order(self, request: OrderRequest) -> OrderAck:
        rates, fault = self._venue.rates, self.dice.fault
        asked_at = self._clock.seconds
        self.around.order_queued()
        if fault("queue", rates.late_request):
            self._clock.advance(self.dice.between(0, QUEUE_SECONDS))
        self.around.crash_here("before an order leaves")
        self.around.meanwhile(self.account)
        self.around.hold_up("before an order leaves")
        self._still_in_time(request)
        if fault("refused", rates.refused):
            raise self.dice.pick([OrderRefused("not now"), CredentialsRejected("permission denied")])
        if fault("rate limited", rates.rate_limited):
            raise RetryLater("too many requests")
        self.around.order_leaves(self, request)
        if fault("lost request", rates.lost_request):
            self._time_out("reset before it arrived")
        if fault("late request", rates.late_request):
            self.linger(request, asked_at)
            self._time_out("no reply in time")
        order = self.arrive(request)
        self.around.crash_here("after an order arrived")
        self.around.meanwhile(self.account)
        self.around.hold_up("after an order arrived")
        if fault("lost reply", rates.lost_reply):
            self._time_out("503 after it was accepted")
        if fault("malformed reply", rates.lost_reply / 4):
            raise OutcomeUnknown("the answer is not JSON")
        return OrderAck(client_order_id=request.client_order_id, venue_order_id=order.venue_order_id)

    def cancel_order(self, venue_order_id: str) -> bool:
        self._read()
        self.around.touched(venue_order_id)
        order = self._venue.find(venue_order_id)
        if self.dice.fault("lost cancel", self._venue.rates.lost_cancel):
            if self.dice.chance(0.5):
                self._venue.cancel_later(order, self._clock.seconds + self.dice.between(0, 20))
            raise OutcomeUnknown("no reply to the cancel")
        return self._venue.cancel(order)

    def find_order(self, client_order_id: str, *, symbol: str, sent_at: datetime) -> VenueOrder | None:
        self._read()
        self.around.asked_about(self, client_order_id)
        for order in self._venue.visible_orders(self.account.label):
            if order.request.client_order_id == client_order_id:
                return self._venue.view(order)
        return None

    def get_order(self, venue_order_id: str) -> VenueOrder | None:
        self._read()
        order = self._venue.find(venue_order_id)
        return self._venue.view(order) if order.visible_at <= self._clock.seconds else None

    def get_open_orders(self) -> Sequence[VenueOrder]:
        self._read()
        orders = self._venue.visible_orders(self.account.label)
        return [self._venue.view(order) for order in orders if not order.status.ended]

    def get_order_fills(self, venue_order_id: str, *, since: datetime) -> Sequence[Fill]:
        self._read()
        fills = self._venue.visible_fills(self.account.label)
        return self._listed([fill for fill in fills if fill.venue_order_id == venue_order_id])

    def get_fills_since(self, since: datetime) -> Sequence[Fill]:
        self._read()
        return self._listed([one for one in self._venue.visible_fills(self.account.label) if one.executed_at >= since])

    # -- readings ---------------------------------------------------------------------------------------------------
    def fetch_holdings(self) -> Holdings:
        self._read()
        label, venue = self.account.label, self._venue
        held_cash = venue.cash_held(label)
        assets = {"USD": AssetBalance(venue.cash[label] - held_cash, held_cash)}
        for symbol in INSTRUMENTS:
            available = venue.available(label, symbol)
            assets[base_of(symbol)] = AssetBalance(available, venue.coins[label, symbol] - available)
        return Holdings(assets, self._clock.now())

    def get_trading_pairs(self) -> Mapping[str, Instrument]:
        return INSTRUMENTS

    def get_candles(self, symbol: str, *, interval_minutes: int, limit: int) -> Sequence[Candle]:
        return []

    def get_best_bid_ask_batch(self, symbols: Sequence[str]) -> Mapping[str, Quote]:
        self._read()
        prices = self._venue.prices
        return {symbol: Quote(symbol, prices[symbol], prices[symbol], self._clock.now()) for symbol in symbols}

    # -- inside -----------------------------------------------------------------------------------------------------
    def _still_in_time(self, request: OrderRequest) -> None:
        """What a broker checks at the last moment; either way the venue has seen nothing."""
        why = self.too_late(request)
        if why:
            raise RetryLater(why)

    def too_late(self, request: OrderRequest) -> str:
        """Why it may not leave any more, or an empty text."""
        if not self.connected:
            return "not sent: this connection was closed"
        if request.leave_before is not None and self._clock.monotonic() > request.leave_before:
            return "not sent: its time was over before its turn came"
        return ""

    def linger(self, request: OrderRequest, asked_at: float) -> None:
        """It is still on its way when nobody waits for the reply any more."""
        now = self._clock.seconds
        expires_at = self._expires_at(request, now)
        longest = LONGEST_DELAY_SECONDS - (now - asked_at)
        if expires_at is not None:
            longest = min(2 * (expires_at - now), longest)
        late = LateRequest(
            arrives_at=now + self.dice.between(0, max(0.0, longest)),
            account=self.account.label,
            request=request,
            sent_at=now,
            expires_at=expires_at,
            nonce=self._venue.next_nonce(),
        )
        self._venue.accept_later(late)

    def _expires_at(self, request: OrderRequest, now: float) -> float | None:
        """The deadline in the request, in the venue's time."""
        if self.order_expiry_seconds is None:
            return None
        latest = now + self.order_expiry_seconds
        if request.leave_before is None or self._venue.semantics.deadline_from_leaving:
            return latest
        return min(latest, request.leave_before)

    def arrive(self, request: OrderRequest) -> Order:
        """It is there in time."""
        self._venue.heard(self.account.label, self._venue.next_nonce())
        try:
            return self._venue.accept(self.account.label, request, sent_at=self._clock.seconds)
        except IdTaken as error:
            raise OutcomeUnknown(str(error)) from error

    def _listed(self, fills: list[Fill]) -> list[Fill]:
        """Between two pages of a list a trade may appear twice."""
        if fills and self.dice.fault("trade listed twice", self._venue.rates.listed_twice):
            fills.append(self.dice.pick(fills))
        return fills

    def _read(self) -> None:
        """What every call but placing suffers."""
        self._clock.advance(0.05)
        self.around.crash_here("during a call")
        self.around.meanwhile(self.account)
        self._venue.heard(self.account.label, self._venue.next_nonce())
        if self.dice.fault("failed reading", self._venue.rates.failed_read):
            raise self.dice.pick([UnreadableReply("not JSON"), RetryLater("too many requests")])

    def _time_out(self, reason: str) -> None:
        self._clock.advance(self.dice.between(0, 5))
        raise OutcomeUnknown(reason)

"""One account at Alpaca."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from bot.brokers.alpaca.account import AccountState, account_from, positions_from
from bot.brokers.alpaca.cash_events import cash_events
from bot.brokers.alpaca.context import AlpacaContext, misplaced_key
from bot.brokers.alpaca.errors import DAY_TRADE, MARKET_RULES, REFUSED_KEY, WASH_TRADE, is_not_found
from bot.brokers.alpaca.holds import OrderHolds
from bot.brokers.alpaca.hours import HoursReading, MarketHours, hours_from
from bot.brokers.alpaca.market_data import (
    MADE_OF,
    TIMEFRAMES,
    bars_of,
    candles_from,
    earliest_start,
    gathered,
    quotes_from,
    tickers_from,
)
from bot.brokers.alpaca.orders import accepted_order_id, fills_from, order_body, order_from
from bot.brokers.alpaca.readings import AlpacaReadings
from bot.brokers.alpaca.split_watch import SplitWatch
from bot.brokers.alpaca.stocks import CURRENCY, STOCKS, stocks_from, ticker_of
from bot.brokers.alpaca.wiring import calls_of, trade_bell
from bot.brokers.base import BaseBroker
from bot.brokers.capabilities import Capabilities, Deadline, FeeTaken, Fractions, Ledger, PrivateStream, RepeatedId
from bot.brokers.http_session import VenueSession
from bot.brokers.key_report import KeyReport
from bot.brokers.open_ways import OpenWays
from bot.brokers.refused_key import RefusedKey
from bot.brokers.replies import as_list, as_object
from bot.brokers.rest_lane import OrderCall, RestLane
from bot.brokers.socket_lane import SocketLane
from bot.brokers.stream_news import StreamNews
from bot.brokers.venue_gate import VenueGate
from bot.domain.account import AccountRef, AccountType, BrokerType
from bot.domain.balance import AssetBalance, Holdings
from bot.domain.cash_event import CashEvent
from bot.domain.errors import (
    CredentialsRejected,
    InsufficientFunds,
    KeyUnfit,
    MarketClosed,
    OrderRefused,
    OutcomeUnknown,
    RetryLater,
    UnreadableReply,
)
from bot.domain.fill import Fill
from bot.domain.instrument import Instrument
from bot.domain.order import OrderAck, OrderKind, OrderRequest, OrderType, Side, VenueOrder
from bot.domain.quote import Candle, Quote, Ticker
from bot.domain.trading_session import Awaited, TradingSession

log = logging.getLogger(__name__)

TICKERS_PER_CALL = 200
MOST_BARS = 10_000


class AlpacaBroker(BaseBroker):
    """US stocks at Alpaca over REST, only while the exchange is open, only with cash that is there.

    A `client_order_id` is used up for good: sending it again can make no second order. Without a context (in a Python
    shell) one is made from the settings, as for `KrakenBroker`.
    """

    # Fractions are not taken as orders that end at once: such an order is cancelled from here.
    immediate_limit_seconds = 2.0
    capabilities = Capabilities(
        order_types={
            OrderType.MARKET: "market, day",
            OrderType.LIMIT_IOC: "limit, ioc; of fractions limit, day, cancelled by NIJA",
            OrderType.LIMIT_GTC: "limit, gtc; of fractions limit, day",
            OrderType.STOP: "stop, gtc; of fractions stop, day",
        },
        stop_orders=("stop", "stop_limit", "trailing_stop"),
        market_by_quote=True,
        repeated_id=RepeatedId.REFUSED,
        client_id=r"[!-~]{1,48}",
        deadline=Deadline.NONE,
        fee=FeeTaken.LATER,
        private_stream=PrivateStream.BELL,
        fractions=Fractions.SOME_MARKETS,
        sessions=True,
        withdraw_right_told=False,
        ledger=Ledger.WHOLE,
    )

    def __init__(
        self,
        account_type: AccountType = AccountType.MASTER,
        user_id: str | None = None,
        *,
        context: AlpacaContext | None = None,
    ) -> None:
        account = AccountRef(BrokerType.ALPACA, account_type, user_id)
        if context is None:
            from bot.brokers.bare_shell import alpaca_context  # only a shell needs settings and processes

            context = alpaca_context(account)
        super().__init__(account, context.balance_book)
        self.settle_seconds = context.order_deadline_seconds + context.settle_margin_seconds
        self._context = context
        self._hours = context.hours or MarketHours(context.clock)
        self._holds = OrderHolds(context.clock)
        self._split_watch = SplitWatch(self._holds, label=account.label)
        self._state: AccountState | None = None
        self._refused_key = RefusedKey(context.clock, label=account.label, venue="Alpaca")
        self._gate = context.gate or VenueGate(context.clock, "alpaca")
        self._gate.join(account.label)
        self._session = VenueSession(context.reaper, context.limits, context.resolver)
        self._calls = calls_of(
            context,
            label=account.label,
            session=self._session,
            gate=self._gate,
            refused_key=self._refused_key,
            urgency=lambda: self._urgency,
        )
        self._readings = AlpacaReadings(self._calls, label=account.label)
        self._bell = trade_bell(context, account)
        self._ways = OpenWays(
            label=account.label,
            lane=self._make_lane(context),
            stream=self._bell,
            session=self._session,
            gate=self._gate,
        )

    def venue_now(self) -> datetime | None:
        return self._hours.now()

    @property
    def key_refusal(self) -> str:
        return self._refused_key.sentence

    @property
    def entry_hindrance(self) -> str:
        state = self._state
        return "" if state is None else state.hindrance or state.day_trade_limit

    # -- sessions ---------------------------------------------------------------------------------------------------
    def trading_session(self) -> TradingSession:
        return self._hours.session()

    def renew_trading_session(self) -> TradingSession:
        self._hours.renew(self._read_hours, reader=self.account.label)
        return self._hours.session()

    def awaits(self, symbol: str, side: Side) -> Awaited | None:
        return self._hours.awaited(side) or self._holds.awaited(symbol, side)

    def _read_hours(self) -> HoursReading:
        return hours_from(as_object(self._calls.get("/clock"), where=f"{self.account.label}: Alpaca clock"))

    # -- connection -------------------------------------------------------------------------------------------------
    def connect(self) -> bool:
        self.connected = False
        misplaced = misplaced_key(self._context.access.base_url, self._context.access.credentials.api_key)
        if misplaced:
            raise KeyUnfit(f"{self.account.label}: {misplaced}")
        state = self._read_first()
        if not state.may_trade:
            raise KeyUnfit(f"{self.account.label}: {state.hindrance}; nothing is traded until that is settled there")
        self._hours.take(self._read_hours())
        self.key_report = KeyReport(
            said_by=f"the account is {state.status}; Alpaca's keys cannot withdraw",
            identity=state.identity,
            names_account=True,
        )
        self.connected = True
        return True

    def _read_first(self) -> AccountState:
        try:
            return self._read_account()
        except CredentialsRejected as error:
            if error.venue_code == REFUSED_KEY:
                raise
            raise KeyUnfit(f"{error}: the API key may not even see the account") from error

    def close(self) -> None:
        self.connected = False
        self._ways.close()

    # -- private stream ---------------------------------------------------------------------------------------------
    def listen(self, wake: Callable[[], None]) -> None:
        self._ways.listen(wake)

    def tend_stream(self) -> StreamNews:
        for request, refusal in self._ways.take_refusals():
            self._learn_from(refusal, request)
        return self._ways.tend()

    # -- balances ---------------------------------------------------------------------------------------------------
    def fetch_holdings(self) -> Holdings:
        """Cash comes last, because entries are sized by it: what is bought between the two readings is gone from it."""
        where = f"{self.account.label}: Alpaca positions"
        positions = as_list(self._calls.get("/positions"), where=where)
        held = positions_from(positions, where=where)
        self._split_watch.look(positions)
        state = self._read_account()
        self.renew_trading_session()
        assets: dict[str, AssetBalance] = {**held, CURRENCY: state.balance}
        return Holdings(assets, self._context.clock.now())

    def _read_account(self) -> AccountState:
        state = account_from(self._calls.get("/account"), where=f"{self.account.label}: Alpaca account")
        self._take_state(state)
        return state

    def _take_state(self, state: AccountState) -> None:
        """Keep it, and say aloud what has changed for the worse or the better."""
        old, self._state = self._state, state
        if old is not None and old.day_trade_state != state.day_trade_state:
            self._holds.lift_day_trades()
        before = "" if old is None else old.hindrance or old.day_trade_limit
        now = state.hindrance or state.day_trade_limit
        if now and now != before:
            log.warning("%s: %s", self.account.label, now)
        elif before and not now:
            log.info("%s: the account may trade again", self.account.label)

    # -- market -----------------------------------------------------------------------------------------------------
    def get_trading_pairs(self) -> Mapping[str, Instrument]:
        return self._context.instruments.get(self._context.access.base_url, self._read_instruments)

    def known_trading_pairs(self) -> Mapping[str, Instrument]:
        return self._context.instruments.known(self._context.access.base_url) or {}

    def _read_instruments(self) -> Mapping[str, Instrument]:
        listed = self._calls.get("/assets", {"status": "active", "asset_class": STOCKS})
        return stocks_from(as_list(listed, where="Alpaca assets"))

    def get_candles(self, symbol: str, *, interval_minutes: int, limit: int) -> Sequence[Candle]:
        part_minutes = MADE_OF.get(interval_minutes, interval_minutes)
        if part_minutes not in TIMEFRAMES:
            known = sorted({*TIMEFRAMES, *MADE_OF})
            raise ValueError(f"Alpaca has candles of {known} minutes, not {interval_minutes}")
        self.renew_trading_session()
        if part_minutes == interval_minutes:
            return self._candles(symbol, interval_minutes, limit)
        parts = self._candles(symbol, part_minutes, (limit + 2) * interval_minutes // part_minutes)
        now = self._hours.now() or self._context.clock.now()
        return gathered(parts, interval_minutes=interval_minutes, now=now)[-limit:]

    def _candles(self, symbol: str, interval_minutes: int, limit: int) -> Sequence[Candle]:
        now = self._hours.now() or self._context.clock.now()
        start = earliest_start(now, interval_minutes=interval_minutes, limit=limit)
        ticker, where = ticker_of(symbol), f"Alpaca bars of {symbol}"
        asked = {
            "symbols": ticker,
            "timeframe": TIMEFRAMES[interval_minutes],
            "start": _iso(start),
            # The newest first, and the one that is still forming among them.
            "limit": str(min(limit + 2, MOST_BARS)),
            "sort": "desc",
            "adjustment": "split",
            "feed": self._context.data_feed,
        }
        rows = bars_of(self._calls.market_data("/stocks/bars", asked), ticker, where=where)
        return candles_from(rows, interval_minutes=interval_minutes, now=now, where=where)[-limit:]

    def get_best_bid_ask_batch(self, symbols: Sequence[str]) -> Mapping[str, Quote]:
        quotes: dict[str, Quote] = {}
        for asked in self._asked_for(symbols):
            reply = self._calls.market_data("/stocks/quotes/latest", asked)
            quotes.update(quotes_from(reply, taken_at=self._context.clock.now()))
        return quotes

    def get_tickers(self, symbols: Sequence[str]) -> Mapping[str, Ticker]:
        tickers: dict[str, Ticker] = {}
        for asked in self._asked_for(symbols):
            reply = self._calls.market_data("/stocks/snapshots", asked)
            tickers.update(tickers_from(reply, taken_at=self._context.clock.now()))
        return tickers

    def _asked_for(self, symbols: Sequence[str]) -> Iterator[Mapping[str, str]]:
        """What asks about those that are listed, some at a time."""
        listed = self.get_trading_pairs()
        wanted = [ticker_of(symbol) for symbol in dict.fromkeys(symbols) if symbol in listed]
        for start in range(0, len(wanted), TICKERS_PER_CALL):
            yield {"symbols": ",".join(wanted[start : start + TICKERS_PER_CALL]), "feed": self._context.data_feed}

    # -- orders -----------------------------------------------------------------------------------------------------
    def place_order(self, request: OrderRequest) -> OrderAck:
        """Only within the session: the venue would keep an order that comes later for the next one.

        Raises `MarketClosed` when nothing was sent for that reason.
        """
        leave_before = request.leaves_before(self._context.clock.monotonic() + self._context.order_deadline_seconds)
        self._refuse_unlisted(request.symbol)
        self._refuse_short(request)
        leave_before = min(leave_before, self._leave_before_close(request))
        body = order_body(request)
        try:
            document = self._calls.post("/orders", body, leave_before=leave_before, last_look=request.last_look)
            return self._acknowledged(document, request)
        except OrderRefused as error:
            self._learn_from(error, request)
            raise
        except (RetryLater, CredentialsRejected, OutcomeUnknown):
            raise
        except Exception as error:
            # Whatever went wrong with the answer, the order may be in the book.
            raise OutcomeUnknown(f"{self.account.label}: after sending an order: {error}") from error

    def _acknowledged(self, document: object, request: OrderRequest) -> OrderAck:
        order_id = accepted_order_id(document, request, where=f"{self.account.label}: Alpaca order")
        return OrderAck(client_order_id=request.client_order_id, venue_order_id=order_id)

    # -- orders in a batch with others' -------------------------------------------------------------------------------
    def lane(self) -> SocketLane | None:
        return self._ways.lane

    def could_place(self, symbol: str) -> bool:
        """Of a buy; whether a sale would be a short one has to be asked, so it goes the other way."""
        known = symbol in self.known_trading_pairs() and self.trading_session().is_open is True
        return known and self.awaits(symbol, Side.BUY) is None

    def order_call(self, request: OrderRequest) -> OrderCall | None:
        closes_in = self._hours.closes_in(request.side)
        if request.side is not Side.BUY or closes_in is None or self.capabilities.refusal_of(request):
            return None
        now = self._context.clock.monotonic()
        leave_before = request.leaves_before(now + min(closes_in, self._context.order_deadline_seconds))
        return self._calls.order_call(
            "/orders",
            order_body(request),
            lambda document: self._acknowledged(document, request),
            leave_before=leave_before,
        )

    def _make_lane(self, context: AlpacaContext) -> RestLane | None:
        if context.order_wire is None or self.account.is_master:
            return None
        return RestLane(
            wire=context.order_wire,
            base_url=context.access.base_url,
            label=self.account.label,
            calls=self._calls.way,
            costs=self._calls.costs,
            answer_seconds=context.limits.call_seconds,
            desk=self,
        )

    def _leave_before_close(self, request: OrderRequest) -> float:
        """The last moment (monotonic seconds) at which its acknowledgement comes within the session."""
        session = self.renew_trading_session()
        awaited = self.awaits(request.symbol, request.side)
        if awaited is not None:
            raise self._closed_until(awaited)
        if session.is_open is None and request.kind is OrderKind.ENTRY:
            raise MarketClosed(f"{self.account.label}: not sent: {session.says}")
        seconds = self._hours.closes_in(request.side)
        # Hours that are not known hold back no exit.
        return float("inf") if seconds is None else self._context.clock.monotonic() + seconds

    def _closed_until(self, awaited: Awaited) -> MarketClosed:
        left = awaited.seconds_left(self._hours.now() or self._context.clock.now())
        return MarketClosed(
            f"{self.account.label}: not sent: it {awaited.sentence}",
            opens_at=awaited.until,
            retry_after_seconds=60.0 if left is None else max(1.0, left),
        )

    def _refuse_short(self, request: OrderRequest) -> None:
        """Where an account may sell short, whole shares that it does not hold would be sold all the same, as a debt."""
        whole = request.quantity == request.quantity.to_integral_value()
        if request.side is Side.BUY or not whole or (self._state is not None and not self._state.may_short):
            return
        try:
            held = self._readings.held(ticker_of(request.symbol))
        except UnreadableReply as error:
            raise RetryLater(f"not sent: {error}") from error
        if held < request.quantity:
            raise InsufficientFunds(
                f"{self.account.label}: not sent: {held:f} shares of {request.symbol} are free, and no short sale is "
                f"meant",
                venue_code="no_position",
            )

    def _learn_from(self, error: OrderRefused, request: OrderRequest) -> None:
        """What the account's state has denied is not asked again until that state may have changed."""
        now = self._hours.now() or self._context.clock.now()
        if error.venue_code == DAY_TRADE:
            self._holds.day_trade(request.symbol, request.side, venue_now=now, next_open=self._hours.next_open())
        elif error.venue_code == WASH_TRADE:
            self._holds.wash_trade(request.symbol, request.side, venue_now=now)
        elif error.venue_code in MARKET_RULES:
            self._context.instruments.renew(self._context.access.base_url, self._read_instruments)

    def _refuse_unlisted(self, symbol: str) -> None:
        try:
            listed = symbol in self.get_trading_pairs()
        except UnreadableReply as error:
            raise RetryLater(f"not sent: {error}") from error
        if not listed:
            raise OrderRefused(f"Alpaca does not list {symbol}", venue_code="unlisted")

    def cancel_order(self, venue_order_id: str) -> bool:
        try:
            self._calls.delete(f"/orders/{venue_order_id}")
        except OrderRefused as error:
            if "pending cancel" in str(error) or "pending_cancel" in str(error):
                return True
            if error.venue_code.startswith("422"):
                return False
            raise OutcomeUnknown(str(error), venue_code=error.venue_code) from error
        except OutcomeUnknown as error:
            if is_not_found(error):
                return False
            raise
        return True

    def find_order(self, client_order_id: str, *, symbol: str, sent_at: datetime) -> VenueOrder | None:
        order = self._readings.order("/orders:by_client_order_id", {"client_order_id": client_order_id})
        if order is not None and order.client_order_id != client_order_id:
            raise UnreadableReply(f"{self.account.label}: asked Alpaca for {client_order_id}, given another order")
        return order

    def get_order(self, venue_order_id: str) -> VenueOrder | None:
        order = self._readings.order(f"/orders/{venue_order_id}")
        if order is not None and order.venue_order_id != venue_order_id:
            raise UnreadableReply(f"{self.account.label}: asked Alpaca for {venue_order_id}, given another order")
        return order

    def get_open_orders(self) -> Sequence[VenueOrder]:
        return [order for order in map(order_from, self._readings.open_orders()) if not order.status.ended]

    def get_order_fills(self, venue_order_id: str, *, since: datetime) -> Sequence[Fill]:
        # Noted by this machine's clock, and asked by the venue's.
        fills = self.get_fills_since(self._hours.not_after(since))
        return [fill for fill in fills if fill.venue_order_id == venue_order_id]

    def get_fills_since(self, since: datetime) -> Sequence[Fill]:
        # The venue's `after` leaves its own moment out.
        fills = fills_from(self._readings.activities("FILL", after=since - timedelta(seconds=1)))
        return [fill for fill in fills if fill.executed_at >= since]

    # -- ledger -----------------------------------------------------------------------------------------------------
    def fetch_taker_fee_percent(self, symbol: str) -> Decimal | None:
        """No commission on stocks. What regulators take of a sale is far below a hundredth of a percent."""
        return Decimal(0)

    def get_cash_events(self, since: datetime) -> Sequence[CashEvent]:
        now = self._hours.now() or self._context.clock.now()
        events = cash_events(self._readings, since, now=now)
        self._split_watch.told(events)
        return events


def _iso(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"

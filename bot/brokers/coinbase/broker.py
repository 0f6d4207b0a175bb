"""One account at Coinbase Advanced Trade."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from bot.brokers.base import BaseBroker
from bot.brokers.book_depth import DEPTH_CALL_SECONDS, DEPTH_LEVELS, named_levels, offered_within
from bot.brokers.capabilities import Capabilities, Deadline, FeeTaken, Ledger, PrivateStream, RepeatedId
from bot.brokers.coinbase.calls import LEAST_TOKEN_SECONDS, CoinbaseCalls, QueryValue
from bot.brokers.coinbase.cash_events import CoinbaseLedger, counts
from bot.brokers.coinbase.context import CoinbaseContext
from bot.brokers.coinbase.day_volumes import DayVolumes
from bot.brokers.coinbase.errors import BEING_CANCELLED, GONE_ORDER, MARKET_RULES
from bot.brokers.coinbase.market_data import candles_from, quotes_from
from bot.brokers.coinbase.orders import (
    OPEN_STATUS,
    QUEUED_STATUSES,
    SHAPES,
    accepted_order_id,
    fills_from,
    order_body,
    order_from,
)
from bot.brokers.coinbase.products import instruments_from, product_id_of
from bot.brokers.coinbase.user_stream import CoinbaseSpeech
from bot.brokers.http_session import VenueSession
from bot.brokers.key_report import KeyReport, refuse_without
from bot.brokers.open_ways import OpenWays
from bot.brokers.rate_budget import RateBudget
from bot.brokers.refused_key import RefusedKey
from bot.brokers.replies import (
    as_id,
    as_list,
    as_object,
    field_of,
    flag_of,
    number,
    number_of,
    optional_text,
    text_of,
)
from bot.brokers.rest_lane import OrderCall, RestLane
from bot.brokers.socket_lane import SocketLane
from bot.brokers.stream_news import StreamNews
from bot.brokers.trade_bell import TradeBell
from bot.brokers.venue_clock import VenueClock
from bot.brokers.venue_gate import VenueGate
from bot.domain.account import AccountRef, AccountType, BrokerType
from bot.domain.balance import AssetBalance, Holdings
from bot.domain.cash_event import CashEvent
from bot.domain.errors import CredentialsRejected, KeyUnfit, OrderRefused, OutcomeUnknown, RetryLater, UnreadableReply
from bot.domain.fill import Fill
from bot.domain.instrument import Instrument
from bot.domain.order import OrderAck, OrderRequest, VenueOrder
from bot.domain.quote import Candle, Quote, Ticker

GRANULARITIES = {
    1: "ONE_MINUTE",
    5: "FIVE_MINUTE",
    15: "FIFTEEN_MINUTE",
    30: "THIRTY_MINUTE",
    60: "ONE_HOUR",
    120: "TWO_HOUR",
    240: "FOUR_HOUR",
    360: "SIX_HOUR",
    1440: "ONE_DAY",
}
NEEDED_RIGHTS = ("can_view", "can_trade")
TRANSFER_RIGHT = "can_transfer"
MAX_CANDLES = 350
PRODUCTS_PER_QUOTE = 100
PAGE_SIZE = "100"
PRODUCTS_PER_PAGE = 500
MAX_PRODUCT_PAGES = 20
# An order that leaves in a batch leaves at once, and is good for no longer than this.
BATCH_TOKEN_SECONDS = 30.0
# Far back: the clock that noted the sending may have been wrong, and "not found" has a meaning.
LOOK_BACK = timedelta(days=1)


class CoinbaseBroker(BaseBroker):
    """Coinbase over REST. A `client_order_id` is idempotent here: sending it again returns the first order.

    Without a context (in a Python shell) one is made from the settings, as for `KrakenBroker`.
    """

    capabilities = Capabilities(
        order_types=SHAPES,
        # Listed in the venue's guide, and refused for spot by others' reports.
        stop_orders=("stop_limit_stop_limit_gtc", "stop_limit_stop_limit_gtd"),
        stops_have_limits=True,
        market_by_quote=True,
        repeated_id=RepeatedId.SAME_ORDER,
        client_id=r"[!-~]{1,128}",
        deadline=Deadline.IN_SIGNATURE,
        fee=FeeTaken.QUOTE,
        private_stream=PrivateStream.BELL,
        ledger=Ledger.BY_WALLET,
    )

    def __init__(
        self,
        account_type: AccountType = AccountType.MASTER,
        user_id: str | None = None,
        *,
        context: CoinbaseContext | None = None,
    ) -> None:
        from bot.brokers.coinbase.client import CoinbaseClient  # a bot without this brokerage pays for no library

        account = AccountRef(BrokerType.COINBASE, account_type, user_id)
        if context is None:
            from bot.brokers.bare_shell import coinbase_context  # only a shell needs settings and processes

            context = coinbase_context(account)
        super().__init__(account, context.balance_book)
        # An order's time does not begin anew when it leaves, as Kraken's does: its token ends when that time ends.
        self.settle_seconds = context.order_deadline_seconds + context.settle_margin_seconds
        self.order_expiry_seconds = context.order_deadline_seconds
        self._context = context
        self.venue_clock = VenueClock(context.clock)
        self._refused_key = RefusedKey(context.clock, label=account.label, venue="Coinbase")
        self._gate = context.gate or VenueGate(context.clock, "coinbase")
        self._gate.join(self.account.label)
        self._session = VenueSession(context.reaper, context.limits, context.resolver)
        credentials = context.access.credentials
        client = CoinbaseClient(
            base_url=context.access.base_url,
            api_key=credentials.api_key,
            api_secret=credentials.api_secret.get_secret_value(),
            session=self._session,
            venue_clock=self.venue_clock,
        )
        self._calls = CoinbaseCalls(
            client,
            label=account.label,
            clock=context.clock,
            venue_clock=self.venue_clock,
            gate=self._gate,
            refused_key=self._refused_key,
            budget=self._budget(context),
            public_budget=context.public_budget or RateBudget(context.clock, name="Coinbase", limit=None),
            urgency=lambda: self._urgency,
            on_private_call=context.on_private_call,
        )
        self._day_volumes = DayVolumes(context.clock)
        self._ledger = CoinbaseLedger(self._calls, context.clock, label=account.label)
        self._bell = self._trade_bell(context)
        self._ways = OpenWays(
            label=account.label,
            lane=self._make_lane(context),
            stream=self._bell,
            session=self._session,
            gate=self._gate,
        )

    def _trade_bell(self, context: CoinbaseContext) -> TradeBell | None:
        """A master's trades are heard of at once, whoever made them; a user's are those of orders that are followed."""
        wire, url, credentials = context.wire, context.access.ws_auth_url, context.access.credentials
        if wire is None or url is None or not self.account.is_master:
            return None
        speech = CoinbaseSpeech(
            api_key=credentials.api_key,
            api_secret=credentials.api_secret.get_secret_value(),
            now=self.venue_clock.now,
            ids=wire.ids,
            on_gap=lambda: wire.observer.gap("user"),
        )
        return TradeBell(wire=wire, url=url.rstrip("/"), label=self.account.label, is_master=True, speech=speech)

    def _budget(self, context: CoinbaseContext) -> RateBudget:
        if context.key_budgets is None:
            return RateBudget(context.clock, name=self.account.label, limit=None)
        return context.key_budgets.for_key(context.access.credentials.api_key, label=self.account.label)

    @property
    def quote_currency(self) -> str:
        return self._context.quote_currency

    def venue_now(self) -> datetime | None:
        return self.venue_clock.now() if self.venue_clock.is_measured else None

    @property
    def key_refusal(self) -> str:
        return self._refused_key.sentence

    # -- connection -------------------------------------------------------------------------------------------------
    def connect(self) -> bool:
        self.connected = False
        self.venue_clock.measured(self._calls.read_time())  # before anything is signed: tokens are made by it
        rights = self._read_rights()
        where = f"{self.account.label}: Coinbase key_permissions"
        known = (*NEEDED_RIGHTS, TRANSFER_RIGHT)
        granted = [name for name in known if flag_of(rights, name, default=False, where=where)]
        refuse_without(NEEDED_RIGHTS, granted, label=self.account.label, venue="Coinbase", code="PERMISSION_DENIED")
        self.key_report = KeyReport(
            said_by=f"key_permissions says {', '.join(granted)}",
            identity=f"portfolio {text_of(rights, 'portfolio_uuid', where=where)}",
            names_account=True,
            withdraw_rights=(TRANSFER_RIGHT,) if TRANSFER_RIGHT in granted else (),
        )
        self.connected = True
        return True

    def _read_rights(self) -> Mapping[str, object]:
        try:
            return self._calls.get("/key_permissions")
        except CredentialsRejected as error:
            if error.venue_code != "PERMISSION_DENIED":
                raise
            # Looking is a right too, and without it a key may not even tell what it lacks.
            raise KeyUnfit(f"{error}: the API key lacks the right to can_view; grant it at Coinbase") from error

    def close(self) -> None:
        self.connected = False
        self._ways.close()

    # -- private stream ---------------------------------------------------------------------------------------------
    def listen(self, wake: Callable[[], None]) -> None:
        self._ways.listen(wake)

    def tend_stream(self) -> StreamNews:
        for _, refusal in self._ways.take_refusals():
            self._learn(refusal)
        return self._ways.tend()

    # -- balances ---------------------------------------------------------------------------------------------------
    def fetch_holdings(self) -> Holdings:
        assets: dict[str, AssetBalance] = {}
        for account in self._calls.pages("/accounts", "accounts", {"limit": "250"}):
            asset, balance = self._balance(account)
            if balance is not None:
                known = assets.get(asset, AssetBalance(number(0, where=asset), number(0, where=asset)))
                assets[asset] = AssetBalance(known.available + balance.available, known.held + balance.held)
        return Holdings(assets, self._context.clock.now())

    def _balance(self, account: object) -> tuple[str, AssetBalance | None]:
        """The asset's name and its balance; None for a wallet that can't trade."""
        where = f"{self.account.label}: Coinbase account"
        fields = as_object(account, where=where)
        asset = text_of(fields, "currency", where=where)
        if not counts(fields, where=where):
            return asset, None
        available = as_object(field_of(fields, "available_balance", where=where), where=where)
        held = as_object(field_of(fields, "hold", where=where), where=where)
        return asset, AssetBalance(
            available=number_of(available, "value", where=f"{where} {asset}"),
            held=number_of(held, "value", where=f"{where} {asset} hold"),
        )

    # -- market -----------------------------------------------------------------------------------------------------
    def get_trading_pairs(self) -> Mapping[str, Instrument]:
        return self._context.instruments.get(self._context.access.base_url, self._read_instruments)

    def known_trading_pairs(self) -> Mapping[str, Instrument]:
        return self._context.instruments.known(self._context.access.base_url) or {}

    def _read_instruments(self) -> Mapping[str, Instrument]:
        return instruments_from(self._read_products())

    def _read_products(self) -> Sequence[object]:
        products: list[object] = []
        for page in range(MAX_PRODUCT_PAGES):
            offset = str(page * PRODUCTS_PER_PAGE)
            asked = {"product_type": "SPOT", "limit": str(PRODUCTS_PER_PAGE), "offset": offset}
            listed = as_list(self._calls.get("/products", asked).get("products"), where="Coinbase products")
            products += listed
            if len(listed) != PRODUCTS_PER_PAGE:
                break  # the last page, or everything at once from a venue that does not page
        return products

    def get_candles(self, symbol: str, *, interval_minutes: int, limit: int) -> Sequence[Candle]:
        granularity = GRANULARITIES.get(interval_minutes)
        if granularity is None:
            raise ValueError(f"Coinbase has candles of {sorted(GRANULARITIES)} minutes, not {interval_minutes}")
        interval = interval_minutes * 60
        self.venue_clock.keep(self._calls.read_time)
        # The forming candle opens at this moment, which stays the same from page to page.
        end = int(self.venue_clock.now().timestamp()) // interval * interval
        first, found = end - limit * interval, dict[datetime, Candle]()
        while end > first:
            start = max(first, end - (MAX_CANDLES - 1) * interval)
            page = self._candles(symbol, granularity, start, end)
            found |= {candle.opened_at: candle for candle in page if int(candle.opened_at.timestamp()) < end}
            if not page:
                break  # the market is no older, or has been silent for as long
            end = start
        return [found[moment] for moment in sorted(found)][-limit:]

    def _candles(self, symbol: str, granularity: str, start: int, end: int) -> Sequence[Candle]:
        """Those that opened between these seconds, both included: 350 at most."""
        where = f"Coinbase candles of {symbol}"
        asked = {"start": str(start), "end": str(end), "granularity": granularity, "limit": str(MAX_CANDLES)}
        reply = self._calls.get(f"/products/{product_id_of(symbol)}/candles", asked)
        return candles_from(as_list(reply.get("candles"), where=where), where=where)

    def get_best_bid_ask_batch(self, symbols: Sequence[str]) -> Mapping[str, Quote]:
        listed = self.get_trading_pairs()
        wanted = [product_id_of(symbol) for symbol in dict.fromkeys(symbols) if symbol in listed]
        quotes: dict[str, Quote] = {}
        for start in range(0, len(wanted), PRODUCTS_PER_QUOTE):
            asked = {"product_ids": wanted[start : start + PRODUCTS_PER_QUOTE]}
            books = as_list(self._calls.get("/best_bid_ask", asked).get("pricebooks"), where="Coinbase best_bid_ask")
            quotes.update(quotes_from(books, taken_at=self._context.clock.now()))
        return quotes

    def get_tickers(self, symbols: Sequence[str]) -> Mapping[str, Ticker]:
        """Prices are asked for, and volumes, which are in the list of products, every few minutes."""
        volumes = self._day_volumes.of(self._read_products)
        quotes = self.get_best_bid_ask_batch(symbols)
        return {symbol: Ticker(quote, volumes.get(symbol)) for symbol, quote in quotes.items()}

    def get_depth(self, symbol: str, *, within_percent: Decimal) -> Decimal | None:
        where = f"Coinbase book of {symbol}"
        asked = {"product_id": product_id_of(symbol), "limit": str(DEPTH_LEVELS)}
        reply = self._calls.get_public("/market/product_book", asked, call_seconds=DEPTH_CALL_SECONDS)
        book = as_object(field_of(reply, "pricebook", where=where), where=where)
        return offered_within(named_levels(book.get("asks"), where=where), within_percent=within_percent)

    # -- orders -----------------------------------------------------------------------------------------------------
    def place_order(self, request: OrderRequest) -> OrderAck:
        leave_before = request.leaves_before(self._context.clock.monotonic() + self._context.order_deadline_seconds)
        self._refuse_unlisted(request.symbol)
        self.venue_clock.keep(self._calls.read_time)
        if not self.venue_clock.is_measured:
            # With this machine's clock a token could be good for longer than anybody waits for its order.
            raise RetryLater(f"{self.account.label}: not sent: Coinbase does not tell its time")
        body = order_body(request)
        try:
            reply = self._calls.post("/orders", body, leave_before=leave_before, last_look=request.last_look)
            return self._acknowledged(reply, request)
        except OrderRefused as error:
            self._learn(error)
            raise
        except (RetryLater, CredentialsRejected, OutcomeUnknown):
            raise
        except Exception as error:
            # Whatever went wrong with the answer, the order may be in the book.
            raise OutcomeUnknown(f"{self.account.label}: after sending an order: {error}") from error

    def _acknowledged(self, reply: Mapping[str, object], request: OrderRequest) -> OrderAck:
        order_id = accepted_order_id(reply, request, where=f"{self.account.label}: Coinbase order")
        return OrderAck(client_order_id=request.client_order_id, venue_order_id=order_id)

    def _learn(self, error: OrderRefused) -> None:
        if error.venue_code in MARKET_RULES:
            self._context.instruments.renew(self._context.access.base_url, self._read_instruments)

    # -- orders in a batch with others' -------------------------------------------------------------------------------
    def lane(self) -> SocketLane | None:
        return self._ways.lane

    def could_place(self, symbol: str) -> bool:
        return self.venue_clock.is_trusted and symbol in self.known_trading_pairs()

    def order_call(self, request: OrderRequest) -> OrderCall | None:
        if self.capabilities.refusal_of(request):
            return None
        now, deadline = self._context.clock.monotonic(), self._context.order_deadline_seconds
        leave_before = now + deadline / 2 if request.leave_before is None else request.leave_before
        # Counted from the moment it leaves: it has to end before the order is looked for as one that cannot come.
        token_seconds = min(BATCH_TOKEN_SECONDS, now + deadline - leave_before)
        if token_seconds < LEAST_TOKEN_SECONDS / 2:
            return None
        return self._calls.order_call(
            "/orders",
            order_body(request),
            lambda reply: self._acknowledged(reply, request),
            leave_before=leave_before,
            token_seconds=token_seconds,
        )

    def _make_lane(self, context: CoinbaseContext) -> RestLane | None:
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

    def cancel_order(self, venue_order_id: str) -> bool:
        where = f"{self.account.label}: Coinbase cancel"
        try:
            reply = self._calls.post("/orders/batch_cancel", {"order_ids": [venue_order_id]})
            return _was_taken(reply, venue_order_id, where=where)
        except (RetryLater, CredentialsRejected, OutcomeUnknown):
            raise
        except Exception as error:
            raise OutcomeUnknown(f"{where}: {error}") from error

    def find_order(self, client_order_id: str, *, symbol: str, sent_at: datetime) -> VenueOrder | None:
        # No status filter: an order that is pending, queued or already filled is no less an order.
        asked = {
            "product_ids": [product_id_of(symbol)],
            "start_date": _iso(self.venue_clock.not_after(sent_at) - LOOK_BACK),
            "limit": PAGE_SIZE,
        }
        for value in self._calls.pages("/orders/historical/batch", "orders", asked):
            order = order_from(value)
            if order.client_order_id == client_order_id:
                return order
        return None

    def get_order(self, venue_order_id: str) -> VenueOrder | None:
        try:
            reply = self._calls.get(f"/orders/historical/{venue_order_id}")
        except UnreadableReply as error:
            if error.venue_code == "NOT_FOUND":  # the API's word; a 404 without it is some page of the edge
                return None
            raise
        order = order_from(reply.get("order"))
        if order.venue_order_id != venue_order_id:
            raise UnreadableReply(f"{self.account.label}: asked Coinbase for {venue_order_id}, given another order")
        return order

    def get_open_orders(self) -> Sequence[VenueOrder]:
        # OPEN may not be asked for together with others. It comes last: an order on its way into the book passes from
        # the others into it, and is seen in one of the two.
        orders: dict[str, VenueOrder] = {}
        for statuses in (QUEUED_STATUSES, (OPEN_STATUS,)):
            asked: dict[str, QueryValue] = {"order_status": statuses, "limit": PAGE_SIZE}
            listed = self._calls.pages("/orders/historical/batch", "orders", asked)
            orders |= {order.venue_order_id: order for order in map(order_from, listed)}
        return [order for order in orders.values() if not order.status.ended]

    def get_order_fills(self, venue_order_id: str, *, since: datetime) -> Sequence[Fill]:
        asked = {"order_ids": [venue_order_id], "limit": PAGE_SIZE}
        fills = fills_from(self._calls.pages("/orders/historical/fills", "fills", asked), self.get_trading_pairs())
        if any(fill.venue_order_id != venue_order_id for fill in fills):
            raise UnreadableReply(f"{self.account.label}: asked Coinbase for fills of one order, given another's")
        return fills

    def get_fills_since(self, since: datetime) -> Sequence[Fill]:
        asked = {"start_sequence_timestamp": _iso(since), "limit": PAGE_SIZE}
        fills = fills_from(self._calls.pages("/orders/historical/fills", "fills", asked), self.get_trading_pairs())
        return [fill for fill in fills if fill.executed_at >= since]

    # -- ledger -----------------------------------------------------------------------------------------------------
    def get_cash_events(self, since: datetime) -> Sequence[CashEvent]:
        return self._ledger.events_since(since)

    # -- fees -------------------------------------------------------------------------------------------------------
    def fetch_taker_fee_percent(self, symbol: str) -> Decimal | None:
        """One tier for all markets; the venue states a fraction."""
        where = f"{self.account.label}: Coinbase transaction_summary"
        reply = self._calls.get("/transaction_summary", {"product_type": "SPOT"})
        tier = as_object(field_of(reply, "fee_tier", where=where), where=where)
        return 100 * number_of(tier, "taker_fee_rate", where=where)

    def _refuse_unlisted(self, symbol: str) -> None:
        try:
            listed = symbol in self.get_trading_pairs()
        except UnreadableReply as error:
            raise RetryLater(f"not sent: {error}") from error
        if not listed:
            raise OrderRefused(f"Coinbase does not list {symbol}", venue_code="INVALID_PRODUCT_ID")


def _was_taken(reply: Mapping[str, object], venue_order_id: str, *, where: str) -> bool:
    """True or False on the venue's word about this very order; raises `OutcomeUnknown` or `UnreadableReply`."""
    results = as_list(reply.get("results"), where=where)
    if len(results) != 1:
        raise UnreadableReply(f"{where}: {len(results)} results for one order")
    result = as_object(results[0], where=where)
    if as_id(result.get("order_id"), where=where) != venue_order_id:
        raise UnreadableReply(f"{where}: the answer is about another order")
    if flag_of(result, "success", default=False, where=where):
        return True
    reason = optional_text(result, "failure_reason") or "UNKNOWN"
    if reason in GONE_ORDER | BEING_CANCELLED:
        return reason in BEING_CANCELLED
    raise OutcomeUnknown(f"{where}: {reason}", venue_code=reason)


def _iso(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond:06d}Z"

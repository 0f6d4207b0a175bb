"""OKX v5, spot, trading account: what is asked where, what it costs, and how its documents read."""

import contextlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from types import MappingProxyType

from bot.brokers.book_depth import DEPTH_CALL_SECONDS, DEPTH_LEVELS, listed_levels, offered_within
from bot.brokers.by_ccxt import okx_errors
from bot.brokers.by_ccxt.calls import CcxtCalls, Dialect, Endpoint, Params
from bot.brokers.by_ccxt.markets import Markets, markets_from
from bot.brokers.by_ccxt.meanings import refusal_error
from bot.brokers.by_ccxt.okx_account import OkxAccount
from bot.brokers.by_ccxt.okx_cash_events import cash_events
from bot.brokers.by_ccxt.okx_market import candles_from, instrument_from, ticker_from
from bot.brokers.by_ccxt.okx_orders import accepted_number, fill_from, order_body, order_from, single_answer
from bot.brokers.by_ccxt.profile import VenueProfile, acknowledged
from bot.brokers.by_ccxt.times import milliseconds, venue_time
from bot.brokers.key_report import KeyReport
from bot.brokers.replies import ZERO, as_list, as_object, field_of, id_of, number_of, optional_text, text_of
from bot.brokers.rest_lane import OrderCall
from bot.domain.balance import AssetBalance
from bot.domain.cash_event import CashEvent
from bot.domain.errors import OrderRefused, OutcomeUnknown, UnreadableReply, VenueError
from bot.domain.fill import Fill
from bot.domain.instrument import Instrument
from bot.domain.order import OrderAck, OrderRequest, VenueOrder
from bot.domain.quote import Candle, Quote, Ticker

# One a second for ten in two seconds, the pace of the balances.
TIME = Endpoint(verb="GET", path="public/time", interface="public")
STATUS = Endpoint(verb="GET", path="system/status", interface="public", cost=5.0)
INSTRUMENTS = Endpoint(verb="GET", path="public/instruments", interface="public", cost=0.5, is_list=True)
TICKER = Endpoint(verb="GET", path="market/ticker", interface="public", cost=0.5)
TICKERS = Endpoint(verb="GET", path="market/tickers", interface="public", cost=0.5, is_list=True)
BOOK = Endpoint(verb="GET", path="market/books", interface="public", cost=0.25, call_seconds=DEPTH_CALL_SECONDS)
CANDLES = Endpoint(verb="GET", path="market/candles", interface="public", cost=0.25)
CONFIG = Endpoint(verb="GET", path="account/config", cost=2.0)
BALANCE = Endpoint(verb="GET", path="account/balance")
FUNDING = Endpoint(verb="GET", path="asset/balances", cost=5 / 6)
PLACE = Endpoint(verb="POST", path="trade/order", cost=1 / 6)
CANCEL = Endpoint(verb="POST", path="trade/cancel-order", cost=1 / 6)
ORDER = Endpoint(verb="GET", path="trade/order", cost=1 / 6)
OPEN_ORDERS = Endpoint(verb="GET", path="trade/orders-pending", cost=1 / 6)
HISTORY = Endpoint(verb="GET", path="trade/orders-history", cost=0.25)
FILLS = Endpoint(verb="GET", path="trade/fills", cost=1 / 6)
TRADE_FEE = Endpoint(verb="GET", path="account/trade-fee", cost=2.0)
OLD_FILLS = Endpoint(verb="GET", path="trade/fills-history", cost=1.0)
PAGE = 100
MAX_PAGES = 200
MAX_CANDLES = 300
# Up to so many are asked for one by one; beyond, all of them in one answer.
SINGLE_TICKERS = 3
# `trade/fills` tells of three days; near their end the other list is asked.
RECENT_FILLS = timedelta(days=3) - timedelta(hours=1)
# An order's beginning at the venue may lie so much before the moment that was noted as its sending.
LOOK_BACK = timedelta(hours=1)
TRADING_SERVICES = frozenset({"5", "8", "9"})
SPOT = {"instType": "SPOT"}


def _urls(base_url: str) -> Mapping[str, str]:
    # ccxt adds /api/v5 by itself to the one that it calls "rest".
    return {"rest": base_url, "public": f"{base_url}/api/v5"}


def _bounded(params: Params, venue_now: datetime, seconds_left: float) -> tuple[Params, Mapping[str, str]]:
    """`expTime`: past it OKX does not process the request any more (its documentation, placing orders)."""
    return params, {"expTime": str(milliseconds(venue_now + timedelta(seconds=seconds_left)))}


class OkxProfile(VenueProfile):
    """One account's."""

    dialect = Dialect(
        venue="OKX",
        exchange_id="okx",
        urls=_urls,
        options=MappingProxyType({"timeDifference": 0}),
        key_codes=okx_errors.KEY,
        refusal_in=okx_errors.refusal_in,
        speaks=okx_errors.speaks,
        bounded=_bounded,
        by_address=False,
    )
    # A request that was signed more than 30 s ago is refused in any case.
    deadline_seconds = (2.0, 25.0)
    least_margin_seconds = 10.0
    order_endpoint = PLACE
    market_rules = okx_errors.MARKET_RULES
    # The venue's days begin in Hong Kong unless UTC is asked for.
    intervals = MappingProxyType(
        {
            1: "1m",
            3: "3m",
            5: "5m",
            15: "15m",
            30: "30m",
            60: "1H",
            120: "2H",
            240: "4H",
            360: "6Hutc",
            720: "12Hutc",
            1440: "1Dutc",
        }
    )

    def __init__(self, calls: CcxtCalls, *, label: str, quote_currency: str, listed: Callable[[], Markets]) -> None:
        super().__init__(calls, label=label, quote_currency=quote_currency, listed=listed)
        self._account = OkxAccount(label=label, quote_currency=quote_currency)

    # -- the venue --------------------------------------------------------------------------------------------------
    @staticmethod
    def read_time(calls: CcxtCalls) -> datetime:
        where = calls.where(TIME)
        return venue_time(field_of(_only(calls.read(TIME), where), "ts", where=where), where=where)

    @staticmethod
    def wire_name(symbol: str) -> str:
        return symbol.replace("/", "-", 1)

    def maintenance(self) -> str:
        for event in self._rows(STATUS, {"state": "ongoing"}):
            fields = as_object(event, where=self.calls.where(STATUS))
            if fields.get("state") == "ongoing" and fields.get("serviceType") in TRADING_SERVICES:
                return optional_text(fields, "title") or "trading is under maintenance"
        return ""

    def report(self) -> KeyReport:
        where = self.calls.where(CONFIG)
        return self._account.report(_only(self.calls.read(CONFIG), where), where=where)

    def balances(self) -> Mapping[str, AssetBalance]:
        where = self.calls.where(BALANCE)
        found = self._account.balances(_only(self.calls.read(BALANCE), where), where=where)
        if self._account.looks_elsewhere(found, now=self.calls.clock.monotonic()):
            # Only for a hint: the balance is known without it.
            with contextlib.suppress(VenueError):
                self._account.note_funding(self._rows(FUNDING, {"ccy": self.quote_currency}))
        return found

    # -- market -----------------------------------------------------------------------------------------------------
    def markets(self) -> Markets:
        return markets_from(self._rows(INSTRUMENTS, SPOT), instrument_from, venue="OKX")

    def candles(self, market: Instrument, *, interval_minutes: int, limit: int, now: datetime) -> Sequence[Candle]:
        asked = {"instId": market.venue_symbol, "bar": self.intervals[interval_minutes], "limit": str(MAX_CANDLES)}
        rows: list[object] = []
        while len(rows) <= limit:
            page = self._rows(CANDLES, {**asked, "after": _opened_at(rows[-1])} if rows else asked)
            rows += page
            if len(page) < MAX_CANDLES:
                break
        return candles_from(rows, where=self.calls.where(CANDLES))[-limit:]

    def quotes(self, markets: Collection[Instrument], *, taken_at: datetime) -> Mapping[str, Quote]:
        return {symbol: one.quote for symbol, one in self.tickers(markets, taken_at=taken_at).items()}

    def tickers(self, markets: Collection[Instrument], *, taken_at: datetime) -> Mapping[str, Ticker]:
        if len(markets) <= SINGLE_TICKERS:
            rows = [row for one in markets for row in self._rows(TICKER, {"instId": one.venue_symbol})]
        else:
            rows = list(self._rows(TICKERS, SPOT))
        wanted = {one.symbol for one in markets}
        tickers = (ticker_from(row, wanted, taken_at=taken_at) for row in rows)
        return {ticker.quote.symbol: ticker for ticker in tickers if ticker is not None}

    def depth(self, market: Instrument, *, within_percent: Decimal) -> Decimal | None:
        where = self.calls.where(BOOK)
        asked = {"instId": market.venue_symbol, "sz": str(DEPTH_LEVELS)}
        book = _only(self.calls.read(BOOK, asked), where)
        return offered_within(listed_levels(book.get("asks"), where=where), within_percent=within_percent)

    # -- orders -----------------------------------------------------------------------------------------------------
    def place(self, request: OrderRequest, market: Instrument, *, leave_before: float) -> str:
        where = self.calls.where(PLACE)
        return self.calls.change(
            PLACE,
            order_body(request, market),
            lambda document: accepted_number(document, request, where=where),
            leave_before=leave_before,
            last_look=request.last_look,
        )

    def order_call(self, request: OrderRequest, market: Instrument, *, leave_before: float) -> OrderCall:
        where = self.calls.where(PLACE)

        def taken(document: object) -> OrderAck:
            return acknowledged(request, market, accepted_number(document, request, where=where))

        return self.calls.order_call(PLACE, order_body(request, market), taken, leave_before=leave_before)

    def cancel(self, market_name: str, number: str) -> bool:
        where = self.calls.where(CANCEL)
        asked = {"instId": market_name, "ordId": number}
        return self.calls.change(CANCEL, asked, lambda document: _was_taken(document, number, where=where))

    def order_by_client_id(self, client_order_id: str, market_name: str, *, sent_at: datetime) -> VenueOrder | None:
        order = self._order({"instId": market_name, "clOrdId": client_order_id})
        if order is None:
            begin = milliseconds(sent_at - LOOK_BACK)
            order = self._in_history(
                {"instId": market_name, "begin": str(begin)}, lambda one: one.client_order_id == client_order_id
            )
        if order is not None and order.client_order_id != client_order_id:
            raise UnreadableReply(f"{self.calls.where(ORDER)}: asked for one order, given another")
        return order

    def order_by_number(self, market_name: str, number: str) -> VenueOrder | None:
        order = self._order({"instId": market_name, "ordId": number})
        if order is not None:
            return order
        return self._in_history({"instId": market_name}, lambda one: one.venue_order_id == f"{market_name}-{number}")

    def open_orders(self) -> Sequence[VenueOrder]:
        return [order_from(row) for row in self._pages(OPEN_ORDERS, SPOT, "ordId")]

    def order_fills(self, market_name: str, number: str, *, since: datetime) -> Sequence[Fill]:
        return self._fills({**SPOT, "instId": market_name, "ordId": number}, since)

    def fills_since(self, since: datetime) -> Sequence[Fill]:
        return self._fills({**SPOT, "begin": str(milliseconds(since))}, since)

    def cash_events(self, since: datetime) -> Sequence[CashEvent]:
        return cash_events(self._pages, since, now=self.calls.venue_clock.now())

    def taker_fee_percent(self, market: Instrument) -> Decimal | None:
        """OKX counts from the account's side: what is charged is below zero, as a fraction."""
        where = self.calls.where(TRADE_FEE)
        row = _only(self.calls.read(TRADE_FEE, {**SPOT, "instId": market.venue_symbol}), where)
        if not optional_text(row, "taker"):
            return None
        return max(ZERO, -100 * number_of(row, "taker", where=where, minimum=None))

    def _order(self, asked: Params) -> VenueOrder | None:
        try:
            document = self.calls.read(ORDER, asked)
        except UnreadableReply as error:
            if error.venue_code in okx_errors.NO_MARKET:
                return self._among_open(asked)
            if error.venue_code in okx_errors.ABSENT:
                return None
            raise
        return order_from(_only(document, self.calls.where(ORDER)))

    def _among_open(self, asked: Params) -> VenueOrder | None:
        """Of all markets: one that is listed no more may still have an order that waits."""
        number, client_order_id = f"{asked['instId']}-{asked.get('ordId', '')}", asked.get("clOrdId")
        for order in self.open_orders():
            if order.venue_order_id == number or (client_order_id and order.client_order_id == client_order_id):
                return order
        return None

    def _in_history(self, asked: Params, is_it: Callable[[VenueOrder], bool]) -> VenueOrder | None:
        """Among the ended orders of a week; the venue forgets cancelled ones without a trade after two hours."""
        for row in self._market_pages(HISTORY, {**SPOT, **asked}, "ordId"):
            order = order_from(row)
            if is_it(order):
                return order
        return None

    def _fills(self, asked: Params, since: datetime) -> list[Fill]:
        is_recent = self.calls.venue_clock.now() - since < RECENT_FILLS
        pages = self._market_pages(FILLS if is_recent else OLD_FILLS, asked, "billId")
        return [fill_from(row) for row in pages]

    # -- documents --------------------------------------------------------------------------------------------------
    def _rows(self, endpoint: Endpoint, asked: Params | None = None) -> Sequence[object]:
        where = self.calls.where(endpoint)
        return as_list(as_object(self.calls.read(endpoint, asked), where=where).get("data"), where=where)

    def _market_pages(self, endpoint: Endpoint, asked: Params, cursor: str) -> Iterator[object]:
        """`_pages` of one market; of all markets once it is listed no more: its orders and trades are among them."""
        try:
            yield from self._pages(endpoint, asked, cursor)
            return
        except UnreadableReply as error:
            if error.venue_code not in okx_errors.NO_MARKET or "instId" not in asked:
                raise
        yield from self._pages(endpoint, {name: asked[name] for name in asked if name != "instId"}, cursor)

    def _pages(self, endpoint: Endpoint, asked: Params, cursor: str) -> Iterator[object]:
        """Every row of a list that is read page by page, newest first. A page that fails fails the list."""
        where, after, seen = self.calls.where(endpoint), "", {""}
        for _ in range(MAX_PAGES):
            place = {"after": after} if after else {}
            rows = self._rows(endpoint, {**asked, **place, "limit": str(PAGE)})
            yield from rows
            if len(rows) < PAGE:
                return
            after = id_of(as_object(rows[-1], where=where), cursor, where=where)
            if after in seen:
                raise UnreadableReply(f"{where}: the list goes in circles")
            seen.add(after)
        raise UnreadableReply(f"{where}: the list does not end")


def _only(document: object, where: str) -> Mapping[str, object]:
    rows = as_list(as_object(document, where=where).get("data"), where=where)
    if len(rows) != 1:
        raise UnreadableReply(f"{where}: {len(rows)} rows where there is one")
    return as_object(rows[0], where=where)


def _was_taken(document: object, number: str, *, where: str) -> bool:
    row, refusal = single_answer(document, where=where)
    if refusal is None:
        if text_of(row, "ordId", where=where) != number:
            raise UnreadableReply(f"{where}: the answer is about another order")
        return True
    if refusal.code in okx_errors.GONE_ORDER | okx_errors.BEING_CANCELLED:
        return refusal.code in okx_errors.BEING_CANCELLED
    error = refusal_error(refusal, where=where, changes_orders=True)
    # A refusal of the cancel says nothing of the order.
    raise OutcomeUnknown(str(error), venue_code=refusal.code) if isinstance(error, OrderRefused) else error


def _opened_at(row: object) -> str:
    return str(as_list(row, where="OKX candle")[0])

"""Binance spot v3: what is asked where, what it weighs, and how its documents read."""

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from types import MappingProxyType

from bot.brokers.book_depth import DEPTH_CALL_SECONDS, DEPTH_LEVELS, listed_levels, offered_within
from bot.brokers.by_ccxt import binance_errors
from bot.brokers.by_ccxt.binance_cash_events import BinanceLedger
from bot.brokers.by_ccxt.binance_market import candles_from, instrument_from, quotes_from, tickers_from
from bot.brokers.by_ccxt.binance_orders import accepted_number, fill_from, number_in, order_from, order_params
from bot.brokers.by_ccxt.calls import CcxtCalls, Dialect, Endpoint, Params
from bot.brokers.by_ccxt.markets import Markets, markets_from
from bot.brokers.by_ccxt.profile import VenueProfile, acknowledged, order_name
from bot.brokers.by_ccxt.times import milliseconds, time_of, venue_time
from bot.brokers.by_ccxt.traded_markets import TradedMarkets
from bot.brokers.key_report import KeyReport, refuse_without
from bot.brokers.replies import (
    ZERO,
    as_list,
    as_object,
    field_of,
    flag_of,
    number_of,
    optional_number,
    optional_text,
    text_of,
)
from bot.brokers.rest_lane import OrderCall
from bot.domain.balance import AssetBalance
from bot.domain.cash_event import CashEvent
from bot.domain.errors import KeyUnfit, OrderRefused, OutcomeUnknown, UnreadableReply
from bot.domain.fill import Fill
from bot.domain.instrument import Instrument
from bot.domain.order import OrderAck, OrderRequest, VenueOrder
from bot.domain.quote import Candle, Quote, Ticker

# An address may use a weight of 6000 a minute: 20 of it is 1 here, so that 5 a second is all of it. A key may place
# 100 orders in 10 seconds: half of 1 each.
WEIGHT = 1 / 20
TIME = Endpoint(verb="GET", path="time", interface="public", cost=WEIGHT)
STATUS = Endpoint(verb="GET", path="system/status", interface="sapi", cost=WEIGHT, keyless=True)
RULES = Endpoint(verb="GET", path="exchangeInfo", interface="public", cost=20 * WEIGHT, is_list=True)
BOOK = Endpoint(verb="GET", path="ticker/bookTicker", interface="public", cost=4 * WEIGHT, is_list=True)
DAY = Endpoint(verb="GET", path="ticker/24hr", interface="public", cost=80 * WEIGHT, is_list=True)
SOME_DAYS = Endpoint(verb="GET", path="ticker/24hr", interface="public", cost=40 * WEIGHT, is_list=True)
DEPTH = Endpoint(verb="GET", path="depth", interface="public", cost=5 * WEIGHT, call_seconds=DEPTH_CALL_SECONDS)
CANDLES = Endpoint(verb="GET", path="klines", interface="public", cost=2 * WEIGHT)
ACCOUNT = Endpoint(verb="GET", path="account", cost=20 * WEIGHT)
RIGHTS = Endpoint(verb="GET", path="account/apiRestrictions", interface="sapi", cost=WEIGHT)
PLACE = Endpoint(verb="POST", path="order", cost=WEIGHT, key_cost=0.5)
CANCEL = Endpoint(verb="DELETE", path="order", cost=WEIGHT)
ORDER = Endpoint(verb="GET", path="order", cost=4 * WEIGHT)
OPEN_ORDERS = Endpoint(verb="GET", path="openOrders", cost=80 * WEIGHT)
ALL_ORDERS = Endpoint(verb="GET", path="allOrders", cost=20 * WEIGHT)
TRADES = Endpoint(verb="GET", path="myTrades", cost=20 * WEIGHT)
COMMISSION = Endpoint(verb="GET", path="account/commission", cost=20 * WEIGHT)
TRADES_OF_ORDER = Endpoint(verb="GET", path="myTrades", cost=5 * WEIGHT)
PAGE = 1000
MAX_PAGES = 200
MAX_CANDLES = 1000
# Up to so many are named; beyond, all of them are asked for.
NAMED_BOOKS = 100
# What is not given in time is not forwarded to the engine (the venue's own default).
LONGEST_WINDOW_MILLISECONDS = 5000
# An order's beginning at the venue may lie so much before the moment that was noted as its sending.
LOOK_BACK = timedelta(hours=1)
A_DAY = timedelta(days=1)
NEEDED_RIGHTS = ("enableReading", "enableSpotAndMarginTrading")
# With each of these money can leave the account.
WITHDRAW_RIGHTS = ("enableWithdrawals", "enableInternalTransfer", "permitsUniversalTransfer")
# A key that is not bound gets the right to trade for a time (`tradingAuthorityExpirationTime`).
UNBOUND = "Binance takes its right to trade back after a time"


def _is_granted(name: str, value: object) -> bool:
    return value is True and name.startswith(("enable", "permits"))


def _urls(base_url: str) -> Mapping[str, str]:
    spot = f"{base_url}/api/v3"
    return {"public": spot, "private": spot, "sapi": f"{base_url}/sapi/v1"}


def _bounded(params: Params, venue_now: datetime, seconds_left: float) -> tuple[Params, Mapping[str, str]]:
    """`recvWindow` after the time of the signature Binance gives no order to its engine any more."""
    return {**params, "recvWindow": min(LONGEST_WINDOW_MILLISECONDS, int(seconds_left * 1000))}, {}


class BinanceProfile(VenueProfile):
    """One account's. Orders and trades are numbered market by market, and mostly listed so."""

    dialect = Dialect(
        venue="Binance",
        exchange_id="binance",
        urls=_urls,
        options=MappingProxyType({"timeDifference": 0, "recvWindow": LONGEST_WINDOW_MILLISECONDS}),
        key_codes=binance_errors.KEY,
        refusal_in=binance_errors.refusal_in,
        speaks=binance_errors.speaks,
        bounded=_bounded,
        by_address=True,
        weight_a_minute=6000,
    )
    deadline_seconds = (1.0, 60.0)
    # Its API waits 10 s for its engine, and its look-ups may lag behind.
    least_margin_seconds = 12.0
    order_endpoint = PLACE
    market_rules = binance_errors.MARKET_RULES
    intervals = MappingProxyType(
        {
            1: "1m",
            3: "3m",
            5: "5m",
            15: "15m",
            30: "30m",
            60: "1h",
            120: "2h",
            240: "4h",
            360: "6h",
            480: "8h",
            720: "12h",
            1440: "1d",
        }
    )

    def __init__(self, calls: CcxtCalls, *, label: str, quote_currency: str, listed: Callable[[], Markets]) -> None:
        super().__init__(calls, label=label, quote_currency=quote_currency, listed=listed)
        self._traded = TradedMarkets(calls.clock, quote_currency=quote_currency)
        self._ledger = BinanceLedger(calls)

    def touched(self, symbol: str) -> None:
        self._traded.touched(symbol)

    def expected(self, symbols: Collection[str]) -> None:
        self._traded.expected(symbols)

    # -- the venue --------------------------------------------------------------------------------------------------
    @staticmethod
    def read_time(calls: CcxtCalls) -> datetime:
        where = calls.where(TIME)
        return venue_time(field_of(as_object(calls.read(TIME), where=where), "serverTime", where=where), where=where)

    @staticmethod
    def wire_name(symbol: str) -> str:
        return symbol.replace("/", "", 1)

    def maintenance(self) -> str:
        fields = as_object(self.calls.read(STATUS), where=self.calls.where(STATUS))
        return (optional_text(fields, "msg") or "maintenance") if fields.get("status") == 1 else ""

    def report(self) -> KeyReport:
        account, where = self._account(), self.calls.where(ACCOUNT)
        if not flag_of(account, "canTrade", default=True, where=where):
            raise KeyUnfit(f"{self.label}: Binance says that this account can't trade", venue_code="canTrade")
        rights = self._rights()
        granted = None if rights is None else [name for name in rights if _is_granted(name, rights[name])]
        if granted is not None:
            refuse_without(NEEDED_RIGHTS, granted, label=self.label, venue="Binance", code="-2015")
        said = f"apiRestrictions says {', '.join(sorted(granted))}" if granted is not None else "account says canTrade"
        uid = field_of(account, "uid", where=where)
        return KeyReport(
            said_by=said,
            identity=f"account {uid}",
            names_account=True,
            withdraw_rights=tuple(name for name in WITHDRAW_RIGHTS if name in (granted or ())),
            unbound=UNBOUND if rights is not None and rights.get("ipRestrict") is False else "",
        )

    def _rights(self) -> Mapping[str, object] | None:
        """What Binance says of the key; None where there is no such page (the test net, Binance.US)."""
        where = self.calls.where(RIGHTS)
        try:
            return as_object(self.calls.read(RIGHTS), where=where)
        except UnreadableReply as error:
            if error.venue_code in binance_errors.NO_SUCH_PAGE:
                return None
            raise

    def balances(self) -> Mapping[str, AssetBalance]:
        where = self.calls.where(ACCOUNT)
        found: dict[str, AssetBalance] = {}
        for row in as_list(self._account().get("balances"), where=where):
            fields = as_object(row, where=where)
            asset = text_of(fields, "asset", where=where)
            found[asset] = AssetBalance(
                available=number_of(fields, "free", where=f"{where} {asset}"),
                held=number_of(fields, "locked", where=f"{where} {asset}"),
            )
        return found

    def _account(self) -> Mapping[str, object]:
        return as_object(self.calls.read(ACCOUNT, {"omitZeroBalances": "true"}), where=self.calls.where(ACCOUNT))

    # -- market -----------------------------------------------------------------------------------------------------
    def markets(self) -> Markets:
        where = self.calls.where(RULES)
        # The sets of permissions are most of the document, and nothing is made of them.
        fields = as_object(self.calls.read(RULES, {"showPermissionSets": "false"}), where=where)
        return markets_from(as_list(fields.get("symbols"), where=where), instrument_from, venue="Binance")

    def candles(self, market: Instrument, *, interval_minutes: int, limit: int, now: datetime) -> Sequence[Candle]:
        where, interval = self.calls.where(CANDLES), timedelta(minutes=interval_minutes)
        asked = {"symbol": market.venue_symbol, "interval": self.intervals[interval_minutes]}
        found: list[Candle] = []
        end = now
        while len(found) < limit:
            wanted = min(limit - len(found) + 1, MAX_CANDLES)
            page = as_list(
                self.calls.read(CANDLES, {**asked, "endTime": milliseconds(end), "limit": wanted}), where=where
            )
            closed = candles_from(page, now=now, where=where)
            older = [candle for candle in closed if not found or candle.opened_at < found[0].opened_at]
            found = [*older, *found]
            if len(page) < wanted or not older:
                break
            end = found[0].opened_at - interval / 2
        return found[-limit:]

    def quotes(self, markets: Collection[Instrument], *, taken_at: datetime) -> Mapping[str, Quote]:
        rows = as_list(self.calls.read(BOOK, _names(markets)), where=self.calls.where(BOOK))
        quotes = quotes_from(rows, self.listed(), taken_at=taken_at)
        return {one.symbol: quotes[one.symbol] for one in markets if one.symbol in quotes}

    def tickers(self, markets: Collection[Instrument], *, taken_at: datetime) -> Mapping[str, Ticker]:
        asked = _names(markets)
        rows = as_list(self.calls.read(SOME_DAYS if asked else DAY, asked), where=self.calls.where(DAY))
        tickers = tickers_from(rows, self.listed(), taken_at=taken_at)
        return {one.symbol: tickers[one.symbol] for one in markets if one.symbol in tickers}

    def depth(self, market: Instrument, *, within_percent: Decimal) -> Decimal | None:
        where = self.calls.where(DEPTH)
        asked = {"symbol": market.venue_symbol, "limit": DEPTH_LEVELS}
        book = as_object(self.calls.read(DEPTH, asked), where=where)
        return offered_within(listed_levels(book.get("asks"), where=where), within_percent=within_percent)

    # -- orders -----------------------------------------------------------------------------------------------------
    def place(self, request: OrderRequest, market: Instrument, *, leave_before: float) -> str:
        where = self.calls.where(PLACE)
        return self.calls.change(
            PLACE,
            order_params(request, market),
            lambda document: accepted_number(document, request, market, where=where),
            leave_before=leave_before,
            last_look=request.last_look,
        )

    def order_call(self, request: OrderRequest, market: Instrument, *, leave_before: float) -> OrderCall:
        where = self.calls.where(PLACE)

        def taken(document: object) -> OrderAck:
            return acknowledged(request, market, accepted_number(document, request, market, where=where))

        return self.calls.order_call(PLACE, order_params(request, market), taken, leave_before=leave_before)

    def cancel(self, market_name: str, number: str) -> bool:
        where, asked = self.calls.where(CANCEL), {"symbol": market_name, "orderId": number}
        try:
            return self.calls.change(CANCEL, asked, lambda document: _is_about(document, number, where=where))
        except OutcomeUnknown as error:
            if error.venue_code == binance_errors.CANCEL_REFUSED and binance_errors.GONE_WORDS in str(error).lower():
                return False
            raise
        except OrderRefused as error:
            # A refusal of the cancel says nothing of the order.
            raise OutcomeUnknown(str(error), venue_code=error.venue_code) from error

    def order_by_client_id(self, client_order_id: str, market_name: str, *, sent_at: datetime) -> VenueOrder | None:
        order = self._order({"symbol": market_name, "origClientOrderId": client_order_id})
        if order is None:
            return self._in_history(client_order_id, market_name, since=sent_at - LOOK_BACK)
        if order.client_order_id != client_order_id:
            raise UnreadableReply(f"{self.calls.where(ORDER)}: asked for one order, given another")
        return order

    def order_by_number(self, market_name: str, number: str) -> VenueOrder | None:
        return self._order({"symbol": market_name, "orderId": number})

    def open_orders(self) -> Sequence[VenueOrder]:
        rows = as_list(self.calls.read(OPEN_ORDERS), where=self.calls.where(OPEN_ORDERS))
        markets = self.listed()
        return [order_from(row, markets) for row in rows]

    def _order(self, asked: Params) -> VenueOrder | None:
        try:
            return order_from(self.calls.read(ORDER, asked), self.listed())
        except UnreadableReply as error:
            if error.venue_code in (binance_errors.ABSENT, binance_errors.ARCHIVED):
                return None
            raise

    def _in_history(self, client_order_id: str, market_name: str, *, since: datetime) -> VenueOrder | None:
        """A second list, for the look-up of one order may lag behind it."""
        markets = self.listed()
        for row in self._since(ALL_ORDERS, market_name, since, "orderId", follow="orderId"):
            order = order_from(row, markets)
            if order.client_order_id == client_order_id:
                return order
        return None

    # -- trades -----------------------------------------------------------------------------------------------------
    def order_fills(self, market_name: str, number: str, *, since: datetime) -> Sequence[Fill]:
        asked = {"symbol": market_name, "orderId": number}
        name, markets = order_name(market_name, number), self.listed()
        rows = self._numbered(TRADES_OF_ORDER, asked, asked, "id", follow="fromId")
        fills = [fill_from(row, markets) for row in rows]
        # From the second page on a venue may list the trades of other orders as well.
        return [fill for place, fill in enumerate(fills) if place < PAGE or fill.venue_order_id == name]

    def fills_since(self, since: datetime) -> Sequence[Fill]:
        listed, balances = self.listed(), self.balances()
        self._traded.changed(balances, listed)
        fills: list[Fill] = []
        for symbol in self._traded.to_ask():
            if symbol in listed:
                fills += self._market_fills(listed[symbol], since)
        self._traded.finish()
        return fills

    def cash_events(self, since: datetime) -> Sequence[CashEvent]:
        return self._ledger.events_since(since)

    def taker_fee_percent(self, market: Instrument) -> Decimal | None:
        """Standard, special and tax, without the discount for paying in BNB: what it may cost, not what it might."""
        where = self.calls.where(COMMISSION)
        fields = as_object(self.calls.read(COMMISSION, {"symbol": market.venue_symbol}), where=where)
        parts = [as_object(field_of(fields, "standardCommission", where=where), where=where)]
        parts += [as_object(fields.get(name) or {}, where=where) for name in ("specialCommission", "taxCommission")]
        taker = number_of(parts[0], "taker", where=where)
        taker += sum((optional_number(part, "taker", where=where) for part in parts[1:]), ZERO)
        sides = [[optional_number(part, side, where=where) for part in parts] for side in ("buyer", "seller")]
        return 100 * (taker + max(sum(each, ZERO) for each in sides))

    def _market_fills(self, market: Instrument, since: datetime) -> Sequence[Fill]:
        fills = self._traded.kept(market.symbol, since=since)
        if fills is None:
            listed = self.listed()
            rows = self._since(TRADES, market.venue_symbol, since, "id", follow="fromId")
            fills = [fill_from(row, listed) for row in rows]
            self._traded.keep(market.symbol, fills, since=since)
        return fills

    # -- lists ------------------------------------------------------------------------------------------------------
    def _since(
        self, endpoint: Endpoint, market_name: str, since: datetime, name: str, *, follow: str
    ) -> Iterator[object]:
        """At least every row since then. The newest page reaches back far enough but for who trades a lot."""
        where, asked = self.calls.where(endpoint), {"symbol": market_name}
        rows = as_list(self.calls.read(endpoint, {**asked, "limit": PAGE}), where=where)
        moments = [time_of(as_object(row, where=where), "time", where=where) for row in rows]
        if len(rows) < PAGE or min(moments) < since:
            yield from rows
            return
        begin, now = since, self.calls.venue_clock.now()
        while begin < now:
            # The venue lists no more than a day at once, and says so only where both ends are named.
            end = begin + A_DAY
            window = {"startTime": milliseconds(begin), "endTime": milliseconds(end) - 1, "limit": PAGE}
            rows = as_list(self.calls.read(endpoint, {**asked, **window}), where=where)
            yield from rows
            if len(rows) == PAGE:
                # From here on by number, to the end of the list.
                beyond = {**asked, follow: _newest(rows, name, where=where) + 1}
                yield from self._numbered(endpoint, asked, beyond, name, follow=follow)
                return
            begin = end

    def _numbered(
        self, endpoint: Endpoint, asked: Params, first: Params, name: str, *, follow: str
    ) -> Iterator[object]:
        """Every row of a list that goes on after the last number read. A page that fails fails the list."""
        where, place, last = self.calls.where(endpoint), first, -1
        for _ in range(MAX_PAGES):
            rows = as_list(self.calls.read(endpoint, {**place, "limit": PAGE}), where=where)
            yield from rows
            if len(rows) < PAGE:
                return
            newest = _newest(rows, name, where=where)
            if newest <= last:
                raise UnreadableReply(f"{where}: the list goes in circles")
            last, place = newest, {**asked, follow: newest + 1}
        raise UnreadableReply(f"{where}: the list does not end")


def _names(markets: Collection[Instrument]) -> Params:
    """What asks for these markets; nothing asks for all of them, which is shorter for many."""
    names = [one.venue_symbol for one in markets]
    return {"symbols": json.dumps(names, separators=(",", ":"))} if len(names) <= NAMED_BOOKS else {}


def _newest(rows: Sequence[object], name: str, *, where: str) -> int:
    return max(int(number_in(as_object(row, where=where), name, where=where)) for row in rows)


def _is_about(document: object, number: str, *, where: str) -> bool:
    if number_in(as_object(document, where=where), "orderId", where=where) != number:
        raise UnreadableReply(f"{where}: the answer is about another order")
    return True

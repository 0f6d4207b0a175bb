"""What is read of an exchange that is opened by name: balances, markets, prices, candles, orders and trades."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from bot.brokers.by_ccxt.times import milliseconds, venue_time
from bot.brokers.by_ccxt.traded_markets import TradedMarkets
from bot.brokers.by_ccxt.unified_calls import Wire
from bot.brokers.by_ccxt.unified_conduct import Conduct
from bot.brokers.by_ccxt.unified_errors import ORDER_NOT_FOUND
from bot.brokers.by_ccxt.unified_exchange import Exchange, Row
from bot.brokers.by_ccxt.unified_market import (
    UnifiedMarkets,
    candles_from,
    markets_from,
    minutes_by_name,
    quote_from,
    quote_of_book,
)
from bot.brokers.by_ccxt.unified_orders import fill_from, order_from
from bot.brokers.by_ccxt.unified_trades import trades_since
from bot.brokers.replies import as_list, as_object, number
from bot.domain.balance import AssetBalance
from bot.domain.errors import UnreadableReply
from bot.domain.fill import Fill
from bot.domain.instrument import Instrument
from bot.domain.order import VenueOrder
from bot.domain.quote import Candle, Quote

# Not currencies, though ccxt lists them among those.
NOT_CURRENCIES = frozenset({"info", "free", "used", "total", "debt", "timestamp", "datetime"})
# Beyond so many books all prices are asked for at once.
MAX_BOOKS = 5
BOOK_DEPTH = 5
CANDLES_PER_CALL = 200
MAX_CANDLE_PAGES = 20
# What one answer lists at most, where ccxt does not say it: so many may be a list that was cut.
USUAL_PAGES = frozenset({50, 100, 200, 250, 500, 1000})
# An order's beginning at the exchange may lie so much before the moment that was noted as its sending.
LOOK_BACK = timedelta(hours=1)


class UnifiedReader:
    """One account's; its own thread asks. `listed` gives the markets and makes ccxt know them."""

    def __init__(
        self, wire: Wire, conduct: Conduct, *, quote_currency: str, listed: Callable[[], UnifiedMarkets]
    ) -> None:
        self._wire = wire
        self._conduct = conduct
        self._listed = listed
        self._venue = wire.venue
        self.traded = TradedMarkets(wire.clock, quote_currency=quote_currency)

    # -- the exchange -----------------------------------------------------------------------------------------------
    def time(self) -> datetime:
        where = self._wire.where("fetchTime")
        return venue_time(self._wire.read("fetchTime", lambda one: one.fetch_time(), keyless=True), where=where)

    def markets(self) -> UnifiedMarkets:
        def read(one: Exchange) -> Sequence[Row]:
            return one.fetch_markets()

        rows = self._wire.read("fetchMarkets", read, is_list=True, keyless=True)
        rows = [row for row in as_list(rows, where=self._wire.where("fetchMarkets")) if isinstance(row, dict)]
        return markets_from(self._wire.exchange, rows, venue=self._venue)

    def balances(self) -> Mapping[str, AssetBalance]:
        """Every asset. Raises `UnreadableReply` also where only a total is told: it may be in orders."""
        self._listed()
        where = self._wire.where("fetchBalance")
        answer = self._wire.read_all("fetchBalance", lambda one: one.fetch_balance(), empty=_without_assets)
        told = as_object(answer, where=where)
        found: dict[str, AssetBalance] = {}
        for asset in told.keys() - NOT_CURRENCIES:
            fields = as_object(told[asset], where=f"{where} {asset}")
            if all(fields.get(name) is None for name in ("free", "used", "total")):
                continue
            free, used = (number(fields.get(name), where=f"{where} {asset} {name}") for name in ("free", "used"))
            found[asset] = AssetBalance(available=free, held=used)
        return found

    # -- market -----------------------------------------------------------------------------------------------------
    def intervals(self) -> Mapping[int, str]:
        return minutes_by_name(self._wire.exchange.timeframes)

    def candles(self, market: Instrument, *, interval_minutes: int, limit: int, now: datetime) -> Sequence[Candle]:
        name, interval = self.intervals()[interval_minutes], timedelta(minutes=interval_minutes)
        where = self._wire.where("fetchOHLCV")
        found: dict[datetime, Candle] = {}
        start = now - interval * (limit + 1)
        for _ in range(MAX_CANDLE_PAGES):
            page = self._wire.read("fetchOHLCV", _candles(market.symbol, name, milliseconds(start)))
            candles = candles_from(page, interval=interval, now=now, where=where)
            new = [candle for candle in candles if candle.opened_at not in found]
            found |= {candle.opened_at: candle for candle in new}
            if not new or len(found) >= limit or now - new[-1].opened_at < 2 * interval:
                break
            start = new[-1].opened_at + interval
        return [found[moment] for moment in sorted(found)][-limit:]

    def quotes(self, markets: Collection[Instrument], *, taken_at: datetime) -> Mapping[str, Quote]:
        wire, symbols, quotes = self._wire, [market.symbol for market in markets], {}
        if len(symbols) > MAX_BOOKS or not wire.exchange.has.get("fetchOrderBook"):
            quotes = self._all_quotes(symbols, taken_at)
        missing = [symbol for symbol in symbols if symbol not in quotes]
        if len(missing) <= MAX_BOOKS and wire.exchange.has.get("fetchOrderBook"):
            quotes |= {symbol: self._book_quote(symbol, taken_at) for symbol in missing}
        return {symbol: quote for symbol, quote in quotes.items() if quote is not None}

    def _all_quotes(self, symbols: Sequence[str], taken_at: datetime) -> dict[str, Quote | None]:
        wire = self._wire
        name = "fetchBidsAsks" if wire.exchange.has.get("fetchBidsAsks") is True else "fetchTickers"

        def read(one: Exchange) -> Mapping[str, Row]:
            return one.fetch_bids_asks(symbols) if name == "fetchBidsAsks" else one.fetch_tickers(symbols)

        rows, where = as_object(wire.read(name, read, is_list=True), where=wire.where(name)), wire.where(name)
        told = {
            symbol: quote_from(symbol, rows[symbol], taken_at=taken_at, where=where) for symbol in symbols & rows.keys()
        }
        return {symbol: quote for symbol, quote in told.items() if quote is not None}

    def _book_quote(self, symbol: str, taken_at: datetime) -> Quote | None:
        book = self._wire.read("fetchOrderBook", lambda one: one.fetch_order_book(symbol, BOOK_DEPTH))
        return quote_of_book(symbol, book, taken_at=taken_at, where=self._wire.where("fetchOrderBook"))

    # -- orders -----------------------------------------------------------------------------------------------------
    def order_by_number(self, symbol: str, number: str) -> VenueOrder | None:
        self._listed()
        if not self._conduct.order_by_number:
            return next((one for one in self._orders_of(symbol) if one.venue_order_id.endswith(f":{number}")), None)
        return self._single(symbol, number, {})

    def order_by_client_id(self, symbol: str, client_order_id: str) -> VenueOrder | None:
        """Asked for directly. None when it is not shown, or when this exchange can't be asked so."""
        self._listed()
        order = self._single(symbol, "", {"clientOrderId": client_order_id})
        return order if order is not None and order.client_order_id == client_order_id else None

    def _single(self, symbol: str, number: str, params: Mapping[str, object]) -> VenueOrder | None:
        try:
            row = self._wire.read("fetchOrder", lambda one: one.fetch_order(number, symbol, params))
        except UnreadableReply as error:
            if error.venue_code == ORDER_NOT_FOUND:
                return None
            raise
        return order_from(row, venue=self._venue)

    def listed_orders(self, symbol: str, *, since: datetime) -> Iterator[VenueOrder]:
        """Open and ended ones of a market, as far as the exchange lists them."""
        self._listed()
        yield from self._open(symbol)
        for method in self._conduct.ended_lists:
            yield from self._orders(
                self._wire.read_list(method, _orders(method, symbol, milliseconds(since - LOOK_BACK)))
            )

    def _orders_of(self, symbol: str) -> Iterator[VenueOrder]:
        return self.listed_orders(symbol, since=self._wire.clock.now() - timedelta(days=1))

    def open_orders(self) -> Sequence[VenueOrder]:
        if not self._conduct.open_by_market:
            self._listed()
            return list(self._open(None))
        return [order for symbol in self._markets_to_ask() for order in self._open(symbol)]

    def _open(self, symbol: str | None) -> Iterator[VenueOrder]:
        rows = self._wire.read_list("fetchOpenOrders", lambda one: one.fetch_open_orders(symbol))
        page, where = self._conduct.open_page, self._wire.where("fetchOpenOrders")
        if len(rows) in USUAL_PAGES if page is None else len(rows) >= page:
            raise UnreadableReply(f"{where}: {len(rows)} orders are as many as it lists; there may be more")
        return self._orders(rows)

    def _orders(self, rows: Sequence[object]) -> Iterator[VenueOrder]:
        for row in rows:
            yield order_from(row, venue=self._venue)

    # -- trades -----------------------------------------------------------------------------------------------------
    def order_fills(self, symbol: str, number: str, *, since: datetime, now: datetime) -> Sequence[Fill]:
        fills = self._fills(symbol, since - LOOK_BACK, now)
        return [fill for fill in fills if fill.venue_order_id.endswith(f":{number}")]

    def fills_since(self, since: datetime, *, now: datetime) -> Sequence[Fill]:
        if not self._conduct.trades_by_market:
            return self._fills(None, since, now)
        fills: list[Fill] = []
        for symbol in self._markets_to_ask():
            kept = self.traded.kept(symbol, since=since)
            if kept is None:
                kept = self._fills(symbol, since, now)
                self.traded.keep(symbol, kept, since=since)
            fills += kept
        self.traded.finish()
        return fills

    def _markets_to_ask(self) -> Iterable[str]:
        listed = self._listed()
        self.traded.changed(self.balances(), listed)
        return [symbol for symbol in self.traded.to_ask() if symbol in listed]

    def _fills(self, symbol: str | None, since: datetime, now: datetime) -> list[Fill]:
        self._listed()
        limit = self._conduct.trades_page

        def page(start: int, end: int | None) -> Sequence[Fill]:
            bound = {} if end is None else {"until": end}
            rows = self._wire.read_list("fetchMyTrades", lambda one: one.fetch_my_trades(symbol, start, limit, bound))
            return [fill_from(row, venue=self._venue) for row in rows]

        where, window = self._wire.where("fetchMyTrades"), self._conduct.trades_window
        return trades_since(page, since, now=now, window=window, page_size=limit, where=where)


def _without_assets(balance: Row) -> bool:
    return not balance.keys() - NOT_CURRENCIES


def _candles(symbol: str, name: str, since: int) -> Callable[[Exchange], Sequence[Sequence[object]]]:
    return lambda one: one.fetch_ohlcv(symbol, name, since, CANDLES_PER_CALL)


def _orders(method: str, symbol: str, since: int) -> Callable[[Exchange], Sequence[Row]]:
    def read(one: Exchange) -> Sequence[Row]:
        rows: Sequence[Row] = getattr(one, method)(symbol, since)
        return rows

    return read

"""The market all brokerages share: one price per symbol everywhere, made by the generator or replayed from a file.

It is a function of (seed, first start, time) and of what an operator did to it; reading it changes nothing, but for the
numbers of public trades, which count from the first look. Only `take` leaves a mark: liquidity taken is gone until the
next second. Trades of accounts do not move the tape.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal

from paper_exchange.candles import Candle, fold
from paper_exchange.catalogue import STOCK_VENUE, Catalogue, Listing, TradingMode, UnknownSymbol
from paper_exchange.orders import Side
from paper_exchange.symbol_market import MINUTE_NS, RawTick, Segment, SymbolMarket
from paper_exchange.tape import HISTORY_MINUTES, TAPE_VERSION, Bar, CommonFactor, SymbolTape
from paper_exchange.tempers import temper_for
from paper_exchange.trade_numbers import TradeNumbers

DAY_MINUTES = 1440
KEPT_CANDLES = 1000  # closed minutes per symbol
TRADE_NUMBER_AT_START = 10_000_000

__all__ = ["Candle", "DayStats", "Market", "PublicTrade", "Quote", "Tick"]


@dataclass(frozen=True)
class Quote:
    """Best bid and ask with what stands there (base), and the last trade's price and quantity."""

    symbol: str
    bid: Decimal
    bid_quantity: Decimal
    ask: Decimal
    ask_quantity: Decimal
    last: Decimal
    last_quantity: Decimal
    time_ns: int


@dataclass(frozen=True)
class Tick:
    """What happened in a second: the last price, the quantity traded (base) and who took, and the quote after it."""

    time_ns: int
    last: Decimal
    quantity: Decimal
    taker: Side
    bid: Decimal
    ask: Decimal


@dataclass(frozen=True)
class PublicTrade:
    number: int
    time_ns: int
    price: Decimal
    quantity: Decimal
    side: Side  # the taker's


@dataclass(frozen=True)
class DayStats:
    """`today` counts from 00:00 UTC, `day` is the last 24 hours; volumes in base."""

    open: Decimal  # today's first price
    volume_today: Decimal
    volume_day: Decimal
    vwap_today: Decimal
    vwap_day: Decimal
    trades_today: int
    trades_day: int
    low_today: Decimal
    low_day: Decimal
    high_today: Decimal
    high_day: Decimal


class Market:
    """`origin_ns` is the first start of this market, kept over restarts; `replay` holds minute bars by symbol."""

    def __init__(
        self, catalogue: Catalogue, seed: int, *, origin_ns: int, replay: Mapping[str, Sequence[Bar]] | None = None
    ) -> None:
        self._catalogue = catalogue
        self.seed = seed
        self.origin_ns = origin_ns
        self.now_ns = origin_ns
        self._pauses: list[list[int]] = []  # [start] of a pause that lasts, [start, end] of one that is over
        self._closings: list[list[int]] = []  # likewise, of the markets that have sessions
        self._with_sessions = frozenset(listing.symbol for listing in catalogue.for_brokerage(STOCK_VENUE))
        self._epoch_minute = origin_ns // MINUTE_NS
        self._factor = CommonFactor(seed)
        self._replay = dict(replay or {})
        self._grids: dict[str, Listing] = {}
        self._markets: dict[str, SymbolMarket] = {}
        self._numbers: dict[str, TradeNumbers] = {}
        self._candles: dict[str, dict[int, Candle]] = {}
        self._day_stats: dict[str, tuple[int, DayStats]] = {}

    def symbols_trading(self) -> list[str]:
        return [listing.symbol for listing in self._catalogue.trading()]

    def advance(self, now_ns: int) -> None:
        """Move to `now_ns`; time never goes back, a step back of the clock only makes the market stand still."""
        self.now_ns = max(self.now_ns, now_ns)

    # Reading.

    def quote(self, symbol: str) -> Quote:
        """Raises `UnknownSymbol` for a symbol without a tape, as all of these do."""
        market, grid = self._market(symbol), self._grid(symbol)
        tick, book = market.tick(self.now_ns), market.book(self.now_ns)
        bid, bid_lots = next(book.levels(Side.BUY), (tick.bid, 0))
        ask, ask_lots = next(book.levels(Side.SELL), (tick.ask, 0))
        return Quote(
            symbol, bid * grid.tick_size, bid_lots * grid.lot_step, ask * grid.tick_size, ask_lots * grid.lot_step,
            tick.last * grid.tick_size, tick.volume * grid.lot_step, tick.time_ns,
        )  # fmt: skip

    def last(self, symbol: str) -> Decimal:
        return self._market(symbol).tick(self.now_ns).last * self._grid(symbol).tick_size

    def book(self, symbol: str, depth: int) -> tuple[list[tuple[Decimal, Decimal]], list[tuple[Decimal, Decimal]]]:
        """The best `depth` generated (price, quantity) levels: bids, best first, and asks, best first."""
        bids, asks = (
            [level for level, _ in zip(self.offers(symbol, side), range(depth), strict=False)] for side in Side
        )
        return bids, asks

    def offers(self, symbol: str, side: Side) -> Iterator[tuple[Decimal, Decimal]]:
        """Generated (price, quantity) resting on `side`, best first, less what was taken in this second."""
        grid = self._grid(symbol)
        for price, lots in self._market(symbol).book(self.now_ns).levels(side):
            yield price * grid.tick_size, lots * grid.lot_step

    def offered_at(self, symbol: str, side: Side, price: Decimal) -> Decimal:
        """The generated quantity that rests on `side` at exactly `price`, less what was taken in this second."""
        grid = self._grid(symbol)
        ticks = price / grid.tick_size
        if ticks != ticks.to_integral_value():
            return Decimal(0)
        return self._market(symbol).book(self.now_ns).at(side, int(ticks)) * grid.lot_step

    def take(self, symbol: str, side: Side, price: Decimal, quantity: Decimal) -> None:
        """Take generated liquidity that rests on `side`."""
        grid = self._grid(symbol)
        lots = int((quantity / grid.lot_step).to_integral_value(ROUND_CEILING))
        self._market(symbol).book(self.now_ns).take(side, int(price / grid.tick_size), lots)

    def tick(self, symbol: str) -> Tick:
        return self._tick(symbol, self._market(symbol).tick(self.now_ns))

    def ticks_between(self, symbol: str, after_ns: int, until_ns: int) -> Iterator[Tick]:
        """Every second, and every change by an operator, in (after, until]."""
        return (self._tick(symbol, raw) for raw in self._market(symbol).ticks_between(after_ns, until_ns))

    def candles(
        self, symbol: str, interval_seconds: int, since_ns: int | None, limit: int, until_ns: int | None = None
    ) -> list[Candle]:
        """At most `limit` candles, oldest first: the newest of those that open in [since, until]. The last is forming.

        `interval_seconds` is a multiple of 60; candles open at multiples of it since 1970.
        """
        market, minutes = self._market(symbol), interval_seconds // 60
        end_ns = self.now_ns if until_ns is None else min(until_ns, self.now_ns)
        bucket = (end_ns // MINUTE_NS) // minutes
        first = bucket - limit + 1
        if since_ns is not None:
            first = max(first, -(-since_ns // (minutes * MINUTE_NS)))
        if first * minutes < self._epoch_minute + market.first_minute:
            first = max(first, -(-(market.oldest_minute() + self._epoch_minute) // minutes))
        found = (self._candle(symbol, market, number, minutes) for number in range(first, bucket + 1))
        return [candle for candle in found if candle is not None]

    def _candle(self, symbol: str, market: SymbolMarket, number: int, minutes: int) -> Candle | None:
        cache = self._candles.setdefault(symbol, {}) if minutes == 1 else {}
        candle = cache.get(number)
        if candle is not None:
            return candle
        start = number * minutes - self._epoch_minute
        bars = market.bars_between(start, start + minutes, self.now_ns)
        candle = fold(number * minutes * MINUTE_NS, bars, self._grid(symbol))
        if candle is not None and start < market.minute_of(self.now_ns):
            if len(cache) >= KEPT_CANDLES:
                del cache[next(iter(cache))]
            cache[number] = candle
        return candle

    def recent_trades(self, symbol: str, limit: int) -> list[PublicTrade]:
        """The newest `limit` trades of the tape (up to about half an hour), oldest first."""
        market = self._market(symbol)
        found: list[RawTick] = []
        end_ns = self.now_ns
        for _ in range(30):
            begin_ns = end_ns - MINUTE_NS
            found[:0] = [tick for tick in market.ticks_between(begin_ns, end_ns) if tick.volume]
            end_ns = begin_ns
            if len(found) >= limit or market.minute_of(begin_ns) <= market.first_minute:
                break
        return self._trades(symbol, found[-limit:])

    def trades_between(self, symbol: str, after_ns: int, until_ns: int) -> list[PublicTrade]:
        """The trades of the tape in (after, until], oldest first."""
        ticks = self._market(symbol).ticks_between(after_ns, until_ns)
        return self._trades(symbol, [tick for tick in ticks if tick.volume])

    def day_stats(self, symbol: str) -> DayStats:
        """Exact to the minute for closed minutes; refreshed once a second."""
        second = self.now_ns // 1_000_000_000
        known = self._day_stats.get(symbol)
        if known is None or known[0] != second:
            known = second, self._fold_day(symbol)
            self._day_stats[symbol] = known
        return known[1]

    def _fold_day(self, symbol: str) -> DayStats:
        market, grid = self._market(symbol), self._grid(symbol)
        current = market.minute_of(self.now_ns)
        midnight = current - (current + self._epoch_minute) % DAY_MINUTES
        bars = list(market.bars_between(current - DAY_MINUTES + 1, current + 1, self.now_ns))
        day = fold(0, bars, grid)
        today = fold(0, (item for item in bars if item[0].start >= midnight), grid)
        assert day is not None and today is not None  # the forming minute is always there
        return DayStats(
            open=today.open, volume_today=today.volume, volume_day=day.volume, vwap_today=today.vwap, vwap_day=day.vwap,
            trades_today=today.trades, trades_day=day.trades, low_today=today.low, low_day=day.low,
            high_today=today.high, high_day=day.high,
        )  # fmt: skip

    # What an operator does.

    def set_price(self, symbol: str, price: Decimal) -> None:
        """The last price is `price` (rounded to the tick size) from now on; the market moves on from there.

        Raises `UnknownSymbol`, or `ValueError` with a sentence.
        """
        market, grid = self._market(symbol), self._grid(symbol)
        if not price.is_finite() or price < 2 * grid.tick_size:
            raise ValueError(f"the price of {symbol} must be at least {2 * grid.tick_size:f}, not {price}")
        market.set_price(int((price / grid.tick_size).to_integral_value()), self._next_moment())

    def set_halted(self, symbol: str, halted: bool) -> None:
        """A halted symbol stands still, matches nothing and takes no orders; cancels work."""
        market = self._market(symbol)
        self._catalogue.set_rules(symbol, {"mode": TradingMode.HALTED if halted else TradingMode.ONLINE})
        self._freeze_or_thaw(symbol, market)

    def set_rules(self, symbol: str, rules: Mapping[str, str]) -> None:
        """See `Catalogue.set_rules`. A new tick size binds new orders; generated quotes keep the old grid."""
        self._catalogue.set_rules(symbol, rules)
        if symbol in self._markets or self._catalogue.listing(symbol).mode is TradingMode.HALTED:
            self._freeze_or_thaw(symbol, self._market(symbol))

    def pause(self) -> None:
        """All prices stand still and nothing prints; orders still match against the standing quotes."""
        self._set_paused(True)

    def resume(self) -> None:
        """All prices move on from where they stood."""
        self._set_paused(False)

    @property
    def paused(self) -> bool:
        return _lasts(self._pauses)

    def set_closed(self, closed: bool) -> None:
        """Close or open the markets that have sessions. A closed market stands still, and nothing matches in it."""
        if closed == self.closed:
            return
        _turn(self._closings, self._next_moment())
        for symbol in self._with_sessions & self._markets.keys():
            self._freeze_or_thaw(symbol, self._markets[symbol])

    @property
    def closed(self) -> bool:
        """Whether the markets that have sessions are closed."""
        return _lasts(self._closings)

    def is_closed(self, symbol: str) -> bool:
        return symbol in self._with_sessions and self.closed

    def _set_paused(self, paused: bool) -> None:
        if paused == self.paused:
            return
        _turn(self._pauses, self._next_moment())
        # A symbol that nobody has asked for yet learns of its pauses when it is made.
        for symbol, market in self._markets.items():
            self._freeze_or_thaw(symbol, market)

    def _freeze_or_thaw(self, symbol: str, market: SymbolMarket) -> None:
        halted = self._catalogue.listing(symbol).mode is TradingMode.HALTED
        if self.paused or halted or self.is_closed(symbol):
            market.freeze(self._next_moment())
        else:
            market.thaw(self._next_moment())

    def _next_moment(self) -> int:
        """A moment later than all that was seen, so that the change is a tick of its own."""
        self.now_ns += 1
        return self.now_ns

    # Keeping.

    def snapshot(self) -> dict[str, object]:
        """JSON-able; with `restored` the same tape goes on."""
        return {
            "tape_version": TAPE_VERSION, "seed": self.seed, "origin_ns": self.origin_ns, "now_ns": self.now_ns,
            "pauses": self._pauses, "closings": self._closings, "rules": self._catalogue.rule_changes(),
            "segments": {
                symbol: [[s.start_ns, s.factor.hex(), s.frozen] for s in market.segments]
                for symbol, market in self._markets.items() if market.segments
            },
        }  # fmt: skip

    @classmethod
    def restored(
        cls, catalogue: Catalogue, state: Mapping[str, object], *, replay: Mapping[str, Sequence[Bar]] | None = None
    ) -> Market:
        """Raises `ValueError` with a sentence when the state is not one that `snapshot` gave."""
        try:
            if state["tape_version"] != TAPE_VERSION:
                raise ValueError(f"the market was made by tape version {state['tape_version']}, not {TAPE_VERSION}")
            market = cls(catalogue, _integer(state["seed"]), origin_ns=_integer(state["origin_ns"]), replay=replay)
            market.now_ns = _integer(state["now_ns"])
            market._restore_changes(state["rules"], state["segments"], state["pauses"], state.get("closings", []))
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"the market's state is not readable: {error!r}") from error
        return market

    def _restore_changes(self, rules: object, segments: object, pauses: object, closings: object) -> None:
        if not isinstance(rules, dict) or not isinstance(segments, dict):
            raise TypeError("rules and segments must be objects")
        if not isinstance(pauses, list) or not isinstance(closings, list):
            raise TypeError("pauses and closings must be lists")
        for symbol, changes in rules.items():
            self._catalogue.set_rules(symbol, changes)
        for symbol, rows in segments.items():
            for start_ns, factor, frozen in rows:
                self._market(symbol).add_segment(Segment(start_ns, float.fromhex(factor), frozen))
        self._pauses = [[_integer(moment) for moment in pause] for pause in pauses]
        self._closings = [[_integer(moment) for moment in closing] for closing in closings]

    # Parts.

    def _grid(self, symbol: str) -> Listing:
        """The listing as it first was: the grid on which the tape's integers count."""
        return self._grids.get(symbol) or self._grids.setdefault(symbol, self._catalogue.original(symbol))

    def _market(self, symbol: str) -> SymbolMarket:
        found = self._markets.get(symbol)
        if found is None:
            found = self._markets[symbol] = self._make(self._grid(symbol))
            for standstill in _united([*self._pauses, *(self._closings if symbol in self._with_sessions else ())]):
                found.freeze(standstill[0])
                if len(standstill) == 2:
                    found.thaw(standstill[1])
        return found

    def _make(self, listing: Listing) -> SymbolMarket:
        if not listing.trades:
            raise UnknownSymbol(f"{listing.symbol} has no tape")
        reference_usd = float(self._catalogue.asset(listing.base).reference_usd)
        temper = temper_for(listing, self.seed, reference_usd)
        rows = list(self._replay.get(listing.symbol, ()))
        tape = SymbolTape(
            self.seed, listing.symbol, temper, self._factor, epoch_minute=self._epoch_minute, rows=rows or None
        )
        return SymbolMarket(self.seed, listing.symbol, temper, tape, epoch_minute=self._epoch_minute)

    def _tick(self, symbol: str, raw: RawTick) -> Tick:
        grid = self._grid(symbol)
        size = grid.tick_size
        taker = Side.BUY if raw.bought else Side.SELL
        return Tick(raw.time_ns, raw.last * size, raw.volume * grid.lot_step, taker, raw.bid * size, raw.ask * size)

    def _trades(self, symbol: str, ticks: Sequence[RawTick]) -> list[PublicTrade]:
        """Ticks with volume that follow each other, as trades."""
        if not ticks:
            return []
        first = self._trade_numbers(symbol).of(ticks[0].time_ns)
        trades = (self._tick(symbol, raw) for raw in ticks)
        return [
            PublicTrade(number, tick.time_ns, tick.last, tick.quantity, tick.taker)
            for number, tick in enumerate(trades, start=first)
        ]

    def _trade_numbers(self, symbol: str) -> TradeNumbers:
        if symbol not in self._numbers:
            market = self._market(symbol)
            minute = market.minute_of(self.now_ns)
            number = TRADE_NUMBER_AT_START + (minute + HISTORY_MINUTES) * 60
            self._numbers[symbol] = TradeNumbers(market, minute, number)
        return self._numbers[symbol]


def _lasts(spans: Sequence[Sequence[int]]) -> bool:
    """Whether the last of the spans has no end yet."""
    return bool(spans) and len(spans[-1]) == 1


def _turn(spans: list[list[int]], moment: int) -> None:
    """End the last span, or begin another."""
    if _lasts(spans):
        spans[-1].append(moment)
    else:
        spans.append([moment])


def _united(spans: Sequence[Sequence[int]]) -> list[list[int]]:
    """The spans in order, those that meet as one: a market that stands still for two reasons moves after both."""
    united: list[list[int]] = []
    for start, *end in sorted(spans, key=lambda span: span[0]):
        if united and (len(united[-1]) == 1 or start <= united[-1][1]):
            united[-1][1:] = [max(*end, *united[-1][1:])] if end and len(united[-1]) == 2 else []
        else:
            united.append([start, *end])
    return united


def _integer(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"expected a whole number, not {value!r}")
    return value

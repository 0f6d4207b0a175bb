"""Writing the market watch's values down, in small pieces that no order has to wait behind.

A piece is skipped when others wait for the store: prices come again, orders must not be late.
"""

import json
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Table

from bot.brokers.market_values import BookTop, MarketValues, PriceRow
from bot.domain.errors import StoreUnavailable
from bot.domain.instrument import Instrument
from bot.market.movers import Mover, MoverRules
from bot.market.price_history import PriceHistory
from bot.seams.clock import Clock
from bot.storage import market_rows
from bot.storage.schema import market_catalogue, market_focus, market_mover, market_scout
from bot.storage.store import Store

log = logging.getLogger(__name__)

WRITE_SECONDS = 2.0


class Snapshots:
    """Of one venue, by one thread. What was written is remembered, so that only changes are.

    `is_ours` says whether these rows are this process's to write: of many that watch the same markets one does.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        *,
        broker: str,
        values: MarketValues,
        is_ours: Callable[[], bool] = lambda: True,
    ) -> None:
        self._is_ours = is_ours
        self._store = store
        self._clock = clock
        self._broker = broker
        self._values = values
        self._listed: dict[str, Instrument] = {}
        self._all_listed: Mapping[str, Instrument] = {}
        self._scouted: dict[str, float] = {}
        self._focused: dict[str, tuple[object, ...]] = {}
        self._movers: dict[str, Mover | None] = {}
        self.skipped = 0
        self.written = 0

    def begin(self) -> Mapping[str, Sequence[Sequence[float]]]:
        """Take up what an earlier process left: its rows are known, and go when they are not true any more.

        Returns the price lines it kept.
        """
        with self._store.read() as connection:
            self._listed = dict(market_rows.listed_instruments(connection, self._broker))
            self._focused = dict.fromkeys(market_rows.symbols_of(connection, market_focus, self._broker), ())
            self._movers = dict.fromkeys(market_rows.symbols_of(connection, market_mover, self._broker))
            return market_rows.sparklines(connection, self._broker)

    def source(self, words: str) -> bool:
        """Where prices come from now; False when it could not be written."""
        now = self._clock.now()
        return self._work(lambda connection: market_rows.note_source(connection, self._broker, source=words, now=now))

    def catalogue(self, instruments: Mapping[str, Instrument]) -> None:
        """Every market whose rules or status have changed."""
        if not instruments or instruments is self._all_listed:
            return  # not read yet, or nothing has changed since all of it was written
        now = self._clock.now()
        changed = {symbol: one for symbol, one in instruments.items() if self._listed.get(symbol) != one}
        rows = {symbol: self._catalogue_row(one, now) for symbol, one in changed.items()}
        written = self._put(market_catalogue, rows)
        for symbol in written:
            self._listed[symbol] = changed[symbol]
        gone = sorted(self._listed.keys() - instruments.keys())
        if not gone or (self._remove(market_catalogue, gone) and self._remove(market_scout, gone)):
            for symbol in gone:
                del self._listed[symbol]
            if len(written) == len(rows):
                self._all_listed = instruments

    def scout(self, rows: Mapping[str, PriceRow], histories: Mapping[str, PriceHistory], drawn: Iterable[str]) -> None:
        """The last ticker of each market that has a newer one; of those `drawn`, the line too."""
        lines = frozenset(drawn)
        fresh = {symbol: row for symbol, row in rows.items() if self._scouted.get(symbol) != row.seen_at}
        for with_line in (False, True):
            chosen = {
                symbol: self._scout_row(symbol, row, histories.get(symbol) if with_line else None)
                for symbol, row in fresh.items()
                if (symbol in lines and symbol in histories) is with_line
            }
            for symbol in self._put(market_scout, chosen):
                self._scouted[symbol] = rows[symbol].seen_at

    def focus(self, reasons: Mapping[str, Sequence[str]]) -> None:
        """The markets in focus with book and trades; those that left are removed."""
        rows: dict[str, Mapping[str, Any]] = {}
        marks: dict[str, tuple[object, ...]] = {}
        now = self._clock.now()
        for symbol, why in reasons.items():
            top, tape, row = self._values.top(symbol), self._values.tape(symbol), self._values.row(symbol)
            last = tape.recent[-1] if tape is not None and tape.recent else None
            mark = (tuple(why), top, row, last)
            if self._focused.get(symbol) != mark:
                marks[symbol] = mark
                rows[symbol] = {
                    "broker": self._broker,
                    "symbol": symbol,
                    "reasons": ",".join(why),
                    **self._prices(top, row),
                    "last_price": last.price if last is not None else None if row is None else row.last,
                    "last_side": "" if last is None else last.side,
                    "trades": 0 if tape is None else tape.count,
                    "updated_at": now,
                }
        for symbol in self._put(market_focus, rows):
            self._focused[symbol] = marks[symbol]
        gone = sorted(self._focused.keys() - reasons.keys())
        if gone and self._remove(market_focus, gone):
            for symbol in gone:
                del self._focused[symbol]

    def movers(self, movers: Mapping[str, Mover], rules: MoverRules) -> None:
        changed = {symbol: mover for symbol, mover in movers.items() if self._movers.get(symbol) != mover}
        rows = {symbol: self._mover_row(mover, rules) for symbol, mover in changed.items()}
        for symbol in self._put(market_mover, rows):
            self._movers[symbol] = changed[symbol]
        gone = sorted(self._movers.keys() - movers.keys())
        if gone and self._remove(market_mover, gone):
            for symbol in gone:
                del self._movers[symbol]

    # -- rows ---------------------------------------------------------------------------------------------------------
    def _catalogue_row(self, instrument: Instrument, now: datetime) -> Mapping[str, Any]:
        return {
            "broker": self._broker,
            "symbol": instrument.symbol,
            "venue_symbol": instrument.venue_symbol,
            "status": instrument.status,
            "tradable": instrument.tradable,
            "lot_step": instrument.lot_step,
            "tick_size": instrument.tick_size,
            "minimum_quantity": instrument.minimum_quantity,
            "minimum_notional": instrument.minimum_notional,
            "changed_at": now,
        }

    def _scout_row(self, symbol: str, row: PriceRow, history: PriceHistory | None) -> Mapping[str, Any]:
        made: dict[str, Any] = {
            "broker": self._broker,
            "symbol": symbol,
            "bid": row.bid,
            "ask": row.ask,
            "last_price": row.last,
            "volume_base": row.volume_base,
            "priced_at": self._moment(row.seen_at),
        }
        if history is not None:
            made["sparkline_json"] = json.dumps(history.points(), separators=(",", ":"))
        return made

    def _prices(self, top: BookTop | None, row: PriceRow | None) -> Mapping[str, Any]:
        best = top or row
        return {
            "bid": None if best is None else best.bid,
            "ask": None if best is None else best.ask,
            "bid_quantity": None if top is None else top.bid_quantity,
            "ask_quantity": None if top is None else top.ask_quantity,
            "priced_at": None if best is None else self._moment(best.seen_at),
        }

    def _mover_row(self, mover: Mover, rules: MoverRules) -> Mapping[str, Any]:
        movement = mover.movement
        return {
            "broker": self._broker,
            "symbol": mover.symbol,
            "momentum_percent": movement.momentum_percent,
            "window_seconds": movement.window_seconds,
            "volume_ratio": movement.volume_ratio,
            "spread_percent": movement.spread_percent,
            "promoted_at": mover.promoted_at,
            "met_at": mover.met_at,
            "expires_at": mover.expires_at(rules),
        }

    def _moment(self, seen_at: float) -> datetime:
        return self._clock.now() - timedelta(seconds=max(0.0, self._clock.monotonic() - seen_at))

    # -- the store ----------------------------------------------------------------------------------------------------
    def _put(self, table: Table, rows: Mapping[str, Mapping[str, Any]]) -> list[str]:
        """Write as much as there is room for; returns what was written."""
        symbols, done = list(rows), list[str]()
        for at in range(0, len(symbols), market_rows.ROWS_PER_WORK):
            chunk = symbols[at : at + market_rows.ROWS_PER_WORK]
            made = [rows[symbol] for symbol in chunk]
            if not self._work(lambda connection, made=made: market_rows.put(connection, table, made)):  # type: ignore[misc]
                break
            done += chunk
        self.written += len(done)
        return done

    def _remove(self, table: Table, symbols: Sequence[str]) -> bool:
        return not symbols or self._work(
            lambda connection: market_rows.remove(connection, table, self._broker, symbols)
        )

    def _work(self, work: Callable[[Connection], None]) -> bool:
        """True once it is written; False when it was skipped."""
        if not self._is_ours():
            return False
        if self._store.queue_depth:
            self.skipped += 1
            return False
        try:
            self._store.write(work, timeout_seconds=WRITE_SECONDS)
        except StoreUnavailable as error:
            self.skipped += 1
            log.debug("prices were not written: %s", error)
            return False
        return True

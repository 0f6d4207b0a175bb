"""The market watch of one venue: all markets by their tickers, a few closely, and who moves.

Focus are the markets that matter now: held by any account, looked at by a strategy, favourites, movers. Their books and
trades are followed, and written down each second. Everything else is scouted: its ticker, every half minute.
"""

import logging
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Protocol

from bot.brokers.market_values import FeedState, MarketValues, PriceRow
from bot.domain.errors import StoreUnavailable
from bot.domain.instrument import Instrument
from bot.market.movers import Movement, Mover, MoverRules, next_movers
from bot.market.price_history import PriceHistory
from bot.market.snapshots import Snapshots
from bot.seams.clock import Clock
from bot.settings.model import MarketWatchSettings
from bot.storage import market_rows
from bot.storage.favourites import favourites_of
from bot.storage.store import Store
from bot.supervision.heart import beat
from bot.supervision.kept_thread import KeptThread
from bot.supervision.watchdog import Watchdog

log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
# A strategy's candidate is looked at closely for so long after it last was one.
CANDIDATE_SECONDS = 600.0
# A step may read the list of markets, which takes some seconds at worst.
STEP_SECONDS = 60.0
# So many looks at all markets follow closely at the start, unless all have a price sooner.
FIRST_LOOKS = 10
HELD, CANDIDATE, FAVOURITE, MOVER = "held", "candidate", "favourite", "mover"


class VenueMarket(Protocol):
    """What the watch needs of a venue (`bot.brokers.kraken.market.KrakenMarket`)."""

    values: MarketValues

    def open(self) -> None: ...

    def close(self) -> None: ...

    def keep(self) -> None: ...

    def focus(self, symbols: Iterable[str]) -> None: ...

    def instruments(self) -> Mapping[str, Instrument]: ...

    def source(self) -> str: ...

    def state(self) -> FeedState | None: ...

    def closed(self) -> str: ...


class MarketWatch:
    """`start` and `stop` by the process; `step` is what its thread does each second, and what tests call."""

    def __init__(
        self,
        market: VenueMarket,
        *,
        broker: str,
        store: Store,
        clock: Clock,
        settings: MarketWatchSettings,
        is_ours: Callable[[], bool] = lambda: True,
        watchdog: Watchdog | None = None,
        cut: Callable[[threading.Thread], None] = lambda _thread: None,
    ) -> None:
        self._market = market
        self._broker = broker
        self._store = store
        self._clock = clock
        self._settings = settings
        self._rules = mover_rules(settings)
        self._snapshots = Snapshots(store, clock, broker=broker, values=market.values, is_ours=is_ours)
        self._stop = threading.Event()
        self._thread = KeptThread(
            f"MarketWatch-{broker}", self._run, clock=clock, watchdog=watchdog, cut=cut, step_seconds=STEP_SECONDS
        )
        self._mutex = threading.Lock()
        self._candidates: dict[str, float] = {}
        self._histories: dict[str, PriceHistory] = {}
        self._movers: Mapping[str, Mover] = {}
        self._held: frozenset[str] = frozenset()
        self._favourites: frozenset[str] = frozenset()
        self._scout_at = clock.monotonic()
        self._looks = 0
        self._source_told = False
        self._begun = False
        self.focus: Mapping[str, Sequence[str]] = {}
        self.broker = broker
        self.values = market.values

    # -- any thread ---------------------------------------------------------------------------------------------------
    def start(self) -> None:
        self._market.open()
        self._thread.start()

    def stop(self, timeout_seconds: float) -> bool:
        """End it; True when its thread has ended in time."""
        self._stop.set()
        self._market.close()
        self._thread.join(timeout_seconds)
        return not self._thread.is_alive()

    def candidates(self, symbols: Iterable[str]) -> None:
        """A strategy thinks of entering these."""
        now = self._clock.monotonic()
        with self._mutex:
            self._candidates.update(dict.fromkeys(symbols, now))

    @property
    def movers(self) -> Mapping[str, Mover]:
        return self._movers

    def venue_closed(self) -> str:
        """Why nothing can be entered at the venue as a whole, by its own word; empty while it can. Asks nobody."""
        return self._market.closed()

    def figures(self) -> Mapping[str, float]:
        """For metrics, by the names of `bot.observability.market_figures`."""
        state = self._market.state()
        counted = {"focus": len(self.focus), "movers": len(self._movers), "skipped_writes": self.skipped_writes}
        fed = {}
        if state is not None:
            fed = {
                "tickers": state.tickers,
                "books": state.books,
                "messages": state.messages,
                "book_mismatches": state.mismatches,
                "unreadable_messages": state.unreadable,
            }
        return {name: float(value) for name, value in {**counted, **fed}.items()}

    @property
    def skipped_writes(self) -> int:
        """How often the store had more important things to do."""
        return self._snapshots.skipped

    # -- its own thread -----------------------------------------------------------------------------------------------
    def _run(self) -> None:
        while not self._stop.is_set():
            beat("watching the markets", STEP_SECONDS)
            try:
                self.step()
            except StoreUnavailable as error:
                log.warning("The market watch goes on without the store: %s", error)
            self._clock.wait(self._stop, LOOK_SECONDS)

    def step(self) -> None:
        """One look. Raises `StoreUnavailable`."""
        if not self._begun:
            self._histories = {symbol: PriceHistory(points) for symbol, points in self._snapshots.begin().items()}
            self._begun = True
        self._market.keep()
        if self._stop.is_set():
            return
        instruments = self._market.instruments()
        with self._store.read() as connection:
            self._held = market_rows.held_symbols(connection, self._broker)
            self._favourites = favourites_of(connection, self._broker)
        if self._clock.monotonic() >= self._scout_at:
            self._scout_at = self._clock.monotonic() + self._next_scout()
            self._scout(instruments)
        elif not self._source_told:
            self._tell_source()
        self.focus = self._choose(instruments)
        self._market.focus(self.focus)
        self._snapshots.focus(self.focus)
        self._snapshots.catalogue(instruments)

    def _next_scout(self) -> float:
        """Seconds. At the start prices come in within moments, and somebody may be looking."""
        complete = len(self._market.values.rows()) >= len(self._market.instruments()) > 0
        return self._settings.scout_seconds if complete or self._looks > FIRST_LOOKS else LOOK_SECONDS

    def _scout(self, instruments: Mapping[str, Instrument]) -> None:
        self._looks += 1
        rows = self._market.values.rows()
        drawn = self._remember(rows, instruments)
        tradable = {symbol for symbol, instrument in instruments.items() if instrument.tradable}
        before = self._movers
        self._movers = next_movers(
            before, self._movements(rows), tradable=tradable, rules=self._rules, now=self._clock.now()
        )
        self._tell(before)
        self._snapshots.movers(self._movers, self._rules)
        self._snapshots.scout(rows, self._histories, drawn)
        self._tell_source()

    def _tell_source(self) -> None:
        self._source_told = self._snapshots.source(self._market.source())

    def _remember(self, rows: Mapping[str, PriceRow], instruments: Mapping[str, Instrument]) -> list[str]:
        """A point of each market that has a fresh price; returns those that got one."""
        for symbol in [symbol for symbol in self._histories if instruments and symbol not in instruments]:
            del self._histories[symbol]
        now, monotonic = self._clock.now().timestamp(), self._clock.monotonic()
        drawn = []
        for symbol, row in rows.items():
            at = now - max(0.0, monotonic - row.seen_at)
            history = self._histories.setdefault(symbol, PriceHistory())
            if history.add(at, float(row.last), float(row.volume_base or 0)):
                drawn.append(symbol)
        return drawn

    def _movements(self, rows: Mapping[str, PriceRow]) -> dict[str, Movement]:
        now = self._clock.now().timestamp()
        found = {}
        for symbol, row in rows.items():
            history = self._histories.get(symbol)
            momentum = None if history is None else history.momentum_percent(float(row.last), now=now)
            if history is None or momentum is None or row.volume_base is None:
                continue
            ratio = history.volume_ratio(float(row.volume_base), now=now)
            if ratio is not None and abs(momentum[0]) >= float(self._rules.momentum_percent) / 2:
                found[symbol] = Movement.of(
                    momentum=momentum[0],
                    window_seconds=momentum[1],
                    volume_ratio=ratio,
                    spread_percent=spread_percent(row.bid, row.ask),
                )
        return found

    def _tell(self, before: Mapping[str, Mover]) -> None:
        new = [mover for symbol, mover in self._movers.items() if symbol not in before]
        for mover in new[:5]:
            log.info(
                "%s: %s moves: %s %% in %d min on %s times its usual volume",
                self._broker,
                mover.symbol,
                mover.movement.momentum_percent,
                mover.movement.window_seconds // 60,
                mover.movement.volume_ratio,
            )

    def _choose(self, instruments: Mapping[str, Instrument]) -> dict[str, list[str]]:
        """Who is in focus and why, what is held first; no more than there is room for."""
        now = self._clock.monotonic()
        with self._mutex:
            self._candidates = {symbol: at for symbol, at in self._candidates.items() if now - at < CANDIDATE_SECONDS}
            candidates = sorted(self._candidates, key=lambda symbol: -self._candidates[symbol])
        groups: Sequence[tuple[str, Iterable[str]]] = (
            (HELD, sorted(self._held)),
            (FAVOURITE, [*self._settings.favourites, *sorted(self._favourites)]),
            (CANDIDATE, candidates),
            (MOVER, self._movers),
        )
        reasons: dict[str, list[str]] = {}
        for reason, symbols in groups:
            for symbol in symbols:
                if symbol in instruments and (symbol in reasons or len(reasons) < self._settings.max_focus):
                    reasons.setdefault(symbol, []).append(reason)
        return reasons


def mover_rules(settings: MarketWatchSettings) -> MoverRules:
    """As the settings want them."""
    return MoverRules(
        momentum_percent=settings.mover_momentum_percent,
        volume_ratio=settings.mover_volume_ratio,
        max_spread_percent=settings.mover_max_spread_percent,
        hold=timedelta(minutes=settings.mover_hold_minutes),
        most=settings.max_movers,
    )


def spread_percent(bid: Decimal, ask: Decimal) -> Decimal:
    """Of the middle between them."""
    return 200 * (ask - bid) / (ask + bid)

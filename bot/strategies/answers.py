"""A strategy's answers about many markets, without asking again what can only get the same answer.

Where a strategy has a screen, a market that the screen rules out is certainly not entered on these candles, whatever
the account has. That holds until a new candle closes, so between two closes a look at 1,500 markets costs next to
nothing. The exact words of such a no are asked for too, as far as there is time.
"""

import logging
from collections.abc import Callable, Sequence

from bot.domain.quote import Candle
from bot.market.candle_arrays import CandleArrays
from bot.seams.clock import Clock
from bot.strategies.asking import ask_entry
from bot.strategies.interface import EntryIntent, MarketView, NoEntry, Strategy
from bot.strategies.screening import ScreensEntries, may_enter
from bot.supervision.heart import beat

log = logging.getLogger(__name__)

SCREENED = "screened"
EXPLAIN_SECONDS = 0.25
# A venue may change its word on the newest candles: by these it is seen whether anything is new.
_COMPARED_CANDLES = 3
_Mark = tuple[Candle, ...]


class EntryAnswers:
    """Of one strategy for one account; used by that account's thread alone."""

    def __init__(self, strategy: Strategy, clock: Clock, *, explain_seconds: float = EXPLAIN_SECONDS) -> None:
        """`explain_seconds` is how long a look may ask for the words of a no that is certain already."""
        self._strategy = strategy
        self._clock = clock
        self._explain_seconds = explain_seconds
        self._explained_seconds = 0.0
        self._screens = isinstance(strategy, ScreensEntries)
        self._ruled_out: dict[str, tuple[_Mark, NoEntry]] = {}

    def begin_look(self, symbols: Sequence[str]) -> None:
        """Other markets than these are forgotten."""
        self._explained_seconds = 0.0
        for symbol in self._ruled_out.keys() - set(symbols):
            del self._ruled_out[symbol]

    def about(self, symbol: str, candles: Sequence[Candle], view: Callable[[], MarketView]) -> EntryIntent | NoEntry:
        """The answer on these closed candles; `view` makes what the strategy is shown, if it has to be asked."""
        if not self._screens or len(candles) < self._strategy.candles_needed:
            return ask_entry(self._strategy, view())
        mark = tuple(candles[-_COMPARED_CANDLES:])
        known = self._ruled_out.get(symbol)
        if known is None or known[0] != mark:
            if not self._is_ruled_out(symbol, candles):
                self._ruled_out.pop(symbol, None)
                return ask_entry(self._strategy, view())
            known = mark, NoEntry("its screen rules this market out", rule=SCREENED)
        if known[1].rule == SCREENED and self._explained_seconds < self._explain_seconds:
            known = mark, self._explained(view, known[1])
        self._ruled_out[symbol] = known
        return known[1]

    def _is_ruled_out(self, symbol: str, candles: Sequence[Candle]) -> bool:
        beat(f"screening {symbol}")
        try:
            return not bool(may_enter(self._strategy, CandleArrays.of(candles))[-1])
        except Exception:
            # A hook: somebody else's code. The exact answer does not need it.
            log.exception("strategy %s: its screen failed and is not used any more", self._strategy.name)
            self._screens = False
            return False

    def _explained(self, view: Callable[[], MarketView], no: NoEntry) -> NoEntry:
        started = self._clock.monotonic()
        answer = ask_entry(self._strategy, view())
        self._explained_seconds += self._clock.monotonic() - started
        if isinstance(answer, NoEntry):
            return answer
        # A screen that hides an entry is wrong, and what it hides is not bought: the backtest would not have it either.
        log.warning("strategy %s: its screen hides an entry in %s", self._strategy.name, answer.symbol)
        return NoEntry("its screen rules out what it would enter", rule="screen_wrong")

"""A strategy's answers about many markets, without asking again what can only get the same answer.

The same view gets the same answer, and between two closed candles nothing in it changes but the account. So an answer
that was given without a look at the account holds until the market has another candle: whoever looks every second asks
about each market once a candle.
"""

from collections.abc import Sequence

from bot.domain.quote import Candle
from bot.market.packed_candles import PackedCandles
from bot.seams.clock import Clock
from bot.strategies.asking import STRATEGY_FAILED, ask_entry
from bot.strategies.interface import AccountFacts, EntryIntent, MarketView, NoEntry, Strategy

# A venue may change its word on the newest candles: by these it is seen whether anything is new.
_COMPARED_CANDLES = 3
# A strategy that failed is asked again after a while: what it stumbled over may be gone.
FAILED_AGAIN_SECONDS = 10.0

Answer = EntryIntent | NoEntry


class _WatchedView(MarketView):
    """Knows whether anybody has looked at the account."""

    def __getattribute__(self, name: str) -> object:
        if name == "account":
            object.__getattribute__(self, "__dict__")["account_was_seen"] = True
        return object.__getattribute__(self, name)


class EntryAnswers:
    """Of one strategy for one account; used by that account's thread alone."""

    def __init__(self, strategy: Strategy, clock: Clock) -> None:
        self._strategy = strategy
        self._clock = clock
        # By symbol: the candles that the answer was given to, the newest of them, the answer, and until when it holds
        # (monotonic).
        self._known: dict[str, tuple[Sequence[Candle], tuple[Candle, ...], Answer, float]] = {}

    def keep_only(self, symbols: Sequence[str]) -> None:
        """Other markets than these are forgotten."""
        for symbol in self._known.keys() - set(symbols):
            del self._known[symbol]

    def about(
        self, symbol: str, candles: Sequence[Candle], *, interval_minutes: int, account: AccountFacts | None
    ) -> Answer:
        """The answer on these closed candles. Raises nothing but `Fenced`, before it asks."""
        now = self._clock.monotonic()
        known = self._known.get(symbol)
        if known is not None and now < known[3] and _are_the_same(candles, known):
            return known[2]
        view = _WatchedView(symbol, candles, interval_minutes, account)
        answer = ask_entry(self._strategy, view)
        if view.__dict__.get("account_was_seen"):
            self._known.pop(symbol, None)
        else:
            failed = isinstance(answer, NoEntry) and answer.rule == STRATEGY_FAILED
            newest = tuple(candles[-_COMPARED_CANDLES:])
            self._known[symbol] = candles, newest, answer, now + FAILED_AGAIN_SECONDS if failed else float("inf")
        return answer


def _are_the_same(candles: Sequence[Candle], known: tuple[Sequence[Candle], tuple[Candle, ...], Answer, float]) -> bool:
    """Packed candles never change: the same object needs no look at what is in it."""
    if candles is known[0] and isinstance(candles, PackedCandles):
        return True
    return tuple(candles[-_COMPARED_CANDLES:]) == known[1]

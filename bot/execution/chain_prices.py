"""Prices beside resting orders: of all their markets in one call, and not asked for again within seconds."""

import logging
from collections.abc import Collection

from bot.brokers.base import BaseBroker, Urgency
from bot.domain.errors import CredentialsRejected, RetryLater, UnreadableReply
from bot.domain.quote import Quote
from bot.seams.clock import Clock

log = logging.getLogger(__name__)

_CALM_ERRORS = (UnreadableReply, RetryLater, CredentialsRejected)
_NEVER: tuple[float, Quote | None] = (float("-inf"), None)


class ChainPrices:
    """Of one account. A price that could not be read is None, and is not tried again within its age either."""

    def __init__(self, broker: BaseBroker, clock: Clock) -> None:
        self._broker = broker
        self._clock = clock
        # By symbol: when it was asked for (monotonic seconds), and what was answered.
        self._found: dict[str, tuple[float, Quote | None]] = {}

    def read(self, symbols: Collection[str], *, max_age_seconds: float) -> None:
        """Ask for those that are older. A single one is left to whoever needs it."""
        now = self._clock.monotonic()
        due = [one for one in sorted(symbols) if now - self._found.get(one, _NEVER)[0] > max_age_seconds]
        if len(due) < 2:
            return
        try:
            quotes = self._broker.get_best_bid_ask_batch(due)
        except _CALM_ERRORS as error:
            log.info("%s: no prices beside what rests: %s", self._broker.account.label, error)
            quotes = {}
        self._found |= {symbol: (now, quotes.get(symbol)) for symbol in due}

    def of(self, symbol: str, *, max_age_seconds: float = 0.0) -> Quote | None:
        """The price of one market, at most so old."""
        now = self._clock.monotonic()
        asked_at, quote = self._found.get(symbol, _NEVER)
        if now - asked_at <= max_age_seconds:
            return quote
        try:
            with self._broker.urgent(Urgency.EXIT):
                quote = self._broker.get_best_bid_ask(symbol)
        except _CALM_ERRORS as error:
            log.info("%s: no price for %s: %s", self._broker.account.label, symbol, error)
            quote = None
        self._found[symbol] = (now, quote)
        return quote

    def last(self, symbol: str) -> Quote | None:
        """What was last answered, however old; nobody is asked."""
        return self._found.get(symbol, _NEVER)[1]

    def forget(self) -> None:
        """Nothing rests any more."""
        self._found.clear()

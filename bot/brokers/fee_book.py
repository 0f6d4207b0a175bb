"""What one account pays a brokerage for taking liquidity, as the brokerage last told it."""

import logging
from collections.abc import Callable
from decimal import Decimal

from bot.domain.errors import CredentialsRejected, RetryLater, UnreadableReply
from bot.seams.clock import Clock

log = logging.getLogger(__name__)

READ_AGAIN_SECONDS = 24 * 3600.0
# Soon enough for a venue that was away, and no burden for one that does not know the question.
TRY_AGAIN_SECONDS = 900.0
# The market by which one fee for all is known.
EVERY_MARKET = ""


class FeeBook:
    """By market, or by `EVERY_MARKET` where a venue has one fee for all. Used by the account's thread alone.

    A tier changes by the month: it is read once a day. A reading that fails leaves the last known fee in place; where
    there is none, the fee is unknown.
    """

    def __init__(self, clock: Clock, *, label: str) -> None:
        self._clock = clock
        self._label = label
        self._percents: dict[str, Decimal | None] = {}
        self._due_at: dict[str, float] = {}

    def known(self, key: str) -> Decimal | None:
        """As it was last told, however long ago."""
        return self._percents.get(key)

    def taker_percent(self, key: str, read: Callable[[], Decimal | None]) -> Decimal | None:
        """The fee in percent of the notional; `read` is called when the last answer is a day old."""
        now = self._clock.monotonic()
        if now < self._due_at.get(key, float("-inf")):
            return self._percents.get(key)
        try:
            percent = read()
        except (UnreadableReply, RetryLater, CredentialsRejected) as error:
            log.info("%s: its fees were not read: %s", self._label, error)
            self._due_at[key] = now + TRY_AGAIN_SECONDS
            return self._percents.get(key)
        self._percents[key], self._due_at[key] = percent, now + READ_AGAIN_SECONDS
        return percent

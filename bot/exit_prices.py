"""Prices that exits are judged by: together in one call, and each by itself when that brings none for some."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

from bot.account_desk import AccountDesk
from bot.brokers.base import Urgency
from bot.domain.errors import CredentialsRejected, Fenced, RetryLater, StoreUnavailable, VenueError
from bot.domain.quote import Quote
from bot.seams.clock import Clock

log = logging.getLogger(__name__)

# Each by itself for so long in one cycle; who had no turn is asked first in the next.
ONE_BY_ONE_SECONDS = 15.0
# So many in a row that the venue does not take at all are the venue's trouble, not a market's.
BUSY_THAT_END_IT = 2


@dataclass
class Prices:
    """`problem` is why all of them were not to be had in one call; `why` has those that are still missing."""

    quotes: dict[str, Quote] = field(default_factory=dict)
    why: dict[str, str] = field(default_factory=dict)
    problem: VenueError | None = None

    @property
    def none_at_all(self) -> bool:
        return not self.quotes


class ExitPrices:
    """Of any account, in that account's thread. A reply that spoils one market costs the others nothing."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        # By account: markets without a price in its last cycle. They come last when each is asked by itself.
        self._missed: dict[str, frozenset[str]] = {}

    def of(self, desk: AccountDesk, symbols: Sequence[str], *, besides: Sequence[str] = ()) -> Prices:
        """Prices of `symbols`, and of `besides` if one call for all brings them.

        Raises `CredentialsRejected`, which no other question would change, and nothing else that a venue says.
        """
        prices = Prices()
        # An exit may hang on these, and a scan can wait.
        with desk.broker.urgent(Urgency.EXIT):
            self._together(desk, [*symbols, *besides], prices)
            missing = [symbol for symbol in symbols if symbol not in prices.quotes]
            if missing and len(symbols) + len(besides) > 1:
                self._one_by_one(desk, missing, prices)
        still = frozenset(symbol for symbol in symbols if symbol not in prices.quotes)
        prices.why = {symbol: prices.why.get(symbol) or str(prices.problem or "the venue has none") for symbol in still}
        self._missed[desk.account.label] = still
        return prices

    def _together(self, desk: AccountDesk, symbols: Sequence[str], prices: Prices) -> None:
        try:
            prices.quotes.update(desk.broker.get_best_bid_ask_batch(symbols))
        except (Fenced, StoreUnavailable, CredentialsRejected):
            raise
        except VenueError as error:
            prices.problem = error
        except Exception:
            log.exception("%s: the prices of what it holds could not be read together", desk.account.label)

    def _one_by_one(self, desk: AccountDesk, missing: Sequence[str], prices: Prices) -> None:
        missed, until = self._missed.get(desk.account.label, frozenset()), self._clock.monotonic() + ONE_BY_ONE_SECONDS
        busy = 0
        for symbol in sorted(missing, key=lambda symbol: symbol in missed):
            if busy >= BUSY_THAT_END_IT or self._clock.monotonic() >= until or desk.executor.stopping:
                return
            desk.status.step(f"asking for the price of {symbol}")
            found = self._one(desk, symbol)
            if isinstance(found, Quote):
                prices.quotes[symbol] = found
            else:
                prices.why[symbol] = str(found) or type(found).__name__
            busy = busy + 1 if isinstance(found, RetryLater) else 0

    def _one(self, desk: AccountDesk, symbol: str) -> Quote | Exception:
        try:
            return desk.broker.get_best_bid_ask(symbol)
        except (Fenced, StoreUnavailable, CredentialsRejected):
            raise
        except VenueError as error:
            return error
        except Exception as error:
            log.exception("%s: the price of %s could not be read", desk.account.label, symbol)
            return error

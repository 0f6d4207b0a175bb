"""What a strategy is told of the master in a backtest: the same facts for entries and exits, as in the bot."""

from collections.abc import Callable
from decimal import Decimal

from bot.backtest.account import Account
from bot.backtest.venue import Venue
from bot.domain.symbol import quote_of
from bot.strategies.interface import AccountFacts


class MasterFacts:
    """`max_positions` is the cap of the plan."""

    def __init__(self, venue: Venue, *, max_positions: int, equity_of: Callable[[Account], Decimal]) -> None:
        self._venue, self._max_positions, self._equity_of = venue, max_positions, equity_of

    def about(self, account: Account, symbol: str) -> AccountFacts:
        """At this moment of the backtest, with the fee of this market."""
        return AccountFacts(
            cash_quote=self._venue.available(account.name, quote_of(symbol)),
            equity_quote=self._equity_of(account),
            open_positions=len(account.positions),
            max_positions=self._max_positions,
            taker_fee_percent=self._venue.taker_fee_percent(account.name, symbol),
        )

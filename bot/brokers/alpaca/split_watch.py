"""Notices a split before it is booked: the venue changes the shares at once and tells the activity later.

Until then the position in our books has the old number of shares at the old price, and by the new price its exits would
fire for nothing. So orders of that stock wait until the split is told, and no longer than half an hour: a wrong guess
must not keep anybody in a position for long.
"""

import contextlib
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from bot.brokers.alpaca.holds import OrderHolds
from bot.brokers.alpaca.orders import of_stocks
from bot.brokers.alpaca.stocks import symbol_of
from bot.brokers.replies import as_object, number, text_of
from bot.domain.cash_event import CashEvent, CashKind
from bot.domain.errors import UnreadableReply
from bot.domain.money import plain

log = logging.getLogger(__name__)

# Splits are rarely smaller than five for four. A trade changes what the shares have cost, a split does not.
LEAST_FACTOR = Decimal("1.25")
SAME_COST = Decimal("0.001")


@dataclass(frozen=True)
class _Shares:
    quantity: Decimal
    cost: Decimal

    def were_split_into(self, now: "_Shares") -> bool:
        few, many = sorted((self.quantity, now.quantity))
        same_cost = abs(now.cost - self.cost) <= self.cost * SAME_COST
        return self.cost > 0 and few > 0 and same_cost and many >= few * LEAST_FACTOR


class SplitWatch:
    """One account's, in its own thread."""

    def __init__(self, holds: OrderHolds, *, label: str) -> None:
        self._holds = holds
        self._label = label
        self._seen: Mapping[str, _Shares] = {}

    def look(self, positions: Iterable[object]) -> None:
        """Compare the venue's list of positions with the one before. What it does not tell is not guessed at."""
        now = dict(_shares(positions))
        for ticker, shares in now.items():
            before = self._seen.get(ticker)
            if before is not None and before.were_split_into(shares):
                self._holds.split(symbol_of(ticker))
                log.warning(
                    "%s: %s shares of %s have become %s for the same cost, as in a split: its orders wait until the "
                    "venue has told it",
                    self._label,
                    plain(before.quantity),
                    ticker,
                    plain(shares.quantity),
                )
        self._seen = now

    def told(self, events: Iterable[CashEvent]) -> None:
        """These are in the ledger: what waited for them may go on once they are booked."""
        for event in events:
            if event.kind is CashKind.SPLIT:
                with contextlib.suppress(ValueError):  # no ticker of a stock that is traded
                    self._holds.lift_split(symbol_of(event.asset), told=event.event_id)


def _shares(positions: Iterable[object]) -> Iterable[tuple[str, _Shares]]:
    for row in positions:
        fields = as_object(row, where="Alpaca position")
        if not of_stocks(fields):
            continue
        try:
            ticker = text_of(fields, "symbol", where="Alpaca position")
            symbol_of(ticker)
            cost = number(fields.get("cost_basis"), where="cost_basis")
            yield ticker, _Shares(number(fields.get("qty"), where="qty"), cost)
        except (UnreadableReply, ValueError):
            continue  # the reading of holdings says what is wrong with it

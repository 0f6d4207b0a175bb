"""Stock splits: the positions follow them, so that a split is taken for no fall of the price and no missing share.

The venue tells by how many shares the account changed, and the account's shares now tell from how many to how many. A
position of ours keeps what it cost. Where that is not sure (somebody traded the stock since, or the books were shrunk
to what was there), nothing is changed and a person is called. Either way the symbol takes no copied entries until one
has looked and resumed it; exits go on.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import ROUND_FLOOR, Decimal

from sqlalchemy import Connection

from bot.brokers.base import BaseBroker
from bot.domain.cash_event import CashEvent, CashKind
from bot.domain.errors import UnreadableReply
from bot.domain.money import plain
from bot.domain.position import Position
from bot.storage.cash_events import is_booked
from bot.storage.fills import was_traded_since
from bot.storage.positions import find_position, save_position
from bot.storage.store import Store
from bot.storage.symbol_pauses import pause_symbol

log = logging.getLogger(__name__)

NEARLY = Decimal("0.8")
# Finer than any venue counts shares, and prices finer than any venue quotes them.
SHARE, PRICE = Decimal("1e-9"), Decimal("1e-12")


@dataclass(frozen=True)
class Verdict:
    """What became of a position, in a sentence; `sure` = it was scaled."""

    sentence: str
    sure: bool


class SplitFollower:
    """One account's."""

    def __init__(self, *, broker: BaseBroker, store: Store) -> None:
        self._broker = broker
        self._label = broker.account.label
        self._store = store

    def look(self, events: Sequence[CashEvent]) -> Mapping[str, Decimal]:
        """What the account holds now of the stocks that were split and whose split is not booked yet.

        Asks the venue only if there are any. Raises `UnreadableReply` when it does not tell: then nothing is booked.
        """
        splits = [event for event in events if event.kind is CashKind.SPLIT]
        if splits:
            with self._store.read() as connection:
                splits = [event for event in splits if not is_booked(connection, self._label, event.event_id)]
        if not splits:
            return {}
        reading = self._broker.refresh_balance(max_age_seconds=0)
        if reading.holdings is None or reading.reason:
            raise UnreadableReply(f"{self._label}: holdings after a split: {reading.reason}")
        return {event.asset: reading.holdings.of(event.asset).total for event in splits}

    def follow(
        self, connection: Connection, new: Sequence[CashEvent], held: Mapping[str, Decimal], *, now: datetime
    ) -> list[Verdict]:
        """Scale the positions, in the transaction that books the splits, so that each counts once."""
        verdicts = []
        for event in new:
            if event.kind is not CashKind.SPLIT or event.asset not in held:
                continue
            symbol = f"{event.asset}/{self._broker.quote_currency}"
            position = find_position(connection, self._label, symbol)
            if position is None or position.opened_at > event.at:
                continue
            traded = was_traded_since(connection, self._label, symbol, event.at)
            scaled = None if traded else scaled_position(position, after=held[event.asset], change=event.amount)
            if scaled is not None:
                save_position(connection, scaled)
            verdict = _verdict(position, scaled, event)
            pause_symbol(connection, self._label, symbol, reason=verdict.sentence, now=now)
            verdicts.append(verdict)
        return verdicts

    def say(self, verdicts: Sequence[Verdict]) -> None:
        """Aloud, once they are written down."""
        for verdict in verdicts:
            log.log(logging.WARNING if verdict.sure else logging.CRITICAL, "%s: %s", self._label, verdict.sentence)


def scaled_position(position: Position, *, after: Decimal, change: Decimal) -> Position | None:
    """The position after a split that changed the account's shares by `change` to `after`; None when that is not sure.

    Its cost stays the same; shares are rounded down, so that it never claims more than there is.
    """
    before = after - change
    if before <= 0 or after <= 0 or position.quantity > before:
        return None
    if change < 0 and position.quantity <= after:
        return None  # it may have been shrunk to what is there already
    quantity = (position.quantity * after / before).quantize(SHARE, ROUND_FLOOR)
    average, scale = position.average_entry_price * before / after, before / after
    # By a price of after a reverse split the highest may have been raised already: it counts as it is then.
    raised = scale > 1 and position.highest_price >= average * NEARLY
    highest = position.highest_price if raised else position.highest_price * scale
    return replace(
        position,
        quantity=quantity,
        owed_quantity=min(quantity, (position.owed_quantity * after / before).quantize(SHARE, ROUND_FLOOR)),
        average_entry_price=average.quantize(PRICE),
        highest_price=max(highest, average).quantize(PRICE),
    )


def _verdict(position: Position, scaled: Position | None, event: CashEvent) -> Verdict:
    symbol, change = position.symbol, plain(event.amount)
    if scaled is None:
        return Verdict(
            f"a split changed the account's {event.asset} by {change} shares, and what it made of our position of "
            f"{symbol} is not sure: set it right, then resume the symbol",
            sure=False,
        )
    return Verdict(
        f"a split changed the account's {event.asset} by {change} shares: our position of {symbol} was "
        f"{plain(position.quantity)} at {plain(position.average_entry_price)} and is {plain(scaled.quantity)} at "
        f"{plain(scaled.average_entry_price)}; resume the symbol when that is right",
        sure=True,
    )

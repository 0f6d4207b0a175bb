"""What an account holds against the lots in its books."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import groupby

from sqlalchemy import Connection

from bot.brokers.base import BaseBroker
from bot.domain.drift import DriftKind
from bot.domain.errors import UnreadableReply
from bot.domain.money import plain
from bot.domain.order import IntentState
from bot.domain.position import Position
from bot.domain.symbol import base_of
from bot.execution.drift_book import DriftBook
from bot.execution.order_executor import OrderExecutor
from bot.seams.clock import Clock, format_time
from bot.seams.failpoints import failpoint
from bot.storage.activity import activity_of
from bot.storage.drifts import add_cleared
from bot.storage.intents import unfinished
from bot.storage.positions import positions_of, save_position
from bot.storage.store import Store

log = logging.getLogger(__name__)

# Lots are shrunk only after so many readings that say the same, so far apart, over so long, with nothing of ours in
# between: a balance may be told late, and a trade may be listed late.
CONSISTENT_READINGS = 3
READING_SPACING_SECONDS = 5.0
SHORTFALL_SECONDS = 60.0


@dataclass(frozen=True)
class AssetLots:
    """All positions of one asset, oldest first; `activity` tells whether anything happened to them since."""

    asset: str
    positions: Sequence[Position]
    activity: tuple[int, int, int]

    @property
    def booked(self) -> Decimal:
        return sum((one.quantity for one in self.positions), Decimal(0))

    @property
    def symbols(self) -> list[str]:
        return [one.symbol for one in self.positions]

    def within(self, total: Decimal) -> list[Position]:
        """The positions as they are when there is no more than `total`: the youngest give way first."""
        left, kept = total, []
        for one in self.positions:
            quantity = min(one.quantity, left)
            left -= quantity
            kept.append(replace(one, quantity=quantity, owed_quantity=min(one.owed_quantity, quantity)))
        return kept


@dataclass(frozen=True)
class _Shortfall:
    """The same shortage, seen so often."""

    lots: AssetLots
    held: Decimal
    first_at: float
    last_at: float
    readings: int = 1


class HoldingsCheck:
    """One account's. Books are changed in one case only: lots that the account demonstrably does not have are shrunk.

    More coins than lots are the owner's own; they become no position, for nobody knows what they cost.
    """

    def __init__(
        self, *, broker: BaseBroker, store: Store, clock: Clock, executor: OrderExecutor, drifts: DriftBook
    ) -> None:
        self._broker = broker
        self._account = broker.account
        self._store = store
        self._clock = clock
        self._executor = executor
        self._drifts = drifts
        self._seen: dict[str, _Shortfall] = {}

    def compare(self) -> None:
        """Raises `UnreadableReply` when the holdings could not be read: then nothing is concluded, nothing counted."""
        asked_at = self._clock.monotonic()
        # Before the reading: what is traded meanwhile must not look like a shortage of what was there.
        with self._store.read() as connection:
            lots = list(self._lots(connection))
        reading = self._broker.refresh_balance(max_age_seconds=0)
        if reading.holdings is None or reading.reason:
            raise UnreadableReply(f"holdings: {reading.reason}")
        seen: dict[DriftKind, set[str]] = {kind: set() for kind in _COMPARED}
        for one in lots:
            held = reading.holdings.of(one.asset).total
            for kind, symbol, detail in self._differences(one, held):
                seen[kind].add(symbol)
                self._drifts.note(kind, symbol, detail)
            self._judge_shortfall(one, held, asked_at)
        self._seen = {asset: each for asset, each in self._seen.items() if asset in {one.asset for one in lots}}
        for kind, symbols in seen.items():
            self._drifts.only(kind, symbols)

    def _lots(self, connection: Connection) -> Iterator[AssetLots]:
        held = sorted(positions_of(connection, self._account.label), key=lambda one: base_of(one.symbol))
        for asset, group in groupby(held, key=lambda one: base_of(one.symbol)):
            positions = list(group)
            activity = activity_of(connection, self._account.label, [one.symbol for one in positions])
            yield AssetLots(asset, positions, activity)

    def _differences(self, lots: AssetLots, held: Decimal) -> Iterator[tuple[DriftKind, str, str]]:
        first = lots.symbols[0]
        says = f"the account holds {plain(held)} {lots.asset}, the books have lots of {plain(lots.booked)}"
        if held < lots.booked:
            yield DriftKind.SHORTFALL, first, says
        elif held > lots.booked:
            yield DriftKind.SURPLUS, first, says
        instruments = self._broker.get_trading_pairs()
        for position in lots.positions:
            instrument = instruments.get(position.symbol)
            if instrument is None:
                continue
            sellable = instrument.floor_quantity(position.quantity)
            too_small = instrument.below_minimum(sellable, position.average_entry_price)
            if too_small:
                yield DriftKind.DUST, position.symbol, f"the lots of {position.symbol} cannot be sold: {too_small}"

    # -- shrinking --------------------------------------------------------------------------------------------------
    def _judge_shortfall(self, lots: AssetLots, held: Decimal, asked_at: float) -> None:
        if held >= lots.booked or self._working(lots):
            self._seen.pop(lots.asset, None)
            return
        seen = self._seen.get(lots.asset)
        if seen is None or (seen.lots, seen.held) != (lots, held):
            self._seen[lots.asset] = _Shortfall(lots, held, asked_at, asked_at)
            return
        if asked_at - seen.last_at < READING_SPACING_SECONDS:
            return
        seen = replace(seen, last_at=asked_at, readings=seen.readings + 1)
        self._seen[lots.asset] = seen
        if seen.readings >= CONSISTENT_READINGS and asked_at - seen.first_at >= SHORTFALL_SECONDS:
            self._shrink(seen)

    def _working(self, lots: AssetLots) -> bool:
        """Whether an order of ours may still change what is there."""
        with self._store.read() as connection:
            intents = unfinished(connection, self._account.label)
        return any(one.symbol in lots.symbols and one.state is not IntentState.CREATED for one in intents)

    def _shrink(self, seen: _Shortfall) -> None:
        lots, now = seen.lots, self._clock.now()
        detail = (
            f"lots of {lots.asset} shrunk from {plain(lots.booked)} to {plain(seen.held)}: the account had no more in "
            f"{seen.readings} readings over {seen.last_at - seen.first_at:.0f} s"
        )

        def work(connection: Connection) -> bool:
            self._executor.refuse_when_fenced(connection)
            if lots not in list(self._lots(connection)):
                return False
            for position in lots.within(seen.held):
                save_position(connection, position)
            subject = f"{lots.symbols[0]} {format_time(now)}"
            add_cleared(connection, self._account.label, DriftKind.SHORTFALL, subject, detail=detail, now=now)
            return True

        failpoint("shrink_lots")
        if self._store.write(work):
            log.warning("%s: %s", self._account.label, detail)
        self._seen.pop(lots.asset, None)


_COMPARED = (DriftKind.SHORTFALL, DriftKind.SURPLUS, DriftKind.DUST)

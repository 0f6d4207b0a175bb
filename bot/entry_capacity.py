"""Before a master enters: who of its users could follow, and whether the market's book would take all of them."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial

from sqlalchemy import Connection

from bot.account_desk import AccountDesk
from bot.brokers.base import BaseBroker, Urgency
from bot.capacity import (
    Capacity,
    CapacityMode,
    CapacityOutcome,
    CapacityRules,
    CapacityVerdict,
    allowed,
    flow_bound,
    preview,
)
from bot.copy_planner import CopyPlanner
from bot.domain.account import BrokerType
from bot.domain.errors import CredentialsRejected, Fenced, NijaError, RetryLater, UnreadableReply
from bot.domain.money import plain
from bot.domain.order import OrderKind, Side
from bot.domain.position import ExitPlan
from bot.domain.signal import CopyReason, TradeSignal
from bot.execution.entry_gate import EntryGate
from bot.followers import Followers
from bot.seams.clock import Clock
from bot.storage.capacity_previews import StoredPreview, add_preview
from bot.storage.copies import PlannedCopy
from bot.storage.market_rows import note_instrument
from bot.storage.store import Store

log = logging.getLogger(__name__)

# A master's entry waits no longer than this until its preview is written down.
WRITE_SECONDS = 1.0
# How often a smaller entry is tried before there is none.
ROUNDS = 6


@dataclass(frozen=True)
class _Entry:
    """What the master wants, at which price, with how much of the book within the users' price bound."""

    broker: BrokerType
    symbol: str
    quantity: Decimal
    price: Decimal
    master_balance: Decimal | None
    depth: Decimal | None

    def signal(self, clock: Clock) -> TradeSignal:
        """As if it had been made at this moment and at this price."""
        return TradeSignal(
            signal_id="capacity",
            broker=self.broker,
            symbol=self.symbol,
            side=Side.BUY,
            kind=OrderKind.ENTRY,
            size=self.quantity * self.price,
            quantity=self.quantity,
            reference_price=self.price,
            master_balance=self.master_balance,
            executed_at=clock.now(),
            exit_plan=ExitPlan(),
        )


class EntryCapacity:
    """Asked in the master's own thread (symbol, base units, price); plans the copies as they would be, writes none.

    It holds nothing up: one call for the book with a short deadline, and what is not known stands in nobody's way.
    """

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        planner: CopyPlanner,
        followers: Followers,
        gate: EntryGate,
        rules: CapacityRules,
        within_percent: Decimal,
    ) -> None:
        self._store = store
        self._clock = clock
        self._planner = planner
        self._followers = followers
        self._gate = gate
        self._rules = rules
        self._within_percent = within_percent

    def __call__(self, desk: AccountDesk, symbol: str, quantity: Decimal, price: Decimal) -> CapacityVerdict:
        if self._rules.mode is CapacityMode.OFF or not self._members(desk.account.broker):
            return allowed(desk, symbol, quantity, price)
        try:
            entry = self._entry(desk.broker, symbol, quantity, price)
            with self._store.read() as connection:
                found = self._judged(connection, entry)
            self._write_down(desk, entry, found)
        except Fenced:
            raise
        except Exception:
            log.exception("%s: who could follow %s is not known", desk.account.label, symbol)
            return allowed(desk, symbol, quantity, price)
        return found.verdict

    def _entry(self, broker: BaseBroker, symbol: str, quantity: Decimal, price: Decimal) -> _Entry:
        holdings = broker.balance_book.reading().holdings
        cash = None if holdings is None else holdings.of(broker.quote_currency).total
        return _Entry(broker.broker_type, symbol, quantity, price, cash, self._depth(broker, symbol))

    def _depth(self, broker: BaseBroker, symbol: str) -> Decimal | None:
        try:
            with broker.urgent(Urgency.ENTRY):
                return broker.get_depth(symbol, within_percent=self._within_percent)
        except (UnreadableReply, RetryLater, CredentialsRejected) as error:
            log.info("%s: the depth of %s is not known: %s", broker.account.label, symbol, error)
            return None

    def _judged(self, connection: Connection, entry: _Entry) -> Capacity:
        found = self._preview(connection, entry)
        bound = flow_bound(entry.depth, self._rules)
        if self._rules.mode is not CapacityMode.CAP or bound is None or found.flow_notional <= bound:
            return found
        smaller, why = entry, found.verdict.sentence
        for _ in range(ROUNDS):
            smaller = replace(smaller, quantity=smaller.quantity * bound / found.flow_notional)
            found = self._preview(connection, smaller)
            if found.flow_notional <= bound:
                lowered = f"{why}; lowered from {plain(entry.quantity)} to {smaller.quantity:.8f}"
                verdict = CapacityVerdict(CapacityOutcome.CAPPED, smaller.quantity, lowered)
                return replace(found, verdict=verdict)
        return replace(found, verdict=CapacityVerdict(CapacityOutcome.REFUSED, Decimal(0), why))

    def _preview(self, connection: Connection, entry: _Entry) -> Capacity:
        copies = self._copies(connection, entry)
        return preview(
            copies, quantity=entry.quantity, price=entry.price, depth_notional=entry.depth, rules=self._rules
        )

    def _copies(self, connection: Connection, entry: _Entry) -> Sequence[PlannedCopy]:
        """The plan of such a signal, with the limits' vetoes of its orders as answers."""
        plan = self._planner.plan(connection, entry.signal(self._clock), self._members(entry.broker), self._clock.now())
        vetoes = self._gate.admit_all(connection, plan.entries)
        return [
            copy._replace(client_order_id=None, reason=CopyReason.LIMIT) if copy.client_order_id in vetoes else copy
            for copy in plan.copies
        ]

    def _members(self, broker: BrokerType) -> Sequence[str]:
        """Shadow users send nothing."""
        followers = self._followers.followers_of(broker)
        return [each.account.label for each in followers if each.leaving is None and not each.shadow]

    def _keep(self, connection: Connection, *, row: StoredPreview, entry: _Entry) -> None:
        add_preview(connection, row)
        instrument = self._followers.instrument_of(entry.broker, entry.symbol)
        if instrument is not None:
            note_instrument(connection, str(entry.broker), instrument, now=row.at)

    def _write_down(self, desk: AccountDesk, entry: _Entry, found: Capacity) -> None:
        row = StoredPreview(
            at=self._clock.now(),
            account_id=desk.account.label,
            symbol=entry.symbol,
            quantity=entry.quantity,
            price=entry.price,
            followers=found.followers,
            able=found.able,
            unable=found.unable,
            flow_notional=found.flow_notional,
            depth_notional=found.depth_notional,
            outcome=str(found.verdict.outcome),
            detail=found.verdict.sentence,
        )
        try:
            self._store.write(partial(self._keep, row=row, entry=entry), timeout_seconds=WRITE_SECONDS)
        except NijaError as error:
            log.warning("%s: its preview of %s is not written down: %s", desk.account.label, entry.symbol, error)

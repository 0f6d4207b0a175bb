"""Carries out one user's mirrored exits. An exit is a debt: it passes no gate, and it is tried until it is paid."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from typing import Any

from sqlalchemy import Connection, Row

from bot.brokers.base import BaseBroker
from bot.copy_answers import CopyAnswer, CopyAnswers
from bot.domain.account import AccountRef
from bot.domain.instrument import Instrument
from bot.domain.order import IntentState, OrderKind, OrderType
from bot.domain.signal import CopyReason, CopyStatus, TradeSignal
from bot.domain.trading_session import Awaited
from bot.execution.dust_book import end_as_dust
from bot.execution.lots import Lots, lots_of
from bot.execution.order_executor import OrderExecutor, has_ended
from bot.position_sizer import NoSize, PositionSizer
from bot.seams.clock import Clock
from bot.seams.failpoints import failpoint
from bot.seams.ids import client_order_id
from bot.storage import intents, positions
from bot.storage.intents import OrderIntent
from bot.storage.store import Store

log = logging.getLogger(__name__)

RETRY_SECONDS = 1.0
UNRESOLVED_LOOK_SECONDS = 5.0
MAX_RETRY_SECONDS = 60.0


def _no_stop(_symbol: str, _why: str) -> bool:
    """Nothing rests."""
    return True


@dataclass(frozen=True)
class _Debt:
    """One exit as it stands: its row, its orders so far in their order, what they sold, and the market's rules."""

    signal: TradeSignal
    row: Row[Any]
    made: Sequence[OrderIntent]
    instrument: Instrument

    @property
    def filled(self) -> Decimal:
        return sum((intent.filled_quantity for intent in self.made), Decimal(0))

    @property
    def last(self) -> OrderIntent | None:
        return self.made[-1] if self.made else None

    @property
    def unsent(self) -> OrderIntent | None:
        """The last order, if the venue certainly does not have it."""
        return self.last if self.last is not None and self.last.state is IntentState.CREATED else None


class MirroredExits:
    """Sells the master's share of the user's own copied lots; what rounding or a minimum leaves over is carried on."""

    def __init__(
        self,
        *,
        account: AccountRef,
        store: Store,
        clock: Clock,
        install_id: str,
        broker: BaseBroker,
        executor: OrderExecutor,
        sizer: PositionSizer,
        answers: CopyAnswers,
        instrument_of: Callable[[str], Instrument | None],
        clear_stop: Callable[[str, str], bool] = _no_stop,
    ) -> None:
        """`clear_stop` takes back what rests at the venue to guard a market (`ProtectiveStops.clear`)."""
        self._account = account
        self._store = store
        self._clock = clock
        self._install_id = install_id
        self._broker = broker
        self._executor = executor
        self._sizer = sizer
        self._answers = answers
        self._instrument_of = instrument_of
        self._clear_stop = clear_stop
        # Monotonic times before which a refused exit is not tried again; a restarted process tries at once.
        self._not_before: dict[str, float] = {}

    def step(self, signal: TradeSignal, row: Row[Any]) -> float | None:
        """Bring one exit further; returns in how many seconds to look again, None when it has its answer."""
        instrument = self._instrument_of(signal.symbol)
        if instrument is None:
            return self._blocked(signal, f"the rules of {signal.symbol} are not known, or it is not listed any more")
        if self._sells_otherwise(signal):
            return self._blocked(signal, "another sale of these lots must end first")
        debt = self._settled(_Debt(signal, row, self._legs(signal), instrument))
        if debt.last is not None and not has_ended(debt.last) and debt.unsent is None:
            return self._wait(debt, debt.last)
        pause = self._not_before.get(signal.signal_id, 0.0) - self._clock.monotonic()
        if pause > 0:
            return pause
        self._broker.renew_trading_session()
        awaited = self._broker.awaits(signal.symbol, signal.side)
        if awaited is not None:
            return self._postponed(debt, awaited)
        if not self._clear_stop(signal.symbol, "the master has sold"):
            return self._blocked(signal, "the end of the protective stop is not known yet")
        if row.planned_quantity is None:
            return self._begin(debt)
        return self._go_on(debt, row.planned_quantity - debt.filled)

    def _blocked(self, signal: TradeSignal, why: str) -> float:
        self._answers.note(signal, last_error=why)
        return RETRY_SECONDS

    def _postponed(self, debt: _Debt, awaited: Awaited) -> float:
        """Nothing is sent while the venue would not take it, or would keep it for later. That is said once."""
        if debt.row.last_error != awaited.sentence:
            log.info("%s: the exit of %s %s", self._account.label, debt.signal.symbol, awaited.sentence)
            self._answers.note(debt.signal, last_error=awaited.sentence)
        left = awaited.seconds_left(self._broker.venue_now() or self._clock.now())
        # A venue may open a little later than it has said, and then does not say when.
        return UNRESOLVED_LOOK_SECONDS if left is None else min(MAX_RETRY_SECONDS, max(RETRY_SECONDS, left))

    # -- how it stands ----------------------------------------------------------------------------------------------
    def _sells_otherwise(self, signal: TradeSignal) -> bool:
        """Whether a sale for another reason, such as the account's own stop, has no end yet: it may sell these lots."""
        with self._store.read() as connection:
            unfinished = intents.unfinished(connection, self._account.label)
        return any(
            intent.symbol == signal.symbol
            and intent.kind is OrderKind.EXIT
            and intent.signal_id != signal.signal_id
            and intent.state is not IntentState.CREATED
            and intent.order_type is not OrderType.STOP
            for intent in unfinished
        )

    def _legs(self, signal: TradeSignal) -> Sequence[OrderIntent]:
        with self._store.read() as connection:
            return intents.intents_of_signal(connection, self._account.label, signal.signal_id)

    def _settled(self, debt: _Debt) -> _Debt:
        if debt.last is None or has_ended(debt.last) or debt.unsent is not None:
            return debt
        return replace(debt, made=[*debt.made[:-1], self._executor.settle(debt.last)])

    def _lots(self, signal: TradeSignal) -> tuple[Lots, Decimal]:
        """The copied lots, and the part of them that earlier exits should have sold and could not."""
        with self._store.read() as connection:
            position = positions.find_position(connection, self._account.label, signal.symbol)
        return lots_of(position, self._broker), position.owed_quantity if position else Decimal(0)

    # -- selling ----------------------------------------------------------------------------------------------------
    def _begin(self, debt: _Debt) -> float | None:
        """Fix what is to be sold: the master's fraction of the lots, and what earlier exits have left owing."""
        signal = debt.signal
        lots, owed = self._lots(signal)
        due = owed + signal.size * (lots.booked - owed)
        size = self._sizer.size_exit(
            due=due, held=lots.existing, instrument=debt.instrument, price=signal.reference_price
        )
        if isinstance(size, NoSize):
            self._answers.note(signal, capped_quantity=due)
            return self._end(debt, CopyStatus.SKIPPED, size, owing=due)
        if size.quantity > lots.free:
            return self._locked(debt, lots)
        intent = self._intent(signal, len(debt.made), size.quantity)

        def plan(connection: Connection) -> None:
            self._executor.refuse_when_fenced(connection)
            intents.add_intent(connection, intent)
            positions.owe(connection, self._account.label, signal.symbol, max(Decimal(0), due - size.quantity))
            planned = {"planned_quantity": size.quantity, "capped_quantity": due}
            self._answers.note_in(connection, signal, client_order_id=intent.client_order_id, **planned)

        self._store.write(plan)
        failpoint("exit_planned")
        return self._send(debt, intent)

    def _go_on(self, debt: _Debt, rest: Decimal) -> float | None:
        """Sell what the first order has not sold: the part was fixed then, and what came of it since is taken off."""
        if rest <= 0:
            return self._paid(debt)
        lots, owed = self._lots(debt.signal)
        size = self._sizer.size_exit(
            due=rest, held=min(rest, lots.existing), instrument=debt.instrument, price=debt.signal.reference_price
        )
        if isinstance(size, NoSize):
            status = CopyStatus.PARTLY_COPIED if debt.filled > 0 else CopyStatus.SKIPPED
            return self._end(debt, status, size, owing=owed + rest)
        if size.quantity > lots.free:
            return self._locked(debt, lots)
        unsent = debt.unsent
        if unsent is not None and self._may_send_as_it_is(unsent, size.quantity):
            return self._send(debt, replace(unsent, quantity=size.quantity))
        if unsent is not None:
            self._executor.abandon(unsent, "another size is to be sold now")
        intent = self._intent(debt.signal, len(debt.made), size.quantity)
        self._store.write(partial(self._add_leg, signal=debt.signal, intent=intent))
        return self._send(debt, intent)

    def _may_send_as_it_is(self, unsent: OrderIntent, quantity: Decimal) -> bool:
        """Where an id is good for ever, what was once sent under it may only be sent again unchanged."""
        return unsent.attempt == 0 or not self._broker.client_ids_are_forever or unsent.quantity == quantity

    def _add_leg(self, connection: Connection, *, signal: TradeSignal, intent: OrderIntent) -> None:
        self._executor.refuse_when_fenced(connection)
        intents.add_intent(connection, intent)
        self._answers.note_in(connection, signal, client_order_id=intent.client_order_id)

    def _send(self, debt: _Debt, intent: OrderIntent) -> float | None:
        signal = debt.signal
        self._answers.note(signal, tries=debt.row.tries + 1, last_try_at=self._clock.now())
        made = [*(leg for leg in debt.made if leg.client_order_id != intent.client_order_id)]
        after = replace(debt, made=[*made, self._executor.send(intent)])
        planned = debt.row.planned_quantity or intent.quantity
        if after.last is not None and has_ended(after.last) and after.filled >= planned:
            return self._paid(after)
        assert after.last is not None
        return self._wait(after, after.last)

    def _intent(self, signal: TradeSignal, leg: int, quantity: Decimal) -> OrderIntent:
        return OrderIntent(
            # Each leg follows one whose end the venue has stated or whose absence is proven: two can never both sell.
            client_order_id=client_order_id(
                install_id=self._install_id,
                decision_id=signal.signal_id,
                account_id=self._account.label,
                leg=f"exit-{leg}",
                attempt=0,
            ),
            account_id=self._account.label,
            signal_id=signal.signal_id,
            decision=f"copy of the {signal.broker} master's exit",
            symbol=signal.symbol,
            side=signal.side,
            kind=OrderKind.EXIT,
            order_type=OrderType.MARKET,
            quantity=quantity,
            limit_price=None,
            balance_before=None,
            exit_plan=signal.exit_plan,
            created_at=self._clock.now(),
        )

    # -- waiting and ending -----------------------------------------------------------------------------------------
    def _wait(self, debt: _Debt, intent: OrderIntent) -> float:
        """The debt stays; a refusal makes the next try later each time, and an outcome that is not known is awaited."""
        self._answers.note(debt.signal, last_error=f"{intent.state}: {intent.reason}"[:500])
        if not has_ended(intent) and intent.state is not IntentState.CREATED:
            return UNRESOLVED_LOOK_SECONDS
        if intent.filled_quantity > 0:
            return RETRY_SECONDS
        pause: float = min(MAX_RETRY_SECONDS, RETRY_SECONDS * 2 ** min(debt.row.tries, 6))
        self._not_before[debt.signal.signal_id] = self._clock.monotonic() + pause
        return pause

    def _locked(self, debt: _Debt, lots: Lots) -> float:
        why = f"{lots.locked:f} {debt.signal.symbol} are tied up in open orders of the account"
        self._answers.note(debt.signal, last_error=why)
        return UNRESOLVED_LOOK_SECONDS

    def _paid(self, debt: _Debt) -> float | None:
        """All of it is sold. A rest that nobody could ever sell is no position any more."""
        self._answers.answer(
            debt.signal,
            CopyAnswer(CopyStatus.COPIED),
            debt.last,
            filled=debt.filled,
            together=partial(self._drop_dust, debt=debt),
        )
        return self._ended(debt)

    def _end(self, debt: _Debt, status: CopyStatus, why: NoSize, *, owing: Decimal) -> float | None:
        """Nothing more can be sold now; what the minimum holds back is left to the next exit."""
        if debt.unsent is not None:
            self._executor.abandon(debt.unsent, why.detail)

        def together(connection: Connection) -> None:
            position = positions.find_position(connection, self._account.label, debt.signal.symbol)
            if position is not None and why.reason in (CopyReason.BELOW_MINIMUM, CopyReason.DUST):
                positions.owe(connection, position.account_id, position.symbol, min(owing, position.quantity))
            self._drop_dust(connection, debt=debt)

        self._answers.answer(
            debt.signal,
            CopyAnswer(status, why.reason, why.detail),
            debt.last,
            filled=debt.filled or None,
            together=together,
        )
        return self._ended(debt)

    def _ended(self, debt: _Debt) -> float | None:
        """There is nothing to look at again, which is what None says."""
        self._not_before.pop(debt.signal.signal_id, None)
        return None

    def _drop_dust(self, connection: Connection, *, debt: _Debt) -> None:
        position = positions.find_position(connection, self._account.label, debt.signal.symbol)
        if position is None:
            return
        sellable = debt.instrument.floor_quantity(position.quantity)
        too_small = debt.instrument.below_minimum(sellable, debt.signal.reference_price)
        if too_small:
            end_as_dust(connection, position, now=self._clock.now(), reason=too_small)

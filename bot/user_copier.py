"""Carries out one user's planned copies, in that user's own thread."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Row

from bot.domain.account import AccountRef
from bot.domain.balance import BalanceReading, BalanceStatus
from bot.domain.instrument import Instrument
from bot.domain.order import IntentState, OrderKind, OrderType
from bot.domain.position import Position
from bot.domain.signal import CopyReason, CopyStatus, TradeSignal
from bot.domain.symbol import base_of
from bot.execution.order_executor import OrderExecutor, has_ended
from bot.position_sizer import NoSize, PositionSizer
from bot.seams.clock import Clock
from bot.seams.ids import client_order_id
from bot.storage import copies, fills, intents, positions
from bot.storage.intents import OrderIntent
from bot.storage.signals import signal_of
from bot.storage.store import Store

log = logging.getLogger(__name__)

RETRY_SECONDS = 1.0
UNRESOLVED_LOOK_SECONDS = 5.0
MAX_EXIT_RETRY_SECONDS = 60.0

_REFUSALS = {
    "InsufficientFunds": CopyReason.INSUFFICIENT_FUNDS,
    "CredentialsRejected": CopyReason.CREDENTIALS_REJECTED,
}


@dataclass(frozen=True)
class CopyAnswer:
    """The one final answer of a user to a signal."""

    status: CopyStatus
    reason: CopyReason = CopyReason.NONE
    detail: str = ""


class UserCopier:
    """Works off the rows of this account that have no answer yet. The rows are the queue: after a crash they are there.

    Entries are sent at most once and only while they are fresh. Exits pass no gate and are tried until they are done.
    """

    def __init__(
        self,
        *,
        account: AccountRef,
        store: Store,
        clock: Clock,
        install_id: str,
        executor: OrderExecutor,
        sizer: PositionSizer,
        instrument_of: Callable[[str], Instrument | None],
        balance: Callable[[], BalanceReading],
        max_signal_age_seconds: float,
        on_answer: Callable[[TradeSignal, CopyAnswer], None],
    ) -> None:
        self._account = account
        self._store = store
        self._clock = clock
        self._install_id = install_id
        self._executor = executor
        self._sizer = sizer
        self._instrument_of = instrument_of
        self._balance = balance
        self._max_signal_age = timedelta(seconds=max_signal_age_seconds)
        self._on_answer = on_answer

    def run(self) -> float | None:
        """Work on every copy without an answer; returns in how many seconds it wants to look again, or None."""
        with self._store.read() as connection:
            rows = copies.planned_copies(connection, self._account.label)
        waits: list[float] = []
        busy: set[str] = set()
        for row in rows:
            signal = signal_of(row)
            wait = self._in_turn(signal, row, first=signal.symbol not in busy)
            if wait is not None:
                waits.append(wait)
                busy.add(signal.symbol)
        return min(waits, default=None)

    def _in_turn(self, signal: TradeSignal, row: Row[Any], *, first: bool) -> float | None:
        """One symbol's copies go one after the other: an exit is a share of what the ones before it have left."""
        if signal.kind is OrderKind.ENTRY:
            return self._entry(signal, row, may_send=first)
        if not first or self._instrument_of(signal.symbol) is None:
            # What came before has no outcome yet, or the market's rules are missing; they come with the connection.
            return RETRY_SECONDS
        return self._exit(signal, row)

    # -- entries ----------------------------------------------------------------------------------------------------
    def _entry(self, signal: TradeSignal, row: Row[Any], *, may_send: bool) -> float | None:
        intent = self._stored_intent(row.client_order_id)
        if intent.state is IntentState.CREATED:
            veto = self._entry_veto(signal)
            if veto is not None:
                self._executor.abandon(intent, veto.detail)
                return self._answer(signal, veto, intent)
            if not may_send:
                return RETRY_SECONDS
            intent = self._executor.send(intent)
        elif not has_ended(intent):
            intent = self._executor.settle(intent)
        if has_ended(intent):
            return self._answer(signal, _entry_answer(intent), intent)
        return self._not_yet(signal, intent)

    def _entry_veto(self, signal: TradeSignal) -> CopyAnswer | None:
        age = self._clock.now() - signal.executed_at
        if age < -self._max_signal_age:
            detail = f"the master's trade is {-age.total_seconds():.0f} s ahead of this machine's clock"
            return CopyAnswer(CopyStatus.SKIPPED, CopyReason.TOO_OLD, detail)
        if age > self._max_signal_age:
            detail = f"the master traded {age.total_seconds():.0f} s ago"
            return CopyAnswer(CopyStatus.SKIPPED, CopyReason.TOO_OLD, detail)
        reading = self._balance()
        if reading.status is BalanceStatus.UNKNOWN:
            return CopyAnswer(CopyStatus.SKIPPED, CopyReason.BALANCE_UNKNOWN, reading.reason)
        if reading.status is BalanceStatus.STALE:
            detail = f"balance is {reading.age_seconds or 0:.0f} s old: {reading.reason}"
            return CopyAnswer(CopyStatus.SKIPPED, CopyReason.BALANCE_STALE, detail)
        return None

    # -- exits ------------------------------------------------------------------------------------------------------
    def _exit(self, signal: TradeSignal, row: Row[Any]) -> float | None:
        if self._sells_otherwise(signal):
            return RETRY_SECONDS
        made = self._legs(signal)
        last = made[-1] if made else None
        if last is not None and not has_ended(last) and last.state is not IntentState.CREATED:
            last = self._executor.settle(last)
            if not has_ended(last):
                return self._not_yet(signal, last)
            made = [*made[:-1], last]
        filled = sum((intent.filled_quantity for intent in made), Decimal(0))
        pause = self._exit_pause(made)
        return pause if pause is not None else self._exit_rest(signal, row, made, filled)

    def _sells_otherwise(self, signal: TradeSignal) -> bool:
        """Whether a sale for another reason, such as the account's own stop, has no end yet: it may sell these lots."""
        with self._store.read() as connection:
            unfinished = intents.unfinished(connection, self._account.label)
        return any(
            intent.symbol == signal.symbol
            and intent.kind is OrderKind.EXIT
            and intent.signal_id != signal.signal_id
            and intent.state is not IntentState.CREATED
            for intent in unfinished
        )

    def _legs(self, signal: TradeSignal) -> list[OrderIntent]:
        """The exit's orders in the order of their legs; their times would not do, clocks are set back."""
        with self._store.read() as connection:
            made = intents.intents_of_signal(connection, self._account.label, signal.signal_id)
        by_id = {intent.client_order_id: intent for intent in made}
        return [by_id[self._leg_id(signal, leg)] for leg in range(len(made))]

    def _exit_pause(self, made: Sequence[OrderIntent]) -> float | None:
        """Seconds until a refused exit may be tried again; None = now, also when the clock was set back since."""
        retry_at = _exit_retry_at(made)
        if retry_at is None or made[-1].filled_quantity > 0:
            return None
        seconds = (retry_at - self._clock.now()).total_seconds()
        return max(0.1, seconds) if 0 < seconds <= MAX_EXIT_RETRY_SECONDS else None

    def _exit_rest(
        self, signal: TradeSignal, row: Row[Any], made: Sequence[OrderIntent], filled: Decimal
    ) -> float | None:
        intent = self._next_exit_intent(signal, row, made, filled)
        if isinstance(intent, NoSize):
            return self._end_exit(signal, made, filled, intent)
        if not made or made[-1].client_order_id != intent.client_order_id:
            if row.planned_quantity is None:
                self._note(signal, planned_quantity=filled + intent.quantity)
            intent = self._executor.place(intent)
            self._note(signal, client_order_id=intent.client_order_id)
        else:
            intent = self._executor.send(intent)
        if has_ended(intent) and intent.filled_quantity >= intent.quantity:
            total = filled + intent.filled_quantity
            return self._answer(signal, CopyAnswer(CopyStatus.COPIED), intent, total)
        return self._not_yet(signal, intent)

    def _end_exit(self, signal: TradeSignal, made: Sequence[OrderIntent], filled: Decimal, why: NoSize) -> float | None:
        """Nothing is left that could be sold."""
        if made and made[-1].state is IntentState.CREATED:
            self._executor.abandon(made[-1], why.detail)
        if filled > 0:
            return self._answer(signal, CopyAnswer(CopyStatus.COPIED), made[-1], filled)
        return self._answer(signal, CopyAnswer(CopyStatus.SKIPPED, why.reason, why.detail), None)

    def _next_exit_intent(
        self, signal: TradeSignal, row: Row[Any], made: Sequence[OrderIntent], filled: Decimal
    ) -> OrderIntent | NoSize:
        """What is still to be sold of this exit, as the order that was written down but not sent, or as a new one."""
        instrument = self._instrument_of(signal.symbol)
        assert instrument is not None, "checked before the first step of an exit"
        with self._store.read() as connection:
            position = positions.find_position(connection, self._account.label, signal.symbol)
        if row.planned_quantity is None:
            size = self._sizer.size_exit(
                fraction=signal.size,
                held=self._sellable(position, signal.symbol),
                instrument=instrument,
                price=signal.reference_price,
            )
        else:
            # The part to sell was fixed when the exit first ran; what came of it since is taken off.
            rest = min(row.planned_quantity - filled, self._sellable(position, signal.symbol))
            size = self._sizer.size_exit(
                fraction=Decimal(1), held=rest, instrument=instrument, price=signal.reference_price
            )
        if isinstance(size, NoSize):
            return size
        if made and made[-1].state is IntentState.CREATED:
            return replace(made[-1], quantity=size.quantity)
        return self._exit_intent(signal, len(made), size.quantity)

    def _exit_intent(self, signal: TradeSignal, tries: int, quantity: Decimal) -> OrderIntent:
        return OrderIntent(
            client_order_id=self._leg_id(signal, tries),
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

    def _leg_id(self, signal: TradeSignal, leg: int) -> str:
        """Each leg follows one whose end the venue has stated, so that two can never both sell."""
        return client_order_id(
            install_id=self._install_id,
            decision_id=signal.signal_id,
            account_id=self._account.label,
            leg=f"exit-{leg}",
            attempt=0,
        )

    def _sellable(self, position: Position | None, symbol: str) -> Decimal:
        """Copied lots that are still there: never more than the account has, as far as that is known."""
        held = position.quantity if position else Decimal(0)
        reading = self._balance()
        if reading.holdings is None or reading.status is not BalanceStatus.FRESH:
            return held
        with self._store.read() as connection:
            booked_at = fills.last_recorded_at(connection, self._account.label, symbol)
        if booked_at is not None and booked_at >= reading.holdings.taken_at:
            # The reading may or may not have had that fill in it; arithmetic on it is no bound.
            return held
        return min(held, reading.holdings.of(base_of(symbol)).available)

    # -- answers ----------------------------------------------------------------------------------------------------
    def _answer(
        self, signal: TradeSignal, answer: CopyAnswer, intent: OrderIntent | None, filled: Decimal | None = None
    ) -> float | None:
        """Write the final answer; there is nothing to look at again, which is what None says."""
        quantity = filled if filled is not None else (intent.filled_quantity if intent else None)
        changed = self._store.write(
            lambda connection: copies.answer_copy(
                connection,
                signal_id=signal.signal_id,
                account_id=self._account.label,
                status=answer.status,
                reason=answer.reason,
                detail=answer.detail,
                at=self._clock.now(),
                filled_quantity=quantity,
                average_price=intent.average_price if intent else None,
            )
        )
        if changed:
            self._on_answer(signal, answer)
        return None

    def _not_yet(self, signal: TradeSignal, intent: OrderIntent) -> float:
        self._note(signal, detail=f"{intent.state}: {intent.reason}"[:500])
        if intent.state is IntentState.CREATED:
            return RETRY_SECONDS
        return UNRESOLVED_LOOK_SECONDS

    def _note(self, signal: TradeSignal, **values: Any) -> None:
        self._store.write(
            lambda connection: copies.note_copy(
                connection, signal_id=signal.signal_id, account_id=self._account.label, **values
            )
        )

    def _stored_intent(self, order_id: str) -> OrderIntent:
        with self._store.read() as connection:
            intent = intents.find_intent(connection, order_id)
        assert intent is not None, "the plan writes the intent in the same transaction as the copy"
        return intent


def _entry_answer(intent: OrderIntent) -> CopyAnswer:
    if intent.filled_quantity >= intent.quantity:
        return CopyAnswer(CopyStatus.COPIED)
    if intent.filled_quantity > 0:
        return CopyAnswer(CopyStatus.PARTLY_COPIED, CopyReason.PRICE_MOVED, "the rest was not to be had in the bound")
    if intent.state is IntentState.REJECTED:
        name = intent.reason.partition(":")[0]
        return CopyAnswer(CopyStatus.FAILED, _REFUSALS.get(name, CopyReason.REFUSED_BY_VENUE), intent.reason)
    if intent.state is IntentState.ABANDONED:
        return CopyAnswer(CopyStatus.FAILED, CopyReason.PROVEN_ABSENT, intent.reason)
    limit = "" if intent.limit_price is None else f" within {intent.limit_price:f}"
    return CopyAnswer(CopyStatus.SKIPPED, CopyReason.PRICE_MOVED, f"nothing was to be had{limit}")


def _exit_retry_at(made: Sequence[OrderIntent]) -> datetime | None:
    """A refused exit is tried again, later each time: a refusal does not end the debt."""
    if not made or made[-1].sent_at is None:
        return None
    pause = min(MAX_EXIT_RETRY_SECONDS, RETRY_SECONDS * 2 ** min(len(made), 6))
    return made[-1].sent_at + timedelta(seconds=pause)

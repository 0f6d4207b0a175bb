"""Wrong ways to copy, each a switch that only the simulation can set. Each must be caught, or the judge is blind."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from decimal import Decimal
from functools import partial
from typing import Any
from unittest.mock import patch

from sqlalchemy import Connection, Row

from bot import copy_trade_engine, user_copier
from bot.copy_trade_engine import CopyTradeEngine
from bot.domain.fill import Fill
from bot.domain.order import IntentState
from bot.domain.position import Position
from bot.domain.signal import TradeSignal
from bot.domain.symbol import base_of
from bot.execution import fill_recorder, order_executor
from bot.execution.fill_recorder import FillRecorder
from bot.execution.order_executor import OrderExecutor
from bot.seams.failpoints import failpoint
from bot.storage import signals
from bot.storage.intents import OrderIntent
from bot.user_copier import UserCopier

Mutant = Callable[[], AbstractContextManager[Any]]


@contextmanager
def no_mutant() -> Iterator[None]:
    yield


def resend_unknown() -> AbstractContextManager[Any]:
    """What has no known outcome is simply sent again, under the same id."""
    ask = OrderExecutor._resolve

    def resolve(self: OrderExecutor, intent: OrderIntent) -> None:
        self._broker.place_order(intent.request())
        ask(self, intent)

    return patch.object(OrderExecutor, "_resolve", resolve)


def time_out_is_failure() -> AbstractContextManager[Any]:
    """No reply counts as a refusal."""
    move = OrderExecutor._move

    def wrong(self: OrderExecutor, intent: OrderIntent, state: IntentState, detail: str, **changes: Any) -> None:
        move(self, intent, IntentState.REJECTED if state is IntentState.UNKNOWN else state, detail, **changes)

    return patch.object(OrderExecutor, "_move", wrong)


def not_found_is_final() -> AbstractContextManager[Any]:
    """One look-up that finds nothing proves that there is nothing."""

    def wrong(self: OrderExecutor, intent: OrderIntent) -> None:
        self._move(intent, IntentState.ABANDONED, "not found")

    return patch.object(OrderExecutor, "_count_absence", wrong)


def crashed_while_sending_is_never_sent() -> AbstractContextManager[Any]:
    """After a crash what was being sent counts as not sent."""
    read = UserCopier._stored_intent

    def wrong(self: UserCopier, order_id: str) -> OrderIntent:
        intent = read(self, order_id)
        return replace(intent, state=IntentState.CREATED) if intent.state is IntentState.SUBMITTED else intent

    return patch.object(UserCopier, "_stored_intent", wrong)


def claim_before_plan() -> AbstractContextManager[Any]:
    """The signal is marked planned in one transaction and planned in another."""

    def wrong(self: CopyTradeEngine, signal: TradeSignal) -> None:
        claim = partial(signals.claim_for_planning, signal_id=signal.signal_id, at=self._clock.now())
        self._store.write(lambda connection: claim(connection))
        failpoint("plan_signal")

        def plan(connection: Connection) -> None:
            for follower in self._followers.followers_of(signal.broker):
                self._plan_one(connection, signal, follower)

        self._store.write(plan)

    return patch.object(copy_trade_engine.CopyTradeEngine, "_plan", wrong)


def signal_after_the_fills() -> AbstractContextManager[Any]:
    """The fills are booked in one transaction and their signal is written in the next."""
    write = FillRecorder._write
    emit = FillRecorder._emit_signal

    def remember(self: FillRecorder, _connection: Connection, *event: Any) -> None:
        self.__dict__.setdefault("late", []).append(event)

    def wrong(self: FillRecorder, work: Callable[[Connection], Sequence[Fill]]) -> Sequence[Fill]:
        new = write(self, work)
        for event in self.__dict__.pop("late", []):
            self._store.write(lambda connection, event=event: emit(self, connection, *event))
        return new

    return patch.multiple(FillRecorder, _write=wrong, _emit_signal=remember)


def no_dedupe_of_fills() -> AbstractContextManager[Any]:
    """A trade that is reported again counts again."""
    add = fill_recorder.fill_rows.add_fill

    def wrong(*arguments: Any, **named: Any) -> bool:
        add(*arguments, **named)
        return True

    return patch.object(fill_recorder.fill_rows, "add_fill", wrong)


def exit_by_wallet() -> AbstractContextManager[Any]:
    """An exit's share is taken of all the account has, the user's own coins included."""

    def wrong(self: UserCopier, position: Position | None, symbol: str) -> Decimal:
        reading = self._balance()
        held = position.quantity if position else Decimal(0)
        return held if reading.holdings is None else reading.holdings.of(base_of(symbol)).available

    return patch.object(UserCopier, "_sellable", wrong)


def no_max_age() -> AbstractContextManager[Any]:
    """An entry is sent however old it is."""
    veto = UserCopier._entry_veto

    def wrong(self: UserCopier, signal: TradeSignal) -> Any:
        return veto(self, replace(signal, executed_at=self._clock.now()))

    return patch.object(UserCopier, "_entry_veto", wrong)


def a_refused_exit_is_dropped() -> AbstractContextManager[Any]:
    """A refusal ends an exit."""
    not_yet = UserCopier._not_yet

    def wrong(self: UserCopier, signal: TradeSignal, intent: OrderIntent) -> float | None:
        if intent.state is IntentState.REJECTED:
            return self._answer(signal, user_copier._entry_answer(intent), intent)
        return not_yet(self, signal, intent)

    return patch.object(UserCopier, "_not_yet", wrong)


def exits_overtake() -> AbstractContextManager[Any]:
    """A copy does not wait for the one before it."""
    in_turn = UserCopier._in_turn

    def wrong(self: UserCopier, signal: TradeSignal, row: "Row[Any]", *, first: bool) -> float | None:
        return in_turn(self, signal, row, first=True)

    return patch.object(UserCopier, "_in_turn", wrong)


def end_before_fills() -> AbstractContextManager[Any]:
    """An order that has ended is booked as ended, though its trades are not all listed yet."""
    book = FillRecorder.book_order

    def wrong(self: OrderExecutor, intent: OrderIntent, order: Any) -> bool:
        since = intent.created_at
        book(self._recorder, intent, order, self._broker.get_order_fills(order.venue_order_id, since=since))
        return bool(order.status.ended)

    return patch.object(order_executor.OrderExecutor, "_book", wrong)


MUTANTS: dict[str, Mutant] = {
    mutant.__name__: mutant
    for mutant in (
        resend_unknown,
        time_out_is_failure,
        not_found_is_final,
        crashed_while_sending_is_never_sent,
        claim_before_plan,
        signal_after_the_fills,
        no_dedupe_of_fills,
        exit_by_wallet,
        no_max_age,
        a_refused_exit_is_dropped,
        exits_overtake,
        end_before_fills,
    )
}

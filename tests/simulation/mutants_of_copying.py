"""Wrong ways to plan copies, to size exits and to keep books."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from decimal import Decimal
from functools import partial
from typing import Any
from unittest.mock import patch

from sqlalchemy import Connection

from bot import mirrored_exits
from bot.brokers.balance_book import BalanceBook
from bot.copy_answers import CopyAnswer
from bot.copy_planner import CopyPlanner
from bot.copy_trade_engine import CopyTradeEngine
from bot.domain.balance import BalanceReading, BalanceStatus
from bot.domain.errors import VenueError
from bot.domain.fill import Fill
from bot.domain.order import IntentState, OrderKind, OrderRequest, OrderType, Side, VenueOrder
from bot.domain.signal import CopyReason, CopyStatus, TradeSignal
from bot.domain.symbol import base_of
from bot.execution import fill_recorder
from bot.execution.account_history import AccountHistory, OrderFills
from bot.execution.fill_recorder import FillRecorder
from bot.execution.holdings_check import HoldingsCheck
from bot.execution.lots import Lots
from bot.execution.open_orders import OpenOrders
from bot.execution.order_executor import OrderExecutor, has_ended
from bot.mirrored_exits import MirroredExits
from bot.seams.failpoints import failpoint
from bot.seams.ids import derived_id
from bot.storage import positions, signals
from bot.storage.intents import OrderIntent
from bot.user_copier import UserCopier
from tests.simulation.mutant import Mutant


def claim_before_plan() -> AbstractContextManager[Any]:
    """The signal is marked planned in one transaction and planned in another."""
    plan_all = CopyTradeEngine._plan_all

    def wrong(self: CopyTradeEngine, signal: TradeSignal) -> None:
        claim = partial(signals.claim_for_planning, signal_id=signal.signal_id, at=self._clock.now())
        self._store.write(lambda connection: claim(connection))
        failpoint("plan_signal")
        with patch.object(signals, "claim_for_planning", lambda *_rest, **_named: True):
            self._store.write(partial(plan_all, self, signal=signal))

    return patch.multiple(CopyTradeEngine, _plan=wrong, plan_in=lambda _self, _connection, _signal: None)


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
    of_books = MirroredExits._lots

    def wrong(self: MirroredExits, signal: TradeSignal) -> tuple[Lots, Decimal]:
        (lots, owed), reading = of_books(self, signal), self._broker.balance_book.reading()
        if reading.holdings is None:
            return lots, owed
        wallet = reading.holdings.of(base_of(signal.symbol)).available
        return Lots(wallet, wallet, wallet), owed

    return patch.object(MirroredExits, "_lots", wrong)


def no_carry() -> AbstractContextManager[Any]:
    """What an exit could not sell for rounding or minimum is forgotten."""
    return patch.object(positions, "owe", lambda *_rest, **_named: None)


def each_try_takes_its_share_anew() -> AbstractContextManager[Any]:
    """The part to sell is not fixed: after a partial sale the fraction is taken of the rest again."""
    step = MirroredExits.step

    class Forgetful:
        def __init__(self, row: Any) -> None:
            self._row = row

        def __getattr__(self, name: str) -> Any:
            return None if name == "planned_quantity" else getattr(self._row, name)

    def wrong(self: MirroredExits, signal: TradeSignal, row: Any) -> float | None:
        return step(self, signal, Forgetful(row))  # type: ignore[arg-type]

    return patch.object(MirroredExits, "step", wrong)


def the_next_leg_does_not_wait() -> AbstractContextManager[Any]:
    """An exit's order without a known outcome is followed by the next one."""

    def wrong(intent: OrderIntent) -> bool:
        return has_ended(intent) or intent.state is IntentState.UNKNOWN

    return patch.object(mirrored_exits, "has_ended", wrong)


def a_refused_exit_is_dropped() -> AbstractContextManager[Any]:
    """A refusal ends an exit."""
    wait = MirroredExits._wait

    def wrong(self: MirroredExits, debt: Any, intent: OrderIntent) -> float | None:
        if intent.state is not IntentState.REJECTED:
            return wait(self, debt, intent)
        answer = CopyAnswer(CopyStatus.FAILED, CopyReason.REFUSED_BY_VENUE, intent.reason)
        self._answers.answer(debt.signal, answer, intent)
        return None

    return patch.object(MirroredExits, "_wait", wrong)


def exits_overtake() -> AbstractContextManager[Any]:
    """A copy does not wait for the one before it."""
    in_turn = UserCopier._in_turn

    def wrong(self: UserCopier, signal: TradeSignal, row: Any, later: Any, *, first: bool) -> float | None:
        return in_turn(self, signal, row, later, first=True)

    return patch.object(UserCopier, "_in_turn", wrong)


def no_max_age() -> AbstractContextManager[Any]:
    """An entry is sent however old it is."""
    veto = UserCopier._entry_veto

    def wrong(self: UserCopier, signal: TradeSignal) -> Any:
        return veto(self, replace(signal, executed_at=self._clock.now()))

    return patch.object(UserCopier, "_entry_veto", wrong)


def no_price_bound() -> AbstractContextManager[Any]:
    """Entries go at whatever price is there."""
    make = CopyPlanner._intent

    def wrong(self: CopyPlanner, *arguments: Any) -> OrderIntent:
        return replace(make(self, *arguments), order_type=OrderType.MARKET, limit_price=None)

    return patch.object(CopyPlanner, "_intent", wrong)


def any_balance_will_do() -> AbstractContextManager[Any]:
    """An old reading of the balance counts as a fresh one."""
    read = BalanceBook.reading

    def wrong(self: BalanceBook) -> BalanceReading:
        reading = read(self)
        return reading if reading.holdings is None else replace(reading, status=BalanceStatus.FRESH)

    return patch.object(BalanceBook, "reading", wrong)


def adopt_what_is_found() -> AbstractContextManager[Any]:
    """Whatever was traded on a user's account is taken for a lot of ours."""

    def wrong(self: AccountHistory, group: OrderFills, _why: str) -> None:
        self._recorder.book_history(group.fills)

    return patch.object(AccountHistory, "_note", wrong)


def cancel_what_is_unknown() -> AbstractContextManager[Any]:
    """An order with our mark that the books do not know is cancelled."""
    report = OpenOrders._report_orphan

    def wrong(self: OpenOrders, order: VenueOrder, why: str) -> None:
        report(self, order, why)
        self._broker.cancel_order(order.venue_order_id)

    return patch.object(OpenOrders, "_report_orphan", wrong)


def reconciliation_trades() -> AbstractContextManager[Any]:
    """What the account has more than the books is sold."""
    compare = HoldingsCheck.compare

    def wrong(self: HoldingsCheck) -> None:
        compare(self)
        reading, pairs = self._broker.balance_book.reading(), self._broker.get_trading_pairs()
        with self._store.read() as connection:
            booked = {one.symbol: one.quantity for one in positions.positions_of(connection, self._account.label)}
        for symbol, instrument in pairs.items():
            free = Decimal(0) if reading.holdings is None else reading.holdings.of(base_of(symbol)).available
            surplus = instrument.floor_quantity(free - booked.get(symbol, Decimal(0)))
            if surplus > instrument.minimum_quantity:
                self._broker.place_order(
                    OrderRequest(
                        client_order_id=derived_id(symbol, str(self._clock.monotonic())),
                        symbol=symbol,
                        side=Side.SELL,
                        kind=OrderKind.EXIT,
                        order_type=OrderType.MARKET,
                        quantity=surplus,
                    )
                )

    return patch.object(HoldingsCheck, "compare", wrong)


def a_failed_reading_is_nothing() -> AbstractContextManager[Any]:
    """A look-up that fails counts as one that found nothing."""
    resolve = OrderExecutor._resolve

    def wrong(self: OrderExecutor, intent: OrderIntent) -> None:
        try:
            resolve(self, intent)
        except VenueError:
            self._end_absent(intent)

    return patch.object(OrderExecutor, "_resolve", wrong)


def a_fresh_start_forgets_exits() -> AbstractContextManager[Any]:
    """Exits that were planned before the account was opened are left behind."""
    make = MirroredExits.__init__
    step = MirroredExits.step

    def start(self: MirroredExits, **named: Any) -> None:
        make(self, **named)
        with self._store.read() as connection:
            self.__dict__["newest"] = signals.newest_sequence(connection)

    def wrong(self: MirroredExits, signal: TradeSignal, row: Any) -> float | None:
        if row.sequence > self.__dict__["newest"]:
            return step(self, signal, row)
        self._answers.answer(signal, CopyAnswer(CopyStatus.SKIPPED, CopyReason.NOTHING_HELD, "before the start"), None)
        return None

    return patch.multiple(MirroredExits, __init__=start, step=wrong)


def an_exit_waits_for_fresh_balances() -> AbstractContextManager[Any]:
    """A gate that is meant for entries is put before exits too: they are given up without a fresh balance."""
    step = MirroredExits.step

    def wrong(self: MirroredExits, signal: TradeSignal, row: Any) -> float | None:
        if self._broker.balance_book.reading().status is BalanceStatus.FRESH:
            return step(self, signal, row)
        why = CopyAnswer(CopyStatus.SKIPPED, CopyReason.BALANCE_STALE, "")
        self._answers.answer(signal, why, None, filled=Decimal(0))
        return None

    return patch.object(MirroredExits, "step", wrong)


ALL: tuple[Mutant, ...] = (
    claim_before_plan,
    signal_after_the_fills,
    no_dedupe_of_fills,
    exit_by_wallet,
    no_carry,
    each_try_takes_its_share_anew,
    the_next_leg_does_not_wait,
    a_refused_exit_is_dropped,
    exits_overtake,
    no_max_age,
    no_price_bound,
    any_balance_will_do,
    adopt_what_is_found,
    cancel_what_is_unknown,
    reconciliation_trades,
    a_failed_reading_is_nothing,
    a_fresh_start_forgets_exits,
    an_exit_waits_for_fresh_balances,
)

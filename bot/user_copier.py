"""Carries out one user's planned copies, in that user's own thread."""

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row

from bot.copy_answers import CopyAnswer, CopyAnswers
from bot.domain.account import AccountRef
from bot.domain.balance import BalanceReading, BalanceStatus
from bot.domain.errors import NijaError
from bot.domain.leaving import WhenDisabled
from bot.domain.order import LIVE_STATES, IntentState, OrderKind
from bot.domain.signal import CopyReason, CopyStatus, TradeSignal
from bot.domain.veto import VetoRule
from bot.execution.order_executor import NOT_SENT, OrderExecutor, has_ended
from bot.mirrored_exits import MirroredExits
from bot.observability.correlation import working_on
from bot.seams.clock import Clock
from bot.storage import copies, intents, symbol_pauses
from bot.storage.intents import OrderIntent
from bot.storage.signals import signal_of
from bot.storage.store import Store

log = logging.getLogger(__name__)

RETRY_SECONDS = 1.0
UNRESOLVED_LOOK_SECONDS = 5.0
# Begins the last error of a copy that failed in a way nobody has foreseen.
UNEXPECTED = "unexpected: "

_REFUSALS = {
    "InsufficientFunds": CopyReason.INSUFFICIENT_FUNDS,
    "CredentialsRejected": CopyReason.CREDENTIALS_REJECTED,
}
_RULES = frozenset(map(str, VetoRule))
# What a veto is called in an answer; every other rule is a limit.
_REASON_OF_RULE: Mapping[str, CopyReason] = {
    VetoRule.HALTED: CopyReason.HALTED,
    VetoRule.NOT_READY: CopyReason.ACCOUNT_NOT_READY,
    VetoRule.MARKET_CLOSED: CopyReason.MARKET_CLOSED,
}
_LEFT = CopyAnswer(CopyStatus.SKIPPED, CopyReason.USER_LEFT, "the user does not copy any more")


class UserCopier:
    """Works off the rows of this account that have no answer yet. The rows are the queue: after a crash they are there.

    Entries are sent at most once, only while they are fresh, and only when the account is known (`hydrated`). Exits
    pass no gate and are tried until they are done.
    """

    def __init__(
        self,
        *,
        account: AccountRef,
        store: Store,
        clock: Clock,
        executor: OrderExecutor,
        exits: MirroredExits,
        answers: CopyAnswers,
        balance: Callable[[], BalanceReading],
        venue_now: Callable[[], datetime | None],
        hydrated: Callable[[], bool],
        max_signal_age_seconds: float,
        leaving: WhenDisabled | None = None,
    ) -> None:
        self._account = account
        self._store = store
        self._clock = clock
        self._executor = executor
        self._exits = exits
        self._answers = answers
        self._balance = balance
        self._venue_now = venue_now
        self._hydrated = hydrated
        self._max_signal_age = timedelta(seconds=max_signal_age_seconds)
        # When this thread first saw each signal it has to answer (monotonic seconds).
        self._seen_at: dict[str, float] = {}
        self._leaving = leaving
        self.found_work = False

    def may_board(self, signal: TradeSignal) -> bool:
        """Whether an entry after this signal may go out in a batch now: no store and no venue is asked for it.

        The store's and the engine's thread ask too.
        """
        return self._leaving is None and self._hydrated() and self._unfit(signal) is None

    def run(self) -> float | None:
        """Work on every copy without an answer; returns in how many seconds it wants to look again, or None.

        `found_work` says afterwards whether there was one.
        """
        with self._store.read() as connection:
            rows = copies.planned_copies(connection, self._account.label)
        self.found_work = bool(rows)
        waits: list[float] = []
        busy: set[str] = set()
        for number, row in enumerate(rows):
            signal = signal_of(row)
            with working_on(account=self._account.label, signal=signal.signal_id, order=row.client_order_id or ""):
                wait = self._guarded(signal, row, rows[number + 1 :], first=signal.symbol not in busy)
            if wait is not None:
                waits.append(wait)
                busy.add(signal.symbol)
        return min(waits, default=None)

    def _guarded(self, signal: TradeSignal, row: Row[Any], later: Sequence[Row[Any]], *, first: bool) -> float | None:
        """One copy whose report makes no sense waits by itself, with the others of its symbol behind it."""
        try:
            return self._in_turn(signal, row, later, first=first)
        except NijaError:
            raise
        except Exception as error:
            log.exception("%s: the copy of signal %s waits", self._account.label, signal.signal_id)
            self._answers.note(signal, last_error=f"{UNEXPECTED}{type(error).__name__}: {error}"[:500])
            return UNRESOLVED_LOOK_SECONDS

    def _in_turn(self, signal: TradeSignal, row: Row[Any], later: Sequence[Row[Any]], *, first: bool) -> float | None:
        """One symbol's copies go one after the other: an exit is a share of what the ones before it have left."""
        if signal.kind is OrderKind.ENTRY:
            return self._entry(signal, row, _exits_of(signal.symbol, later), may_send=first)
        if self._leaving is WhenDisabled.KEEP and row.planned_quantity is None:
            # A sale that was begun is brought to its end; this one was not.
            return self._answer(signal, _LEFT, None)
        return self._exits.step(signal, row) if first else RETRY_SECONDS

    # -- entries ----------------------------------------------------------------------------------------------------
    def _entry(self, signal: TradeSignal, row: Row[Any], exits: Sequence[Row[Any]], *, may_send: bool) -> float | None:
        """`exits` are the master's later exits of the same symbol that wait for this entry's end."""
        intent = self._stored_intent(row.client_order_id)
        if exits and intent.state in LIVE_STATES:
            intent = self._executor.cancel(intent)
        elif intent.state is not IntentState.CREATED and not has_ended(intent):
            along = _AnswerAlong(self._answers, signal)
            intent = self._executor.settle(intent, along=along)
            if along.committed(intent):
                return self._forget(signal)
            awaited = self._executor.awaited_seconds(intent)
            if awaited > 0:
                # It left in a batch with others'; its answer wakes this thread.
                return awaited
        if intent.state is IntentState.CREATED:
            return self._unsent_entry(signal, intent, exits, may_send=may_send)
        return self._entry_result(signal, intent)

    def _unsent_entry(
        self, signal: TradeSignal, intent: OrderIntent, exits: Sequence[Row[Any]], *, may_send: bool
    ) -> float | None:
        veto = self._superseded(exits) or self._entry_veto(signal)
        if veto is not None:
            self._executor.abandon(intent, _not_sent(veto))
            return self._answer(signal, veto, intent)
        if not may_send or not self._hydrated():
            return RETRY_SECONDS
        return self._entry_result(signal, self._executor.send(intent, gate=lambda: self._gate(signal)))

    def _entry_result(self, signal: TradeSignal, intent: OrderIntent) -> float | None:
        if has_ended(intent):
            return self._answer(signal, entry_answer(intent), intent)
        self._answers.note(signal, detail=f"{intent.state}: {intent.reason}"[:500])
        return RETRY_SECONDS if intent.state is IntentState.CREATED else UNRESOLVED_LOOK_SECONDS

    def _superseded(self, exits: Sequence[Row[Any]]) -> CopyAnswer | None:
        """What the master has left again altogether is not entered any more."""
        if any(row.size == 1 for row in exits):
            return CopyAnswer(CopyStatus.SUPERSEDED, CopyReason.MASTER_LEFT, "the master has sold all of it again")
        return None

    def _gate(self, signal: TradeSignal) -> str:
        """The last look before the wire: writing the order down may have taken its time."""
        veto = self._entry_veto(signal)
        return "" if veto is None else f"{veto.reason}: {veto.detail}"

    def _entry_veto(self, signal: TradeSignal) -> CopyAnswer | None:
        if self._leaving is not None:
            return _LEFT
        paused = self._pause_of(signal.symbol)
        if paused:
            # Seen only after this copy was planned.
            return CopyAnswer(CopyStatus.SKIPPED, CopyReason.SYMBOL_PAUSED, paused)
        return self._unfit(signal)

    def _unfit(self, signal: TradeSignal) -> CopyAnswer | None:
        """What the clock and the last balance reading say against an entry now."""
        age = self._age(signal)
        if age < -self._max_signal_age:
            detail = f"the master's trade is {-age.total_seconds():.0f} s ahead of the clock"
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

    def _pause_of(self, symbol: str) -> str:
        with self._store.read() as connection:
            return symbol_pauses.pause_reason(connection, self._account.label, symbol)

    def _age(self, signal: TradeSignal) -> timedelta:
        """How long ago the master traded, by the clock of the venue that dated the trade.

        While the venue has not told its time, by this machine's; never less than this thread has known of it.
        """
        now = self._venue_now() or self._clock.now()
        seen_at = self._seen_at.setdefault(signal.signal_id, self._clock.monotonic())
        age = now - signal.executed_at
        known_for = timedelta(seconds=self._clock.monotonic() - seen_at)
        return age if age < -self._max_signal_age else max(age, known_for)

    def _answer(self, signal: TradeSignal, answer: CopyAnswer, intent: OrderIntent | None) -> float | None:
        """Write the final answer."""
        self._answers.answer(signal, answer, intent)
        return self._forget(signal)

    def _forget(self, signal: TradeSignal) -> float | None:
        """It has its answer; there is nothing to look at again, which is what None says."""
        self._seen_at.pop(signal.signal_id, None)
        return None

    def _stored_intent(self, order_id: str) -> OrderIntent:
        with self._store.read() as connection:
            intent = intents.find_intent(connection, order_id)
        assert intent is not None, "the plan writes the intent in the same transaction as the copy"
        return intent


class _AnswerAlong:
    """The answer that follows from an entry's end, in the transaction that books the end."""

    def __init__(self, answers: CopyAnswers, signal: TradeSignal) -> None:
        self._answers = answers
        self._signal = signal
        self._tell: Callable[[], None] | None = None

    def __call__(self, connection: Connection, intent: OrderIntent) -> None:
        # A transaction may be done again: what counts is the last time.
        self._tell = None
        if has_ended(intent):
            self._tell = self._answers.answer_in(connection, self._signal, entry_answer(intent), intent)

    def committed(self, intent: OrderIntent) -> bool:
        """Called after the transaction, if there was one: whether the copy has its answer by it."""
        if self._tell is None or not has_ended(intent):
            return False
        self._tell()
        return True


def _exits_of(symbol: str, rows: Sequence[Row[Any]]) -> Sequence[Row[Any]]:
    return [row for row in rows if row.symbol == symbol and row.kind == str(OrderKind.EXIT)]


def _not_sent(veto: CopyAnswer) -> str:
    return f"{NOT_SENT}{veto.reason}: {veto.detail}"


def entry_answer(intent: OrderIntent) -> CopyAnswer:
    """The answer that follows from how an entry's order has ended."""
    if intent.filled_quantity >= intent.quantity:
        return CopyAnswer(CopyStatus.COPIED)
    if intent.filled_quantity > 0:
        return CopyAnswer(CopyStatus.PARTLY_COPIED, CopyReason.PRICE_MOVED, "the rest was not to be had in the bound")
    if intent.state is IntentState.REJECTED:
        name = intent.reason.partition(":")[0]
        return CopyAnswer(CopyStatus.FAILED, _REFUSALS.get(name, CopyReason.REFUSED_BY_VENUE), intent.reason)
    if intent.state is IntentState.ABANDONED:
        return _answer_of_abandoned(intent.reason)
    limit = "" if intent.limit_price is None else f" within {intent.limit_price:f}"
    return CopyAnswer(CopyStatus.SKIPPED, CopyReason.PRICE_MOVED, f"nothing was to be had{limit}")


def _answer_of_abandoned(why: str) -> CopyAnswer:
    """Given up before it was sent (the intent's own text says why), or proven absent afterwards."""
    if not why.startswith(NOT_SENT):
        return CopyAnswer(CopyStatus.FAILED, CopyReason.PROVEN_ABSENT, why)
    reason, _, detail = why.removeprefix(NOT_SENT).partition(": ")
    if reason in _RULES:
        return CopyAnswer(CopyStatus.SKIPPED, _REASON_OF_RULE.get(reason, CopyReason.LIMIT), f"{reason}: {detail}")
    left = reason == CopyReason.MASTER_LEFT
    return CopyAnswer(CopyStatus.SUPERSEDED if left else CopyStatus.SKIPPED, CopyReason(reason), detail)

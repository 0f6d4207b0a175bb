"""The one final answer of a user to each signal, and what is noted until there is one."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection

from bot.domain.account import AccountRef
from bot.domain.signal import CopyReason, CopyStatus, TradeSignal
from bot.seams.clock import Clock
from bot.seams.failpoints import failpoint
from bot.storage import copies
from bot.storage.intents import OrderIntent
from bot.storage.store import Store


@dataclass(frozen=True)
class CopyAnswer:
    """How a copy ended. The reason is of the closed list; the detail has the numbers."""

    status: CopyStatus
    reason: CopyReason = CopyReason.NONE
    detail: str = ""


def _nothing_else(_connection: Connection) -> None:
    """An answer alone."""


def _nothing_new() -> None:
    """It was answered before."""


class CopyAnswers:
    """Writes the answers of one account. An answer that was given is never changed.

    `fence` raises `Fenced` in a transaction when the account is somebody else's by now.
    """

    def __init__(
        self,
        *,
        account: AccountRef,
        store: Store,
        clock: Clock,
        fence: Callable[[Connection], None],
        on_answer: Callable[[TradeSignal, CopyAnswer], None],
    ) -> None:
        self._account = account
        self._store = store
        self._clock = clock
        self._fence = fence
        self._on_answer = on_answer

    def answer(
        self,
        signal: TradeSignal,
        answer: CopyAnswer,
        intent: OrderIntent | None,
        *,
        filled: Decimal | None = None,
        together: Callable[[Connection], None] = _nothing_else,
    ) -> None:
        """Give the final answer; `together` is what must become true in the same transaction."""

        def work(connection: Connection) -> bool:
            self._fence(connection)
            together(connection)
            return self._write(connection, signal, answer, intent, filled)

        changed = self._store.write(work)
        failpoint("answer_committed")
        if changed:
            self._on_answer(signal, answer)

    def answer_in(
        self, connection: Connection, signal: TradeSignal, answer: CopyAnswer, intent: OrderIntent
    ) -> Callable[[], None]:
        """The final answer as a part of a transaction; what is returned is to be called once that is committed."""
        self._fence(connection)
        if not self._write(connection, signal, answer, intent, None):
            return _nothing_new
        return lambda: self._on_answer(signal, answer)

    def _write(
        self,
        connection: Connection,
        signal: TradeSignal,
        answer: CopyAnswer,
        intent: OrderIntent | None,
        filled: Decimal | None,
    ) -> bool:
        """False when it was answered before."""
        return copies.answer_copy(
            connection,
            signal_id=signal.signal_id,
            account_id=self._account.label,
            status=answer.status,
            reason=answer.reason,
            detail=answer.detail,
            at=self._clock.now(),
            filled_quantity=filled if filled is not None else (intent.filled_quantity if intent else None),
            average_price=intent.average_price if intent else None,
        )

    def note(self, signal: TradeSignal, **values: Any) -> None:
        """Change a copy that has no answer yet."""
        self._store.write(lambda connection: self.note_in(connection, signal, **values))

    def note_in(self, connection: Connection, signal: TradeSignal, **values: Any) -> None:
        """The same, as a part of a transaction."""
        self._fence(connection)
        copies.note_copy(connection, signal_id=signal.signal_id, account_id=self._account.label, **values)

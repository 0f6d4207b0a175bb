"""What a plan writes down: the copies of a signal, the entries to be sent, and what is kept of shares too small."""

from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from bot.domain.order import IntentState, OrderKind, OrderType
from bot.domain.signal import CopyReason, CopyStatus, TradeSignal
from bot.position_sizer import NoSize, Size
from bot.seams.ids import client_order_id
from bot.storage.accumulations import Kept
from bot.storage.copies import PlannedCopy
from bot.storage.intents import OrderIntent

USER_LEFT = NoSize(CopyReason.USER_LEFT, "the user does not copy any more")


def planning_failed(signal: TradeSignal, label: str, now: datetime, error: Exception) -> PlannedCopy:
    """The answer of a user whose copy could not be worked out or written down."""
    why = NoSize(CopyReason.PLANNING_FAILED, f"{type(error).__name__}: {error}"[:300])
    return answered(signal, label, now, why, status=CopyStatus.FAILED)


def lowered(kept: Kept, fraction: Decimal) -> Kept:
    """The master has sold this fraction of its position: so much of what was to be bought later is not due any more."""
    return replace(kept, quantity=kept.quantity * (1 - min(Decimal(1), fraction)))


def answered(
    signal: TradeSignal,
    label: str,
    now: datetime,
    why: NoSize,
    user_balance: Decimal | None = None,
    *,
    status: CopyStatus = CopyStatus.SKIPPED,
) -> PlannedCopy:
    """A copy that has its answer at once: nothing is sent for it."""
    return PlannedCopy(
        signal_id=signal.signal_id,
        account_id=label,
        planned_at=now,
        status=status,
        reason=why.reason,
        detail=why.detail,
        user_balance=user_balance,
        ratio=why.ratio,
        answered_at=now,
        capped_quantity=why.capped,
    )


def owed(signal: TradeSignal, label: str, now: datetime) -> PlannedCopy:
    """A share of what is held that is to be sold, however long that takes."""
    return PlannedCopy(signal_id=signal.signal_id, account_id=label, planned_at=now, ratio=signal.size)


def ordered(intent: OrderIntent, size: Size, cash: Decimal | None) -> PlannedCopy:
    """A copy that has an order; `cash` is the user's in the signal's quote currency, None = not known."""
    assert intent.signal_id is not None
    return PlannedCopy(
        signal_id=intent.signal_id,
        account_id=intent.account_id,
        planned_at=intent.created_at,
        client_order_id=intent.client_order_id,
        user_balance=cash,
        ratio=size.ratio,
        planned_quantity=size.quantity,
        capped_quantity=size.capped,
    )


def entry_intent(
    signal: TradeSignal, label: str, size: Size, *, limit_price: Decimal | None, install_id: str, now: datetime
) -> OrderIntent:
    """The order of one user's copy of an entry. Its id follows from both, so that it cannot be made twice."""
    name = client_order_id(
        install_id=install_id, decision_id=signal.signal_id, account_id=label, leg="entry", attempt=0
    )
    return OrderIntent(
        client_order_id=name,
        account_id=label,
        signal_id=signal.signal_id,
        decision="; ".join((f"copy of the {signal.broker} master's entry", *size.words))[:500],
        symbol=signal.symbol,
        side=signal.side,
        kind=OrderKind.ENTRY,
        # The venue itself enforces the price bound, and nothing is left resting.
        order_type=OrderType.LIMIT_IOC,
        quantity=size.quantity,
        limit_price=limit_price,
        balance_before=None,
        reference_price=signal.reference_price,
        exit_plan=signal.exit_plan,
        created_at=now,
        state=IntentState.CREATED,
    )

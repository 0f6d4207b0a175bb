"""The orders of one chain as rows: what they have filled, how the last one stands, and what the next one is."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from bot.domain.order import FINAL_STATES, IntentState, OrderKind, OrderType
from bot.domain.quote import Quote
from bot.execution.repositioner import Chain, Escalate, Reprice, Standing
from bot.seams.ids import client_order_id
from bot.storage.intents import OrderIntent

Steps = Sequence[OrderIntent]


def enters(steps: Steps) -> bool:
    return steps[0].kind is OrderKind.ENTRY


def filled_of(steps: Steps) -> Decimal:
    """What all of them have filled, in base units."""
    return sum((step.filled_quantity for step in steps), Decimal(0))


def standing_of(intent: OrderIntent) -> Standing:
    """What the repositioner calls the state of an order."""
    if intent.state not in FINAL_STATES:
        return Standing.LIVE
    if intent.state in (IntentState.REJECTED, IntentState.ABANDONED):
        return Standing.REFUSED
    rested = intent.order_type is OrderType.LIMIT_GTC and intent.state is not IntentState.FILLED
    return Standing.LOST if rested and intent.cancel_requested_at is None else Standing.ENDED


def chain_of(steps: Steps, *, hurried: bool) -> Chain:
    """As the repositioner sees it."""
    first, last = steps[0], steps[-1]
    return Chain(
        side=first.side,
        kind=first.kind,
        ordered=first.quantity,
        filled=filled_of(steps),
        step=last.chain_step,
        order_type=last.order_type,
        standing=standing_of(last),
        placed_at=last.sent_at or last.created_at,
        hurried=hurried,
    )


def next_step(
    steps: Steps, verdict: Reprice | Escalate, quantity: Decimal, *, now: datetime, install_id: str
) -> OrderIntent:
    """The order that follows. Its id follows from the chain and its place, so that it cannot be made twice."""
    first, number = steps[0], steps[-1].chain_step + 1
    return OrderIntent(
        client_order_id=client_order_id(
            install_id=install_id,
            decision_id=str(first.chain_id),
            account_id=first.account_id,
            leg=f"{first.kind}-step-{number}",
            attempt=0,
        ),
        account_id=first.account_id,
        signal_id=first.signal_id,
        decision=first.decision,
        symbol=first.symbol,
        side=first.side,
        kind=first.kind,
        order_type=verdict.order_type if isinstance(verdict, Reprice) else OrderType.MARKET,
        quantity=quantity,
        limit_price=verdict.price if isinstance(verdict, Reprice) else None,
        balance_before=first.balance_before,
        reference_price=first.reference_price,
        exit_plan=first.exit_plan,
        created_at=now,
        chain_id=first.chain_id,
        chain_step=number,
    )


def worth_of(steps: Steps, verdict: Reprice | Escalate, quote: Quote | None) -> Decimal:
    """A price for the venue's minimum alone: the best that is known."""
    if isinstance(verdict, Reprice):
        return verdict.price
    known = (
        None if quote is None else quote.bid,
        steps[-1].limit_price,
        steps[-1].average_price,
        steps[0].reference_price,
    )
    return next((price for price in known if price is not None), Decimal(1))

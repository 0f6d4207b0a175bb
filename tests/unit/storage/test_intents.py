"""The store refuses what the life of an order does not know."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from sqlalchemy import Connection, select

from bot.domain.account import AccountRef, BrokerType
from bot.domain.order import ALLOWED_MOVES, FINAL_STATES, IntentState, OrderKind, OrderType, Side
from bot.domain.position import ExitPlan
from bot.storage import accounts, intents, leases
from bot.storage.intents import IllegalMove, OrderIntent
from bot.storage.schema import order_event
from bot.storage.store import Store

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ON_BOTH_DATABASES = True


def intent() -> OrderIntent:
    return OrderIntent(
        client_order_id="a" * 32, account_id="kraken", signal_id=None, decision="test", symbol="BTC/USD",
        side=Side.BUY, kind=OrderKind.ENTRY, order_type=OrderType.MARKET, quantity=Decimal("0.1"), limit_price=None,
        balance_before=Decimal(100), exit_plan=ExitPlan(stop_loss_percent=Decimal(2)), created_at=NOW,
    )  # fmt: skip


@pytest.fixture
def kept(store: Store) -> Store:
    def work(connection: Connection) -> None:
        ref = AccountRef.master(BrokerType.KRAKEN)
        accounts.remember_account(connection, ref, name="m", enabled=True, now=NOW)
        intents.add_intent(connection, intent())

    store.write(work)
    return store


def test_an_intent_comes_back_as_it_was_written(kept: Store) -> None:
    with kept.read() as connection:
        assert intents.find_intent(connection, "a" * 32) == intent()


def test_the_same_intent_is_written_once(kept: Store) -> None:
    assert kept.write(lambda connection: intents.add_intent(connection, intent())) is False


def test_each_change_of_state_leaves_an_event(kept: Store) -> None:
    for state in (IntentState.SUBMITTED, IntentState.UNKNOWN, IntentState.FILLED):
        kept.write(lambda connection, state=state: intents.move(connection, "a" * 32, state, at=NOW))
    with kept.read() as connection:
        moves = [(row.old, row.new) for row in connection.execute(select(order_event).order_by(order_event.c.id))]
    assert moves == [("created", "submitted"), ("submitted", "unknown"), ("unknown", "filled")]


@pytest.mark.parametrize("end", sorted(FINAL_STATES))
def test_nothing_that_has_ended_is_ever_sent_again(kept: Store, end: IntentState) -> None:
    path = [IntentState.ABANDONED] if end is IntentState.ABANDONED else [IntentState.SUBMITTED, end]
    for state in path:
        kept.write(lambda connection, state=state: intents.move(connection, "a" * 32, state, at=NOW))
    for state in (IntentState.CREATED, IntentState.SUBMITTED, IntentState.UNKNOWN):
        with pytest.raises(IllegalMove):
            kept.write(lambda connection, state=state: intents.move(connection, "a" * 32, state, at=NOW))
    assert kept.write(lambda connection: submit(connection, epoch=1)) is False


def test_an_unknown_outcome_can_never_be_sent_again() -> None:
    assert IntentState.SUBMITTED not in ALLOWED_MOVES[IntentState.UNKNOWN]


def submit(connection: Connection, *, epoch: int) -> bool:
    return intents.submit(
        connection,
        "a" * 32,
        epoch=epoch,
        at=NOW,
        expires_at=None,
        settle_at=NOW,
        payload_sha256="0" * 64,
        quantity=Decimal(1),
        limit_price=None,
    )


def test_only_who_holds_the_lease_can_submit_and_only_once(kept: Store) -> None:
    def take() -> int:
        return kept.write(lambda connection: leases.take_lease(connection, "kraken", owner="thread", now=NOW))

    first, second = take(), take()
    assert second > first
    assert kept.write(lambda connection: submit(connection, epoch=first)) is False
    assert kept.write(lambda connection: submit(connection, epoch=second)) is True
    assert kept.write(lambda connection: submit(connection, epoch=second)) is False
    with kept.read() as connection:
        stored = intents.find_intent(connection, "a" * 32)
    assert stored is not None
    assert (stored.state, stored.attempt, stored.epoch) == (IntentState.SUBMITTED, 1, second)

"""Rows of copies and orders as a bot would have written them, for the commands to show."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

from bot.domain.account import BrokerType
from bot.domain.order import IntentState, OrderKind, OrderType, Side
from bot.domain.position import ExitPlan
from bot.domain.signal import CopyStatus, TradeSignal
from bot.storage import copies, intents, memberships, signals
from bot.storage.intents import OrderIntent
from tests.stored_bot import DAIVON, KRAKEN, StoredBot, now

BTC = "BTC/USD"


def member(bot: StoredBot) -> None:
    """Daivon is owed the answers to all that follows."""
    bot.store.write(lambda connection: memberships.set_active(connection, {DAIVON.label: DAIVON}))


def signal(bot: StoredBot, name: str, kind: OrderKind, *, ago: float = 0.0, planned: bool = True) -> str:
    """A trade of Kraken's master; returns the signal's id."""
    moment = now() - timedelta(seconds=ago)
    item = TradeSignal(
        signal_id=name * 32,
        broker=BrokerType.KRAKEN,
        symbol=BTC,
        side=Side.BUY if kind is OrderKind.ENTRY else Side.SELL,
        kind=kind,
        size=Decimal("500") if kind is OrderKind.ENTRY else Decimal("0.5"),
        quantity=Decimal("0.01"),
        reference_price=Decimal("50000"),
        master_balance=Decimal("10000"),
        executed_at=moment,
    )

    def work(connection: Any) -> None:
        signals.add_signal(connection, item, account_id=KRAKEN.label, venue_order_id=None, batch=0, now=moment)
        if planned:
            signals.claim_for_planning(connection, item.signal_id, at=moment)

    bot.store.write(work)
    return item.signal_id


def copy(bot: StoredBot, signal_id: str, *, ago: float = 0.0, **values: Any) -> None:
    """Daivon's copy, without an answer."""
    row = {"status": str(CopyStatus.PLANNED), "reason": "", "detail": ""} | values
    moment = now() - timedelta(seconds=ago)
    bot.store.write(
        lambda connection: copies.add_copy(
            connection, signal_id=signal_id, account_id=DAIVON.label, planned_at=moment, **row
        )
    )


def order(bot: StoredBot, beginning: str, *, ago: float = 0.0, **changes: Any) -> str:
    """An order of Daivon that was sent and has no known outcome, unless `changes` say otherwise; returns its id."""
    moment = now() - timedelta(seconds=ago)
    values: dict[str, Any] = {
        "client_order_id": beginning.ljust(32, "0"),
        "account_id": DAIVON.label,
        "signal_id": None,
        "decision": "stop at 2 %",
        "symbol": BTC,
        "side": Side.SELL,
        "kind": OrderKind.EXIT,
        "order_type": OrderType.MARKET,
        "quantity": Decimal("0.001"),
        "limit_price": None,
        "balance_before": None,
        "exit_plan": ExitPlan(),
        "created_at": moment,
        "sent_at": moment,
        "state": IntentState.UNKNOWN,
        "reason": "time-out",
    }
    intent = OrderIntent(**(values | changes))
    bot.store.write(lambda connection: intents.add_intent(connection, intent))
    return intent.client_order_id


def stored(bot: StoredBot, order_id: str) -> OrderIntent:
    with bot.store.read() as connection:
        found = intents.find_intent(connection, order_id)
    assert found is not None
    return found


def change(bot: StoredBot, order_id: str, **values: Any) -> None:
    bot.store.write(lambda connection: intents.change(connection, order_id, **values))

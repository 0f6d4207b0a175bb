"""Orders that an account decides on by itself: a master's entries, and everybody's exits."""

import logging
from collections.abc import Callable
from decimal import Decimal

from bot.account_desk import AccountDesk
from bot.domain.account import BrokerType
from bot.domain.order import IntentState, OrderKind, OrderType, Side
from bot.domain.position import ExitPlan
from bot.domain.quote import Quote
from bot.seams.clock import Clock
from bot.seams.ids import IdSource, client_order_id
from bot.storage import intents
from bot.storage.intents import OrderIntent
from bot.storage.store import Store

log = logging.getLogger(__name__)


class OwnOrders:
    """Writes them down and has them sent, in the account's own thread. `announce` tells of a master's trades."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        ids: IdSource,
        install_id: str,
        announce: Callable[[BrokerType], None],
    ) -> None:
        self._store = store
        self._clock = clock
        self._ids = ids
        self._install_id = install_id
        self._announce = announce

    def place(
        self,
        desk: AccountDesk,
        *,
        symbol: str,
        side: Side,
        kind: OrderKind,
        quantity: Decimal,
        decision: str,
        exit_plan: ExitPlan,
        balance_before: Decimal | None = None,
        reference_price: Decimal | None = None,
        quote: Quote | None = None,
        exit_rule: str = "",
    ) -> OrderIntent:
        """Write one order down and send it; returns it as it is now known.

        `quote` is what its price comes from, `exit_rule` the name of the rule that sells.
        """
        desk.status.step(f"placing {side} {symbol}")
        intent = OrderIntent(
            client_order_id=client_order_id(
                install_id=self._install_id,
                decision_id=self._ids.token(),
                account_id=desk.account.label,
                leg=str(kind),
                attempt=0,
            ),
            account_id=desk.account.label,
            signal_id=None,
            decision=decision,
            symbol=symbol,
            side=side,
            kind=kind,
            order_type=OrderType.MARKET,
            quantity=quantity,
            limit_price=None,
            balance_before=balance_before,
            reference_price=reference_price,
            exit_plan=exit_plan,
            created_at=self._clock.now(),
        )
        result = desk.executor.place(intent)
        if desk.account.is_master:
            self._announce(desk.account.broker)
        if result.filled_quantity == 0:
            log.warning("%s: %s %s is %s: %s", desk.account.label, side, symbol, result.state, result.reason)
        return result

    def busy(self, desk: AccountDesk, symbol: str) -> bool:
        """Whether an order of this symbol has no end yet: two could sell the same lots or buy twice."""
        with self._store.read() as connection:
            return any(
                intent.symbol == symbol and intent.state is not IntentState.CREATED
                for intent in intents.unfinished(connection, desk.account.label)
            )

"""Orders that an account decides on by itself: a master's entries, and everybody's exits."""

import logging
from collections.abc import Callable
from decimal import Decimal

from bot.account_desk import AccountDesk
from bot.domain.account import BrokerType
from bot.domain.errors import CredentialsRejected, RetryLater, UnreadableReply
from bot.domain.order import LIVE_STATES, IntentState, OrderKind, OrderType, Side
from bot.domain.position import ExitPlan
from bot.domain.quote import Quote
from bot.execution.repositioner import NEVER_REST, Policy, opening, policy_of
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
        """Write one order down and send it as the settings `orders` say; returns it as it is now known.

        `quote` is what its price comes from (default: one that is asked for now), `exit_rule` the name of the rule that
        sells: a stop never rests. Of an order that rests, or of an exit with a cap, this is the first of a chain, which
        goes on by itself in the account's thread. Raises ValueError for an entry whose limit cannot be told.
        """
        desk.status.step(f"placing {side} {symbol}")
        order_type, limit_price = self._form(desk, symbol, side, kind, quote, exit_rule)
        order_id = client_order_id(
            install_id=self._install_id,
            decision_id=self._ids.token(),
            account_id=desk.account.label,
            leg=str(kind),
            attempt=0,
        )
        chained = order_type is OrderType.LIMIT_GTC or (order_type is OrderType.LIMIT_IOC and kind is OrderKind.EXIT)
        intent = OrderIntent(
            client_order_id=order_id,
            account_id=desk.account.label,
            signal_id=None,
            decision=decision,
            symbol=symbol,
            side=side,
            kind=kind,
            order_type=order_type,
            quantity=quantity,
            limit_price=limit_price,
            balance_before=balance_before,
            reference_price=reference_price,
            exit_plan=exit_plan,
            created_at=self._clock.now(),
            chain_id=order_id if chained else None,
        )
        result = desk.executor.place(intent)
        if chained and desk.chains is not None:
            desk.chains.begun(result)
        if desk.account.is_master:
            self._announce(desk.account.broker)
        if result.filled_quantity == 0 and result.state not in LIVE_STATES:
            log.warning("%s: %s %s is %s: %s", desk.account.label, side, symbol, result.state, result.reason)
        return result

    def _form(
        self, desk: AccountDesk, symbol: str, side: Side, kind: OrderKind, quote: Quote | None, exit_rule: str
    ) -> tuple[OrderType, Decimal | None]:
        """Type and limit by the policy of this kind of order."""
        if desk.chains is None:
            return OrderType.MARKET, None
        rules = desk.chains.rules
        policy = policy_of(kind, exit_rule, rules)
        if policy is Policy.MARKET:
            return OrderType.MARKET, None
        instrument = desk.broker.get_trading_pairs()[symbol]
        form = opening(
            side=side,
            kind=kind,
            policy=policy,
            quote=quote or _quote_now(desk, symbol),
            instrument=instrument,
            rules=rules,
        )
        if form[0] not in desk.broker.capabilities.order_types and kind is OrderKind.EXIT:
            # An exit goes out in any form that the brokerage knows; an entry is refused with a word on it.
            return OrderType.MARKET, None
        return form

    def busy(self, desk: AccountDesk, symbol: str) -> bool:
        """Whether an order of this symbol has no end yet, or goes on: two could sell the same lots or buy twice."""
        if desk.chains is not None and desk.chains.open_in(symbol):
            return True
        with self._store.read() as connection:
            return any(
                intent.symbol == symbol
                and intent.state is not IntentState.CREATED
                # Nobody buys with it, and who sells has it taken back first.
                and intent.order_type is not OrderType.STOP
                for intent in intents.unfinished(connection, desk.account.label)
            )

    def may_sell(self, desk: AccountDesk, symbol: str, exit_rule: str) -> bool:
        """Whether a sale of this symbol may go out now. What is in its way is cleared as far as possible.

        An entry that rests is given up first. An exit that rests goes at the market when a stop overtakes it.
        """
        if desk.chains is not None and desk.chains.open_in(symbol):
            desk.chains.clear_entries(symbol, f"the position is sold: {exit_rule}")
            if exit_rule in NEVER_REST:
                desk.chains.hurry(symbol, exit_rule)
        if self.busy(desk, symbol):
            return False
        return desk.stops is None or desk.stops.clear(symbol, f"the position is sold: {exit_rule}")


def _quote_now(desk: AccountDesk, symbol: str) -> Quote | None:
    try:
        return desk.broker.get_best_bid_ask(symbol)
    except (UnreadableReply, RetryLater, CredentialsRejected) as error:
        log.info("%s: no price for %s: %s", desk.account.label, symbol, error)
        return None

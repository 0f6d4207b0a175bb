"""One account at a brokerage of the exchange, with books of its own, whose orders rest and are moved."""

import threading
from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal

from bot.account_desk import AccountDesk
from bot.brokers.base import BaseBroker
from bot.domain.order import IntentState, OrderKind, Side
from bot.domain.position import ExitPlan
from bot.execution.account_status import AccountStatus
from bot.execution.fill_recorder import FillRecorder
from bot.execution.order_chains import OrderChains
from bot.execution.order_executor import OrderExecutor
from bot.execution.reconciliation import Reconciler
from bot.execution.repositioner import OrderRules
from bot.own_orders import OwnOrders
from bot.seams.clock import SystemClock
from bot.seams.ids import SystemIds
from bot.storage import accounts, intents, leases, order_chains, positions
from bot.storage.intents import OrderIntent
from bot.storage.store import Store
from tests.exchange_process import ExchangeProcess, wait_until

MOST_SECONDS = 60.0


class ChainAccount:
    """`enter` and `exit` place the first order of a chain; `until_quiet` looks after it until it has ended."""

    def __init__(self, store: Store, broker: BaseBroker, rules: OrderRules, symbol: str) -> None:
        self.broker, self.symbol = broker, symbol
        self._store, self._label = store, broker.account.label
        clock, ids = SystemClock(), SystemIds()
        now = clock.now()
        store.write(
            lambda connection: accounts.remember_account(
                connection, broker.account, name=self._label, enabled=True, now=now
            )
        )
        epoch = store.write(lambda connection: leases.take_lease(connection, self._label, owner="test", now=now))
        recorder = FillRecorder(
            store=store,
            clock=clock,
            account=broker.account,
            default_exit_plan=ExitPlan(),
            emit=None,
            on_booked=lambda fills: [broker.balance_book.apply_fill(each) for each in fills] and None,
        )
        executor = OrderExecutor(
            broker=broker,
            store=store,
            clock=clock,
            recorder=recorder,
            stop=threading.Event(),
            confirm_seconds=5.0,
            gather_milliseconds=0,
            on_order=lambda _intent: None,
            epoch=epoch,
        )
        self.chains = OrderChains(
            broker=broker,
            store=store,
            clock=clock,
            executor=executor,
            rules=rules,
            install_id="test",
            announce=lambda: None,
        )
        self._orders = OwnOrders(
            store=store, clock=clock, ids=ids, install_id="test", announce=lambda _broker: None
        )  # fmt: skip
        status = AccountStatus(store=store, clock=clock, account=broker.account, mode="paper")
        self._desk = AccountDesk(
            broker=broker,
            status=status,
            recorder=recorder,
            executor=executor,
            reconciler=Reconciler(
                broker=broker,
                store=store,
                clock=clock,
                ids=ids,
                status=status,
                recorder=recorder,
                executor=executor,
                install_id="test",
            ),
            copier=None,
            candles=None,
            chains=self.chains,
        )
        self._clock = clock

    def enter(self, quantity: Decimal) -> OrderIntent:
        return self._place(Side.BUY, OrderKind.ENTRY, quantity, "")

    def exit(self, quantity: Decimal) -> OrderIntent:
        return self._place(Side.SELL, OrderKind.EXIT, quantity, "target")

    def _place(self, side: Side, kind: OrderKind, quantity: Decimal, rule: str) -> OrderIntent:
        quote = self.broker.get_best_bid_ask(self.symbol)
        return self._orders.place(
            self._desk,
            symbol=self.symbol,
            side=side,
            kind=kind,
            quantity=quantity,
            decision="test",
            exit_plan=ExitPlan(),
            quote=quote,
            balance_before=None,
            reference_price=quote.ask,
            exit_rule=rule,
        )

    def until_quiet(self) -> None:
        """Looks whenever it is time to."""

        def quiet() -> bool:
            due = self.chains.due_at
            if due is not None and due <= self._clock.monotonic():
                self.chains.look()
            return self.chains.due_at is None

        wait_until(quiet, seconds=MOST_SECONDS, what="the chain has ended")

    def steps_of(self, first: OrderIntent) -> Sequence[OrderIntent]:
        assert first.chain_id is not None
        with self._store.read() as connection:
            return order_chains.steps_of(connection, [first.chain_id])[0]

    def unfinished(self) -> Sequence[OrderIntent]:
        with self._store.read() as connection:
            states = [IntentState.CREATED, IntentState.SUBMITTED, IntentState.UNKNOWN, IntentState.ACKNOWLEDGED]
            return intents.intents_in(connection, self._label, [*states, IntentState.PARTLY_FILLED])

    def lots(self) -> Decimal:
        with self._store.read() as connection:
            position = positions.find_position(connection, self._label, self.symbol)
        return Decimal(0) if position is None else position.quantity


class ChainInTheJournal:
    """What the exchange says of one chain. `most` is how many of its orders were live at once."""

    def __init__(self, exchange: ExchangeProcess, steps: Sequence[OrderIntent]) -> None:
        names, self.most, self.filled = {step.client_order_id for step in steps}, 0, Decimal(0)
        self.accepted: list[Mapping[str, str]] = []
        self.live: dict[str, Decimal] = {}
        of_chain = defaultdict[str, bool](bool)
        for line in exchange.journal(0):
            if line["type"] == "accept" and line["client_order_id"] in names:
                self.accepted.append(line)
                of_chain[line["order_id"]] = True
                self.live[line["order_id"]] = Decimal(line["quantity"])
            elif line["type"] in ("cancel", "fill") and of_chain[line["order_id"]]:
                self._ended_or_filled(line)
            self.most = max(self.most, len(self.live))

    def _ended_or_filled(self, line: Mapping[str, str]) -> None:
        order = line["order_id"]
        if line["type"] == "cancel":
            self.live.pop(order, None)
            return
        self.filled += Decimal(line["quantity"])
        if order in self.live:
            self.live[order] -= Decimal(line["quantity"])
            if self.live[order] <= 0:
                del self.live[order]

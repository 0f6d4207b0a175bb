"""Accounts with real executors, limits and a store, over brokerages in memory."""

import threading
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from sqlalchemy import select

from bot.domain.account import AccountRef, BrokerType
from bot.domain.instrument import Instrument
from bot.domain.order import OrderAck, OrderKind, OrderRequest, OrderType, Side
from bot.domain.position import ExitPlan
from bot.domain.quote import Quote
from bot.execution.fill_recorder import FillRecorder
from bot.execution.order_executor import OrderExecutor
from bot.risk.case import LimitRules
from bot.risk.gate import NothingHalted, TradingGate
from bot.risk.limits import Limits
from bot.risk.marks import AccountMarks
from bot.seams.ids import SeededIds, client_order_id
from bot.storage import accounts, leases
from bot.storage.intents import OrderIntent
from bot.storage.risk_marks import RiskMark
from bot.storage.schema import order_intent, position, veto
from bot.storage.store import Store
from tests.memory_broker import BTC, MemoryBroker, TestClock

KRAKEN = AccountRef.master(BrokerType.KRAKEN)
ANN = AccountRef.user(BrokerType.KRAKEN, "ann")
OPEN = ("submitted", "acknowledged", "partly_filled", "unknown")


class LockedBroker(MemoryBroker):
    """Takes orders from many threads."""

    def __init__(self, account: AccountRef, clock: TestClock, *, price: str) -> None:
        super().__init__(account, clock, cash="1000000", price=price)
        self._lock = threading.Lock()

    def place_order(self, request: OrderRequest) -> OrderAck:
        with self._lock:
            return super().place_order(request)


class RiskDesk:
    """`enter` places an entry through the account's executor; `vetoes` are the rows that were written."""

    def __init__(
        self, store: Store, rules: LimitRules, *, accounts_: Sequence[AccountRef] = (KRAKEN,), price: str = "100"
    ) -> None:
        self.store = store
        self.clock = TestClock()
        self.ids = SeededIds(1)
        self.limits = Limits(rules=rules, clock=self.clock, listed=self._listed)
        self.gate = TradingGate(halted=NothingHalted(), not_ready=lambda _account: "", limits=self.limits)
        self.listing: dict[str, Instrument] = {}
        self.brokers = {ref: LockedBroker(ref, self.clock, price=price) for ref in accounts_}
        self.executors: dict[AccountRef, OrderExecutor] = {}
        self.marks: dict[AccountRef, AccountMarks] = {}
        self.recorders: dict[AccountRef, FillRecorder] = {}
        for ref in accounts_:
            self._open(ref)

    def intent(self, symbol: str = "BTC/USD", quantity: str = "1", **changes: Any) -> OrderIntent:
        """A market entry of the master, sized at the present price."""
        ref = changes.pop("account", KRAKEN)
        made = OrderIntent(
            client_order_id=client_order_id(
                install_id="test", decision_id=self.ids.token(), account_id=ref.label, leg="entry", attempt=0
            ),
            account_id=ref.label,
            signal_id=None,
            decision="test",
            symbol=symbol,
            side=Side.BUY,
            kind=OrderKind.ENTRY,
            order_type=OrderType.MARKET,
            quantity=Decimal(quantity),
            limit_price=None,
            balance_before=None,
            reference_price=self.brokers[ref].price,
            exit_plan=ExitPlan(),
            created_at=self.clock.now(),
        )
        if "limit_price" in changes:
            changes |= {"order_type": OrderType.LIMIT_IOC, "limit_price": Decimal(changes["limit_price"])}
        return replace(made, **changes)

    def enter(self, symbol: str = "BTC/USD", quantity: str = "1", **changes: Any) -> OrderIntent:
        """Place an entry; returns it as it then is."""
        ref = changes.get("account", KRAKEN)
        return self.executors[ref].place(self.intent(symbol, quantity, **changes))

    def exit(self, symbol: str, quantity: str, *, account: AccountRef = KRAKEN) -> OrderIntent:
        made = self.intent(symbol, quantity, account=account, side=Side.SELL, kind=OrderKind.EXIT)
        return self.executors[account].place(made)

    def mark(self, account: AccountRef = KRAKEN, *, prices: dict[str, str] | None = None) -> RiskMark | None:
        """Mark the account at these bids, default: its broker's price for all that is held."""
        with self.store.read() as connection:
            held = list(connection.execute(select(position.c.symbol)).scalars())
        broker = self.brokers[account]
        chosen = dict.fromkeys(held, str(broker.price)) if prices is None else prices
        quotes = {name: Quote(name, Decimal(at), Decimal(at), self.clock.now()) for name, at in chosen.items()}
        return self.marks[account].mark(quotes, broker.refresh_balance(max_age_seconds=0))

    def vetoes(self) -> list[tuple[str, str]]:
        """(account, rule), the oldest first."""
        with self.store.read() as connection:
            query = select(veto.c.account_id, veto.c.rule).order_by(veto.c.id)
            return [(account, rule) for account, rule in connection.execute(query)]

    def details(self) -> list[str]:
        with self.store.read() as connection:
            return list(connection.execute(select(veto.c.detail).order_by(veto.c.id)).scalars())

    def places_taken(self, account: AccountRef = KRAKEN) -> set[str]:
        """Markets that the account holds or has an open entry in, straight from the rows."""
        with self.store.read() as connection:
            held = connection.execute(select(position.c.symbol).where(position.c.account_id == account.label))
            entering = connection.execute(
                select(order_intent.c.symbol).where(
                    order_intent.c.account_id == account.label, order_intent.c.state.in_(OPEN)
                )
            )
            return {*held.scalars(), *entering.scalars()}

    def held(self, account: AccountRef) -> dict[str, Decimal]:
        """Base units by symbol."""
        with self.store.read() as connection:
            query = select(position.c.symbol, position.c.quantity).where(position.c.account_id == account.label)
            return {row.symbol: row.quantity for row in connection.execute(query)}

    def exposure(self) -> dict[tuple[str, str], Decimal]:
        """Cost of positions and of what is open, by (account, symbol), straight from the rows."""
        found: dict[tuple[str, str], Decimal] = {}
        with self.store.read() as connection:
            for row in connection.execute(select(position)):
                key = (row.account_id, row.symbol)
                found[key] = found.get(key, Decimal(0)) + row.quantity * row.average_entry_price
            for row in connection.execute(select(order_intent).where(order_intent.c.state.in_(OPEN))):
                key, price = (row.account_id, row.symbol), row.limit_price or row.reference_price
                found[key] = found.get(key, Decimal(0)) + (row.quantity - row.filled_quantity) * price
        return found

    # -- wiring -----------------------------------------------------------------------------------------------------
    def _open(self, ref: AccountRef) -> None:
        now = self.clock.now()
        self.store.write(
            lambda connection: accounts.remember_account(connection, ref, name=ref.label, enabled=True, now=now)
        )
        epoch = self.store.write(lambda connection: leases.take_lease(connection, ref.label, owner=ref.label, now=now))
        recorder = FillRecorder(
            store=self.store,
            clock=self.clock,
            account=ref,
            default_exit_plan=ExitPlan(),
            emit=None,
            on_booked=lambda _fills: None,
        )
        executor = OrderExecutor(
            broker=self.brokers[ref],
            store=self.store,
            clock=self.clock,
            recorder=recorder,
            stop=threading.Event(),
            confirm_seconds=0.0,
            gather_milliseconds=0,
            on_order=lambda _intent: None,
            epoch=epoch,
            entry_gate=self.gate,
        )
        self.executors[ref] = executor
        self.recorders[ref] = recorder
        self.marks[ref] = AccountMarks(
            account_id=ref.label,
            store=self.store,
            clock=self.clock,
            currency="USD",
            fence=executor.refuse_when_fenced,
        )

    def _listed(self, _account_id: str, symbol: str) -> Instrument | None:
        return self.listing.get(symbol)


def listed(symbol: str, *, minimum_notional: str) -> Instrument:
    """A market's rules with this smallest order."""
    return replace(BTC, symbol=symbol, minimum_quantity=Decimal(0), minimum_notional=Decimal(minimum_notional))

"""A master and a user in memory with reconcilers over their books, and what tests ask of those books."""

from collections.abc import Mapping
from decimal import Decimal
from functools import partial
from typing import Any

from sqlalchemy import select

from bot.domain.account import AccountRef
from bot.domain.drift import DriftKind
from bot.domain.order import IntentState, Side
from bot.domain.position import Position
from bot.execution.account_status import AccountStatus
from bot.execution.reconciliation import Reconciler
from bot.seams.ids import SeededIds, order_tag
from bot.storage import accounts, drifts, intents, positions, schema, symbol_pauses
from bot.storage.intents import OrderIntent
from bot.storage.store import Store
from tests.memory_broker import MemoryBroker
from tests.unit.copy_bench import KRAKEN, MASTER, Bench

ANN = AccountRef.user(KRAKEN, "ann")
OURS = order_tag("test")
PERIOD_SECONDS = 120.0
# What changes with every look, also when there is nothing new to see.
_LOOKS = {"drift": {"readings", "last_seen_at"}, "balance_snapshot": set(schema.balance_snapshot.c.keys())}


class ReconcilerBench:
    """`run(account)` is one pass; `restart()` forgets what was in memory."""

    def __init__(self, store: Store) -> None:
        self.bench = Bench(store, {"ann": "5000"})
        self.store, self.clock = store, self.bench.clock
        self.ann: MemoryBroker = self.bench.brokers[ANN]
        self.master: MemoryBroker = self.bench.brokers[MASTER]
        self.counts: dict[AccountRef, Mapping[DriftKind, int]] = {}
        self.statuses: dict[AccountRef, AccountStatus] = {}
        self.reconcilers: dict[AccountRef, Reconciler] = {}
        self.restart()

    def restart(self) -> None:
        for account in (MASTER, ANN):
            self.statuses[account] = AccountStatus(store=self.store, clock=self.clock, account=account, mode="paper")
            self.reconcilers[account] = Reconciler(
                broker=self.bench.brokers[account],
                store=self.store,
                clock=self.clock,
                ids=SeededIds(1),
                status=self.statuses[account],
                recorder=self.bench.recorders[account],
                executor=self.bench.executors[account],
                install_id="test",
                period_seconds=PERIOD_SECONDS,
                on_drifts=partial(self.counts.__setitem__, account),
            )

    def run(self, account: AccountRef = ANN, *, after: float = 1.0) -> bool:
        self.clock.seconds += after
        return self.reconcilers[account].run()

    def copied(self, quantity: str = "0.01") -> OrderIntent:
        """The master buys, and ann copies half of it; returns her order."""
        self.clock.seconds += 1
        self.bench.master_trades(Side.BUY, quantity)
        self.bench.plan()
        self.bench.copy("ann")
        return self.intents()[-1]

    # -- what the books say -----------------------------------------------------------------------------------------
    def intents(self, account: AccountRef = ANN) -> list[OrderIntent]:
        with self.store.read() as connection:
            return list(intents.intents_in(connection, account.label, list(IntentState)))

    def position(self, account: AccountRef = ANN) -> Position:
        with self.store.read() as connection:
            position = positions.find_position(connection, account.label, "BTC/USD")
        assert position is not None
        return position

    def lots(self, account: AccountRef = ANN) -> Decimal:
        with self.store.read() as connection:
            position = positions.find_position(connection, account.label, "BTC/USD")
        return Decimal(0) if position is None else position.quantity

    def rewrite(self, intent: OrderIntent, **values: Any) -> None:
        """Change columns of an order past its life."""
        self.store.write(lambda connection: intents.change(connection, intent.client_order_id, **values))

    def drifts(self, account: AccountRef = ANN) -> dict[str, str]:
        """Detail by kind, of what is open."""
        with self.store.read() as connection:
            return {row.kind: row.detail for row in drifts.open_drifts(connection, account.label)}

    def pause(self, account: AccountRef = ANN) -> str:
        with self.store.read() as connection:
            return symbol_pauses.pause_reason(connection, account.label, "BTC/USD")

    def state(self, account: AccountRef = ANN) -> Any:
        self.statuses[account].publish()
        with self.store.read() as connection:
            return next(row for row in accounts.states(connection) if row.account_id == account.label)

    def dump(self) -> dict[str, list[tuple[Any, ...]]]:
        """Every row of the books, without what changes with every look."""
        found = {}
        with self.store.read() as connection:
            for table in schema.metadata.sorted_tables:
                if table.name in ("account_state", "lease"):
                    continue
                columns = [column for column in table.c if column.name not in _LOOKS.get(table.name, set())]
                rows = connection.execute(select(*columns)).all() if columns else []
                found[table.name] = sorted((tuple(row) for row in rows), key=repr)
        return found

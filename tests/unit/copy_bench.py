"""A master and users of one brokerage in memory, wired as the program wires them, stepped by hand."""

import threading
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from sqlalchemy import func, select

from bot.copy_answers import CopyAnswers
from bot.copy_portion import CopyPortion
from bot.copy_trade_engine import CopyLimits, CopyTradeEngine, Follower
from bot.domain.account import AccountRef, BrokerType
from bot.domain.balance import BalanceReading
from bot.domain.instrument import Instrument
from bot.domain.leaving import WhenDisabled
from bot.domain.order import OrderKind, OrderType, Side
from bot.domain.position import ExitPlan
from bot.execution.departures import Departures
from bot.execution.entry_gate import EntryGate, OpenGate
from bot.execution.entry_lane import EntryLane
from bot.execution.fill_recorder import FillRecorder
from bot.execution.order_executor import OrderExecutor
from bot.mirrored_exits import MirroredExits
from bot.position_sizer import CopyRules, PositionSizer
from bot.seams.ids import SeededIds, client_order_id
from bot.storage import accounts, copies, leases, memberships
from bot.storage.intents import OrderIntent
from bot.storage.schema import copy_result
from bot.storage.store import Store
from bot.trade_signal_emitter import TradeSignalEmitter
from bot.user_copier import UserCopier
from tests.memory_broker import BTC, MemoryBroker, TestClock

KRAKEN = BrokerType.KRAKEN
MASTER = AccountRef.master(KRAKEN)
COPY_LIMITS = CopyLimits(
    max_copy_slippage_percent=Decimal("0.5"),
    max_signal_age_seconds=60,
    minimum_funded_quote=Decimal(10),
)


class Bench:
    """`users` maps user ids to their cash. `plan()` runs the engine, `copy(user)` one pass of a user's thread."""

    def __init__(self, store: Store, users: dict[str, str], *, rules: CopyRules | None = None) -> None:
        self.store = store
        self.clock = TestClock()
        self.ids = SeededIds(1)
        self.stop = threading.Event()
        self.followers = [
            Follower(account=AccountRef.user(KRAKEN, user), name=user, rules=rules or CopyRules()) for user in users
        ]
        self.brokers = {MASTER: MemoryBroker(MASTER, self.clock, cash="10000")}
        self.brokers |= {
            follower.account: MemoryBroker(follower.account, self.clock, cash=users[follower.name])
            for follower in self.followers
        }
        for account in self.brokers:
            self._remember(account)
        members = {follower.account.label: follower.account for follower in self.followers}
        store.write(lambda connection: memberships.set_active(connection, members))
        self.not_ready = ""
        # Of the executors that are made from now on (`restarted`).
        self.gate: EntryGate = OpenGate()
        self.restored_at: datetime | None = None
        # Orders that left in batches; another process has another one.
        self.departures = Departures(self.clock)
        self.hydrated = True
        # Of the engines that are made from now on; none = users are served in the order of their labels.
        self.rotation_seed: str | None = None
        self.answers: list[tuple[str, str, str]] = []
        # What executors told of orders: account, state.
        self.told: list[tuple[str, str]] = []
        self.woken: list[AccountRef] = []
        self.emitter = TradeSignalEmitter(
            store=store,
            clock=self.clock,
            ids=self.ids,
            default_exit_plan=ExitPlan(),
            announce=lambda _broker: None,
            plan_in=lambda connection, signal: self.engine.plan_in(connection, signal),
            instrument_of=self.instrument_of,
        )
        self.engine = self.make_engine()
        self.recorders = {account: self._recorder(account) for account in self.brokers}
        self.executors = {account: self._executor(account) for account in self.brokers}
        for broker in self.brokers.values():
            broker.refresh_balance()

    def make_engine(self, lane: EntryLane | None = None, portion: CopyPortion | None = None) -> CopyTradeEngine:
        """A new engine over the same store."""
        return CopyTradeEngine(
            store=self.store,
            clock=self.clock,
            install_id="test",
            sizer=PositionSizer(),
            followers=self,
            limits=COPY_LIMITS,
            wake_user=self.woken.append,
            on_planned=lambda _signal: None,
            lane=lane,
            rotation_seed=self.rotation_seed,
            portion=portion,
        )

    # -- what the engine asks ---------------------------------------------------------------------------------------
    def followers_of(self, broker: BrokerType) -> Sequence[Follower]:
        return self.followers if broker is KRAKEN else []

    def balance_of(self, account: AccountRef) -> BalanceReading:
        return self.brokers[account].balance_book.reading()

    def taker_fee_percent(self, account: AccountRef, symbol: str) -> Decimal:
        told = self.brokers[account].known_taker_fee_percent(symbol) if account in self.brokers else None
        return Decimal("0.4") if told is None else told

    def not_ready_reason(self, account: AccountRef) -> str:
        return self.not_ready

    def instrument_of(self, broker: BrokerType, symbol: str) -> Instrument | None:
        return BTC if symbol == "BTC/USD" else None

    def copying_armed(self, broker: BrokerType) -> bool:
        return True

    # -- what a test does -------------------------------------------------------------------------------------------
    def master_trades(self, side: Side, quantity: str) -> OrderIntent:
        """The master sends a market order through the real executor and recorder."""
        kind = OrderKind.ENTRY if side is Side.BUY else OrderKind.EXIT
        before = self.balance_of(MASTER).holdings
        assert before is not None
        return self.executors[MASTER].place(
            OrderIntent(
                client_order_id=client_order_id(
                    install_id="test", decision_id=self.ids.token(), account_id="kraken", leg=str(kind), attempt=0
                ),
                account_id=MASTER.label,
                signal_id=None,
                decision="test",
                symbol="BTC/USD",
                side=side,
                kind=kind,
                order_type=OrderType.MARKET,
                quantity=Decimal(quantity),
                limit_price=None,
                balance_before=before.of("USD").total,
                exit_plan=ExitPlan(),
                created_at=self.clock.now(),
            )
        )

    def plan(self) -> int:
        return self.engine.step()

    def user(self, name: str) -> MemoryBroker:
        return self.brokers[AccountRef.user(KRAKEN, name)]

    def copy(self, name: str) -> float | None:
        """One pass of a user's thread; a new copier each time, as after a restart."""
        return self.copier(name).run()

    def copier(self, name: str, *, leaving: WhenDisabled | None = None) -> UserCopier:
        account = AccountRef.user(KRAKEN, name)
        broker = self.brokers[account]
        answers = CopyAnswers(
            account=account,
            store=self.store,
            clock=self.clock,
            fence=self.executors[account].refuse_when_fenced,
            on_answer=lambda _signal, answer: self.answers.append((name, str(answer.status), str(answer.reason))),
        )
        exits = MirroredExits(
            account=account,
            store=self.store,
            clock=self.clock,
            install_id="test",
            broker=broker,
            executor=self.executors[account],
            sizer=PositionSizer(),
            answers=answers,
            instrument_of=lambda symbol: self.instrument_of(KRAKEN, symbol),
        )
        return UserCopier(
            account=account,
            store=self.store,
            clock=self.clock,
            executor=self.executors[account],
            exits=exits,
            answers=answers,
            balance=broker.balance_book.reading,
            venue_now=broker.venue_now,
            hydrated=lambda: self.hydrated,
            max_signal_age_seconds=60,
            leaving=leaving,
        )

    def rows(self) -> list[tuple[str, str, str]]:
        """(user, status, reason) of every copy, newest signal first."""
        with self.store.read() as connection:
            return [
                (row.user_id, row.copy_status, row.copy_reason)
                for row in copies.latest_copies(connection, signals=100)
                if row.user_id is not None
            ]

    def missing(self) -> int:
        with self.store.read() as connection:
            planned = select(func.count()).where(copy_result.c.status == "planned")
            return int(connection.execute(planned).scalar_one())

    def restarted(self, account: AccountRef) -> OrderExecutor:
        """The account's executor of a new process."""
        self.executors[account] = self._executor(account)
        return self.executors[account]

    # -- wiring -----------------------------------------------------------------------------------------------------
    def _remember(self, account: AccountRef) -> None:
        self.store.write(
            lambda connection: accounts.remember_account(
                connection, account, name=account.label, enabled=True, now=self.clock.now()
            )
        )

    def _recorder(self, account: AccountRef) -> FillRecorder:
        book = self.brokers[account].balance_book

        def booked(fills: Sequence[object]) -> None:
            for fill in fills:
                book.apply_fill(fill)

        return FillRecorder(
            store=self.store,
            clock=self.clock,
            account=account,
            default_exit_plan=ExitPlan(),
            emit=self.emitter.from_master_fills if account.is_master else None,
            on_booked=booked,
        )

    def _executor(self, account: AccountRef) -> OrderExecutor:
        return OrderExecutor(
            broker=self.brokers[account],
            store=self.store,
            clock=self.clock,
            recorder=self.recorders[account],
            stop=self.stop,
            confirm_seconds=1.0,
            gather_milliseconds=500,
            on_order=lambda intent: self.told.append((intent.account_id, str(intent.state))),
            restored_at=self.restored_at,
            entry_gate=self.gate,
            departures=self.departures,
            epoch=self.store.write(
                lambda connection: leases.take_lease(connection, account.label, owner="test", now=self.clock.now())
            ),
        )

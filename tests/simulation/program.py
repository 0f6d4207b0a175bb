"""The objects of one life of the process, wired as the program wires them."""

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from bot.account_desk import AccountDesk
from bot.copy_answers import CopyAnswers
from bot.copy_trade_engine import CopyLimits, CopyTradeEngine, Follower
from bot.domain.account import AccountRef, BrokerType
from bot.domain.balance import BalanceReading
from bot.domain.errors import StoreUnavailable
from bot.domain.fill import Fill
from bot.domain.instrument import Instrument
from bot.execution.account_status import AccountStatus
from bot.execution.departures import Departures
from bot.execution.entry_gate import OpenGate
from bot.execution.fill_recorder import FillRecorder
from bot.execution.instance_guard import NoOtherInstance
from bot.execution.order_executor import OrderExecutor
from bot.execution.order_lane import OrderLane, Seat
from bot.execution.reconciliation import Reconciler
from bot.master_rules import MasterRules
from bot.mirrored_exits import MirroredExits
from bot.position_sizer import CopyRules, PositionSizer
from bot.storage import leases
from bot.trade_signal_emitter import TradeSignalEmitter
from bot.trading_strategy import TradingStrategy
from bot.user_copier import UserCopier
from tests.simulation.broker import SimulatedBroker
from tests.simulation.venue import INSTRUMENTS

if TYPE_CHECKING:
    from tests.simulation.world import World

INSTALL_ID = "simulation"
MAX_SIGNAL_AGE_SECONDS = 60.0
MAX_COPY_SLIPPAGE_PERCENT = Decimal("0.5")
GATHER_MILLISECONDS = 500
# Often, compared with the program: a world lasts minutes.
RECONCILE_SECONDS = 45.0


class Program:
    """All of it is gone at a crash; what is known is in the store."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._store, self._clock, self._dice = world.store, world.clock, world.dice
        self.emitter = TradeSignalEmitter(
            store=self._store,
            clock=self._clock,
            ids=world.ids,
            default_exit_plan=world.exit_plan,
            announce=lambda _broker: None,
            plan_in=lambda connection, signal: self.engine.plan_in(connection, signal),
            instrument_of=self.instrument_of,
        )
        self.departures = Departures(self._clock)
        self.lane = self._lane()
        self.engine = self._engine()
        self.strategy = self._strategy()
        self.desks: dict[AccountRef, AccountDesk] = {}
        self.brokers: dict[AccountRef, SimulatedBroker] = {}
        for account in world.accounts:
            self.open_desk(account)

    def open_desk(self, account: AccountRef) -> None:
        """Open an account, also one that another thread still works for: that one is shut out."""
        epoch = self.take_lease(account)
        if account in self.brokers:
            self.brokers[account].close()
        self.open_under(account, epoch)

    def open_under(self, account: AccountRef, epoch: int) -> None:
        """New objects for an account, which work under this epoch."""
        self.brokers[account] = broker = SimulatedBroker(account, self._world.venue, self._clock, self._world)
        broker.epoch = epoch
        broker.loop = self._world.loop if self._world.has_lane and not account.is_master else None
        self.desks[account] = desk = self._desk(account, broker, epoch)
        if desk.copier is not None:
            self.lane.take_seat(Seat(account=account, epoch=epoch, broker=broker, fit=desk.copier.may_board))
        self.strategy.add_desk(self.desks[account])

    def take_lease(self, account: AccountRef) -> int:
        """Raise the account's epoch: whoever worked under an earlier one is shut out."""
        while True:
            try:
                return self._store.write(
                    lambda connection: leases.take_lease(
                        connection, account.label, owner="simulation", now=self._clock.now()
                    )
                )
            except StoreUnavailable:
                self._clock.advance(1)

    # -- what the engine asks ---------------------------------------------------------------------------------------
    def followers_of(self, broker: BrokerType) -> Sequence[Follower]:
        users = self._world.users if broker is self._world.broker_type else []
        return [Follower(account=user, name=user.label, rules=CopyRules()) for user in users]

    def balance_of(self, account: AccountRef) -> BalanceReading:
        return self.desks[account].broker.balance_book.reading()

    def taker_fee_percent(self, account: AccountRef, symbol: str) -> Decimal:
        return Decimal("0.4")

    def not_ready_reason(self, account: AccountRef) -> str:
        return ""

    def instrument_of(self, broker: BrokerType, symbol: str) -> Instrument | None:
        return INSTRUMENTS.get(symbol)

    def copying_armed(self, broker: BrokerType) -> bool:
        return broker is self._world.broker_type

    # -- wiring -----------------------------------------------------------------------------------------------------
    def _lane(self) -> OrderLane:
        return OrderLane(
            store=self._store,
            clock=self._clock,
            gate=OpenGate(),
            instance=NoOtherInstance(),
            departures=self.departures,
            hand_over=self._world.loop.call,
            wake=lambda _user: None,
            stop=self._world.stop,
        )

    def _engine(self) -> CopyTradeEngine:
        return CopyTradeEngine(
            lane=self.lane,
            store=self._store,
            clock=self._clock,
            install_id=INSTALL_ID,
            sizer=PositionSizer(),
            followers=self,
            limits=CopyLimits(
                max_copy_slippage_percent=MAX_COPY_SLIPPAGE_PERCENT,
                minimum_funded_quote=Decimal(10),
                max_signal_age_seconds=MAX_SIGNAL_AGE_SECONDS,
            ),
            wake_user=lambda _user: None,
            on_planned=lambda _signal: None,
        )

    def _strategy(self) -> TradingStrategy:
        return TradingStrategy(
            strategies={},
            # No entries of its own: the world decides what the master buys.
            rules=MasterRules(
                max_positions=0,
                max_entries_per_cycle=0,
                order_percent_of_cash=Decimal(10),
                exit_plan=self._world.exit_plan,
                scan_symbols_limit=0,
            ),
            sizer=PositionSizer(),
            store=self._store,
            clock=self._clock,
            ids=self._world.ids,
            install_id=INSTALL_ID,
            announce=lambda _broker: None,
            status_lines=list,
        )

    def _desk(self, account: AccountRef, broker: SimulatedBroker, epoch: int) -> AccountDesk:
        recorder = self._recorder(account, broker)
        executor = OrderExecutor(
            broker=broker,
            store=self._store,
            clock=self._clock,
            recorder=recorder,
            stop=self._world.stop,
            confirm_seconds=self._dice.pick([0.0, 1.0, 5.0]),
            gather_milliseconds=GATHER_MILLISECONDS,
            on_order=lambda _intent: None,
            epoch=epoch,
            departures=self.departures,
        )
        status = AccountStatus(store=self._store, clock=self._clock, account=account, mode="paper")
        reconciler = Reconciler(
            broker=broker,
            store=self._store,
            clock=self._clock,
            ids=self._world.ids,
            status=status,
            recorder=recorder,
            executor=executor,
            install_id=INSTALL_ID,
            period_seconds=RECONCILE_SECONDS,
        )
        return AccountDesk(
            broker=broker,
            status=status,
            recorder=recorder,
            executor=executor,
            reconciler=reconciler,
            copier=None if account.is_master else self._copier(account, broker, executor, reconciler),
            candles=None,
        )

    def _recorder(self, account: AccountRef, broker: SimulatedBroker) -> FillRecorder:
        def booked(fills: Sequence[Fill]) -> None:
            for fill in fills:
                broker.balance_book.apply_fill(fill)

        return FillRecorder(
            store=self._store,
            clock=self._clock,
            account=account,
            default_exit_plan=self._world.exit_plan,
            emit=self.emitter.from_master_fills if account.is_master else None,
            on_booked=booked,
        )

    def _copier(
        self, account: AccountRef, broker: SimulatedBroker, executor: OrderExecutor, reconciler: Reconciler
    ) -> UserCopier:
        answers = CopyAnswers(
            account=account,
            store=self._store,
            clock=self._clock,
            fence=executor.refuse_when_fenced,
            on_answer=lambda _signal, _answer: None,
        )
        exits = MirroredExits(
            account=account,
            store=self._store,
            clock=self._clock,
            install_id=INSTALL_ID,
            broker=broker,
            executor=executor,
            sizer=PositionSizer(),
            answers=answers,
            instrument_of=INSTRUMENTS.get,
        )
        return UserCopier(
            account=account,
            store=self._store,
            clock=self._clock,
            executor=executor,
            exits=exits,
            answers=answers,
            balance=broker.balance_book.reading,
            venue_now=broker.venue_now,
            hydrated=lambda: reconciler.hydrated,
            max_signal_age_seconds=MAX_SIGNAL_AGE_SECONDS,
        )

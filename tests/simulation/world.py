"""One seed's world: a master and its users, wired as the program wires them, thrown away and rebuilt at each crash."""

import threading
from collections.abc import Callable, Sequence
from decimal import ROUND_DOWN, Decimal

from bot.account_desk import AccountDesk
from bot.copy_trade_engine import CopyLimits, CopyTradeEngine, Follower
from bot.domain.account import AccountRef, BrokerType
from bot.domain.balance import BalanceReading
from bot.domain.errors import NijaError
from bot.domain.fill import Fill
from bot.domain.instrument import Instrument
from bot.domain.order import IntentState, OrderKind, OrderRequest, OrderType, Side
from bot.domain.position import ExitPlan
from bot.execution.account_status import AccountStatus
from bot.execution.fill_recorder import FillRecorder
from bot.execution.order_executor import OrderExecutor
from bot.position_sizer import CopyRules, PositionSizer
from bot.seams import failpoints
from bot.seams.ids import SeededIds
from bot.storage import accounts, copies, intents, positions, signals
from bot.trade_signal_emitter import TradeSignalEmitter
from bot.trading_strategy import MasterRules, TradingStrategy
from bot.user_copier import UserCopier
from tests.simulation.broker import SimulatedBroker
from tests.simulation.clock import WorldClock
from tests.simulation.dice import Crash, Dice
from tests.simulation.store import SimulatedStore
from tests.simulation.venue import INSTRUMENTS, LOT, WeakVenue

KRAKEN = BrokerType.KRAKEN
MASTER = AccountRef.master(KRAKEN)
INSTALL_ID = "simulation"
MAX_SIGNAL_AGE_SECONDS = 60.0
FAILPOINTS = (
    "intent_committed",
    "submitted_committed",
    "ack_received",
    "fills_booked",
    "plan_signal",
    "signal_planned",
)
TRADES = ("entry", "entry", "part", "part", "all")
STEPS = 80
HEALING_ROUNDS = 60
HEALING_STEP_SECONDS = 5.0


class World:
    """`errors` are exceptions the bot does not know: in the program they would be logged as unexpected."""

    def __init__(self, seed: int, store: SimulatedStore) -> None:
        self.seed = seed
        self.dice = Dice(seed)
        self.clock = WorldClock()
        self.venue = WeakVenue(self.clock, self.dice, fee_in_base=self.dice.chance(0.3))
        self.clock.on_move = self.venue.pass_time
        self.store = store
        self.ids = SeededIds(seed)
        self.stop = threading.Event()
        self.exit_plan = self.dice.pick(
            [ExitPlan(), ExitPlan(stop_loss_percent=Decimal(3), take_profit_percent=Decimal(3))]
        )
        self.users = [AccountRef.user(KRAKEN, f"user{number}") for number in range(self.dice.pick([2, 3, 4]))]
        self.followers = [Follower(account=user, name=user.label, rules=CopyRules()) for user in self.users]
        self.crashes = 0
        self.errors: list[str] = []
        self.hand_orders = 0
        self._depth = 0
        self._open_accounts()
        store.crash_here, store.fails = self.crash_here, lambda: self.dice.chance(self.venue.rates.store_failure)
        self.boot()

    # -- life and death of the process ------------------------------------------------------------------------------
    def boot(self) -> None:
        """All objects in memory are new; what is known is in the store."""
        self._depth = 0
        self.emitter = TradeSignalEmitter(
            store=self.store,
            clock=self.clock,
            ids=self.ids,
            default_exit_plan=self.exit_plan,
            announce=lambda _broker: None,
        )
        self.engine = self._engine()
        self.strategy = self._strategy()
        self.desks: dict[AccountRef, AccountDesk] = {}
        for account in (MASTER, *self.users):
            self.desks[account] = self._desk(account)
            self.strategy.add_desk(self.desks[account])

    def crash_here(self) -> None:
        if self.dice.chance(self.venue.rates.crash):
            raise Crash

    def run(self) -> None:
        """The fault phase, then healing."""
        failpoints._plan.update(dict.fromkeys(FAILPOINTS, self.crash_here))
        try:
            self._survive(self._first_cycles)
            for _ in range(STEPS):
                self._survive(self._step)
            self.venue.rates = self.venue.rates.none()
            self._heal()
        finally:
            failpoints.install("")

    def _first_cycles(self) -> None:
        """A started account begins with a cycle; not all of them are through before something else happens."""
        for account in (MASTER, *self.users):
            if self.dice.chance(0.8):
                self.cycle(account)

    def _survive(self, step: Callable[[], None]) -> None:
        try:
            step()
        except Crash:
            self.crashes += 1
            self.clock.advance(self.dice.pick([1, 1, 5, 5, 20, 90, 3600]))
            self.boot()
            self._survive(self._first_cycles)

    # -- steps ------------------------------------------------------------------------------------------------------
    def _step(self) -> None:
        weights = {"wait": 3.0, "plan": 3.0, "copy": 6.0, "cycle": 3.0, "trade": 4.0, "hand": 0.5, "move": 1.0}
        {
            "wait": lambda: self.clock.advance(self._pause()),
            "plan": self.plan,
            "copy": lambda: self.copy(self.dice.pick(self.users)),
            "cycle": lambda: self.cycle(self.dice.pick([MASTER, MASTER, *self.users])),
            "trade": self.master_trades,
            "hand": self.owner_trades,
            "move": self._move_price,
        }[self.dice.weighted(weights)]()

    def _pause(self) -> float:
        kind = self.dice.weighted({"short": 7, "middle": 3, "long": 0.2})
        low, high = {"short": (0.1, 3.0), "middle": (3.0, 25.0), "long": (60.0, 3600.0)}[kind]
        return self.dice.between(low, high)

    def _move_price(self) -> None:
        symbol = self.dice.pick(list(INSTRUMENTS))
        percent = self.dice.pick([0.1, 0.3, 1.0, 4.0]) * self.dice.pick([-1, 1])
        factor = 1 + Decimal(str(percent)) / 100
        self.venue.prices[symbol] = (self.venue.prices[symbol] * factor).quantize(Decimal("0.01"))

    def plan(self) -> None:
        self._guarded("plan", self.engine.step)

    def copy(self, user: AccountRef) -> None:
        copier = self.desks[user].copier
        assert copier is not None
        self._guarded(f"copy {user.label}", copier.run)

    def cycle(self, account: AccountRef) -> None:
        broker = self.desks[account].broker
        self._guarded(
            f"cycle {account.label}", lambda: self.strategy.run_cycle(broker, user_mode=not account.is_master)
        )

    def master_trades(self) -> None:
        """The master's strategy buys, or sells a part or all, through the bot."""
        symbol = self.dice.pick(list(INSTRUMENTS))
        self._guarded("trade", lambda: self._master_trades(symbol, self.dice.pick(TRADES)))

    def _master_trades(self, symbol: str, what: str) -> None:
        desk = self.desks[MASTER]
        if self.strategy._busy(desk, symbol):
            return
        if what != "entry":
            with self.store.read() as connection:
                position = positions.find_position(connection, MASTER.label, symbol)
            if position is None:
                return
            share = Decimal(1) if what == "all" else Decimal(str(round(self.dice.between(0.1, 0.9), 2)))
            quantity = (position.quantity * share).quantize(LOT, ROUND_DOWN)
            if INSTRUMENTS[symbol].below_minimum(quantity, self.venue.prices[symbol]) is None:
                self._master_order(symbol, Side.SELL, quantity, None)
            return
        holdings = desk.broker.balance_book.reading().holdings
        if holdings is None:
            return
        cash = holdings.of("USD")
        notional = cash.available * Decimal(str(round(self.dice.between(0.02, 0.3), 2)))
        quantity = (notional / self.venue.prices[symbol]).quantize(LOT, ROUND_DOWN)
        if INSTRUMENTS[symbol].below_minimum(quantity, self.venue.prices[symbol]) is None:
            self._master_order(symbol, Side.BUY, quantity, cash.total)

    def _master_order(self, symbol: str, side: Side, quantity: Decimal, balance_before: Decimal | None) -> None:
        self.strategy._place(
            self.desks[MASTER],
            symbol=symbol,
            side=side,
            kind=OrderKind.ENTRY if side is Side.BUY else OrderKind.EXIT,
            quantity=quantity,
            decision="simulated",
            exit_plan=self.exit_plan,
            balance_before=balance_before,
        )

    def owner_trades(self) -> None:
        """The master's owner trades by hand: buys something, or sells all that can be sold."""
        symbol = self.dice.pick(list(INSTRUMENTS))
        side = self.dice.pick([Side.BUY, Side.SELL])
        held = self.venue.available(MASTER.label, symbol)
        quantity = held if side is Side.SELL else (Decimal(300) / self.venue.prices[symbol]).quantize(LOT)
        if quantity <= 0:
            return
        self.hand_orders += 1
        request = OrderRequest(
            client_order_id=f"hand{self.hand_orders}",
            symbol=symbol,
            side=side,
            kind=OrderKind.ENTRY if side is Side.BUY else OrderKind.EXIT,
            order_type=OrderType.MARKET,
            quantity=quantity,
        )
        self._guarded("hand", lambda: self.venue.accept(MASTER.label, request, sent_at=self.clock.seconds))

    def _meanwhile(self, account: AccountRef) -> None:
        """Another account's thread or the engine runs while this one waits for a reply."""
        if self._depth or not self.dice.chance(0.05):
            return
        self._depth += 1
        others = [user for user in self.users if user != account]
        what = self.dice.pick([self.plan, lambda: self.copy(self.dice.pick(others)), lambda: self.cycle(others[0])])
        what()
        self._depth -= 1

    def _guarded(self, what: str, work: Callable[[], object]) -> None:
        """An account's thread survives its errors, as in the program."""
        try:
            work()
        except NijaError:
            return
        except Exception as error:  # noqa: BLE001 - the judge wants to hear of it
            self.errors.append(f"{what}: {type(error).__name__}: {error}")

    # -- healing ----------------------------------------------------------------------------------------------------
    def _heal(self) -> None:
        """No faults any more: the master goes flat and everybody works until nothing is left to do."""
        quiet_rounds = 0
        for _ in range(HEALING_ROUNDS):
            self.clock.advance(HEALING_STEP_SECONDS)
            self.cycle(MASTER)
            for symbol in INSTRUMENTS:
                self._guarded("trade", lambda symbol=symbol: self._master_trades(symbol, "all"))
            self.plan()
            for user in self.users:
                self.cycle(user)
                self.copy(user)
            # A trade by hand is only seen in the round after its end.
            quiet_rounds = 0 if self.unfinished() else quiet_rounds + 1
            if quiet_rounds == 2:
                return

    def unfinished(self) -> list[str]:
        """What has no end yet, in words."""
        with self.store.read() as connection:
            waiting = [f"signal {signal.signal_id} has no plan" for signal in signals.unplanned(connection, KRAKEN)]
            rows = [
                f"{row.kind} {row.signal_id} of {user.label} has no answer"
                for user in self.users
                for row in copies.planned_copies(connection, user.label)
            ]
            orders = [
                f"order {intent.client_order_id} of {account.label} is {intent.state}"
                for account in (MASTER, *self.users)
                for intent in intents.unfinished(connection, account.label)
                if not (intent.state is IntentState.CREATED and intent.signal_id is None)
            ]
        flat = [
            f"the master holds {symbol}"
            for symbol, instrument in INSTRUMENTS.items()
            if instrument.below_minimum(self.venue.coins[MASTER.label, symbol], self.venue.prices[symbol]) is None
        ]
        working = [f"the venue works on {one.venue_order_id}" for one in self.venue.orders if not one.status.ended]
        return [*waiting, *rows, *orders, *flat, *working]

    # -- what the engine asks ---------------------------------------------------------------------------------------
    def followers_of(self, broker: BrokerType) -> Sequence[Follower]:
        return self.followers if broker is KRAKEN else []

    def balance_of(self, account: AccountRef) -> BalanceReading:
        return self.desks[account].broker.balance_book.reading()

    def not_ready_reason(self, account: AccountRef) -> str:
        return ""

    def instrument_of(self, broker: BrokerType, symbol: str) -> Instrument | None:
        return INSTRUMENTS.get(symbol)

    def copying_armed(self, broker: BrokerType) -> bool:
        return broker is KRAKEN

    # -- wiring -----------------------------------------------------------------------------------------------------
    def _open_accounts(self) -> None:
        self.venue.open_account(MASTER.label, Decimal(10000), {})
        for user in self.users:
            # Coins of the user's own, which no copy may touch.
            own = {symbol: self.dice.pick([Decimal(0), Decimal("0.05")]) for symbol in INSTRUMENTS}
            self.venue.open_account(user.label, Decimal(self.dice.pick([500, 1000, 5000, 20000])), own)
        for account in (MASTER, *self.users):
            self._remember(account)

    def _remember(self, account: AccountRef) -> None:
        self.store.write(
            lambda connection: accounts.remember_account(
                connection, account, name=account.label, enabled=True, now=self.clock.now()
            )
        )

    def _engine(self) -> CopyTradeEngine:
        return CopyTradeEngine(
            store=self.store,
            clock=self.clock,
            install_id=INSTALL_ID,
            sizer=PositionSizer(),
            followers=self,
            limits=CopyLimits(
                max_copy_slippage_percent=Decimal("0.5"),
                reserve_percent=Decimal("0.4"),
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
                exit_plan=self.exit_plan,
                scan_symbols_limit=0,
                quote_currency="USD",
            ),
            sizer=PositionSizer(),
            store=self.store,
            clock=self.clock,
            ids=self.ids,
            install_id=INSTALL_ID,
            announce=lambda _broker: None,
            status_lines=list,
        )

    def _desk(self, account: AccountRef) -> AccountDesk:
        broker = SimulatedBroker(account, self.venue, self.clock, crash_here=self.crash_here, meanwhile=self._meanwhile)
        recorder = self._recorder(account, broker)
        executor = OrderExecutor(
            broker=broker,
            store=self.store,
            clock=self.clock,
            recorder=recorder,
            stop=self.stop,
            confirm_seconds=self.dice.pick([0.0, 1.0, 5.0]),
            gather_milliseconds=500,
            on_order=lambda _intent: None,
        )
        return AccountDesk(
            broker=broker,
            status=AccountStatus(store=self.store, clock=self.clock, account=account, mode="paper"),
            recorder=recorder,
            executor=executor,
            copier=None if account.is_master else self._copier(account, broker, executor),
            candles=None,
        )

    def _recorder(self, account: AccountRef, broker: SimulatedBroker) -> FillRecorder:
        def booked(fills: Sequence[Fill]) -> None:
            for fill in fills:
                broker.balance_book.apply_fill(fill)

        return FillRecorder(
            store=self.store,
            clock=self.clock,
            account=account,
            default_exit_plan=self.exit_plan,
            emit=self.emitter.from_master_fills if account.is_master else None,
            on_booked=booked,
        )

    def _copier(self, account: AccountRef, broker: SimulatedBroker, executor: OrderExecutor) -> UserCopier:
        return UserCopier(
            account=account,
            store=self.store,
            clock=self.clock,
            install_id=INSTALL_ID,
            executor=executor,
            sizer=PositionSizer(),
            instrument_of=INSTRUMENTS.get,
            balance=broker.balance_book.reading,
            max_signal_age_seconds=MAX_SIGNAL_AGE_SECONDS,
            on_answer=lambda _signal, _answer: None,
        )
